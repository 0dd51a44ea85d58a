"""Whether a tile encoder works here, how fast it is, and whether its vectors are those that it gave elsewhere."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek._version import __version__
from histoseek.encoders.inventory.reference_tiles import (
    REFERENCE_TILES,
    make_reference_tiles,
    measure_agreement,
    project_vectors,
)
from histoseek.encoders.tile.base import TileEncoder
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.encoders.tile.runtimes.choice import describe_runtime
from histoseek.errors import EncoderError
from histoseek.files import read_checked_json, write_checked_json
from histoseek.settings import get_settings

SECONDS = 2.0

_LEAST_COSINE = 0.9995
_LEAST_REDUCED_COSINE, _LEAST_REDUCED_ON_CARD = 0.99, 0.95
"""Of runtimes that compute in fewer bits than float32; the few numbers on a card magnify differences."""

_REDUCED = ("bf16", "fp16", "int8")
_ON_CARD = "the vectors on its card"


@dataclass(frozen=True, slots=True)
class EncoderCheck:
    """What a check found.

    name: with the variant; cosine: between the vectors of the reference tiles and those known, the smallest, None where
    none were known; least_cosine: from which on they agree; compared_with: whose vectors these were; note: what was not
    verified.
    """

    name: str
    weights_hash: str
    runtime: str
    dimension: int
    tiles_per_second: float
    peak_memory_mb: int
    cosine: float | None
    least_cosine: float
    compared_with: str
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether its vectors are those known, or none are."""
        return self.cosine is None or self.cosine >= self.least_cosine


def check_tile_encoder(spec: str, seconds: float | None = None) -> EncoderCheck:
    """Load a tile encoder, encode tiles for two seconds, or as given, and compare its vectors, kept where none are.

    Raises what `load_tile_encoder` raises, and EncoderError for vectors that are no finite numbers of the card's
    dimension.
    """
    encoder = load_tile_encoder(spec)
    tiles = make_reference_tiles(encoder.card.tile_px)
    features = _require_vectors(encoder, encoder.encode(tiles))
    rate = _measure_rate(encoder, tiles, SECONDS if seconds is None else seconds)
    is_reduced = any(word in encoder.runtime for word in _REDUCED)
    cosine, compared_with, note = _compare(encoder, features)
    reduced = _LEAST_REDUCED_ON_CARD if compared_with == _ON_CARD else _LEAST_REDUCED_COSINE
    return EncoderCheck(
        name=encoder.card.name,
        weights_hash=encoder.weights_hash,
        runtime=describe_runtime(encoder),
        dimension=features.shape[1],
        tiles_per_second=rate,
        peak_memory_mb=_peak_memory_mb(),
        cosine=cosine,
        least_cosine=reduced if is_reduced else _LEAST_COSINE,
        compared_with=compared_with,
        note=note,
    )


def _require_vectors(encoder: TileEncoder, features: NDArray[np.float32]) -> NDArray[np.float32]:
    wanted = (REFERENCE_TILES, encoder.card.dimension)
    if features.shape != wanted:
        what = f"gives vectors of shape {features.shape}, its card says {wanted}"
        raise EncoderError(encoder.card.name, what, "Check its card and its weights")
    if not np.isfinite(features).all():
        raise EncoderError(encoder.card.name, "gives vectors that are no finite numbers", "Check its weights")
    return features


def _measure_rate(encoder: TileEncoder, tiles: NDArray[np.uint8], seconds: float) -> float:
    """Tiles a second in batches of the usual size, the time of the first left out."""
    size = encoder.card.batch_size(get_settings().batch_memory_mb)
    batch = np.tile(tiles, (-(-size // len(tiles)), 1, 1, 1))[:size]
    encoder.encode(batch)
    count, begin = 0, time.perf_counter()
    while not count or time.perf_counter() - begin < seconds:
        encoder.encode(batch)
        count += len(batch)
    return count / (time.perf_counter() - begin)


def _compare(encoder: TileEncoder, features: NDArray[np.float32]) -> tuple[float | None, str, str]:
    """How near the vectors are to those known, whose these are, and what is to be said of that."""
    card = encoder.card
    if card.reference and encoder.weights_hash == card.publication.files[0].sha256[:16]:
        mine, others = np.array([project_vectors(features)]), np.array([card.reference])
        return measure_agreement(mine, others), _ON_CARD, ""
    path = _reference_path(encoder)
    known = _read_reference(path)
    if known is None:
        note = f"no official vectors of {card.name} are known: these are kept for checks to come ({path})"
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            facts = {"histoseek": __version__, "runtime": encoder.runtime}
            write_checked_json(path, {**facts, "vectors": np.round(features.astype(np.float64), 6).tolist()})
        return None, "", note
    vectors, made_by = known
    if vectors.shape != features.shape:
        return -1.0, made_by, "its vectors have another dimension than then"
    note = f"no official vectors of {card.name} are known: only that it computes as in {made_by} is verified"
    return measure_agreement(features.astype(np.float64), vectors), made_by, note


def _reference_path(encoder: TileEncoder) -> Path:
    name = encoder.card.name.replace(":", "-").replace("/", "-")
    file = f"{name}-{encoder.card.version}-{encoder.weights_hash}.json"
    return get_settings().cache_dir / "references" / file


def _read_reference(path: Path) -> tuple[NDArray[np.float64], str] | None:
    try:
        data = read_checked_json(path)
        vectors = np.array(data["vectors"], np.float64)
        return (
            (vectors, f"an earlier check (histoseek {data['histoseek']}, {data['runtime']})")
            if vectors.ndim == 2
            else None
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _peak_memory_mb() -> int:
    """The most memory that this process has had, on a GPU where the encoder is on one."""
    torch = sys.modules.get("torch")
    if get_settings().has_gpu and torch is not None:
        return int(torch.cuda.max_memory_allocated()) // 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)
