"""Queries and search requests."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StrictBool, model_validator

from histoseek.rest.archives import FieldFilter
from histoseek.rest.base import Request, ShortText, SlideId, UploadId, make_example_config
from histoseek.search.options import (
    MOST_COLUMN_CASES,
    MOST_COLUMN_PATIENTS,
    MOST_COLUMNS,
    MOST_EXAMPLES,
    MOST_PHRASES,
    MOST_TERMS,
    DifferentialOptions,
    PhraseOptions,
    SearchOptions,
)

Words = Annotated[str, Field(min_length=1, max_length=4000)]
Edge = Annotated[int, Field(ge=1, le=10_000_000, strict=True)]
Offset = Annotated[int, Field(ge=0, le=10_000_000, strict=True)]

_UPLOAD = "0123456789abcdef0123456789abcdef"
_DEFAULTS, _PHRASES, _DIFFERENTIAL = SearchOptions(), PhraseOptions(), DifferentialOptions()
_BOX: JsonValue = {"x": 100, "y": 250, "width": 500, "height": 400}
_TEXT: JsonValue = {"kind": "text", "text": "papillary structures with foamy macrophages", "without": "necrosis"}
_SLIDE: dict[str, JsonValue] = {"kind": "slide", "slide": {"slide_id": "SLIDE-1"}}
_UPLOADED: JsonValue = {"kind": "slide", "slide": {"upload_id": _UPLOAD, "patient_id": "PATIENT-4"}}


class SlideRef(Request):
    """A slide of the archive, or an uploaded one; patient_id of an upload: leave out the slides of this patient."""

    slide_id: SlideId | None = None
    upload_id: UploadId | None = None
    patient_id: ShortText | None = None

    @model_validator(mode="after")
    def _check_exclusive(self) -> Self:
        if (self.slide_id is None) == (self.upload_id is None):
            raise ValueError("give either slide_id or upload_id")
        if self.slide_id is not None and self.patient_id is not None:
            raise ValueError("patient_id is for uploads only: the archive knows the patients of its slides")
        return self


class Box(Request):
    """A rectangle on the query slide."""

    x: Offset
    y: Offset
    width: Edge
    height: Edge


class SlideQuery(Request):
    """Search with a slide."""

    kind: Literal["slide"] = "slide"
    slide: SlideRef


class RegionQuery(Request):
    """Search with regions of a slide; unit: level-0 px, or µm ("um") from the slide's top-left corner."""

    kind: Literal["region"] = "region"
    slide: SlideRef
    regions: tuple[Box, ...] = Field(min_length=1, max_length=50)
    unit: Literal["px", "um"] = "px"


class PictureQuery(Request):
    """Search with an uploaded picture of tissue of known spacing."""

    kind: Literal["picture"] = "picture"
    upload_id: UploadId
    spacing_um_per_px: float = Field(gt=0.01, le=100)
    patient_id: ShortText | None = None


class CaseQuery(Request):
    """Search with a case of the archive, or with several slides of one patient."""

    kind: Literal["case"] = "case"
    case_id: ShortText | None = None
    slides: tuple[SlideRef, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _check_exclusive(self) -> Self:
        if (self.case_id is None) == (not self.slides):
            raise ValueError("give either case_id or slides")
        return self


class TextQuery(Request):
    """Search with text; without: what results should not show."""

    kind: Literal["text"] = "text"
    text: Words
    without: Words | None = None
    patient_id: ShortText | None = None


class ReportQuery(Request):
    """Search with a report: its text, or the report of a slide of the archive."""

    kind: Literal["report"] = "report"
    text: Annotated[str, Field(min_length=1, max_length=200_000)] | None = None
    slide_id: SlideId | None = None
    patient_id: ShortText | None = None

    @model_validator(mode="after")
    def _check_exclusive(self) -> Self:
        if (self.text is None) == (self.slide_id is None):
            raise ValueError("give either text or slide_id")
        if self.slide_id is not None and self.patient_id is not None:
            raise ValueError("patient_id is for uploads only: the archive knows the patients of its slides")
        return self


ImageQuery = Annotated[SlideQuery | RegionQuery | PictureQuery | CaseQuery, Field(discriminator="kind")]


class ComposedQuery(Request):
    """Search with an image and text: like the image, but with `text`, or without `without`; weight: of the text."""

    kind: Literal["composed"] = "composed"
    image: ImageQuery
    text: Words | None = None
    without: Words | None = None
    weight: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if self.text is None and self.without is None:
            raise ValueError("give text, without, or both")
        return self


Query = Annotated[
    SlideQuery | RegionQuery | PictureQuery | CaseQuery | TextQuery | ReportQuery | ComposedQuery,
    Field(discriminator="kind"),
]


class Marks(Request):
    """Judged slides: results are reranked towards the relevant ones; irrelevant ones are left out."""

    relevant: tuple[SlideId, ...] = Field(default=(), max_length=100)
    irrelevant: tuple[SlideId, ...] = Field(default=(), max_length=500)


class SearchRequest(Request):
    """A search; fields as in Python (docs/searching.md)."""

    model_config = make_example_config(
        {"query": _TEXT, "k": 5, "where": "stain = 'H&E'", "vote": "diagnosis"},
        {"query": _SLIDE, "filters": [{"field": "organ", "values": ["kidney"]}], "by_case": True},
        {"query": {"kind": "region", "slide": _SLIDE["slide"], "regions": [_BOX], "unit": "um"}},
        {"query": {"kind": "picture", "upload_id": _UPLOAD, "spacing_um_per_px": 0.5}},
        {"query": {"kind": "case", "case_id": "CASE-17"}},
        {"query": {"kind": "report", "text": "Nephrectomy: papillary renal cell carcinoma, grade 2."}, "to": "reports"},
        {"query": {"kind": "composed", "image": _UPLOADED, "text": "with necrosis", "weight": 0.3}},
        {"query": _SLIDE, "marks": {"relevant": ["SLIDE-2"], "irrelevant": ["SLIDE-3"]}},
    )

    query: Query
    k: int = Field(default=_DEFAULTS.k, ge=1, le=500, strict=True)
    offset: int = Field(default=_DEFAULTS.offset, ge=0, le=10_000, strict=True)
    to: Literal["slides", "reports", "regions", "cases"] = "slides"
    where: str | None = Field(default=None, max_length=2000)
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)
    same_patient: StrictBool = _DEFAULTS.same_patient
    by_case: StrictBool = _DEFAULTS.by_case
    distance: ShortText | None = None
    exact: StrictBool = _DEFAULTS.exact
    min_probability: float | None = Field(default=None, ge=0, le=1)
    vote: ShortText | None = Field(default=None, description="The metadata column that results vote on.")
    expand: StrictBool = _DEFAULTS.expand
    verbatim: StrictBool = Field(default=_DEFAULTS.verbatim, description="Do not correct misspelt words of a text.")
    marks: Marks | None = None


class PhrasesRequest(Request):
    """Ask what a report would say of an image, most of all of a region; fields as in Python (docs/searching.md)."""

    model_config = make_example_config(
        {"query": {"kind": "region", "slide": _SLIDE["slide"], "regions": [_BOX]}, "k": 5},
        {"query": _SLIDE, "where": "organ = 'kidney'"},
        {"query": {"kind": "picture", "upload_id": _UPLOAD, "spacing_um_per_px": 0.5}},
    )

    query: ImageQuery
    k: int = Field(default=_PHRASES.k, ge=1, le=MOST_PHRASES, strict=True)
    examples: int = Field(default=_PHRASES.examples, ge=0, le=MOST_EXAMPLES, strict=True)
    where: str | None = Field(default=None, max_length=2000)
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)
    same_patient: StrictBool = _PHRASES.same_patient


class DifferentialRequest(Request):
    """Weigh two to four diagnoses for a query; fields as in Python (docs/searching.md).

    labels: the diagnoses, none: those nearest to the query; column: of the metadata that has them, null: that of the
    probabilities, or "diagnosis".
    """

    model_config = make_example_config(
        {"query": _SLIDE},
        {
            "query": {"kind": "region", "slide": _SLIDE["slide"], "regions": [_BOX]},
            "labels": ["papillary renal cell carcinoma", "clear cell renal cell carcinoma"],
        },
    )

    query: Query
    labels: tuple[ShortText, ...] = Field(default=(), max_length=MOST_COLUMNS)
    column: ShortText | None = None
    cases: int = Field(default=_DIFFERENTIAL.cases, ge=1, le=MOST_COLUMN_CASES, strict=True)
    patients: int = Field(
        default=_DIFFERENTIAL.patients,
        ge=1,
        le=MOST_COLUMN_PATIENTS,
        strict=True,
        description="The nearest patients of each diagnosis whose reports are compared.",
    )
    terms: int = Field(default=_DIFFERENTIAL.terms, ge=0, le=MOST_TERMS, strict=True)
    where: str | None = Field(default=None, max_length=2000)
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)
    same_patient: StrictBool = _DIFFERENTIAL.same_patient


class ExplainRequest(Request):
    """Explain why a slide of the archive does, or does not, match a query."""

    model_config = make_example_config({"query": _SLIDE, "slide_id": "SLIDE-2"})

    query: Query
    slide_id: SlideId
    to: Literal["slides", "reports"] = "slides"
    distance: ShortText | None = None
