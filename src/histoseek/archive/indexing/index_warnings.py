"""The warnings of an indexing run about tables and reports: what matches no slide, and what is not stored."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from histoseek.archive.indexing.metadata_join import MetadataJoin, UnmatchedRow
from histoseek.archive.indexing.metadata_row import TableRow
from histoseek.archive.indexing.metadata_table import MetadataTable
from histoseek.archive.indexing.personal_data import find_identifying_columns, find_named_patients
from histoseek.archive.indexing.report_intake import ReportIntakeSummary
from histoseek.archive.journal import ReportFileRefusal, UnmatchedEntries
from histoseek.archive.schema import SlideRecord
from histoseek.archive.stains import STAIN_DETECTED
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.registry import is_published
from histoseek.reports.files.column_names import find_column, is_patient_name
from histoseek.reports.files.document import ReportBatch, ReportFileSummary
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.folder_walk import describe_passed_over
from histoseek.slides.sources.registry import source_name

_MOST_NOTES = 20
_FRACTION = re.compile(r"(?<=\d)\.0+$")
_KEPT = "identifiers are kept as they are: whoever reads the archive can see who the patients are"


def list_sampling_warnings(slide_encoder: str, recipe: Recipe) -> tuple[str, ...]:
    """That a published slide encoder sees some of the tiles for which it was made."""
    if recipe.imported or recipe.tile_budget is None or not is_published(slide_encoder):
        return ()
    seen = f"this archive takes at most {recipe.tile_budget} of a slide (a new one with --tiles all takes them all)"
    return (f"{slide_encoder} was published for all tiles of a slide, and {seen}",)


def list_privacy_warnings(metadata: MetadataTable | None, deidentifies: bool, has_reports: bool) -> tuple[str, ...]:
    """That identifiers are kept, or which columns are left out or changed because they tell of a person."""
    if not deidentifies:
        return (_KEPT,) if metadata or has_reports else ()
    return tuple(_list_column_warnings(metadata)) if metadata else ()


def _list_column_warnings(metadata: MetadataTable) -> Iterator[str]:
    columns = find_identifying_columns(metadata)
    if columns:
        problem = f"not stored, since they tell who a patient is: {', '.join(columns)}"
        yield f"{metadata.path}: columns {problem} (--keep-identifiers stores them)"
    named = [header for header in metadata.headers if is_patient_name(header)]
    if named and not any("patient_id" in row.texts for row in metadata.rows):
        advice = f"give ids, or --rename '{named[0]}=patient_id', which stores pseudonyms"
        yield f"{metadata.path}: patients are given by {named[0]!r} alone, so slides of one find each other: {advice}"
    places = find_named_patients(metadata)
    if places:
        first = metadata.rows[places[0]].where
        rows = f"names of persons in {len(places)} of {len(metadata.rows)} rows, first in {first}"
        stored = f"pseudonyms are stored instead; give ids, or {_advise_rename(metadata.patient_column)}"
        yield f"{metadata.path}: column {metadata.patient_column!r} holds {rows}: {stored}"


def list_patient_warnings(files: Sequence[ReportFileSummary]) -> tuple[str, ...]:
    """Which columns of report tables hold names of persons as ids of patients."""
    warnings = []
    for file in files:
        columns = [role.column for role in file.mapping.roles if role.role == "patient_id"] if file.mapping else []
        if columns and file.named_patients:
            rows = f"names of persons in {file.named_patients} of {file.texts} rows"
            advice = f"lists show row numbers instead; give ids, or {_advise_rename(columns[0])}"
            warnings.append(f"{file.path}: column {columns[0]!r} holds {rows}: {advice}")
    return tuple(warnings)


def _advise_rename(column: str) -> str:
    return f"use --rename '{column}=patient_name' where another column has ids"


def list_doubtful_patients(
    metadata: MetadataTable | None, records: Sequence[SlideRecord], row_of: Mapping[SlideSource, TableRow]
) -> tuple[str, ...]:
    """Where slides may be of one patient and are taken for those of two."""
    return (*_list_like_patients(metadata, records), *_list_parted_patients(records, row_of))


def _list_parted_patients(records: Sequence[SlideRecord], row_of: Mapping[SlideSource, TableRow]) -> tuple[str, ...]:
    """That a table gives slides another patient, and leaves others of their former patient as they were."""
    given = {source.uri: row.texts.get("patient_id") for source, row in row_of.items()}
    now = {record.slide_id: given.get(record.uri) or record.patient_id for record in records}
    former: dict[str, list[SlideRecord]] = defaultdict(list)
    for record in records:
        if record.patient_id:
            former[record.patient_id].append(record)
    parted = [
        record.slide_id
        for patient_id, slides in former.items()
        if any(now[slide.slide_id] == patient_id for slide in slides)
        for record in slides
        if now[record.slide_id] != patient_id
    ]
    if not parted:
        return ()
    what = "1 slide now belongs" if len(parted) == 1 else f"{len(parted)} slides now belong"
    return (f"{what} to another patient than slides of the same one before: {_list_some(parted)}",)


def list_otherwise_stained(records: Sequence[SlideRecord]) -> tuple[str, ...]:
    """That slides look stained otherwise than a table says: one of the two is wrong, or the slide is another one."""
    if not records:
        return ()
    what = "1 slide looks" if len(records) == 1 else f"{len(records)} slides look"
    slides = [f"{one.slide_id} ({one.stain}, looks like {one.extra[STAIN_DETECTED]})" for one in records]
    return (f"{what} stained otherwise than is stated: {_list_some(slides)}",)


def list_passed_reports(reports: ReportBatch | None) -> tuple[str, ...]:
    """Files of folders that are no reports by their kind."""
    passed_over = reports.passed_over if reports else {}
    return (f"reports: passed over: {describe_passed_over(passed_over)}",) if passed_over else ()


def _list_like_patients(metadata: MetadataTable | None, records: Sequence[SlideRecord]) -> tuple[str, ...]:
    """That ids which look like one patient's are taken for two: "P 12" and "p12", "0012" of a table and "12" of the
    archive. They are called by their rows: who the patients are is no matter of a log."""
    if metadata is None:
        return ()
    stored = {record.patient_id: f"slide {record.slide_id!r}" for record in records if record.patient_id}
    rows = {row.texts["patient_id"]: row.where for row in metadata.rows if "patient_id" in row.texts}
    own = {_simplify(patient_id) for patient_id in rows}
    spellings: dict[str, dict[str, str]] = defaultdict(dict)
    for patient_id, where in (*stored.items(), *rows.items()):
        spellings[_simplify(patient_id)].setdefault(make_patient_key(patient_id), where)
    alike = [tuple(places.values()) for key, places in spellings.items() if key in own and len(places) > 1]
    if not alike:
        return ()
    more = f", and {len(alike) - 1} more such ids" if len(alike) > 1 else ""
    what = "differ only in case, separators or zeros before them, and are taken for different patients"
    column = f"{metadata.path}: column {metadata.patient_column!r}"
    return (f"{column}: the ids of {alike[0][0]} and {alike[0][1]} {what}{more}",)


def _simplify(patient_id: str) -> str:
    """What spellings of one id have in common: the separators between digits alone tell numbers apart."""
    folded = _FRACTION.sub("", unicodedata.normalize("NFKC", patient_id).casefold())
    between = "" if any(map(str.isalpha, folded)) else "-"
    return between.join(re.findall(r"[^\W_]+", folded)).lstrip("0")


def list_match_warnings(
    metadata: MetadataTable | None, join: MetadataJoin, reports: ReportIntakeSummary | None
) -> tuple[str, ...]:
    """Names given as ids of reports' patients; how many rows, reports and slides have no match, with some of them."""
    warnings = list(list_patient_warnings(reports.files)) if reports else []
    if metadata:
        warnings += [*metadata.warnings[:_MOST_NOTES], *join.notes[:_MOST_NOTES]]
        more = max(0, len(metadata.warnings) - _MOST_NOTES) + max(0, len(join.notes) - _MOST_NOTES)
        warnings += [f"{metadata.path}: {more} more warnings of this kind"] if more else []
    if metadata and join.unmatched:
        rows = [_describe_unmatched(unmatched) for unmatched in join.unmatched]
        warnings.append(f"{metadata.path}: {len(rows)} of {len(metadata.rows)} rows match no slide: {_list_some(rows)}")
    if reports and reports.unjoined:
        ids = [orphan.report_id for orphan in reports.unjoined]
        warnings.append(f"reports: {len(ids)} of {reports.reports} match no slide: {_list_some(ids)}")
    if join.sources_without_row:
        names = [source.name for source in join.sources_without_row]
        slides = len(names) + len(join.row_of)
        warnings.append(f"{len(names)} of {slides} slides have no row in the metadata: {_list_some(names)}")
    if reports and reports.slides_without_report:
        names = [source_name(uri) for uri in reports.slides_without_report]
        warnings.append(f"{len(names)} slides have no report: {_list_some(names)}")
    return tuple(warnings)


def list_unmatched(join: MetadataJoin, reports: ReportIntakeSummary | None) -> UnmatchedEntries:
    """The whole lists of what did not join."""
    return UnmatchedEntries(
        metadata_rows=join.unmatched_rows,
        report_rows=tuple(orphan.report_id for orphan in reports.unjoined) if reports else (),
        files_without_row=tuple(source.uri for source in join.sources_without_row),
        files_without_report=reports.slides_without_report if reports else (),
    )


def list_unchanged_warnings(records: Sequence[SlideRecord], row_of: Mapping[SlideSource, TableRow]) -> tuple[str, ...]:
    """What tables say of the archive's slides that only their files can change: ids and spacings."""
    rows = {source.uri: row for source, row in row_of.items()}
    pairs = [(record, rows[record.uri]) for record in records if record.uri in rows]
    spacings = [
        record.slide_id
        for record, row in pairs
        if row.spacing_um_per_px and abs(row.spacing_um_per_px - record.spacing_um_per_px) > 1e-9
    ]
    ids = [record.slide_id for record, row in pairs if row.file and row.slide_id not in (None, record.slide_id)]
    advice = "from the table is not taken, since their files were not given"
    return tuple(
        f"{what} of {len(slides)} {'slide' if len(slides) == 1 else 'slides'} {advice}: {_list_some(slides)}"
        for what, slides in (("the spacing", spacings), ("the id", ids))
        if slides
    )


def list_rename_warnings(
    rename: Mapping[str, str], metadata: MetadataTable | None, reports: ReportBatch | None
) -> tuple[str, ...]:
    """Columns to be renamed that no table has."""
    mappings = [file.mapping for file in reports.files if file.mapping] if reports else []
    names = [*(metadata.headers if metadata else ()), *(name for mapping in mappings for name in mapping.names)]
    missing = [old for old in rename if names and find_column(names, old) is None]
    return tuple(f"--rename {old}={rename[old]}: no table has a column {old!r}" for old in missing)


def list_refused_rows(metadata: MetadataTable | None, join: MetadataJoin) -> tuple[ReportFileRefusal, ...]:
    """The rows of a metadata table that are left out, as they are logged."""
    refusals = (*metadata.refused, *join.refused) if metadata else ()
    return tuple(
        ReportFileRefusal(str(refusal.source.path), refusal.source.row or refusal.source.line, "BadTable", str(refusal))
        for refusal in refusals
    )


def _describe_unmatched(unmatched: UnmatchedRow) -> str:
    notes = ", ".join(note for note in (unmatched.row.where, unmatched.why) if note)
    return f"{unmatched.row.key} ({notes})" if notes else unmatched.row.key


def _list_some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
