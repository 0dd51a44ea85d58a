"""From what a request asks with to a query of the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from histoseek.geometry import Rect
from histoseek.rest import queries as rest
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
    TextQuery,
)


class Uploads(Protocol):
    """Brings uploaded slides into an archive's space."""

    def slide(self, upload_id: str, patient_id: str | None) -> EncodedSlide | ArchivedSlide:
        """A whole slide; the archive's own where it has this very file. Raises NotThere, SlideError."""

    def regions(self, upload_id: str, patient_id: str | None, boxes: Sequence[Rect], unit: str) -> ImageQuery:
        """Regions of a slide, in level-0 px or um; raises NotThere, SlideError."""

    def picture(self, upload_id: str, patient_id: str | None, spacing_um_per_px: float) -> EncodedSlide:
        """A picture of tissue of this spacing; raises NotThere, SlideError."""


def question(query: rest.Query, uploads: Uploads, marks: rest.Marks | None = None) -> Query:
    """The query, with the marks that a user gave; raises what `Uploads` and the queries themselves raise."""
    plain = _plain(query, uploads)
    if marks is None or not (marks.relevant or marks.irrelevant):
        return plain
    return Refined(plain, marks.relevant, marks.irrelevant)


def asked_slides(query: rest.Query) -> tuple[rest.SlideRef, ...]:
    """The slides that a request names, in order."""
    if isinstance(query, rest.ComposedQuery):
        return asked_slides(query.image)
    if isinstance(query, rest.CaseQuery):
        return query.slides
    if isinstance(query, rest.PictureQuery):
        return (rest.SlideRef(upload_id=query.upload_id),)
    return (query.slide,) if isinstance(query, rest.SlideQuery | rest.RegionQuery) else ()


def _plain(query: rest.Query, uploads: Uploads) -> PlainQuery:
    if isinstance(query, rest.TextQuery):
        return TextQuery(query.text, query.patient_id, query.without)
    if isinstance(query, rest.ReportQuery):
        if query.slide_id is not None:
            return ArchivedReport(query.slide_id)
        return ReportText(query.text or "", query.patient_id)
    if isinstance(query, rest.ComposedQuery):
        return Composed(_image(query.image, uploads), query.text, query.without, query.weight)
    return _image(query, uploads)


def _image(query: rest.ImageQuery, uploads: Uploads) -> ImageQuery:
    if isinstance(query, rest.RegionQuery):
        return _region(query, uploads)
    if isinstance(query, rest.PictureQuery):
        return uploads.picture(query.upload_id, query.patient_id, query.spacing_um_per_px)
    if isinstance(query, rest.SlideQuery):
        return _slide(query.slide, uploads)
    if query.case_id is not None:
        return ArchivedCase(query.case_id)
    return Case(tuple(_slide(ref, uploads) for ref in query.slides))


def _slide(ref: rest.SlideRef, uploads: Uploads) -> EncodedSlide | ArchivedSlide:
    if ref.slide_id is not None:
        return ArchivedSlide(ref.slide_id)
    return uploads.slide(ref.upload_id or "", ref.patient_id)


def _region(query: rest.RegionQuery, uploads: Uploads) -> ImageQuery:
    boxes = tuple(Rect(box.x, box.y, box.width, box.height) for box in query.regions)
    if query.slide.slide_id is not None:
        return Region(ArchivedSlide(query.slide.slide_id), boxes, query.unit)
    return uploads.regions(query.slide.upload_id or "", query.slide.patient_id, boxes, query.unit)
