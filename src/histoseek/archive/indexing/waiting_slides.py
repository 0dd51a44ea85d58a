"""What is kept of slides that wait to be indexed: metadata and reports without identifiers, as they will be stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoseek.archive.indexing.metadata_columns import TEXTS, map_metadata_columns
from histoseek.archive.indexing.metadata_table import make_table
from histoseek.archive.indexing.personal_data import (
    collect_identifiers,
    find_identifying_columns,
    list_record_identifiers,
    merge_identifiers,
)
from histoseek.archive.indexing.report_cleaner import ReportCleaner, make_cleaner
from histoseek.archive.indexing.slide_ids import holds_person_name
from histoseek.archive.schema import SlideRecord
from histoseek.reports.privacy.deidentify import DeidentifyChoice, KnownIdentifiers
from histoseek.reports.privacy.person_names import make_pseudonym

_NO_LETTERS = re.compile(r"[\W\d_]+")


@dataclass(frozen=True, slots=True)
class WaitingSlide:
    """A slide as its user gave it: its file's name without the ending, metadata by the names of columns, its report;
    record: what the archive has of it already."""

    stem: str
    metadata: Mapping[str, str]
    report: str | None = None
    record: SlideRecord | None = None


@dataclass(frozen=True, slots=True)
class CleanSlide:
    """A slide as it may be kept; has_private_name: the file's name tells who the patient is."""

    metadata: Mapping[str, str]
    report: str | None
    has_private_name: bool


def clean_waiting_slides(slides: Sequence[WaitingSlide], choice: DeidentifyChoice) -> list[CleanSlide]:
    """Slides of one run without what `index` would take from them, so that it finds nothing more to take.

    Raises BadTable for columns that can't be told apart, and what `make_cleaner` raises.
    """
    cleaner = make_cleaner(choice)
    if not slides or not cleaner.deidentifies:
        return [CleanSlide(slide.metadata, slide.report, has_private_name=False) for slide in slides]
    # Rows of one file are put together: a number for each keeps them apart.
    rows = [{"file": str(number), **slide.metadata} for number, slide in enumerate(slides)]
    headers = tuple(dict.fromkeys(header for row in rows for header in row))
    columns = map_metadata_columns(Path("metadata"), headers, {})
    name_of = {column.header: column.name for column in columns}
    dropped = frozenset(find_identifying_columns(make_table(rows)))
    return [_clean_slide(cleaner, slide, name_of, dropped) for slide in slides]


def _clean_slide(
    cleaner: ReportCleaner, slide: WaitingSlide, name_of: Mapping[str, str], dropped: frozenset[str]
) -> CleanSlide:
    identifiers = _list_identifiers(slide, {name_of[header]: value for header, value in slide.metadata.items()})
    metadata = {
        header: make_pseudonym(value) if name_of[header] == "patient_id" else value
        for header, value in slide.metadata.items()
        if name_of[header] not in dropped
    }
    report = cleaner.clean(slide.report, identifiers) if slide.report else slide.report
    return CleanSlide(metadata, report, holds_person_name(slide.stem, identifiers.names))


def _list_identifiers(slide: WaitingSlide, values: Mapping[str, str]) -> KnownIdentifiers:
    """What the file's name, the metadata by the archive's names, and the archive's record say of the person."""
    further = {name: value for name, value in values.items() if name not in TEXTS}
    ids = (values.get("slide_id"), values.get("case_id"), slide.stem)
    known = [collect_identifiers(ids, values.get("patient_id"), further)]
    if slide.record:
        known.append(list_record_identifiers(slide.record))
    if holds_person_name(slide.stem):
        known.append(KnownIdentifiers(names=(_NO_LETTERS.sub(" ", slide.stem).strip(),)))
    return merge_identifiers(known)
