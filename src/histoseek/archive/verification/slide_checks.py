"""The checks of one slide: its row, its cached features, its file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.reading_file import read_reading_state
from histoseek.archive.report_index import make_analyser_mark
from histoseek.archive.schema import StoredSlide
from histoseek.archive.space.signing import Signer
from histoseek.archive.verification.problems import ProblemKind
from histoseek.encoders.bag import Bag, sidecar_path
from histoseek.errors import BadFeatureFile, DamagedArchive, HistoseekError, SlideError, SpaceMismatch, UnknownScheme
from histoseek.mosaics.signature import Signature
from histoseek.slides.sources.registry import parse_source

_ALIKE = 0.99
"""The least cosine of two vectors of the same features: other processors round otherwise."""

_ALTERED: dict[str, tuple[ProblemKind, str]] = {
    "metadata": ("metadata", "its metadata are not what was written"),
    "report": ("report", "its report is not what was written"),
    "signature": ("signature", "its vectors are not what was written"),
    "language": ("language", "what was read from its report is not what was written"),
    "words": ("words", "the words of its metadata are not what was written"),
}

Fault = tuple[ProblemKind, str]


@dataclass
class SlideChecks:
    """Checks the slides of an archive; deep: also whether vectors are those of the features, and words the report's."""

    archive: ArchiveFolder
    deep: bool

    def list_faults(self, stored: StoredSlide) -> Iterator[Fault]:
        """What is wrong with a slide."""
        yield from (_ALTERED[part] for part in stored.altered)
        yield from self._list_vector_faults(stored.signature)
        yield from self._list_bag_faults(stored)
        if self.deep:
            yield from self._list_reading_faults(stored)
        yield from _list_file_faults(stored)

    def _list_vector_faults(self, signature: Signature) -> Iterator[Fault]:
        space, given = self.archive.require_space(), (len(signature.global_vector), signature.mosaic.shape[1])
        fault = signature.fault()
        if fault:
            yield "signature", fault
        for dimension, wanted in zip(given, (space.dimension, space.mosaic_dimension or space.dimension), strict=True):
            if dimension != wanted:
                yield "signature", f"vectors of dimension {dimension}, the space has {wanted}"
        length = float(np.linalg.norm(signature.global_vector))
        if not 0.999 < length < 1.001:
            yield "signature", f"global vector of length {length:.3g}, expected 1"

    def _list_bag_faults(self, stored: StoredSlide) -> Iterator[Fault]:
        record, bags = stored.record, self.archive.bags
        origin = bags.load_origin(record.slide_id)
        if origin is None:
            state = "damaged" if bags.has_sidecar(record.slide_id) else "missing"
            name = sidecar_path(self.archive.layout.bag(record.slide_id)).name
            yield "bag", f"its cached features are {state} ({name})"
            return
        try:
            bag = bags.load(record.slide_id)
        except BadFeatureFile as error:
            yield "bag", f"its cached features are damaged ({error.reason})"
            return
        if self._signer and bag.encoder != self._signer.tile_encoder:
            yield "bag", f"its features are of {bag.encoder}, the archive's of {self._signer.tile_encoder}"
            return
        if origin.file_fingerprint != record.file_fingerprint or len(bag) != record.tile_count:
            yield "bag", "its cached features are of another state of the file"
            return
        try:
            context = self._load_context(stored)
        except BadFeatureFile as error:
            yield "bag", f"its cached features at the coarser spacing are missing or damaged ({error.reason})"
            return
        if self.deep and self._signer and not _agrees(self._signer, bag, context, stored.signature):
            yield "signature", "its vectors are not those of its cached features"
        elif self.deep and not self.archive.words.agrees(bag, stored.word_tiles):
            yield "signature", "its tiles in the space of words are not those of its cached features"

    def _load_context(self, stored: StoredSlide) -> Bag | None:
        if not self.archive.require_space().has_context:
            return None
        slide_id, path = stored.record.slide_id, self.archive.layout.context_bag(stored.record.slide_id)
        origin = self.archive.bags.load_context_origin(slide_id)
        if origin is None or origin.file_fingerprint != stored.record.file_fingerprint:
            raise BadFeatureFile(path, "they are of another state of the file" if origin else "there are none")
        return self.archive.bags.load_context(slide_id)

    def _list_reading_faults(self, stored: StoredSlide) -> Iterator[Fault]:
        """Whether what searches for words compare is what the report says, unless it waits to be read anew."""
        read = stored.language
        if not (self._is_read and stored.record.report) or stored.record.slide_id in self._outdated:
            return
        [anew] = self.archive.language.read_reports([stored])
        now = anew.language
        if (read.report_tokens, read.report_facts, read.report_places) != (
            now.report_tokens,
            now.report_facts,
            now.report_places,
        ):
            yield "language", "the words kept of its report are not those of the report"

    @cached_property
    def _signer(self) -> Signer | None:
        """None where the space itself is damaged, which is a problem of its own."""
        try:
            return self.archive.signer
        except HistoseekError:
            return None

    @cached_property
    def _is_read(self) -> bool:
        return self.archive.store.analyser == make_analyser_mark()

    @cached_property
    def _outdated(self) -> frozenset[str]:
        try:
            return frozenset(read_reading_state(self.archive.layout).outdated)
        except DamagedArchive:
            return frozenset(self.archive.store.slides())


def _agrees(signer: Signer, bag: Bag, context: Bag | None, signature: Signature) -> bool:
    """Whether a signature is that of a bag, up to how processors round."""
    try:
        anew = signer.sign(bag, context)
    except (SpaceMismatch, SlideError):
        return False
    if anew.mosaic.shape != signature.mosaic.shape or anew.barcodes.shape != signature.barcodes.shape:
        return False
    contexts = [one for one in (anew.context, signature.context) if one is not None]
    if len(contexts) == 1 or (contexts and not _is_alike(contexts[0][None], contexts[1][None])):
        return False
    pairs = ((anew.global_vector[None], signature.global_vector[None]), (anew.mosaic, signature.mosaic))
    return all(_is_alike(one.astype(np.float32), two.astype(np.float32)) for one, two in pairs)


def _is_alike(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether each vector of one has one like it in the other."""
    lengths = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(two, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = (one @ two.T) / lengths
    return bool((cosines.max(axis=1) >= _ALIKE).all() and (cosines.max(axis=0) >= _ALIKE).all())


def _list_file_faults(stored: StoredSlide) -> Iterator[Fault]:
    record = stored.record
    try:
        if parse_source(record.uri).fingerprint() != record.file_fingerprint:
            yield "file", "its file has changed since it was indexed"
    except UnknownScheme as error:
        yield "file", f"its file cannot be checked: {error.what}"
    except SlideError:
        yield "file", "its file is no longer there"
