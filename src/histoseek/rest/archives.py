"""Archives, their slides and reports, and counts of what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, model_validator

from histoseek.rest.base import Request, Response, ShortText, make_example_config
from histoseek.search.scope.listing import MOST_AT_ONCE, MOST_CURSOR

Value = str | int | float | bool | None
Bound = (
    Annotated[str, Field(max_length=40)]
    | Annotated[int, Field(strict=True)]
    | Annotated[float, Field(strict=True)]
    | None
)
"""A number, or a day or moment as text; numbers are strict, or a text too long for one would pass as the other."""


class FieldInfo(Response):
    """A metadata column that filters can use; type: as stored in the archive, such as "string"."""

    name: str
    type: str


class ArchiveInfo(Response):
    """An archive as a whole.

    spacing_um_per_px: spacing in µm/px at which tiles are read; calibrated_for: the column of probabilities;
    reads_text: text can be searched with; aligned: slides and texts have vectors in a shared space; measures_regions:
    regions can be compared with words; has_images: slides can be displayed; writable: this server may change it.
    """

    name: str
    slides: int
    patients: int
    cases: int
    tile_encoder: str
    spacing_um_per_px: float
    calibrated_for: str | None
    reads_text: bool
    aligned: bool
    measures_regions: bool
    has_images: bool
    writable: bool
    fields: tuple[FieldInfo, ...]


class Slide(Response):
    """A slide of an archive without its vectors; width and height in level-0 px, 0 if unknown.

    title: what people call it, its id, or its file's name where the id is a hash; file_name: without the folder;
    has_image: the slide can be displayed; extra: further metadata columns.
    """

    slide_id: str
    title: str
    file_name: str
    case_id: str | None
    patient_id: str | None
    site: str | None
    stain: str | None
    organ: str | None
    diagnosis: str | None
    width: int
    height: int
    spacing_um_per_px: float
    tile_count: int
    created: datetime
    updated: datetime
    has_report: bool
    has_image: bool
    extra: dict[str, Value]


class SlideChanges(Request):
    """Metadata to set on a slide, by column; null clears a column."""

    model_config = make_example_config(
        {"values": {"diagnosis": "papillary renal cell carcinoma", "age": 61, "site": None}}
    )

    values: dict[str, Value] = Field(min_length=1, max_length=100)


class Erasure(Response):
    """What became of the bytes of what was removed or replaced: erased, no byte is left in the archive's files.

    Else job_id names the job that erases them; without one they are erased by a later command.
    """

    erased: bool
    job_id: str | None


class RemovedSlide(Erasure):
    """A slide that is no longer in the archive."""

    slide_id: str


class ChangedSlide(Slide, Erasure):
    """A slide after a change."""


class ReportSection(Response):
    """A section of a report, text[start:end]; body: offset at which the text after its heading begins."""

    name: str
    heading: str
    specimen: str | None
    start: int
    body: int
    end: int


class ReportFact(Response):
    """A fact that a report states in text[start:end]."""

    field: str
    value: str
    start: int
    end: int


class Report(Response):
    """The report of a slide, without the identifiers that were removed when it was indexed."""

    slide_id: str
    text: str
    sections: tuple[ReportSection, ...]
    facts: tuple[ReportFact, ...]


class FieldFilter(Request):
    """Slides that have one of these values in a field of the metadata or of facts from reports, or one within bounds.

    Of the source "name": slides that have one of these texts in their id, their file's name, their patient or case.

    values: null for no value; minimum, maximum: of columns of numbers, and of dates in ISO 8601, both inclusive.
    """

    model_config = make_example_config(
        {"field": "organ", "values": ["kidney", "bladder"]},
        {"field": "age", "minimum": 50, "maximum": 59},
        {"field": "created", "minimum": "2026-01-01"},
    )

    source: Literal["metadata", "report", "name"] = "metadata"
    field: ShortText
    values: tuple[Value, ...] = Field(default=(), max_length=200)
    minimum: Bound = None
    maximum: Bound = None

    @model_validator(mode="after")
    def _check_anything(self) -> Self:
        if not self.values and self.minimum is None and self.maximum is None:
            raise ValueError("give values, minimum or maximum")
        return self


class FacetsRequest(Request):
    """Count values of fields; a field's own filter does not narrow its own counts."""

    model_config = make_example_config(
        {"where": "age >= 50", "filters": [{"field": "organ", "values": ["kidney"]}], "most": 20}
    )

    where: str | None = Field(default=None, max_length=2000, examples=["organ = 'kidney'"])
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)
    fields: tuple[ShortText, ...] | None = Field(default=None, max_length=50)
    most: int = Field(
        default=50,
        ge=1,
        le=1000,
        strict=True,
        description="The largest number of values per field, most frequent first.",
    )


class FacetValue(Response):
    """A value and how many slides have it."""

    value: str
    count: int


class FacetBin(Response):
    """How many slides have a value from minimum to maximum: of whole numbers and dates both are inclusive, of other
    numbers maximum belongs to the next bin, but for the last one."""

    minimum: int | float | str
    maximum: int | float | str
    count: int


class FacetField(Response):
    """What slides have in a field.

    values: of texts, yes and no, and facts from reports; more: how many further values it has; bins: a histogram of
    numbers or dates, over what the whole archive has; missing: slides without a value, of metadata.
    """

    source: Literal["metadata", "report"]
    field: str
    kind: Literal["text", "number", "date", "truth"]
    values: tuple[FacetValue, ...]
    more: int
    bins: tuple[FacetBin, ...]
    missing: int


class Facets(Response):
    """slides: how many match all filters."""

    slides: int
    fields: tuple[FacetField, ...]


class ListRequest(Request):
    """Which slides are listed, and in what order.

    name: a text that the slide, its file, patient or case has in its name; sort: a column of the metadata, or "title":
    slides without a value come last either way.
    """

    model_config = make_example_config(
        {"filters": [{"field": "organ", "values": ["kidney"]}], "limit": 20},
        {"name": "TCGA-B0", "sort": "title", "descending": False},
    )

    where: str | None = Field(default=None, max_length=2000, examples=["organ = 'kidney'"])
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)
    name: ShortText | None = None
    sort: ShortText = "created"
    descending: StrictBool = True
    limit: int = Field(default=50, ge=1, le=MOST_AT_ONCE, strict=True)
    after: str | None = Field(default=None, max_length=MOST_CURSOR, description="`next` of the page before.")


class SlideListing(Response):
    """A page of slides; total: on all pages; next: for `after`, null at the end."""

    items: tuple[Slide, ...]
    total: int
    next: str | None


class TrayReport(Response):
    """A report of a case, with the slides that have it."""

    slide_ids: tuple[str, ...]
    report: Report


class TrayCase(Response):
    """The slides of a case: by block where that is known, H&E before other stains; case_id: null where unknown."""

    case_id: str | None
    slides: tuple[Slide, ...]
    reports: tuple[TrayReport, ...]


class Tray(Response):
    """All slides of a patient or a case, each report once; patients: whose they are; total: slides, also those that
    are too many to be listed."""

    cases: tuple[TrayCase, ...]
    patients: tuple[str, ...]
    total: int


class Map(Response):
    """A 2-d map of the archive's slides, in columns; sampled: whether it shows only a sample of the slides."""

    slide_ids: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    labels: tuple[str, ...]
    label: str | None
    method: str
    sampled: bool
    slides: int


class ImageInfo(Response):
    """What a viewer needs for Deep Zoom tiles: sizes in px, levels from 0 (one pixel) to max_level (full size)."""

    width: int
    height: int
    spacing_um_per_px: float | None
    tile_size_px: int
    overlap_px: int
    max_level: int
