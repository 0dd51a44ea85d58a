"""What a run of indexing is asked for, from what users give: paths, tables as files, data frames or rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from histoseek.archive.indexing.cluster.address import ClusterAddress
from histoseek.archive.indexing.index_warnings import list_rename_warnings
from histoseek.archive.indexing.ingest import IndexRequest
from histoseek.archive.indexing.metadata_table import MetadataTable, load_table, make_table
from histoseek.archive.indexing.plan import name_spacings
from histoseek.archive.indexing.report_cleaner import make_cleaner
from histoseek.archive.indexing.report_intake import load_reports, make_report_columns
from histoseek.archive.schema import MetadataValue
from histoseek.arguments import describe, settle_count
from histoseek.encoders.features.confined import find_features
from histoseek.errors import ConfigurationError, InputError
from histoseek.progress import Reporter
from histoseek.reports.privacy.deidentify import DeidentifyChoice
from histoseek.slides.sources.base import Discovery
from histoseek.slides.sources.file import FileSource
from histoseek.slides.sources.registry import SourceLike, discover, parse_source, require_local

PathLike = Path | str
MetadataRow = Mapping[str, MetadataValue]
ReportRow = Mapping[str, object]
"""Rows of tables by the names of their columns."""


@runtime_checkable
class DataFrame(Protocol):
    """A pandas data frame, as far as its rows are read."""

    index: Any

    def reset_index(self) -> DataFrame:
        """With its index as a column."""

    def to_dict(self, orient: Any) -> Any:
        """Its rows."""


def make_index_request(
    paths: Sequence[SourceLike],
    metadata: PathLike | Sequence[MetadataRow] | DataFrame | None,
    reports: PathLike | Sequence[PathLike] | Sequence[ReportRow] | DataFrame | None,
    *,
    imported: bool,
    spacing_of: Mapping[str, float] | None = None,
    rename: Mapping[str, str] | None = None,
    report_columns: Mapping[str, str] | None = None,
    deidentify: DeidentifyChoice = True,
    workers: int = 2,
    trust: bool | None = None,
    slide_features: PathLike | None = None,
    cluster: str | None = None,
    reporter: Reporter | None = None,
) -> IndexRequest:
    """Find the slides, read the table and the reports, so that mistakes show before an archive is touched.

    imported: the paths hold feature files; without paths the tables are about the archive's own slides. Raises
    SlideNotFound, NoSlidesFound, BadTable, ConfigurationError for unknown roles of columns, and InputError when nothing
    of a single report file can be used.
    """
    make_cleaner(deidentify)
    address = None if cluster is None else ClusterAddress.parse(cluster)
    if address is not None and imported:
        raise ConfigurationError("--cluster", "encodes slides, and feature files are read here", "Leave it out")
    workers = settle_count(workers, "workers", 1)
    for name, given in (("spacing_of", spacing_of), ("rename", rename), ("report_columns", report_columns)):
        if given is not None and not isinstance(given, Mapping):
            raise InputError(name, f"{describe(given)} is no mapping", "Give a mapping of names")
    table = _load_metadata(metadata, rename, trust) if metadata is not None else None
    discovery = _find_sources(paths, imported, trust) if paths else Discovery(())
    items = _list_reports(reports)
    read = load_reports(items, make_report_columns(report_columns, rename), reporter, trust) if items else None
    notes = (*discovery.notes, *list_rename_warnings(rename or {}, table, read))
    spacings, passed_over = name_spacings(spacing_of or {}), discovery.passed_over
    request = IndexRequest(discovery.slides, table, read, spacings, workers, notes, deidentify, passed_over)
    return replace(request, named=discovery.named, trust=trust, slide_features=slide_features, cluster=address)


def _list_reports(
    reports: PathLike | Sequence[PathLike] | Sequence[ReportRow] | DataFrame | None,
) -> list[Path | ReportRow]:
    if isinstance(reports, DataFrame):
        return _list_rows(reports)
    if reports is None or isinstance(reports, str | Path):
        return [] if reports is None else [Path(reports)]
    advice = "Give files or folders, a data frame, or a list of rows that map names of columns to values"
    if isinstance(reports, Mapping | bytes) or not isinstance(reports, Iterable):
        raise InputError("reports", f"{describe(reports)} is neither files nor rows", advice)
    items = [Path(item) if isinstance(item, str | Path) else item for item in reports]
    wrong = next((item for item in items if not isinstance(item, Path | Mapping)), None)
    if wrong is not None:
        raise InputError("reports", f"{describe(wrong)} is neither a file nor a row", advice)
    return items


def _list_rows(frame: DataFrame) -> list[Any]:
    """The rows of a data frame, with its index where that has a name."""
    return list((frame.reset_index() if frame.index.name else frame).to_dict("records"))


def _load_metadata(
    metadata: PathLike | Sequence[MetadataRow] | DataFrame, rename: Mapping[str, str] | None, trust: bool | None
) -> MetadataTable:
    if isinstance(metadata, str | Path):
        return load_table(Path(metadata), rename, trust)
    if isinstance(metadata, DataFrame):
        return make_table(_list_rows(metadata), rename)
    if not isinstance(metadata, Sequence) or not all(isinstance(row, Mapping) for row in metadata):
        advice = "Give a file, a data frame, or a list of rows that map names of columns to values"
        raise InputError("metadata", f"is no table, but of type {type(metadata).__name__}", advice)
    return make_table(cast("Sequence[MetadataRow]", metadata), rename)


def _find_sources(paths: Sequence[SourceLike], imported: bool, trust: bool | None) -> Discovery:
    """The slides or feature files that the paths name."""
    if imported:
        files = [require_local(parse_source(path)) for path in paths]
        folder = find_features(files, trust)
        named = frozenset(FileSource(file.absolute()) for file in files if not file.is_dir())
        return Discovery(tuple(map(FileSource, folder.files)), folder.passed_over, named=named)
    return discover(paths)
