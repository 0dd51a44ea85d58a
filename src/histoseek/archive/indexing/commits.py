"""Committing in batches, with the store's housekeeping going on between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import Self

import pyarrow as pa

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.indexing.metadata_table import MetadataTable
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.archive.journal import Journal
from histoseek.archive.schema import StoredSlide
from histoseek.archive.stains import PREPARATION, STAIN_DETECTED
from histoseek.errors import ArchiveError, EncoderError

_BATCH = 32
_OPTIMIZE_EVERY = 16
_READ_AT_ONCE = 256


class Committer:
    """Collects slides and commits them in batches; what is collected is committed even when the run ends early."""

    def __init__(
        self,
        archive: ArchiveFolder,
        journal: Journal,
        metadata: MetadataTable | None,
        refuse: Callable[[StoredSlide, Exception], None],
    ) -> None:
        """refuse: takes a slide that the store does not take, and why."""
        self._archive = archive
        self._refuse = refuse
        self._journal = journal
        self._columns = dict(metadata.extra_types) if metadata else {}
        self._batch: list[StoredSlide] = []
        self._commits = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="optimize")
        self._optimizing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            with suppress(Exception) if kind and issubclass(kind, Exception) else nullcontext():
                self.flush()
            self._finish_optimizing()
            if self._commits and self._archive.language.engine:
                self._journal.record_texts(self._archive.manifest.text_encoder, self._archive.language.engine)
            if kind is None and self._commits:
                self._archive.store.optimize()
        finally:
            self._pool.shutdown()

    def add(self, slide: StoredSlide) -> None:
        """Take a slide; it is committed with its batch."""
        self._batch.append(slide)
        if len(self._batch) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Commit what is collected."""
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        self._finish_optimizing()
        own = {name for slide in batch for name in (STAIN_DETECTED, PREPARATION) if slide.record.extra.get(name)}
        self._archive.store.ensure_columns({**dict.fromkeys(own, pa.string()), **self._columns})
        self._commit(batch)
        self._commits += 1
        if self._commits % _OPTIMIZE_EVERY == 0:
            self._optimizing = self._pool.submit(self._archive.store.optimize)

    def _commit(self, slides: Sequence[StoredSlide]) -> None:
        """Commit slides together; where that fails for what is in one of them, all but that one."""
        try:
            self._archive.store.upsert(self._archive.complete(slides))
        except (ArchiveError, EncoderError):
            raise
        except Exception as error:
            if len(slides) == 1:
                self._refuse(slides[0], error)
                return
            half = len(slides) // 2
            self._commit(slides[:half])
            self._commit(slides[half:])
        else:
            self._journal.record_commit([slide.record.slide_id for slide in slides])

    def read_stored(self, slides: Sequence[PlannedSlide]) -> Iterator[tuple[PlannedSlide, StoredSlide]]:
        """What the store holds of these slides, read in portions."""
        if slides:
            self._archive.store.ensure_columns(self._columns)
        for start in range(0, len(slides), _READ_AT_ONCE):
            portion = slides[start : start + _READ_AT_ONCE]
            yield from zip(portion, self._archive.store.get([slide.slide_id for slide in portion]), strict=True)

    def _finish_optimizing(self) -> None:
        if self._optimizing:
            self._optimizing.result()
            self._optimizing = None
