"""From the query of a request to a query of the search."""

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


class UploadEncoder(Protocol):
    """Brings uploaded slides into an archive's space."""

    def encode_slide(self, upload_id: str, patient_id: str | None) -> EncodedSlide | ArchivedSlide:
        """A whole slide; the archive's own where it has this very file. Raises NotFound, SlideError."""

    def encode_regions(self, upload_id: str, patient_id: str | None, boxes: Sequence[Rect], unit: str) -> ImageQuery:
        """Regions of a slide, in level-0 px or um; raises NotFound, SlideError."""

    def encode_picture(self, upload_id: str, patient_id: str | None, spacing_um_per_px: float) -> EncodedSlide:
        """A picture of tissue of this spacing; raises NotFound, SlideError."""


def parse_query(query: rest.Query, uploads: UploadEncoder, marks: rest.Marks | None = None) -> Query:
    """The query, with the marks that a user gave; raises what `UploadEncoder` and the queries themselves raise."""
    plain = _parse_plain(query, uploads)
    if marks is None or not (marks.relevant or marks.irrelevant):
        return plain
    return Refined(plain, marks.relevant, marks.irrelevant)


def list_query_slides(query: rest.Query) -> tuple[rest.SlideRef, ...]:
    """The slides that a request names, in order."""
    if isinstance(query, rest.ComposedQuery):
        return list_query_slides(query.image)
    if isinstance(query, rest.CaseQuery):
        return query.slides
    if isinstance(query, rest.PictureQuery):
        return (rest.SlideRef(upload_id=query.upload_id),)
    return (query.slide,) if isinstance(query, rest.SlideQuery | rest.RegionQuery) else ()


def _parse_plain(query: rest.Query, uploads: UploadEncoder) -> PlainQuery:
    if isinstance(query, rest.TextQuery):
        return TextQuery(query.text, query.patient_id, query.without)
    if isinstance(query, rest.ReportQuery):
        if query.slide_id is not None:
            return ArchivedReport(query.slide_id)
        return ReportText(query.text or "", query.patient_id)
    if isinstance(query, rest.ComposedQuery):
        return Composed(_parse_image(query.image, uploads), query.text, query.without, query.weight)
    return _parse_image(query, uploads)


def _parse_image(query: rest.ImageQuery, uploads: UploadEncoder) -> ImageQuery:
    if isinstance(query, rest.RegionQuery):
        return _parse_region(query, uploads)
    if isinstance(query, rest.PictureQuery):
        return uploads.encode_picture(query.upload_id, query.patient_id, query.spacing_um_per_px)
    if isinstance(query, rest.SlideQuery):
        return _parse_slide(query.slide, uploads)
    if query.case_id is not None:
        return ArchivedCase(query.case_id)
    return Case(tuple(_parse_slide(ref, uploads) for ref in query.slides))


def _parse_slide(ref: rest.SlideRef, uploads: UploadEncoder) -> EncodedSlide | ArchivedSlide:
    if ref.slide_id is not None:
        return ArchivedSlide(ref.slide_id)
    return uploads.encode_slide(ref.upload_id or "", ref.patient_id)


def _parse_region(query: rest.RegionQuery, uploads: UploadEncoder) -> ImageQuery:
    boxes = tuple(Rect(box.x, box.y, box.width, box.height) for box in query.regions)
    if query.slide.slide_id is not None:
        return Region(ArchivedSlide(query.slide.slide_id), boxes, query.unit)
    return uploads.encode_regions(query.slide.upload_id or "", query.slide.patient_id, boxes, query.unit)
