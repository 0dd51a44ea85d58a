"""The archive as Python users see it: create, index, search, keep in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from histoseek.api.searching import SearchableArchive
from histoseek.archive.filters.expression import Where
from histoseek.archive.new_archive import use_own_encoder
from histoseek.arguments import describe
from histoseek.errors import InputError
from histoseek.search.options import (
    DEFAULT_LABEL,
    FALSE_ALARMS,
)
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import SourceLike

# What one method needs is imported there: a command that lists slides should not wait for what reads them.
if TYPE_CHECKING:
    import anndata
    import pandas

    from histoseek.archive.arrays import SlideMosaics, SlideVectors, VectorKind
    from histoseek.archive.calibration_file import Calibration
    from histoseek.archive.indexing.index_request import DataFrame, MetadataRow, PathLike, ReportRow
    from histoseek.archive.indexing.ingest import IndexReport
    from histoseek.archive.moving.comparison import ArchiveComparison
    from histoseek.archive.moving.copy import CopyReport
    from histoseek.archive.schema import ColumnType, MetadataValue, SlideRecord
    from histoseek.archive.verification.problems import Verification
    from histoseek.encoders.tile.own import OwnTileEncoder
    from histoseek.evaluation.tuning.tune import TuningOutcome
    from histoseek.progress import Reporter
    from histoseek.reports.cleaning.mends import CleanText
    from histoseek.reports.language.sections import Sections
    from histoseek.reports.privacy.deidentify import DeidentifyChoice


class _Running(TypedDict):
    """How and where slides are encoded."""

    workers: int
    trust: bool | None
    cluster: str | None


class Archive(SearchableArchive):
    """An archive of whole-slide images: one folder, safe to kill at any moment, searched by slide.

    >>> archive = Archive.create("my.archive")              # doctest: +SKIP
    >>> archive.index(["slides"], metadata="slides.csv")    # doctest: +SKIP
    >>> for result in archive.search("query.svs"):          # doctest: +SKIP
    ...     print(result.rank, result.slide_id, result.score)
    """

    def index(
        self,
        paths: SourceLike | Sequence[SourceLike],
        metadata: PathLike | Sequence[MetadataRow] | DataFrame | None = None,
        reports: PathLike | Sequence[PathLike] | Sequence[ReportRow] | DataFrame | None = None,
        *,
        spacing_of: Mapping[str, float] | None = None,
        rename: Mapping[str, str] | None = None,
        report_columns: Mapping[str, str] | None = None,
        deidentify: DeidentifyChoice = True,
        workers: int = 2,
        trust: bool | None = None,
        slide_features: PathLike | None = None,
        encoder: str | OwnTileEncoder | None = None,
        cluster: str | None = None,
        reporter: Reporter | None = None,
    ) -> IndexReport:
        """Bring the archive up to date with slide files and folders (or feature files, for an archive of such).

        metadata: a table (CSV, Excel, JSON), a pandas data frame, or rows; reports: files, folders, or rows of reports;
        spacing_of: um/px by file name; rename: column names of the tables; report_columns: what columns of report
        tables hold; deidentify=False: keep names, dates and numbers of persons, "presidio": ask Presidio too;
        trust=True: read files in this very process; slide_features: vectors of slides, for an archive of such; encoder:
        the archive's, if it is your own code; cluster: "local:2", "slurm:8" or a Dask scheduler's address, to encode
        there. Can be called again when killed. Raises InputError, ArchiveError, ClusterError.
        """
        from histoseek.archive.indexing import index_request, ingest

        self.use_recipe(use_own_encoder(self.recipe, encoder))
        request = index_request.make_index_request(
            *(_list_paths(paths), metadata, reports),
            imported=self.recipe.imported,
            spacing_of=spacing_of,
            rename=rename,
            report_columns=report_columns,
            deidentify=deidentify,
            slide_features=slide_features,
            **_Running(workers=workers, trust=trust, cluster=cluster),
        )
        return ingest.index(self, request, reporter)

    def add_metadata(
        self,
        metadata: PathLike | Sequence[MetadataRow] | DataFrame | None = None,
        reports: PathLike | Sequence[PathLike] | Sequence[ReportRow] | DataFrame | None = None,
        *,
        rename: Mapping[str, str] | None = None,
        report_columns: Mapping[str, str] | None = None,
        deidentify: DeidentifyChoice = True,
        trust: bool | None = None,
        reporter: Reporter | None = None,
    ) -> IndexReport:
        """Add what a later table or later reports say to the archive's slides; no slide is opened or encoded again.

        Rows belong to slides by file, slide id or case as in `index`, whose arguments these are. What a table does not
        say stays. Raises InputError for tables and reports, ArchiveError.
        """
        from histoseek.archive.indexing.index_request import make_index_request
        from histoseek.archive.indexing.ingest import index

        if metadata is None and reports is None:
            raise InputError("add_metadata", "needs a table or reports", "Give one of them, or both")
        self.refresh()
        self.require_space()
        request = make_index_request(
            (),
            metadata,
            reports,
            imported=self.recipe.imported,
            rename=rename,
            report_columns=report_columns,
            deidentify=deidentify,
            trust=trust,
        )
        return index(self, request, reporter)

    def upgrade(self, reporter: Reporter | None = None) -> int:
        """Read reports and metadata anew where an older version did; how many reports. Can be killed and continued."""
        from histoseek.archive.indexing.rereading import reread_reports
        from histoseek.archive.indexing.word_tiles import complete_word_tiles
        from histoseek.progress import SilentReporter

        with self.writing():
            reread = reread_reports(self, reporter or SilentReporter())
            complete_word_tiles(self, reporter or SilentReporter())
            return reread

    def calibrate(
        self,
        label: str | None = DEFAULT_LABEL,
        distance: str | None = None,
        seed: int = 0,
        reporter: Reporter | None = None,
        false_alarms: float = FALSE_ALARMS,
    ) -> Calibration:
        """Learn from the archive's own labels how probable it is that a query has a result's, and from its tiles
        what is unlike anything in it; label=None: only the latter; distance: None for the ranking that searches use;
        false_alarms: how often a query of the archive's own kind may be said to be unlike it.

        Raises ArchiveError for too few labels or slides, InputError for an unknown column, ArchiveBusy.
        """
        from histoseek.evaluation.tuning.refitted import rank_refitted
        from histoseek.search.calibrate import calibrate

        return calibrate(self, label, distance, seed, reporter, false_alarms, rank_refitted)

    def tune(
        self,
        label: str = DEFAULT_LABEL,
        sites: Sequence[str] = (),
        *,
        patient_is_slide: bool = False,
        dry_run: bool = False,
        seed: int = 0,
        reporter: Reporter | None = None,
    ) -> TuningOutcome:
        """Choose by a column of labels how slides are ranked for a slide, and search by it from then on, if it beats
        plain ranking on patients held out; else the archive ranks plainly.

        sites: columns of sites or preparations: queries look for slides of others, and ranking without these columns is
        tried. Raises InputError for columns that can't be tuned by, or too few patients, ArchiveBusy, ArchiveReadOnly.
        """
        from histoseek.evaluation.tuning.tune import TuningSpec, tune

        spec = TuningSpec(label, tuple(sites), patient_is_slide, seed)
        return tune(self, spec, dry_run=dry_run, reporter=reporter)

    def reset_tuning(self) -> bool:
        """Rank plainly again, as before `tune`; whether the archive was tuned. Raises ArchiveBusy, ArchiveReadOnly."""
        from histoseek.archive.tuning_file import remove_tuning

        with self.writing():
            return remove_tuning(self.layout)

    def update(
        self,
        slide_id: str,
        changes: Mapping[str, MetadataValue],
        *,
        deidentify: DeidentifyChoice = True,
        now: bool = False,
    ) -> SlideRecord:
        """Change metadata of a slide; a new report loses names, dates and numbers of persons, and a name given as
        patient_id becomes a pseudonym; with deidentify=False both are kept. now: erase what was there before, as
        `remove` does. Raises UnknownSlide, or InputError for columns that can't be set and for values that are no text.
        """
        return self.update_many({slide_id: changes}, deidentify=deidentify, now=now)[0]

    def update_many(
        self,
        changes: Mapping[str, Mapping[str, MetadataValue]],
        *,
        new_columns: Mapping[str, ColumnType] | None = None,
        deidentify: DeidentifyChoice = True,
        now: bool = False,
    ) -> list[SlideRecord]:
        """Change metadata of slides, by their ids, in one step: all or nothing. Their records, in the same order.

        new_columns: those that the archive may lack, with the type of what they hold: str, int, float, bool or date.
        The others as in `update`. Raises what `update` raises, and InputError for a new column that is there with
        another type.
        """
        from histoseek.archive.indexing.updating import update_slides

        return update_slides(self, changes, new_columns or {}, deidentify, now)

    def vectors(
        self, slide_ids: Sequence[str] | None = None, *, where: Where = None, kind: VectorKind = "slide"
    ) -> SlideVectors:
        """A vector of each slide, float32 [n, D], with their ids: of slides as asked, or of those of a filter by id.

        kind: "slide" (global vectors), "report", "shared slide", "shared report"; slides without one are left out.
        Raises UnknownSlide, BadFilter, and InputError for a kind that the archive does not have.
        """
        from histoseek.archive.arrays import read_vectors

        return self.read(lambda view: read_vectors(view, slide_ids, where, kind))

    def mosaics(self, slide_ids: Sequence[str] | None = None, *, where: Where = None) -> SlideMosaics:
        """The mosaics of slides one after the other, float16 [N, D], with offsets: of slides in the order asked, or of
        those of a filter. Raises UnknownSlide, BadFilter."""
        from histoseek.archive.arrays import read_mosaics

        return self.read(lambda view: read_mosaics(view, slide_ids, where))

    def to_pandas(self, where: Where = None) -> pandas.DataFrame:
        """The metadata of the slides of a filter, by slide id; raises BadFilter, MissingExtra without pandas."""
        from histoseek.archive.arrays import make_frame

        return self.read(lambda view: make_frame(view, where))

    def to_anndata(self, where: Where = None, *, kind: VectorKind = "slide") -> anndata.AnnData:
        """The slides of a filter as observations, their vectors as X, in types that `write_h5ad` takes.

        Raises BadFilter, InputError for a kind of vectors that the archive does not have, MissingExtra without anndata.
        """
        from histoseek.archive.arrays import make_anndata

        return self.read(lambda view: make_anndata(view, where, kind))

    def sections(self, slide_id: str) -> Sections:
        """The sections of a slide's report, none where it has no report. Raises UnknownSlide."""
        from histoseek.reports.language.sections import Sections, split_sections

        text = self.get(slide_id).record.report
        return split_sections(text) if text else Sections("", ())

    def clean_report(self, slide_id: str) -> CleanText:
        """What of a slide's report is read for facts and words, with its mends. Raises UnknownSlide."""
        from histoseek.reports.concepts.cleaning import clean_report

        return self.read(
            lambda view: clean_report(view.get(slide_id).record.report or "", boilerplate=view.boilerplate)
        )

    def verify(self, reporter: Reporter | None = None, *, deep: bool = False, repair: bool = False) -> Verification:
        """Check every slide's row, features and file, and the archive's own files (`verification.repair.check`)."""
        from histoseek.archive.verification.repair import check

        return check(self, deep, repair, reporter)

    def copy_to(self, address: str | Path, reporter: Reporter | None = None) -> CopyReport:
        """Copy it to a folder or an address on a server (`archive.moving.copy`); can be killed and continued."""
        from histoseek.archive.moving.copy import copy_archive
        from histoseek.progress import SilentReporter

        return copy_archive(self, address, reporter or SilentReporter())

    def compare_with(self, other: Archive, reporter: Reporter | None = None) -> ArchiveComparison:
        """How another archive differs from it, in rows, features and files (`archive.moving.comparison`)."""
        from histoseek.archive.moving.comparison import compare_archives
        from histoseek.progress import SilentReporter

        return compare_archives(self, other, reporter or SilentReporter())


def _list_paths(paths: SourceLike | Sequence[SourceLike]) -> list[SourceLike]:
    if isinstance(paths, str | Path | SlideSource) or not isinstance(paths, Iterable):
        paths = [paths]
    listed: list[SourceLike] = [cast("SourceLike", paths)] if isinstance(paths, bytes) else [*paths]
    wrong = next((path for path in listed if not isinstance(path, str | Path | SlideSource)), None)
    if wrong is not None or paths is None:
        raise InputError("index", f"{describe(wrong)} is no path", "Give a file or folder, or a list of them")
    return listed
