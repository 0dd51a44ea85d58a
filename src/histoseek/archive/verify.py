"""Checking an archive: every row against its space, its shapes, its values and its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import StoredSlide
from histoseek.encoders.bag import load_bag, load_origin, sidecar_path
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.errors import BadFeatureFile, SlideError, UnknownScheme
from histoseek.progress import Reporter, SilentReporter
from histoseek.slides.sources.registry import parse_source

_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong; slide_id is None where it concerns the archive as a whole."""

    slide_id: str | None
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and found; orphans: cached files that belong to no slide, harmless leftovers of killed runs."""

    checked: int
    problems: tuple[Problem, ...]
    orphans: tuple[Path, ...]


def verify(archive: ArchiveFolder, reporter: Reporter | None = None) -> Verification:
    """Check every slide's vectors, its cached bag and its file; raises DamagedArchive when nothing can be read."""
    reporter = reporter or SilentReporter()
    ids = archive.store.slides() if archive.space else ()
    problems: list[Problem] = []
    if archive.space:
        _ = archive.signer
        for start in range(0, len(ids), _AT_ONCE):
            for stored in archive.store.get(ids[start : start + _AT_ONCE]):
                problems += [Problem(stored.record.slide_id, what) for what in _list_faults(archive, stored)]
                reporter.advance()
    problems += [Problem(slide_id, "appears more than once") for slide_id in _list_duplicates(ids)]
    current = {archive.layout.bag(slide_id) for slide_id in ids}
    cached = sorted(archive.layout.bags.rglob("*.safetensors"))
    return Verification(len(ids), tuple(problems), tuple(path for path in cached if path not in current))


def _list_faults(archive: ArchiveFolder, stored: StoredSlide) -> Iterator[str]:
    if archive.space is not None:
        yield from _list_vector_faults(stored, archive.space)
    yield from _list_bag_faults(archive, stored)
    yield from _list_file_faults(stored)


def _list_vector_faults(stored: StoredSlide, space: EmbeddingSpace) -> Iterator[str]:
    signature = stored.signature
    fault = signature.fault()
    if fault:
        yield fault
    if signature.mosaic.shape[1] != space.dimension:
        yield f"vectors of dimension {signature.mosaic.shape[1]}, the space has {space.dimension}"
    length = float(np.linalg.norm(signature.global_vector))
    if not 0.999 < length < 1.001:
        yield f"global vector of length {length:.3g}, expected 1"


def _list_bag_faults(archive: ArchiveFolder, stored: StoredSlide) -> Iterator[str]:
    record, path = stored.record, archive.layout.bag(stored.record.slide_id)
    origin = load_origin(path)
    if origin is None:
        yield f"its cached features are missing ({sidecar_path(path).name})"
        return
    try:
        bag = load_bag(path)
    except BadFeatureFile as error:
        yield f"its cached features are damaged ({error.reason})"
        return
    if bag.encoder != archive.signer.tile_encoder:
        yield f"its features are of {bag.encoder}, the archive's of {archive.signer.tile_encoder}"
    if origin.file_fingerprint != record.file_fingerprint or len(bag) != record.tile_count:
        yield "its cached features are of another state of the file"


def _list_file_faults(stored: StoredSlide) -> Iterator[str]:
    record = stored.record
    try:
        if parse_source(record.uri).fingerprint() != record.file_fingerprint:
            yield "its file has changed since it was indexed"
    except UnknownScheme as error:
        yield f"its file cannot be checked: {error.what}"
    except SlideError:
        yield "its file is no longer there"


def _list_duplicates(ids: Sequence[str]) -> list[str]:
    return sorted({slide_id for slide_id, following in pairwise(ids) if slide_id == following})
