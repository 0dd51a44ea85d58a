"""Archives, their slides and reports, and what they hold in numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from histoseek.rest.base import Answer, Request, ShortText, example

Value = str | int | float | bool | None


class FieldInfo(Answer):
    """A metadata column that a filter may name; type as the archive holds it, such as "string"."""

    name: str
    type: str


class ArchiveInfo(Answer):
    """An archive as a whole.

    spacing_um_per_px: at which tiles are read; calibrated_for: the column that probabilities are of; reads_text: texts
    can be asked with; aligned: slides and texts have vectors in a shared space; has_images: slide files can be shown;
    writable: this server may change it.
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
    has_images: bool
    writable: bool
    fields: tuple[FieldInfo, ...]


class Slide(Answer):
    """A slide of an archive without its vectors; width and height in level-0 px, 0 when not known.

    file_name: of its file, without the folder; has_image: its file can be shown; extra: further metadata columns.
    """

    slide_id: str
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
    """Metadata to set on a slide: by column; null empties a column."""

    model_config = example({"values": {"diagnosis": "papillary renal cell carcinoma", "age": 61, "site": None}})

    values: dict[str, Value] = Field(min_length=1, max_length=100)


class ReportSection(Answer):
    """A section of a report, text[start:end]; body: where what is behind its heading begins."""

    name: str
    heading: str
    specimen: str | None
    start: int
    body: int
    end: int


class ReportFact(Answer):
    """What a report states, text[start:end] says so."""

    field: str
    value: str
    start: int
    end: int


class Report(Answer):
    """The report of a slide, cleaned as it was when it was indexed."""

    slide_id: str
    text: str
    sections: tuple[ReportSection, ...]
    facts: tuple[ReportFact, ...]


class FieldFilter(Request):
    """Slides that have any of some values in a field, of the metadata or of what reports state; null: no value."""

    model_config = example({"field": "organ", "values": ["kidney", "bladder"]})

    source: Literal["metadata", "report"] = "metadata"
    field: ShortText
    values: tuple[Value, ...] = Field(min_length=1, max_length=200)


class FacetsRequest(Request):
    """Count values of fields; a field's own filter does not narrow its own counts."""

    model_config = example({"where": "age >= 50", "filters": [{"field": "organ", "values": ["kidney"]}], "most": 20})

    where: str | None = Field(default=None, max_length=2000, examples=["organ = 'kidney'"])
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)
    fields: tuple[ShortText, ...] | None = Field(default=None, max_length=50)
    most: int = Field(
        default=50, ge=1, le=1000, strict=True, description="Values a field at most, the most frequent first."
    )


class FacetValue(Answer):
    """A value and how many slides have it."""

    value: str
    count: int


class FacetField(Answer):
    """A field with its values; more: how many further values there are."""

    source: Literal["metadata", "report"]
    field: str
    values: tuple[FacetValue, ...]
    more: int


class Facets(Answer):
    """slides: how many satisfy all filters."""

    slides: int
    fields: tuple[FacetField, ...]


class Map(Answer):
    """A 2-d map of the archive's slides, in columns; sampled: whether only some slides are on it."""

    slide_ids: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    labels: tuple[str, ...]
    label: str | None
    method: str
    sampled: bool
    slides: int


class ImageInfo(Answer):
    """How to show a slide by Deep Zoom tiles: sizes in px, levels 0 (one pixel) to max_level (level 0 of the slide)."""

    width: int
    height: int
    spacing_um_per_px: float | None
    tile_size_px: int
    overlap_px: int
    max_level: int
