"""Archives, their slides and reports, and counts of what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from histoseek.rest.base import Request, Response, ShortText, make_example_config

Value = str | int | float | bool | None


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
    """Slides that have one of these values in a field of the metadata or of facts from reports; null: no value.

    Of the source "name": slides that have one of these texts in their id, their file's name, their patient or case.
    """

    model_config = make_example_config({"field": "organ", "values": ["kidney", "bladder"]})

    source: Literal["metadata", "report", "name"] = "metadata"
    field: ShortText
    values: tuple[Value, ...] = Field(min_length=1, max_length=200)


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


class FacetField(Response):
    """A field with its values; more: how many further values it has."""

    source: Literal["metadata", "report"]
    field: str
    values: tuple[FacetValue, ...]
    more: int


class Facets(Response):
    """slides: how many match all filters."""

    slides: int
    fields: tuple[FacetField, ...]


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
