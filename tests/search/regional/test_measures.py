"""Each measure of regions against naive computation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek import Archive
from histoseek.encoders.bag import load_bag
from histoseek.errors import ArchiveError
from histoseek.search.regional.base import RegionMeasure
from histoseek.search.regional.opening import open_region_measure
from tests.search.regional.conftest import TEXTS, BlockEncoder, make_alignment
from tests.search.words.conftest import make_archive
from tests.word_tower import EDGE, ColourWords, Installed

WORDS = ["teal", "crimson", "a teal house", "nothing of it"]

Floats = NDArray[np.float32]


def open_measure(archive: Archive) -> RegionMeasure:
    folder = archive.folder if hasattr(archive, "folder") else archive._folder
    return open_region_measure(folder, folder.store.snapshot())


def map_naively(vector: Floats) -> Floats:
    """A vector of slides in the space of texts."""
    slide = make_alignment().slide
    assert slide is not None
    mapped = np.array([sum(v * w for v, w in zip(vector, column, strict=True)) for column in slide.matrix.T])
    mapped += slide.offset
    return mapped / np.sqrt((mapped**2).sum())


def unit(vector: Floats) -> Floats:
    return vector / np.sqrt((vector.astype(np.float64) ** 2).sum())


def centre_of(archive: Archive) -> Floats:
    return np.load(next(archive.path.glob("spaces/*/centre.npy")))
