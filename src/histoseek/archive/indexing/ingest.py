"""The indexing run: encode what is new, keep what is unchanged, refuse what is broken, lose nothing."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from histoseek.archive.archive_fusion import update_fusion
from histoseek.archive.erasure.erase import drop
from histoseek.archive.erasure.pending import note_pending
from histoseek.archive.erasure.scrub import drop_removed
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.indexing.bag_providers import (
    BagProvider,
    CachedBag,
    FeatureBags,
    SlideBags,
    TakeBag,
    agree_on_features,
    blame_slide,
    encode_here,
    reload_bag,
)
from histoseek.archive.indexing.cluster.address import ClusterAddress
from histoseek.archive.indexing.cluster.bags import ClusterBags
from histoseek.archive.indexing.commits import Committer
from histoseek.archive.indexing.index_warnings import (
    list_doubtful_patients,
    list_match_warnings,
    list_otherwise_stained,
    list_passed_reports,
    list_privacy_warnings,
    list_refused_rows,
    list_sampling_warnings,
    list_unchanged_warnings,
    list_unmatched,
)
from histoseek.archive.indexing.metadata_join import MetadataJoin, SlideMetadata, join_metadata
from histoseek.archive.indexing.metadata_row import TableRow
from histoseek.archive.indexing.metadata_table import MetadataTable, cast_columns
from histoseek.archive.indexing.personal_data import pseudonymise_table
from histoseek.archive.indexing.plan import (
    IndexPlan,
    PlannedSlide,
    Planner,
    count_outdated,
    list_unused_spacings,
    take_fingerprints,
)
from histoseek.archive.indexing.removed_slides import ChosenSlides, choose_slides
from histoseek.archive.indexing.report_intake import ReportIntake, ReportIntakeSummary
from histoseek.archive.indexing.rereading import reread_reports, update_boilerplate
from histoseek.archive.indexing.slide_ids import holds_person_name
from histoseek.archive.indexing.slide_vectors import open_slide_vectors
from histoseek.archive.indexing.word_tiles import complete_word_tiles
from histoseek.archive.journal import Journal, ReportFileRefusal, SlideRefusal, write_unmatched
from histoseek.archive.manifest import write_manifest
from histoseek.archive.schema import TEXT_COLUMNS, LanguageVectors, SlideRecord, StoredSlide
from histoseek.archive.space.centre import CENTRE_SLIDES, FEW_CENTRE_SLIDES, BagMean
from histoseek.archive.space_folders import remove_old_spaces
from histoseek.archive.stains import add_stain, disagree
from histoseek.archive.stores.checksums import LANGUAGE, REPORT, SIGNATURE
from histoseek.bounds import describe_exhaustion
from histoseek.encoders.slide.registry import find_fitted_family
from histoseek.errors import HistoseekError, SlideError, SpaceMismatch, UnreadableSlide, UnstorableSlide
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.files.document import ReportBatch
from histoseek.reports.privacy.deidentify import DeidentifyChoice
from histoseek.sandbox.error_replies import describe_unforeseen
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.folder_walk import REMOVED_EARLIER
from histoseek.slides.sources.registry import parse_source
from histoseek.tissue.settings import MASK_VERSION

log = logging.getLogger(__name__)

_FEW = (
    "the archive's centre was computed from only {} slides and will not change: an archive that begins with a larger "
    "sample of its future slides ranks better (docs/archive.md)"
)


_OLD_MASKS = (
    "the tissue of {} slides was found by an older version, and other tiles of them stand for them than would today: "
    "index their files again"
)


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What to index: slides (none: the tables are about those of the archive), a table about them and reports, spacings
    in um/px by file name, path or pattern, reading threads, warnings about files that were left out, whether
    identifiers are removed, how many files and folders were passed over for which reason, which slides were named
    themselves: they are taken even where they were removed before, whether files are trusted (`open_slide`), and the
    vectors of slides that another tool made: a folder or a file. cluster: whose workers encode, None for this process.
    """

    sources: tuple[SlideSource, ...]
    metadata: MetadataTable | None = None
    reports: ReportBatch | None = None
    spacing_of: Mapping[str, float] = field(default_factory=dict)
    workers: int = 2
    notes: tuple[str, ...] = ()
    deidentify: DeidentifyChoice = True
    passed_over: Mapping[str, int] = field(default_factory=dict)
    named: frozenset[SlideSource] = frozenset()
    trust: bool | None = None
    slide_features: Path | str | None = None
    cluster: ClusterAddress | None = None


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did: counts of slides, refused slides, warnings about tables, what became of reports, how many older
    ones were read anew, how many files and folders were passed over for which reason, and rows of the metadata that
    were refused."""

    added: int
    updated: int
    unchanged: int
    refused: tuple[SlideRefusal, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    reports: ReportIntakeSummary | None = None
    reread: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)
    refused_rows: tuple[ReportFileRefusal, ...] = ()


def index(archive: ArchiveFolder, request: IndexRequest, reporter: Reporter | None = None) -> IndexReport:
    """Bring the archive up to date with the slides.

    Bags are cached as they are made and rows committed in batches, so a run that is killed is continued by the same
    call. Raises ArchiveError (busy, read-only, disk full); a bad slide is refused and does not stop the run.
    """
    started, reporter, file_warnings = time.monotonic(), reporter or SilentReporter(), archive.warnings
    with archive.writing():
        privacy_warnings = list_privacy_warnings(request.metadata, bool(request.deidentify), bool(request.reports))
        records, is_tables = archive.records(), not request.sources
        request, chosen = _choose_slides(archive, request, records, reporter)
        join = join_metadata(request.sources, request.metadata, records)
        intake = ReportIntake(request.sources, join.row_of, records, request.metadata, request.deidentify)
        reports = intake.take(request.reports, reporter)
        update_boilerplate(archive, records, {source.uri: text for source, text in reports.texts.items()})
        planner = _make_planner(archive, request, records, join, reports.texts)
        plan = planner.plan_tables() if is_tables else planner.plan(chosen.fingerprints)
        run = _Run(archive, request, plan, reports.summary, reporter, list_refused_rows(request.metadata, join))
        run.execute()
        reread = reread_reports(archive, reporter)
        run.notes += complete_word_tiles(archive, reporter)
        update_fusion(archive)
        write_unmatched(archive.layout, drop_removed(list_unmatched(join, reports.summary), chosen.tombstones))
        remove_old_spaces(archive)
        run.notes += _check_masks(archive)
    warnings = (
        *file_warnings,
        *privacy_warnings,
        *list_passed_reports(request.reports),
        *list_match_warnings(request.metadata, join, reports.summary),
        *list_doubtful_patients(request.metadata, records, join.row_of),
        *(list_unchanged_warnings(records, join.row_of) if is_tables else ()),
        *list_unused_spacings(request.spacing_of, request.sources),
        *request.notes,
        *run.notes,
    )
    done = run.added, run.updated, run.unchanged, tuple(run.refused), round(time.monotonic() - started, 3)
    return IndexReport(*done, warnings, reports.summary, reread, request.passed_over, run.refused_rows)


def _check_masks(archive: ArchiveFolder) -> tuple[str, ...]:
    """A warning while slides are left whose tissue an older version found; without them the archive is confirmed."""
    if archive.recipe.imported or archive.manifest.mask_version == MASK_VERSION:
        return ()
    outdated = count_outdated(archive.layout, archive.recipe, archive.records())
    if outdated:
        return (_OLD_MASKS.format(outdated),)
    write_manifest(archive.layout, replace(archive.manifest, mask_version=MASK_VERSION))
    return ()


def _choose_slides(
    archive: ArchiveFolder, request: IndexRequest, records: Sequence[SlideRecord], reporter: Reporter
) -> tuple[IndexRequest, ChosenSlides]:
    """The request for the slides that are to be indexed: all of the archive's own where it names none."""
    fingerprints = take_fingerprints(request.sources, request.workers, reporter)
    metadata = _prepare_metadata(archive, request)
    given_ids = _find_given_ids(archive, request.sources, metadata, records)
    chosen = choose_slides(archive.layout, fingerprints, request.named, records, given_ids)
    own = () if request.sources else tuple(parse_source(record.uri) for record in records)
    passed_over = {**request.passed_over, **({REMOVED_EARLIER: chosen.passed_over} if chosen.passed_over else {})}
    request = replace(
        request,
        sources=(*chosen.fingerprints, *own),
        metadata=metadata,
        passed_over=passed_over,
        notes=(*request.notes, *chosen.notes),
    )
    return request, chosen


def _find_given_ids(
    archive: ArchiveFolder,
    sources: Sequence[SlideSource],
    metadata: MetadataTable | None,
    records: Sequence[SlideRecord],
) -> Mapping[SlideSource, str]:
    """The ids that a table or the names of feature files give slides, where some may be those of removed slides."""
    if not archive.layout.tombstones.exists():
        return {}
    stems = {source: source.stem for source in sources} if archive.recipe.imported else {}
    rows = join_metadata(sources, metadata, records).row_of
    return {**stems, **{source: row.slide_id for source, row in rows.items() if row.slide_id}}


def _make_planner(
    archive: ArchiveFolder,
    request: IndexRequest,
    records: Sequence[SlideRecord],
    join: MetadataJoin,
    texts: Mapping[SlideSource, str],
) -> Planner:
    metadata = {
        source: SlideMetadata.from_row(join.row_of.get(source, TableRow()), texts.get(source))
        for source in request.sources
    }
    return Planner(
        layout=archive.layout,
        recipe=archive.recipe,
        records=records,
        metadata=metadata,
        spacing_of=request.spacing_of,
        stems_are_ids=archive.recipe.imported,
        private=_find_private_names(request.sources, join) if request.deidentify else (),
    )


def _find_private_names(sources: Sequence[SlideSource], join: MetadataJoin) -> frozenset[SlideSource]:
    """The slides whose files' names say who the patient is."""
    names = {source: join.row_of.get(source, TableRow()).identifiers.names for source in sources}
    return frozenset(source for source in sources if holds_person_name(source.stem, names[source]))


def _prepare_metadata(archive: ArchiveFolder, request: IndexRequest) -> MetadataTable | None:
    """The metadata as it may be stored: without identifiers, in the types of the archive's columns."""
    table = request.metadata
    if table and request.deidentify:
        table = pseudonymise_table(table)
    return cast_columns(table, archive.store.metadata_types()) if table and archive.space else table


@dataclass
class _Run:
    archive: ArchiveFolder
    request: IndexRequest
    plan: IndexPlan
    reports: ReportIntakeSummary | None
    reporter: Reporter
    refused_rows: tuple[ReportFileRefusal, ...] = ()
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[SlideRefusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    otherwise_stained: list[SlideRecord] = field(default_factory=list)
    _waiting: list[tuple[PlannedSlide, BagMean]] = field(default_factory=list)
    _contexts: list[BagMean] = field(default_factory=list)

    def execute(self) -> None:
        """Do all that the plan says."""
        bad_rows = (*self.refused_rows, *(self.reports.refused if self.reports else ()))
        plan = self.plan
        if not (plan.encode or plan.superseded or plan.refused or bad_rows or self._list_changed()):
            self.unchanged = len(self.plan.current)
            return
        self._journal = Journal(self.archive.layout)
        self._journal.record_start(len(self.request.sources), self.request.passed_over)
        self._refuse(self.plan.refused)
        if bad_rows:
            self._journal.record_refusals(bad_rows)
        if self.reports:
            removed = {removal.kind.value: removal.count for removal in self.reports.removed}
            self._journal.record_reports(self.reports.slides, self.reports.deidentified, removed)
        self._note_replaced()
        self._provider = self._choose_provider()
        with Committer(self.archive, self._journal, self.request.metadata, self._refuse_stored) as self._committer:
            self._encode_all()
            self._committer.flush()
            self._update_records()
        self._drop_superseded()
        self.notes += list_otherwise_stained(self.otherwise_stained)
        self._journal.record_end()

    def _note_replaced(self) -> None:
        """Say which slides are about to be replaced: what they were before waits to be erased."""
        encoded = sum(slide.record is not None for slide in self.plan.encode)
        replaced = encoded + len(self._list_changed())
        if replaced:
            note_pending(self.archive.layout, replaced=replaced)

    def _drop_superseded(self) -> None:
        """Take out records whose slide goes under another id now, unless its successor was refused."""
        refused = {refusal.path for refusal in self.refused}
        superseded = [slide_id for slide_id, uri in self.plan.superseded.items() if uri not in refused]
        if superseded:
            drop(self.archive.layout, self.archive.store, superseded)

    def _choose_provider(self) -> BagProvider | ClusterBags:
        layout, recipe, trust = self.archive.layout, self.archive.recipe, self.request.trust
        cluster, workers = self.request.cluster, self.request.workers
        vectors = open_slide_vectors(self.archive, self.request.slide_features, len(self.plan.encode), trust)
        if recipe.imported:
            agreement = agree_on_features(self.archive, self.plan.encode, trust)
            self.notes += agreement.notes
            return FeatureBags(layout, recipe, agreement, trust, vectors)
        self.notes += list_sampling_warnings(self.archive.manifest.slide_encoder, recipe) if self.plan.encode else ()
        if cluster and self.plan.encode:
            space = self.archive.space
            encoder = f"{space.tile_encoder}-{space.tile_encoder_weights}" if space else ""
            return ClusterBags(cluster, layout, recipe, workers, trust, vectors, encoder)
        return SlideBags(layout, recipe, workers, trust, vectors)

    def _encode_all(self) -> None:
        self.reporter.expect(len(self.plan.encode))
        with closing(self._encode(self._order_slides())) as encoded:
            for slide, take_bag in encoded:
                with self._refusing(slide):
                    self._take(slide, take_bag())
                self.reporter.advance()
        self._settle()

    def _encode(self, slides: Sequence[PlannedSlide]) -> Generator[tuple[PlannedSlide, TakeBag]]:
        """Slides with what gives their bags. The first ones decide the space: they come in their order, always."""
        if isinstance(self._provider, ClusterBags):
            return self._provider.encode(slides, lambda: self.archive.space is None, self.reporter)
        return encode_here(self._provider, slides, self.reporter)

    def _order_slides(self) -> Sequence[PlannedSlide]:
        """As planned; in a new archive at random, since the first slides give the centre, and folders are alike.

        Drawn by content: the same files give the same space, wherever they lie and whatever their folders are called.
        """
        if self.archive.space is not None:
            return self.plan.encode
        slides = sorted(self.plan.encode, key=lambda slide: slide.file_fingerprint)
        random.Random(self.archive.recipe.seed).shuffle(slides)
        return slides

    @contextmanager
    def _refusing(self, slide: PlannedSlide) -> Iterator[None]:
        """Turn a failure of one slide, foreseen or not, into its refusal; what concerns all slides ends the run."""
        try:
            yield
        except (SlideError, SpaceMismatch) as error:
            self._refuse([SlideRefusal.from_error(slide.source.uri, error)])
        except HistoseekError:
            raise
        except BaseException as error:
            if describe_exhaustion(error) is None and not isinstance(error, Exception):
                raise
            log.debug("unexpected failure of a slide", exc_info=True)
            self._refuse([SlideRefusal.from_error(slide.source.uri, blame_slide(slide, error))])

    def _take(self, slide: PlannedSlide, cached: CachedBag) -> None:
        """Sign and commit a bag; before the archive has its space, only note its mean."""
        if self.archive.space is None:
            self._waiting.append((slide, BagMean.from_bag(cached.bag)))
            if cached.context is not None:
                self._contexts.append(BagMean.from_bag(cached.context))
            if len(self._waiting) == CENTRE_SLIDES:
                self._settle()
            return
        self._commit(slide, cached)

    def _settle(self) -> None:
        """Fix the space from the slides seen so far, of the kind that most of them are, and commit those."""
        if not self._waiting:
            return
        kinds = Counter(mean.kind for _, mean in self._waiting)
        usual = kinds.most_common(1)[0][0]
        contexts = [mean for mean in self._contexts if mean.kind == usual]
        self.archive.settle_space([mean for _, mean in self._waiting if mean.kind == usual], contexts)
        has_centre = (
            find_fitted_family(self.archive.manifest.slide_encoder) or self.archive.require_space().has_tile_mosaics
        )
        if kinds[usual] < FEW_CENTRE_SLIDES and has_centre:
            self.notes.append(_FEW.format(kinds[usual]))
        waiting, self._waiting = self._waiting, []
        for slide, _ in waiting:
            with self._refusing(slide):
                self._commit(slide, reload_bag(self.archive.layout, slide))

    def _commit(self, slide: PlannedSlide, cached: CachedBag) -> None:
        signature = self.archive.signer.sign(cached.bag, cached.context)
        fault = signature.fault()
        if fault:
            raise UnreadableSlide(slide.source.uri, f"its {fault}")
        self._count(slide.record is None, 1)
        stored = StoredSlide(make_record(slide, cached), signature)
        if disagree(stored.record):
            self.otherwise_stained.append(stored.record)
        if slide.record:
            [before] = self.archive.store.get([slide.record.slide_id])
            stored = replace(stored, altered=before.altered).renew(*_list_renewed(stored.record, before.record))
        self._committer.add(stored)

    def _count(self, is_new: bool, slides: int) -> None:
        if is_new:
            self.added += slides
        else:
            self.updated += slides

    def _refuse_stored(self, stored: StoredSlide, error: Exception) -> None:
        """Refuse a slide that was counted and then did not get into the store."""
        self._count(stored.record.created == stored.record.updated, -1)
        unstorable = UnstorableSlide(stored.record.uri, describe_unforeseen(error))
        self._refuse([SlideRefusal.from_error(stored.record.uri, unstorable)])

    def _list_changed(self) -> Sequence[PlannedSlide]:
        return [slide for slide in self.plan.current if slide.record and update_record(slide, slide.record)]

    def _update_records(self) -> None:
        changed = self._list_changed()
        self.unchanged = len(self.plan.current) - len(changed)
        for slide, stored in self._committer.read_stored(changed):
            record = update_record(slide, stored.record)
            if record:
                self._count(is_new=False, slides=1)
                changed_slide = replace(stored, record=record)
                if record.report != stored.record.report:
                    changed_slide = replace(changed_slide, language=LanguageVectors()).renew(REPORT, LANGUAGE)
                self._committer.add(changed_slide)

    def _refuse(self, refusals: Sequence[SlideRefusal]) -> None:
        self.refused.extend(refusals)
        if refusals:
            self._journal.record_refusals(refusals)


def _list_renewed(record: SlideRecord, before: SlideRecord) -> tuple[str, ...]:
    """The parts of a slide that are new when it is encoded again."""
    return (SIGNATURE, LANGUAGE, *((REPORT,) if record.report != before.report else ()))


def make_record(slide: PlannedSlide, cached: CachedBag) -> SlideRecord:
    """The record of a slide that was just encoded; metadata that no table gives stays as it was."""
    now = datetime.now(UTC)
    origin = cached.origin
    record = SlideRecord(
        slide_id=slide.slide_id,
        uri=slide.source.uri,
        file_fingerprint=slide.file_fingerprint,
        width=origin.width,
        height=origin.height,
        spacing_um_per_px=origin.slide_spacing_um_per_px,
        tile_count=len(cached.bag),
        created=slide.record.created if slide.record else now,
        updated=now,
    )
    return _with_metadata(record, slide, origin.stain)


def update_record(slide: PlannedSlide, stored: SlideRecord) -> SlideRecord | None:
    """The record of an unchanged slide with new metadata or place; None when nothing is new."""
    record = _with_metadata(replace(stored, uri=slide.source.uri), slide)
    return None if record == stored else replace(record, updated=datetime.now(UTC))


def _with_metadata(record: SlideRecord, slide: PlannedSlide, detected: str | None = None) -> SlideRecord:
    """detected: the stain, where the slide was encoded."""
    stored, metadata = slide.record, slide.metadata
    columns = {name: getattr(stored, name) for name in TEXT_COLUMNS if stored}
    values = {name: value for name, value in metadata.extra.items() if value is not None}
    extra = {**(stored.extra if stored else {}), **values}
    report = metadata.report or (stored.report if stored else None)
    record = replace(record, **{**columns, **metadata.texts}, report=report, extra=extra)
    stain, columns_of_stain = add_stain(record, metadata.texts.get("stain"), stored, detected)
    return replace(record, stain=stain, extra=columns_of_stain)
