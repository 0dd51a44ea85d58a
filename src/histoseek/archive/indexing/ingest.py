"""The indexing run: encode what is new, keep what is unchanged, refuse what is broken, lose nothing."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.fusion import update_fusion
from histoseek.archive.indexing.commits import Committer
from histoseek.archive.indexing.identifying import set_apart
from histoseek.archive.indexing.joining import SlideMetadata, join
from histoseek.archive.indexing.notices import of_matches, of_persons, unmatched
from histoseek.archive.indexing.plan import IndexPlan, PlannedSlide, Planner
from histoseek.archive.indexing.records import changed_record, new_record
from histoseek.archive.indexing.report_intake import ReportIntake, ReportsTaken
from histoseek.archive.indexing.sources import BagSource, FeatureBags, Prepared, SlideBags, SourcedBag, reload_bag
from histoseek.archive.indexing.tables import SlideTable, TableRow, fitted
from histoseek.archive.journal import Journal, Refusal, write_unmatched
from histoseek.archive.schema import LanguageVectors, StoredSlide
from histoseek.archive.space.centre import CENTRE_SLIDES, FEW_CENTRE_SLIDES, BagMean
from histoseek.archive.spaces import remove_old_spaces
from histoseek.encoders.bagging import PreparedSlide
from histoseek.encoders.slide.registry import find_fitted_family
from histoseek.errors import HistoseekError, SlideError, SpaceMismatch, UnreadableSlide
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.files.document import ReportBatch
from histoseek.slides.sources.base import SlideSource

log = logging.getLogger(__name__)

_AHEAD = 2
"""Slides opened ahead of the one being encoded."""

_FEW = (
    "the archive's centre comes from only {} slides and stays: an archive begun with a larger sample of what it will "
    "hold ranks better (docs/archive.md)"
)


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What to index: slides, a table about them and reports, spacings in um/px by file name, path or pattern,
    reading threads, what is to be said of files that were left out, and whether texts lose what tells of a person."""

    sources: tuple[SlideSource, ...]
    metadata: SlideTable | None = None
    reports: ReportBatch | None = None
    spacing_of: Mapping[str, float] = field(default_factory=dict)
    workers: int = 2
    notes: tuple[str, ...] = ()
    deidentify: bool = True


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did: counts of slides, refused slides, warnings about tables, and what became of reports."""

    added: int
    updated: int
    unchanged: int
    refused: tuple[Refusal, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    reports: ReportsTaken | None = None


def index(archive: ArchiveFolder, request: IndexRequest, reporter: Reporter | None = None) -> IndexReport:
    """Bring the archive up to date with the slides.

    Bags are cached as they are made and rows committed in batches, so a run that is killed is continued by the same
    call. Raises ArchiveError (busy, read-only, disk full); a bad slide is refused and does not stop the run.
    """
    started = time.monotonic()
    reporter = reporter or SilentReporter()
    with archive.writing():
        of_columns = of_persons(request.metadata, request.deidentify, bool(request.reports))
        request = replace(request, metadata=_fitting(archive, request))
        joined = join(request.sources, request.metadata)
        records = archive.records()
        intake = ReportIntake(request.sources, joined.row_of, records, request.metadata, request.deidentify)
        texts = intake.take(request.reports, reporter)
        planner = Planner(
            layout=archive.layout,
            recipe=archive.recipe,
            records=records,
            metadata={
                source: SlideMetadata.of(joined.row_of.get(source, TableRow()), texts.of.get(source))
                for source in request.sources
            },
            spacing_of=request.spacing_of,
            stems_are_ids=archive.recipe.imported,
        )
        plan = planner.plan(request.sources, request.workers, reporter)
        run = _Run(archive, request, plan, texts.taken, reporter)
        run.execute()
        update_fusion(archive)
        write_unmatched(archive.layout, unmatched(joined, texts.taken))
        remove_old_spaces(archive)
    seconds = round(time.monotonic() - started, 3)
    warnings = (*of_columns, *of_matches(request.metadata, joined, texts.taken), *request.notes, *run.notes)
    return IndexReport(run.added, run.updated, run.unchanged, tuple(run.refused), seconds, warnings, texts.taken)


def _fitting(archive: ArchiveFolder, request: IndexRequest) -> SlideTable | None:
    """The metadata as it may be stored: without what names persons, in the types of the archive's columns."""
    table = request.metadata
    if table and request.deidentify:
        table = set_apart(table)
    return fitted(table, archive.store.metadata_types()) if table and archive.space else table


@dataclass
class _Run:
    archive: ArchiveFolder
    request: IndexRequest
    plan: IndexPlan
    reports: ReportsTaken | None
    reporter: Reporter
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _waiting: list[tuple[PlannedSlide, BagMean]] = field(default_factory=list)

    def execute(self) -> None:
        """Do all that the plan says."""
        bad_reports = self.reports.refused if self.reports else ()
        plan = self.plan
        if not (plan.encode or plan.superseded or plan.refused or bad_reports or self._changed()):
            self.unchanged = len(self.plan.current)
            return
        self._journal = Journal(self.archive.layout)
        self._journal.started(len(self.request.sources))
        self._refuse(self.plan.refused)
        if self.reports:
            if bad_reports:
                self._journal.refused(bad_reports)
            removed = {one.kind.value: one.count for one in self.reports.removed}
            self._journal.reports(self.reports.slides, self.reports.deidentified, removed)
        self._source = self._bag_source()
        with Committer(self.archive, self._journal, self.request.metadata) as self._committer:
            self._encode_all()
            self._committer.flush()
            self._update_records()
        if self.plan.superseded:
            self.archive.drop(self.plan.superseded)
        self._journal.finished()

    def _bag_source(self) -> BagSource:
        if self.archive.recipe.imported:
            return FeatureBags(self.archive.layout, self.archive.recipe)
        return SlideBags(self.archive.layout, self.archive.recipe, self.request.workers)

    def _encode_all(self) -> None:
        self.reporter.expect(len(self.plan.encode))
        for slide, prepared in _ahead(self._source, self._in_order()):
            try:
                self._take(slide, self._sourced(slide, prepared))
            except (SlideError, SpaceMismatch) as error:
                self._refuse([Refusal.of(slide.source.uri, error)])
            self.reporter.advance()
        self._settle()

    def _in_order(self) -> Sequence[PlannedSlide]:
        """As planned; in a new archive at random, since the first slides give the centre, and folders are alike."""
        slides = list(self.plan.encode)
        if self.archive.space is None:
            random.Random(self.archive.recipe.seed).shuffle(slides)
        return slides

    def _sourced(self, slide: PlannedSlide, prepared: Future[Prepared]) -> SourcedBag:
        """The slide's bag; a failure nobody foresaw becomes a refusal of this slide, not the end of the run."""
        try:
            return self._source.finish(slide, prepared.result(), self.reporter)
        except HistoseekError:
            raise
        except Exception as error:
            log.debug("unexpected failure of slide %s", slide.slide_id, exc_info=True)
            raise UnreadableSlide(slide.source.uri, f"unexpected {type(error).__name__}") from error

    def _take(self, slide: PlannedSlide, sourced: SourcedBag) -> None:
        """Sign and commit a bag; before the archive has its space, only note its mean."""
        if self.archive.space is None:
            self._waiting.append((slide, BagMean.of(sourced.bag)))
            if len(self._waiting) == CENTRE_SLIDES:
                self._settle()
            return
        self._commit(slide, sourced)

    def _settle(self) -> None:
        """Fix the space from the slides seen so far, of the kind that most of them are, and commit those."""
        if not self._waiting:
            return
        kinds = Counter(mean.kind for _, mean in self._waiting)
        usual = kinds.most_common(1)[0][0]
        self.archive.settle_space([mean for _, mean in self._waiting if mean.kind == usual])
        if kinds[usual] < FEW_CENTRE_SLIDES and find_fitted_family(self.archive.manifest.slide_encoder):
            self.notes.append(_FEW.format(kinds[usual]))
        waiting, self._waiting = self._waiting, []
        for slide, _ in waiting:
            try:
                self._commit(slide, reload_bag(self.archive.layout, slide))
            except (SlideError, SpaceMismatch) as error:
                self._refuse([Refusal.of(slide.source.uri, error)])

    def _commit(self, slide: PlannedSlide, sourced: SourcedBag) -> None:
        signature = self.archive.signer.sign(sourced.bag)
        self._committer.add(StoredSlide(new_record(slide, sourced), signature))
        if slide.known:
            self.updated += 1
        else:
            self.added += 1

    def _changed(self) -> Sequence[PlannedSlide]:
        return [slide for slide in self.plan.current if slide.known and changed_record(slide, slide.known)]

    def _update_records(self) -> None:
        changed = self._changed()
        self.unchanged = len(self.plan.current) - len(changed)
        for slide, stored in self._committer.stored(changed):
            record = changed_record(slide, stored.record)
            if record:
                same_report = record.report == stored.record.report
                language = stored.language if same_report else LanguageVectors()
                self._committer.add(replace(stored, record=record, language=language))
                self.updated += 1

    def _refuse(self, refusals: Sequence[Refusal]) -> None:
        self.refused.extend(refusals)
        if refusals:
            self._journal.refused(refusals)


def _ahead(source: BagSource, slides: Sequence[PlannedSlide]) -> Iterator[tuple[PlannedSlide, Future[Prepared]]]:
    """Slides with their preparation under way, a few ahead; what is left open at the end is closed."""
    waiting = iter(slides)
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        pending = deque((s, pool.submit(source.prepare, s)) for s in islice(waiting, _AHEAD))
        try:
            while pending:
                yield pending.popleft()
                pending.extend((s, pool.submit(source.prepare, s)) for s in islice(waiting, 1))
        finally:
            for _, future in pending:
                future.cancel()
                future.add_done_callback(_close)


def _close(future: Future[Prepared]) -> None:
    if not future.cancelled() and future.exception() is None and isinstance(found := future.result(), PreparedSlide):
        found.slide.close()
