"""Whether feature files of one archive were made alike: by one encoder, of tiles of one scale, as far as they say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from histoseek.archive.bags import BagStore
from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.features.facts import UM_PER_PX_AT_1X, FeatureFacts, strip_encoder
from histoseek.encoders.inventory.features_of import are_features_alike
from histoseek.encoders.recipe import Recipe
from histoseek.errors import OtherFeatures

_Value = TypeVar("_Value", str, float)

_TOLERANCE = 1.25
"""Scanners differ by some 15 % in what they call 20x; 20x and 10x differ by a factor of 2."""

_MOST_NAMES = 5

_NO_NAME = (
    "no encoder is named, by the feature files or by --features-encoder: the archive calls it 'unnamed' and cannot "
    "tell features of another one apart"
)


@dataclass(frozen=True, slots=True)
class FeatureAgreement:
    """What the features of an archive have in common, "" and 0 where nothing is known; notes: doubtful differences."""

    encoder: str
    spacing_um_per_px: float
    notes: tuple[str, ...] = field(default=())

    def require(self, path: str, facts: FeatureFacts) -> None:
        """Raise OtherFeatures for a file that states another encoder or scale."""
        if facts.encoder and self.encoder and not are_features_alike(facts.encoder, self.encoder):
            raise OtherFeatures(path, "the encoder", f"'{facts.encoder}'", f"'{self.encoder}'")
        mine, usual = facts.spacing_um_per_px, self.spacing_um_per_px
        if mine and usual and not 1 / _TOLERANCE <= mine / usual <= _TOLERANCE:
            raise OtherFeatures(path, "tiles at", _describe_scale(mine), _describe_scale(usual))


def find_agreement(
    layout: ArchiveLayout, recipe: Recipe, slide_ids: Sequence[str], facts: Mapping[str, FeatureFacts]
) -> FeatureAgreement:
    """What an archive's features have in common: as its slides have it, else as most of the new files state it.

    slide_ids: slides of the archive, a sample will do; facts: what new files state, by slide id.
    """
    named = strip_encoder(recipe.encoder)
    encoder = named or _most_common(each.encoder for each in facts.values() if each.encoder) or ""
    scales = BagStore(layout).load_scales(slide_ids)
    spacing = _most_common(round(um_per_px, 3) for um_per_px, _ in scales.values() if um_per_px)
    spacing = spacing or _most_common(round(f.spacing_um_per_px, 3) for f in facts.values() if f.spacing_um_per_px)
    notes = [_NO_NAME] if facts and not named and not encoder else []
    if facts:
        stored = {i: f"{edge} px of the scan" for i, (um_per_px, edge) in scales.items() if edge and not um_per_px}
        relative = {i: level for i, f in facts.items() if not f.spacing_um_per_px and (level := _describe_level(f))}
        notes += _list_differences(stored | relative)
        notes += _list_differences(
            {i: f"{f.tile_px} px" for i, f in facts.items() if f.tile_px and f.spacing_um_per_px}
        )
    return FeatureAgreement(encoder, spacing or 0.0, tuple(notes))


def _describe_scale(spacing_um_per_px: float) -> str:
    return f"{spacing_um_per_px:.3g} µm/px ({UM_PER_PX_AT_1X / spacing_um_per_px:.3g}x)"


def _describe_level(facts: FeatureFacts) -> str:
    """What tiles cover of the scan, where nothing says what it measures; empty where nothing is known."""
    if facts.tile_size_level0:
        return f"{facts.tile_size_level0} px of the scan"
    return f"level {facts.level} of the scan" if facts.level >= 0 else ""


def _list_differences(tiles: Mapping[str, str]) -> list[str]:
    """A note for every size of tiles, by slide id, but the commonest."""
    slides: dict[str, list[str]] = defaultdict(list)
    for slide_id, size in tiles.items():
        slides[size].append(slide_id)
    usual = max(slides, key=lambda size: len(slides[size]), default="")
    return [
        f"features of different scales are hard to compare: tiles of {len(ids)} slides are {size} "
        f"({', '.join(ids[:_MOST_NAMES])}{', ...' if len(ids) > _MOST_NAMES else ''}), of {len(slides[usual])} {usual}"
        for size, ids in slides.items()
        if size != usual
    ]


def _most_common(values: Iterable[_Value]) -> _Value | None:
    """The commonest; of several the smallest, or first in the alphabet."""
    counts = Counter(sorted(values))
    return counts.most_common(1)[0][0] if counts else None
