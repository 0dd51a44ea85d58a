"""Uploads of several files, and of large ones that may be interrupted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from histoseek.rest.base import Request, Response, make_example_config

MOST_FILES = 2000
"""Of one slide."""

MOST_OFFERED = 2000

_Name = Annotated[str, Field(min_length=1, max_length=1000, description="With its folders, separated by `/`.")]
_Spacing = Annotated[
    float | None, Field(gt=0.01, le=100, description="Spacing in µm/px, for files that do not state it.")
]


class OfferedFile(Request):
    """A file that may be uploaded; series: the SeriesInstanceUID of a DICOM file, where it is known."""

    name: _Name
    series: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")] | None = None


class PlanRequest(Request):
    """Files as they were chosen, by their names."""

    model_config = make_example_config(
        {"files": [{"name": "S1.mrxs"}, {"name": "S1/Slidedat.ini"}, {"name": "S1/Data0000.dat"}, {"name": "S1.pdf"}]}
    )

    files: tuple[OfferedFile, ...] = Field(min_length=1, max_length=MOST_OFFERED)


class PlannedSlide(Response):
    """A slide; files, reports: numbers of the request's files, from 0; needs_spacing: such files do not state it."""

    name: str
    files: tuple[int, ...]
    needs_spacing: bool
    reports: tuple[int, ...]


class PassedOver(Response):
    """A file that is neither a slide's nor a report, by its number, and why."""

    file: int
    reason: str


class UploadPlan(Response):
    """Which files make which slides; reports: those that go with none of them by their names."""

    slides: tuple[PlannedSlide, ...]
    reports: tuple[int, ...]
    passed_over: tuple[PassedOver, ...]


class FileToSend(Request):
    """A file of a slide, with its size; modified: when it was changed last, to know it again when it is sent anew."""

    name: _Name
    bytes: int = Field(ge=0, le=2**50)
    modified: AwareDatetime | None = None


class UploadOpening(Request):
    """The files of one slide, which are then sent one after the other or at the same time."""

    model_config = make_example_config(
        {"files": [{"name": "S1.mrxs", "bytes": 8400}, {"name": "S1/Slidedat.ini", "bytes": 52000}]}
    )

    files: tuple[FileToSend, ...] = Field(min_length=1, max_length=MOST_FILES)
    spacing_um_per_px: _Spacing = None


class UploadPart(Response):
    """A file of an upload in the making, by its number; received: bytes so far."""

    number: int
    name: str
    bytes: int
    received: int


class OpenUpload(Response):
    """An upload in the making; expires: when it is deleted unless more arrives, an hour after the last of it.

    One whose files have all arrived only waits to be completed; spacing_um_per_px: as given with it.
    """

    upload_id: str
    name: str
    spacing_um_per_px: float | None
    created: datetime
    expires: datetime
    files: tuple[UploadPart, ...]
