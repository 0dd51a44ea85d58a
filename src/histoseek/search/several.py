"""Several archives asked at once: a query of one put to another, and their results as one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from histoseek.archive.filters.expression import compare
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord
from histoseek.errors import InputError, UnknownCase
from histoseek.geometry import Rect
from histoseek.search.queries import (
    ArchivedCase,
    ArchivedReport,
    ArchivedSlide,
    Case,
    Composed,
    EncodedSlide,
    ImageQuery,
    PlainQuery,
    Query,
    Refined,
    Region,
    ReportText,
)
from histoseek.search.results import SearchResult, SearchResults
from histoseek.slides.sources.registry import source_name

MergedBy = Literal["probability", "rank"]


@dataclass(frozen=True, slots=True)
class ArchiveResult:
    """A result with the name of its archive; its own rank is that in the archive."""

    archive: str
    result: SearchResult


@dataclass(frozen=True, slots=True)
class MergedResults:
    """Results of several archives, best first.

    by: "probability", where all archives have one for the same label, else "rank": scores of different archives can't
    be compared, so that they are taken in turn.
    """

    by: MergedBy
    results: tuple[ArchiveResult, ...]


def merge_results(answers: Mapping[str, SearchResults], k: int, offset: int = 0) -> MergedResults:
    """The results of archives, by name, as one list, less the first `offset`, at most k.

    Archives are to have been asked for offset + k results each.
    """
    found = [ArchiveResult(name, result) for name, answer in answers.items() for result in answer]
    if _have_same_probabilities(list(answers.values())):
        found.sort(key=lambda one: (-(one.result.probability or 0.0), one.result.rank))
        return MergedResults("probability", tuple(found[offset : offset + k]))
    # Each slide is in one archive only, so that reciprocal rank fusion orders by rank; ties stay in archives' order.
    found.sort(key=lambda one: (answers[one.archive].nothing_fits, one.result.rank))
    return MergedResults("rank", tuple(found[offset : offset + k]))


def _have_same_probabilities(answers: Sequence[SearchResults]) -> bool:
    columns = {answer.calibrated_for if answer.labels is not None else None for answer in answers}
    return len(columns) == 1 and None not in columns


def carry_query(home: ArchiveFolder, other: ArchiveFolder, query: Query) -> Query:
    """A query with slides, a case or a report of one archive, for another one.

    Slides are asked with by the tiles that their archive stores, their patient and their very file are left out.
    Raises InputError where the other archive's slides were encoded otherwise, UnknownSlide, UnknownCase.
    """
    if isinstance(query, Refined):
        raise InputError("search", "judged slides are of one archive", "Search several archives without them")
    return _carry_plain(home, other, query)


def _carry_plain(home: ArchiveFolder, other: ArchiveFolder, query: PlainQuery) -> PlainQuery:
    if isinstance(query, ArchivedReport):
        record = home.get(query.slide_id).record
        if not record.report:
            raise InputError(query.slide_id, "has no report", "Search with another slide's")
        return ReportText(record.report, record.patient_id)
    if isinstance(query, Composed):
        return replace(query, image=_carry_image(home, other, query.image))
    if isinstance(query, ImageQuery):
        return _carry_image(home, other, query)
    return query


def _carry_image(home: ArchiveFolder, other: ArchiveFolder, query: ImageQuery) -> ImageQuery:
    if isinstance(query, ArchivedCase):
        records = home.records(compare("case_id", "=", query.case_id))
        if not records:
            raise UnknownCase(query.case_id)
        return Case(tuple(_encode(home, other, record) for record in records))
    if isinstance(query, Case):
        carried = [
            _carry_slide(home, other, slide) if isinstance(slide, ArchivedSlide) else slide for slide in query.slides
        ]
        return Case(tuple(carried))
    if isinstance(query, Region) and isinstance(query.slide, ArchivedSlide):
        encoded = _carry_slide(home, other, query.slide)
        return replace(encoded, regions=_to_pixels(query, encoded.spacing_um_per_px))
    return _carry_slide(home, other, query) if isinstance(query, ArchivedSlide) else query


def _carry_slide(home: ArchiveFolder, other: ArchiveFolder, slide: ArchivedSlide) -> EncodedSlide:
    return _encode(home, other, home.get(slide.slide_id).record)


def _encode(home: ArchiveFolder, other: ArchiveFolder, record: SlideRecord) -> EncodedSlide:
    """A slide by the tiles that its archive stores."""
    if home.recipe.list_other_spaces(other.recipe):
        what = "its slides were encoded otherwise than this one, which would have to be read anew"
        raise InputError("archive", what, "Upload the slide's file to search with it here")
    return EncodedSlide(
        bag=home.bags.load(record.slide_id),
        name=source_name(record.uri),
        spacing_um_per_px=record.spacing_um_per_px,
        patient_id=record.patient_id,
        file_fingerprint=record.file_fingerprint,
        context=home.bags.load_context(record.slide_id) if home.recipe.context else None,
    )


def _to_pixels(query: Region, spacing_um_per_px: float) -> tuple[Rect, ...]:
    if query.unit == "px":
        return query.regions
    if not spacing_um_per_px:
        raise InputError("region", "the slide's spacing is not known", "Give it in level-0 px")
    return tuple(
        Rect(*(round(um / spacing_um_per_px) for um in (rect.x, rect.y, rect.width, rect.height)))
        for rect in query.regions
    )
