"""Worklists: many slides in, one table out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from histoseek.rest.archives import FieldFilter
from histoseek.rest.base import Request, Response, ShortText, SlideId, UploadId, make_example_config
from histoseek.rest.saved_searches import SlideCondition
from histoseek.search.worklist import MOST_NEAREST, MOST_PHRASES, WorklistOptions

MOST_SLIDES = 500
_DEFAULTS = WorklistOptions()


class WorklistSlide(Request):
    """A slide of the archive, or an uploaded one."""

    slide_id: SlideId | None = None
    upload_id: UploadId | None = None

    @model_validator(mode="after")
    def _check_exclusive(self) -> Self:
        if (self.slide_id is None) == (self.upload_id is None):
            raise ValueError("give either slide_id or upload_id")
        return self


class WorklistRequest(Request):
    """Search with many slides: those that are listed, those of a condition, or those of a collection.

    where and filters: which slides may be found; vote: the column of labels; phrases: what a report would say, so many
    of the likeliest.
    """

    model_config = make_example_config(
        {"name": "Monday", "slides": [{"slide_id": "SLIDE-1"}, {"slide_id": "SLIDE-2"}], "k": 3},
        {"name": "new renal slides", "condition": {"where": "organ = 'kidney'"}},
    )

    name: ShortText
    slides: tuple[WorklistSlide, ...] = Field(default=(), max_length=MOST_SLIDES)
    condition: SlideCondition | None = None
    collection_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    k: int = Field(default=_DEFAULTS.k, ge=1, le=MOST_NEAREST, strict=True)
    vote: ShortText = _DEFAULTS.label
    phrases: int = Field(default=_DEFAULTS.phrases, ge=0, le=MOST_PHRASES, strict=True)
    where: str | None = Field(default=None, max_length=2000)
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _check_exclusive(self) -> Self:
        if [bool(self.slides), self.condition is not None, self.collection_id is not None].count(True) != 1:
            raise ValueError("give one of slides, condition and collection_id")
        return self


class WorklistInfo(Response):
    """A worklist of yours; vote: the column of labels; done and total count slides; error: why it ended early."""

    worklist_id: str
    archive: str
    name: str
    job_id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    done: int
    total: int
    k: int
    vote: str
    created: datetime
    expires: datetime
    error: str | None


class WorklistNearest(Response):
    """A slide of the archive near one of a worklist; probability: that both have the same label."""

    slide_id: str
    title: str
    label: str | None
    probability: float | None
    score: float


class WorklistRow(Response):
    """One slide and what the archive says of it; done: false while it waits.

    label and probability: the likeliest label, null where that is not calibrated; agreement: what the nearest
    patients vote for, as the sentence of a vote; unlike: it is unlike anything in the archive; phrases: what a report
    would say; error: why it could not be asked with.
    """

    slide_id: str | None
    upload_id: str | None
    title: str
    done: bool
    label: str | None
    probability: float | None
    agreement: str
    unlike: bool
    nearest: tuple[WorklistNearest, ...]
    phrases: tuple[str, ...]
    error: str | None


class Worklist(WorklistInfo):
    """A worklist with its rows, in the order in which its slides were given."""

    rows: tuple[WorklistRow, ...]
