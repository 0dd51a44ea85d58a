"""What feature files state of how their features were made: the encoder, and the scale of the tiles.

Tools name these things as they like (TRIDENT, CLAM, STAMP, TIAToolbox and others); a file says what its attributes say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_ENCODERS = (
    *("encoder", "extractor", "patch_encoder", "tile_encoder", "feature_extractor", "feature_encoder"),
    *("encoder_name", "extractor_name", "patch_encoder_name", "model_name", "backbone", "model"),
)
_TILE_SPACINGS = (
    *("spacing_um_per_px", "target_mpp", "target_spacing", "patch_mpp", "tile_mpp", "tile_spacing"),
    *("patch_spacing", "spacing"),
)
_TILE_MAGNIFICATIONS = (
    *("target_magnification", "target_mag", "patch_magnification", "tile_magnification"),
    *("magnification", "mag", "power"),
)
_SLIDE_SPACINGS = ("level0_mpp", "slide_mpp", "base_mpp", "mpp")
_SLIDE_MAGNIFICATIONS = ("level0_magnification", "level0_mag", "objective_power", "base_magnification")
_TILE_EDGES = ("patch_size", "tile_size_px", "patch_size_px", "tile_px", "tile_size")
_TILE_EDGES_LEVEL0 = ("patch_size_level0", "tile_size_level0")
_LARGEST_EDGE = 2.0**20
"""No tile is larger; what is, is a mistake."""

_DOWNSAMPLES = ("downsample", "level_downsample", "patch_downsample")
_LEVELS = ("patch_level", "level", "tile_level")

UM_PER_PX_AT_1X = 10.0
"""Magnifications are meant so: 40x is 0.25 µm/px."""

UNNAMED = "unnamed"
"""What the encoder of an archive is called where nobody names it."""

_OTHER_NAMES = {
    **{"univ1": "uni", "univ2": "uni2h", "uni2": "uni2h", "conchv1": "conch", "conch15": "conchv15"},
    **{"midnight12k": "midnight", "lunitvits8": "lunitdino8", "kaikovitl14": "kaikovitl"},
    "chiefctranspath": "ctranspathchief",
}
"""How TRIDENT and STAMP call published encoders, and the names of their cards; all without case and signs."""

_OWN_FINGERPRINT = re.compile(r"(?P<name>.+)-\d+-[0-9a-f]{6,}")


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """What a feature file states; "" and 0 where it does not say.

    encoder: as the file calls it; spacing of the tiles in µm/px; tile_px: their edge as they were read;
    tile_size_level0: the same in level-0 px; downsample: of the level they were read from; level: its number, -1
    where it is not said.
    """

    encoder: str = ""
    spacing_um_per_px: float = 0.0
    tile_px: int = 0
    tile_size_level0: int = 0
    downsample: float = 0.0
    level: int = -1


def read_facts(attributes: Mapping[str, object]) -> FeatureFacts:
    """What the attributes of a file, of all its parts together, state."""
    edge, edge_level0 = _read_edge(attributes, _TILE_EDGES), _read_edge(attributes, _TILE_EDGES_LEVEL0)
    level = _first(attributes, _LEVELS) if any(name in attributes for name in _LEVELS) else -1.0
    downsample = _first(attributes, _DOWNSAMPLES) or (edge_level0 / edge if edge and edge_level0 else 0.0)
    downsample = downsample or (1.0 if level == 0 else 0.0)
    scale = downsample or (1.0 if level < 0 and "patch_size" in attributes else 0.0)
    return FeatureFacts(
        encoder=_read_encoder(attributes),
        spacing_um_per_px=_read_spacing(attributes, downsample),
        tile_px=int(edge),
        tile_size_level0=int(min(edge_level0 or edge * scale, _LARGEST_EDGE)),
        downsample=downsample,
        level=int(level),
    )


def strip_encoder(name: str) -> str:
    """The name of an encoder without what an archive puts before it; empty for none."""
    bare = name.removeprefix("features:").strip()
    return "" if bare == UNNAMED else bare


def is_same_encoder(stated: str, name: str) -> bool:
    """Whether two names mean one encoder: "UNI_v1", "uni-v1" and "uni", and a name and histoseek's own fingerprint of
    it."""
    own = _OWN_FINGERPRINT.fullmatch(stated)
    return _make_key(name) in (_make_key(stated), _make_key(own["name"]) if own else _make_key(stated))


def read_number(attributes: Mapping[str, object], name: str) -> float:
    """A number, also as text ("20x") or in an array; 0 where there is none."""
    value = attributes.get(name)
    if isinstance(value, str | bytes):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        match = re.fullmatch(r"\s*([\d.]+)\s*[xX]?\s*", text)
        value = float(match[1]) if match and match[1].replace(".", "", 1).isdigit() else None
    flat = np.asarray(value).reshape(-1) if value is not None else np.zeros(0)
    number = float(flat[0]) if flat.size and flat.dtype.kind in "fiu" else 0.0
    return number if np.isfinite(number) else 0.0


def _read_encoder(attributes: Mapping[str, object]) -> str:
    for name in _ENCODERS:
        value = attributes.get(name)
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(text, str) and (bare := strip_encoder(text)):
            return bare
    return ""


def _read_spacing(attributes: Mapping[str, object], downsample: float) -> float:
    """The spacing of the tiles: as it is given, by a magnification, or by the slide's and the level's downsample."""
    if direct := _first(attributes, _TILE_SPACINGS):
        return direct
    if magnification := _first(attributes, _TILE_MAGNIFICATIONS):
        return UM_PER_PX_AT_1X / magnification
    edge_um, edge_px = read_number(attributes, "tile_size_um"), _first(attributes, _TILE_EDGES)
    if edge_um and edge_px:
        return edge_um / edge_px
    resolution, units = read_number(attributes, "resolution"), str(attributes.get("units", ""))
    if resolution and units in ("mpp", "power"):
        return resolution if units == "mpp" else UM_PER_PX_AT_1X / resolution
    native = _first(attributes, _SLIDE_SPACINGS)
    if not native and (magnification := _first(attributes, _SLIDE_MAGNIFICATIONS)):
        native = UM_PER_PX_AT_1X / magnification
    if downsample:
        return native * downsample
    return read_number(attributes, "mpp")


def _first(attributes: Mapping[str, object], names: tuple[str, ...]) -> float:
    return next((number for name in names if (number := read_number(attributes, name)) > 0), 0.0)


def _read_edge(attributes: Mapping[str, object], names: tuple[str, ...]) -> float:
    edge = _first(attributes, names)
    return edge if edge <= _LARGEST_EDGE else 0.0


def _make_key(name: str) -> str:
    """The name without case and signs, as the encoder's card has it where another tool calls it otherwise."""
    plain = re.sub(r"[\W_]+", "", name.lower())
    return _OTHER_NAMES.get(plain, plain)
