"""Sessions, uploads, jobs, feedback and collections."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool

from histoseek.rest.archives import ImageInfo, Value
from histoseek.rest.base import Page, Region, Request, Response, ShortText, SlideId, UploadId, make_example_config
from histoseek.rest.queries import Query

Role = Literal["read", "write"]
ArchiveName = Annotated[str, Field(min_length=1, max_length=100)]


class Login(Request):
    """A token, exchanged for a cookie that scripts can't read."""

    model_config = make_example_config({"token": "hs_0123456789abcdef_..."})

    token: str = Field(min_length=1, max_length=200)


class Session(Response):
    """The user and the server; write: whether archives may be changed; imports: whether slides may be added to them;
    disclaimer: to be displayed."""

    name: str
    role: Role
    write: bool
    imports: bool
    version: str
    upload_bytes: int
    disclaimer: str


class SandboxState(Response):
    """What the process that opens uploads can't do, as it tried: read other files, change any, use the network, start
    or change processes, make other system calls, take more memory than it may."""

    files: bool
    changes: bool
    network: bool
    processes: bool
    calls: bool
    memory: bool


class Health(Response):
    """Whether the server is running; sandbox: null until a process that opens uploads has started."""

    status: Literal["ok"]
    version: str
    sandbox: SandboxState | None


class Upload(Response):
    """An uploaded slide: its display name, size in bytes, when it will be deleted, and how to show it."""

    upload_id: str
    name: str
    bytes: int
    created: datetime
    expires: datetime
    image: ImageInfo


class UploadToIndex(Request):
    """An uploaded slide to index; slide_id: its id in the archive, by default the file's name."""

    upload_id: UploadId
    slide_id: SlideId | None = None
    metadata: dict[str, Value] = Field(default_factory=dict, max_length=100)
    report: Annotated[str, Field(max_length=200_000)] | None = None


class FileToIndex(Request):
    """A slide of the server's import folder to index, by its name below it; slide_id: by default the file's name.

    What is said here of a file stands in place of the folder's tables (metadata.csv, reports.csv).
    """

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    slide_id: SlideId | None = None
    metadata: dict[str, Value] = Field(default_factory=dict, max_length=100)
    report: Annotated[str, Field(max_length=200_000)] | None = None


class JobRequest(Request):
    """Index uploads, files of the server's import folder, or, without either, everything in that folder."""

    model_config = make_example_config(
        {},
        {
            "uploads": [
                {
                    "upload_id": "0123456789abcdef0123456789abcdef",
                    "slide_id": "SLIDE-9",
                    "metadata": {"patient_id": "PATIENT-4", "organ": "kidney"},
                    "report": "Nephrectomy: papillary renal cell carcinoma, grade 2.",
                }
            ]
        },
    )

    uploads: tuple[UploadToIndex, ...] = Field(default=(), max_length=100)
    files: tuple[FileToIndex, ...] = Field(default=(), max_length=1000)


class ImportFile(Response):
    """A slide in the server's import folder: its name below it, bytes, when it was last changed; slide_id: what it is
    called in the archive, null when that has it not; refused: why one of your jobs did not take it in."""

    name: str
    bytes: int
    changed: datetime
    slide_id: str | None
    refused: str | None


class ImportListing(Page[ImportFile]):
    """A page of the import folder by name; next: the cursor of the next page; total: how many slides lie there.

    is_cut: the folder holds more than is looked at; the rest is not listed.
    """

    next: str | None
    total: int
    is_cut: bool


class JobRefusal(Response):
    """A slide that was not taken in, and why; file: its name in the import folder, if it lies there."""

    name: str
    error: str
    reason: str
    file: str | None = None


class EncodeRequest(Request):
    """Encode an uploaded slide for an archive, so that searches with it start at once."""

    model_config = make_example_config({"archive": "kidney"})

    archive: ArchiveName


class Job(Response):
    """Long work: slides are indexed, an uploaded one is encoded (upload_id), what was removed is erased, or a worklist
    is searched with.

    done and total count slides, or tiles when encoding; part: the current step as text; refused: names of slides that
    were not taken in, and why; passed_over: how many files and folders were passed over, by reason; per_minute,
    seconds_left: how fast a running job goes on, and how long it will take at that rate.
    """

    job_id: str
    kind: Literal["index", "encode", "erase", "worklist"]
    upload_id: str | None
    archive: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    created: datetime
    started: datetime | None
    ended: datetime | None
    done: int
    total: int | None
    part: str | None
    added: int
    updated: int
    unchanged: int
    refused: tuple[JobRefusal, ...]
    warnings: tuple[str, ...]
    passed_over: dict[str, int] = Field(default_factory=dict)
    error: str | None
    per_minute: float | None = None
    seconds_left: float | None = None


class JudgedRegion(Request):
    """A rectangle in level-0 px, which may reach beyond the slide as fields do."""

    x: int = Field(ge=-10_000_000, le=10_000_000, strict=True)
    y: int = Field(ge=-10_000_000, le=10_000_000, strict=True)
    width: int = Field(ge=1, le=10_000_000, strict=True)
    height: int = Field(ge=1, le=10_000_000, strict=True)


class Judgement(Request):
    """Whether a slide is relevant for a query; null withdraws an earlier judgement; region: the part of the slide that
    is judged, in level-0 px, null for all of it."""

    model_config = make_example_config(
        {"query": {"kind": "text", "text": "necrosis"}, "slide_id": "SLIDE-2", "relevant": True}
    )

    query: Query
    slide_id: SlideId
    relevant: StrictBool | None
    region: JudgedRegion | None = None


class StoredJudgement(Response):
    """A stored judgement; region: null for the whole slide."""

    query_key: str
    slide_id: str
    relevant: bool
    by: str
    at: datetime
    region: Region | None = None


class CollectionItem(Request):
    """A slide in a collection, with a note."""

    archive: ArchiveName
    slide_id: SlideId
    note: str = Field(default="", max_length=2000)


class CollectionContent(Request):
    """New content of a collection; version: the version it is based on, so that changes by others are noticed."""

    model_config = make_example_config(
        {
            "name": "for teaching",
            "items": [{"archive": "kidney", "slide_id": "SLIDE-2", "note": "typical"}],
            "version": 1,
        }
    )

    name: ShortText
    items: tuple[CollectionItem, ...] = Field(default=(), max_length=5000)
    version: int = Field(default=0, ge=0, strict=True)


class CollectionSlide(Response):
    """A slide in a collection."""

    archive: str
    slide_id: str
    note: str
    added: datetime


Access = Literal["own", "edit", "read"]
SharedAccess = Literal["edit", "read"]


class SharedWith(Request):
    """A colleague, by the name of a token of this server, and what the colleague may do."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    access: SharedAccess


class CollectionSharing(Request):
    """With whom a collection is shared, and nobody else; everybody: what all others of the server may do.

    Names are not looked up: who shares does not learn who has a token, and a name that nobody has does no harm.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        from_attributes=True,
        json_schema_extra={"examples": [{"people": [{"name": "ben", "access": "edit"}], "everybody": "read"}]},
    )

    people: tuple[SharedWith, ...] = Field(max_length=100)
    everybody: SharedAccess | None


class Collection(Response):
    """A named list of slides, private to its owner unless that shares it; its slides come in pages.

    slides: how many there are; access: what you may do with it; sharing: with whom it is shared, null unless it
    is yours.
    """

    collection_id: str
    owner: str
    name: str
    slides: int
    version: int
    created: datetime
    updated: datetime
    access: Access
    sharing: CollectionSharing | None
