"""The centre: the mean feature that an untrained slide encoder subtracts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.bag import Bag
from histoseek.errors import DamagedArchive
from histoseek.files import as_archive_errors, make_folder, write_atomic

CENTRE_SLIDES = 64
"""The centre of a new archive is the mean of this many slides, its first."""

FEW_CENTRE_SLIDES = 8
"""With fewer, the centre is poor, and the user is warned."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BagMean:
    """What fitting the centre needs of one bag: its weighted mean, float32 [D], and its encoder; slide_dimension: of
    the vector that came with the slide, 0 without one."""

    vector: Floats
    encoder: str
    slide_dimension: int = 0

    @property
    def kind(self) -> tuple[str, int, int]:
        """Encoder and dimensions: what bags of one space share."""
        return self.encoder, len(self.vector), self.slide_dimension

    @classmethod
    def from_bag(cls, bag: Bag) -> BagMean:
        """The weighted mean of a bag's features."""
        slide_dimension = 0 if bag.slide_vector is None else len(bag.slide_vector)
        return cls((bag.weights / bag.weights.sum()) @ bag.features, bag.encoder, slide_dimension)


def fit_centre(means: Sequence[BagMean]) -> Floats:
    """The mean over slides, float32 [D]; zero for a single slide, which has no other to differ from."""
    if len(means) < 2:
        return np.zeros_like(means[0].vector)
    return np.stack([mean.vector for mean in means]).mean(axis=0, dtype=np.float64).astype(np.float32)


def settle_context_centre(layout: ArchiveLayout, means: Sequence[BagMean], contexts: Sequence[BagMean]) -> str:
    """Keep the mean over slides at the coarser spacing and return its hash; zero where no slide is large enough for it.

    means: of the same slides at the finer spacing.
    """
    centre = fit_centre(contexts) if contexts else np.zeros_like(means[0].vector)
    return write_centre(layout, centre, layout.context_centre)


def write_centre(layout: ArchiveLayout, centre: Floats, path: Path | None = None) -> str:
    """Keep the centre in the space's folder, or at `path`, and return its hash."""
    buffer = io.BytesIO()
    np.save(buffer, centre)
    with as_archive_errors(layout.root):
        make_folder(layout.space)
        write_atomic(path or layout.centre, buffer.getvalue())
    return _hash(centre)


def read_centre(path: Path, expected_hash: str) -> Floats:
    """The centre at `path`; raises DamagedArchive when it is missing or another one than the space was made with."""
    try:
        centre = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedArchive(path, "not a readable centre") from error
    if _hash(centre) != expected_hash:
        raise DamagedArchive(path, "its hash differs from the embedding space's")
    return np.asarray(centre, dtype=np.float32)


def _hash(centre: Floats) -> str:
    return hashlib.sha256(np.ascontiguousarray(centre, dtype="<f4").tobytes()).hexdigest()[:16]
