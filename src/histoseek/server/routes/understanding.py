"""What is typed into one field: understood and completed. Texts come in bodies: they may name a patient."""

from __future__ import annotations

from fastapi import APIRouter

from histoseek.rest import queries
from histoseek.rest.archives import FieldFilter
from histoseek.rest.understanding import (
    Completion,
    Completions,
    CompletionsRequest,
    Part,
    Reading,
    Understanding,
    UnderstandRequest,
)
from histoseek.search.queries import Composed, ReportText, TextQuery
from histoseek.search.scope.fields import FieldFilter as SearchedField
from histoseek.search.understanding import readings
from histoseek.server.http.dependencies import EntryInPath, Reader
from histoseek.server.http.responses import to_value

router = APIRouter(prefix="/archives/{archive}", tags=["search"])


@router.post("/understand")
def understand(caller: Reader, entry: EntryInPath, request: UnderstandRequest) -> Understanding:
    """What a typed or pasted text is made of: names, values, conditions, words, what is not wanted, or a report."""
    found = entry.archive.understand(request.text)
    return Understanding(
        parts=tuple(_to_part(part) for part in found.parts),
        query=_to_query(found.query),
        filters=tuple(_to_filter(chosen) for chosen in found.filters),
        where=found.where,
        slide_id=found.slide_id,
    )


@router.post("/completions")
def complete(caller: Reader, entry: EntryInPath, request: CompletionsRequest) -> Completions:
    """What the archive has that begins, or is named, like what is being typed; only such as leads to slides."""
    return Completions(
        items=tuple(
            Completion(
                kind=one.kind,
                text=one.text,
                start=one.start,
                slides=one.slides,
                filter=_to_filter(one.filter),
                slide_id=one.slide_id,
            )
            for one in entry.archive.completions(request.text, request.most)
        )
    )


def _to_part(part: readings.Part) -> Part:
    return Part(
        start=part.start,
        end=part.end,
        reading=_to_reading(part.reading),
        others=tuple(_to_reading(reading) for reading in part.others),
    )


def _to_reading(reading: readings.Reading) -> Reading:
    return Reading(
        kind=reading.kind,
        text=reading.text,
        slides=reading.slides,
        filter=_to_filter(reading.filter) if reading.filter else None,
        where=reading.where,
        slide_id=reading.slide_id,
    )


def _to_filter(chosen: SearchedField) -> FieldFilter:
    values = tuple(to_value(value) for value in chosen.values)
    return FieldFilter(source=chosen.source, field=chosen.field, values=values)


def _to_query(
    query: TextQuery | ReportText | Composed | None,
) -> queries.TextQuery | queries.ReportQuery | queries.ComposedQuery | None:
    if isinstance(query, TextQuery):
        return queries.TextQuery(text=query.text, without=query.without)
    if isinstance(query, ReportText):
        return queries.ReportQuery(text=query.text)
    if query is None:
        return None
    slide = queries.SlideQuery(slide=queries.SlideRef(slide_id=getattr(query.image, "slide_id", None)))
    return queries.ComposedQuery(image=slide, text=query.text, without=query.without)
