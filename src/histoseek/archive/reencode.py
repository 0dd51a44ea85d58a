"""Re-encoding: an archive moves to another embedding space from its cached features, without slides.

The new space is made in a folder of its own, slide by slide, and can be interrupted and continued; the archive goes
on in the old one until the new one is complete, and then switches in one step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from histoseek.archive.archive_fusion import update_fusion
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.journal import Journal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.manifest import write_manifest
from histoseek.archive.schema import CONTEXT, LanguageVectors, SlideRecord, StoredSlide
from histoseek.archive.space.language import Language
from histoseek.archive.space.signing import Signer, build_signer, sign_cached
from histoseek.archive.space_folders import SpaceChange, begin_space, remove_old_spaces
from histoseek.archive.stores.checksums import LANGUAGE, SIGNATURE
from histoseek.archive.stores.registry import create_slides, has_slides, open_slides, repair_slides
from histoseek.archive.stores.slides import SlideTable
from histoseek.bounds import refusing_exhaustion
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.weights import require_features
from histoseek.errors import BadFeatureFile, UnusableBags
from histoseek.files import as_archive_errors
from histoseek.progress import Reporter, SilentReporter

_BATCH = 32


@dataclass(frozen=True, slots=True)
class ReencodeReport:
    """What was done: slides in the new space, how many of them an interrupted run had done, the space, notes."""

    slides: int
    continued: int
    space: EmbeddingSpace
    seconds: float
    notes: tuple[str, ...] = ()


def reencode(archive: ArchiveFolder, change: SpaceChange, reporter: Reporter | None = None) -> ReencodeReport:
    """Bring all slides into another space and switch to it when all are in; the same call continues a killed one.

    Raises ArchiveError (empty, busy, read-only, disk full), SpaceMismatch for weights of other features, EncoderError,
    and UnusableBags when cached features are missing or damaged: then nothing is switched.
    """
    started = time.monotonic()
    with archive.writing():
        old = archive.require_space()
        run = _Run(archive, change, reporter or SilentReporter())
        run.execute()
        update_fusion(archive)
        remove_old_spaces(archive)
    return ReencodeReport(
        slides=run.slides,
        continued=run.continued,
        space=archive.require_space(),
        seconds=round(time.monotonic() - started, 3),
        notes=_list_notes(old, archive.require_space()),
    )


@dataclass
class _Run:
    archive: ArchiveFolder
    change: SpaceChange
    reporter: Reporter
    slides: int = 0
    continued: int = 0
    _unusable: list[str] = field(default_factory=list)

    def execute(self) -> None:
        """Make the new space, fill it, switch."""
        if self.change.weights:
            require_features(self.change.weights.card, self.archive.recipe)
        layout = replace(self.archive.layout, number=self.archive.manifest.number + 1)
        records = self.archive.store.records(None, None, 0)
        self._require_bags(records)
        with as_archive_errors(self.archive.path):
            space = begin_space(self.archive, layout, self.change, records)
        self._fill(layout, space, records)
        self._switch(layout, space)

    def _require_bags(self, records: Sequence[SlideRecord]) -> None:
        """Fail before hours of work when features are missing."""
        needed = [] if self.change.keeps_signatures else [record.slide_id for record in records]
        missing = self.archive.bags.list_missing(needed)
        if missing:
            raise UnusableBags(self.archive.address, missing)

    def _fill(self, layout: ArchiveLayout, space: EmbeddingSpace, records: Sequence[SlideRecord]) -> None:
        language = Language(layout, self._text_encoder, space)
        store = self._open_store(layout, space, language)
        todo = _list_missing(store, records)
        self.slides, self.continued = len(records), len(records) - len(todo)
        self.reporter.expect(len(records))
        self.reporter.advance(self.continued)
        signer = None if self.change.keeps_signatures else build_signer(layout, space, self.archive.recipe)
        for batch in self._encode(space, signer, todo):
            store.upsert(language.complete(batch))
            self.reporter.advance(len(batch))
        if self._unusable:
            raise UnusableBags(self.archive.address, self._unusable)
        store.optimize()
        if language.engine:
            Journal(layout).record_texts(self._text_encoder, language.engine)

    def _open_store(self, layout: ArchiveLayout, space: EmbeddingSpace, language: Language) -> SlideTable:
        exists = has_slides(layout)
        with as_archive_errors(self.archive.path):
            repair_slides(layout)
            store = open_slides(layout) if exists else create_slides(layout, space.dimension, space.mosaic_dimension)
        store.ensure_columns(self.archive.store.metadata_types())
        store.ensure_vectors(language.dimensions)
        if self.archive.store.word_tiles.tower:
            store.word_tiles.ensure(self.archive.store.word_tiles.tower)
        dimension = self.archive.store.find_dimension(CONTEXT)
        if dimension is not None:
            store.ensure_vectors({CONTEXT: dimension})
        return store

    def _encode(
        self, space: EmbeddingSpace, signer: Signer | None, slide_ids: Sequence[str]
    ) -> Iterator[list[StoredSlide]]:
        """The slides in batches, as they are in the new space but for the vectors that `Language` completes."""
        same_texts = space.text_weights == self.archive.require_space().text_weights
        for start in range(0, len(slide_ids), _BATCH):
            batch = []
            for old in self.archive.store.get(slide_ids[start : start + _BATCH]):
                vectors = old.language if same_texts else LanguageVectors()
                language = LanguageVectors(vectors.report_vector, report_windows=vectors.report_windows)
                slide = (
                    replace(old, language=language) if same_texts else replace(old, language=language).renew(LANGUAGE)
                )
                try:
                    batch.append(self._sign(slide, signer))
                except BadFeatureFile:
                    self._unusable.append(old.record.slide_id)
            yield batch

    def _sign(self, slide: StoredSlide, signer: Signer | None) -> StoredSlide:
        if signer is None:
            return slide
        layout, slide_id = self.archive.layout, slide.record.slide_id
        with refusing_exhaustion(partial(BadFeatureFile, layout.bag(slide_id))):
            return replace(slide, signature=sign_cached(layout, signer, slide_id)).renew(SIGNATURE)

    def _switch(self, layout: ArchiveLayout, space: EmbeddingSpace) -> None:
        manifest = replace(
            self.archive.manifest,
            slide_encoder=space.slide_encoder,
            text_encoder=self._text_encoder,
            number=layout.number,
            space=space,
        )
        write_manifest(layout, manifest)
        Journal(layout).record_switch(space.fingerprint)
        layout.target.unlink(missing_ok=True)

    @property
    def _text_encoder(self) -> str:
        return self.change.text_encoder or self.archive.manifest.text_encoder


def _list_missing(store: SlideTable, records: Sequence[SlideRecord]) -> list[str]:
    """Slides that the new store lacks or that changed since; those that the archive lost are taken out of it."""
    done = {record.slide_id: record for record in store.records(None, None, 0)}
    current = {record.slide_id: record for record in records}
    store.delete([slide_id for slide_id in done if slide_id not in current])
    return [slide_id for slide_id, record in current.items() if done.get(slide_id) != record]


def _list_notes(old: EmbeddingSpace, new: EmbeddingSpace) -> tuple[str, ...]:
    if old.alignment == "ridge" and not new.has_alignment:
        return ("the alignment belonged to the old space and is gone: run `histoseek align` again",)
    return ()
