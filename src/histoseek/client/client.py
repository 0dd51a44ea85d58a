"""A thin, typed client: one method a route, models in and out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from histoseek.client.errors import NoServer, ServerProblem
from histoseek.errors import SlideNotFound
from histoseek.rest.archives import (
    ArchiveInfo,
    Facets,
    FacetsRequest,
    FieldFilter,
    ImageInfo,
    Map,
    Report,
    Slide,
    SlideChanges,
    Value,
)
from histoseek.rest.base import Page, Problem
from histoseek.rest.queries import ExplainRequest, Query, SearchRequest
from histoseek.rest.results import ExplainResponse, SearchResponse
from histoseek.rest.work import (
    Collection,
    CollectionContent,
    EncodeRequest,
    Health,
    Job,
    JobRequest,
    Judged,
    Judgement,
    Session,
    Upload,
    UploadToIndex,
)

API = "/api/v1"
_CHUNK = 2**20
_TIMEOUT_S = 120.0

Model = TypeVar("Model", bound=BaseModel)


class Client:
    """Asks one server. Close it, or use it as a context manager. Safe to use from several threads.

    >>> with Client("http://127.0.0.1:8750", token) as client:                   # doctest: +SKIP
    ...     found = client.search("kidney", SearchRequest(query=TextQuery(text="papillary")))
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = _TIMEOUT_S) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def health(self) -> Health:
        """Whether the server runs."""
        return self._get(Health, "/health")

    def session(self) -> Session:
        """Who the token says we are, and what the server allows."""
        return self._get(Session, "/session")

    def archives(self) -> tuple[ArchiveInfo, ...]:
        """All archives of the server."""
        return self._all(ArchiveInfo, "/archives")

    def archive(self, archive: str) -> ArchiveInfo:
        """One archive; raises ServerProblem, as all methods do."""
        return self._get(ArchiveInfo, _archive(archive))

    def slides(self, archive: str, where: str | None = None) -> Iterator[Slide]:
        """All slides that satisfy an SQL filter, by id, fetched page by page."""
        after: str | None = None
        while True:
            page = self._get(Page[Slide], f"{_archive(archive)}/slides", where=where, after=after, limit=500)
            yield from page.items
            after = page.next
            if after is None:
                return

    def slide(self, archive: str, slide_id: str) -> Slide:
        """One slide."""
        return self._get(Slide, _slide(archive, slide_id))

    def report(self, archive: str, slide_id: str) -> Report:
        """The report of a slide."""
        return self._get(Report, f"{_slide(archive, slide_id)}/report")

    def change(self, archive: str, slide_id: str, values: Mapping[str, Value]) -> Slide:
        """Set metadata of a slide."""
        return self._send(Slide, "PATCH", _slide(archive, slide_id), SlideChanges(values=dict(values)))

    def remove(self, archive: str, slide_id: str) -> None:
        """Take a slide out of the archive."""
        self._ask("DELETE", _slide(archive, slide_id))

    def image(self, archive: str, slide_id: str) -> ImageInfo:
        """How to show a slide."""
        return self._get(ImageInfo, f"{_slide(archive, slide_id)}/image")

    def thumbnail(self, archive: str, slide_id: str, px: int = 256) -> bytes:
        """A slide as a small JPEG picture, its longer edge in px."""
        return self._ask("GET", f"{_slide(archive, slide_id)}/thumbnail", px=px).content

    def tile(self, archive: str, slide_id: str, level: int, column: int, row: int) -> bytes:
        """One Deep Zoom tile as JPEG."""
        return self._ask("GET", f"{_slide(archive, slide_id)}/image_files/{level}/{column}_{row}.jpg").content

    def search(self, archive: str, request: SearchRequest) -> SearchResponse:
        """Search."""
        return self._send(SearchResponse, "POST", f"{_archive(archive)}/search", request)

    def explain(self, archive: str, request: ExplainRequest) -> ExplainResponse:
        """Why one slide does, or does not, fit a query."""
        return self._send(ExplainResponse, "POST", f"{_archive(archive)}/explain", request)

    def facets(self, archive: str, where: str | None = None, filters: Sequence[FieldFilter] = ()) -> Facets:
        """How many slides have which values."""
        request = FacetsRequest(where=where, filters=tuple(filters))
        return self._send(Facets, "POST", f"{_archive(archive)}/facets", request)

    def map(self, archive: str, label: str | None = None) -> Map:
        """The 2-d map of an archive."""
        return self._get(Map, f"{_archive(archive)}/map", label=label)

    def upload(self, path: Path, spacing_um_per_px: float | None = None) -> Upload:
        """Send a slide to ask with; raises SlideNotFound."""
        if not path.is_file():
            raise SlideNotFound(path)
        with path.open("rb") as file:
            chunks = iter(lambda: file.read(_CHUNK), b"")
            answer = self._ask(
                "POST", "/uploads", content=chunks, filename=path.name, spacing_um_per_px=spacing_um_per_px
            )
        return _read(Upload, answer)

    def uploads(self) -> tuple[Upload, ...]:
        """Our uploads that are still there."""
        return self._all(Upload, "/uploads")

    def uploaded(self, upload_id: str) -> Upload:
        """One of our uploads."""
        return self._get(Upload, _upload(upload_id))

    def upload_thumbnail(self, upload_id: str, px: int = 256) -> bytes:
        """An upload as a small JPEG picture, its longer edge in px."""
        return self._ask("GET", f"{_upload(upload_id)}/thumbnail", px=px).content

    def upload_tile(self, upload_id: str, level: int, column: int, row: int) -> bytes:
        """One Deep Zoom tile of an upload as JPEG."""
        return self._ask("GET", f"{_upload(upload_id)}/image_files/{level}/{column}_{row}.jpg").content

    def forget_upload(self, upload_id: str) -> None:
        """Delete an upload before its time."""
        self._ask("DELETE", _upload(upload_id))

    def encode(self, upload_id: str, archive: str) -> Job:
        """Encode an upload as an archive needs it."""
        return self._send(Job, "POST", f"{_upload(upload_id)}/encode", EncodeRequest(archive=archive))

    def index(self, archive: str, uploads: Sequence[UploadToIndex] = ()) -> Job:
        """Index uploads, or all of the server's import folder."""
        return self._send(Job, "POST", f"{_archive(archive)}/jobs", JobRequest(uploads=tuple(uploads)))

    def jobs(self) -> tuple[Job, ...]:
        """Our jobs, the newest first."""
        return self._all(Job, "/jobs")

    def job(self, job_id: str) -> Job:
        """One of our jobs as it is now."""
        return self._get(Job, f"/jobs/{quote(job_id, safe='')}")

    def cancel(self, job_id: str) -> Job:
        """Ask a job to end."""
        return _read(Job, self._ask("DELETE", f"/jobs/{quote(job_id, safe='')}"))

    def watch(self, job_id: str) -> Iterator[Job]:
        """A job whenever it changes, until it has ended."""
        with self._http.stream("GET", f"{API}/jobs/{quote(job_id, safe='')}/events") as answer:
            if answer.is_error:
                answer.read()
                raise _problem(answer)
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield Job.model_validate_json(line.removeprefix("data:").strip())

    def judge(self, archive: str, query: Query, slide_id: str, relevant: bool | None) -> Judged | None:
        """Say whether a slide was relevant for a query; None takes that back."""
        request = Judgement(query=query, slide_id=slide_id, relevant=relevant)
        answer = self._ask("POST", f"{_archive(archive)}/feedback", content=request.model_dump_json())
        return _read(Judged, answer) if answer.content not in (b"", b"null") else None

    def judged(self, archive: str, query_key: str) -> tuple[Judged, ...]:
        """What everybody judged on a query; the key is in a search's answer."""
        return self._all(Judged, f"{_archive(archive)}/feedback", query_key=query_key)

    def collections(self) -> tuple[Collection, ...]:
        """Our collections."""
        return self._all(Collection, "/collections")

    def collection(self, collection_id: str) -> Collection:
        """One of our collections."""
        return self._get(Collection, _collection(collection_id))

    def collect(self, content: CollectionContent) -> Collection:
        """Make a collection."""
        return self._send(Collection, "POST", "/collections", content)

    def replace_collection(self, collection_id: str, content: CollectionContent) -> Collection:
        """Put other content into a collection; its version must be the last one."""
        return self._send(Collection, "PUT", _collection(collection_id), content)

    def drop_collection(self, collection_id: str) -> None:
        """Delete a collection; the slides stay in their archives."""
        self._ask("DELETE", _collection(collection_id))

    def export(self, collection_id: str, as_: Literal["csv", "json"] = "csv") -> bytes:
        """A collection with its slides' metadata, as a file."""
        return self._ask("GET", f"{_collection(collection_id)}/export", format=as_).content

    def _get(self, model: type[Model], path: str, **parameters: Any) -> Model:
        return _read(model, self._ask("GET", path, **parameters))

    def _all(self, model: type[Model], path: str, **parameters: Any) -> tuple[Model, ...]:
        return TypeAdapter(tuple[model, ...]).validate_json(self._ask("GET", path, **parameters).content)  # type: ignore[valid-type]

    def _send(self, model: type[Model], method: str, path: str, request: BaseModel) -> Model:
        return _read(model, self._ask(method, path, content=request.model_dump_json()))

    def _ask(self, method: str, path: str, content: Any = None, **parameters: Any) -> httpx2.Response:
        given = {name: value for name, value in parameters.items() if value is not None}
        kind = "application/json" if isinstance(content, str) else "application/octet-stream"
        headers = {"Content-Type": kind} if content is not None else {}
        try:
            answer = self._http.request(method, f"{API}{path}", params=given, content=content, headers=headers)
        except httpx2.TransportError as error:
            what = f"does not answer ({type(error).__name__})"
            raise NoServer(
                str(self._http.base_url), what, "Check the address, and that `histoseek serve` runs"
            ) from error
        if answer.is_error:
            raise _problem(answer)
        return answer


def _archive(name: str) -> str:
    return f"/archives/{quote(name, safe='')}"


def _slide(archive: str, slide_id: str) -> str:
    return f"{_archive(archive)}/slides/{quote(slide_id, safe='')}"


def _upload(upload_id: str) -> str:
    return f"/uploads/{quote(upload_id, safe='')}"


def _collection(collection_id: str) -> str:
    return f"/collections/{quote(collection_id, safe='')}"


def _read(model: type[Model], answer: httpx2.Response) -> Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise NoServer(
            str(answer.url), "answers in words we don't know", "Use the client of the server's version"
        ) from error


def _problem(answer: httpx2.Response) -> ServerProblem | NoServer:
    try:
        return ServerProblem(Problem.model_validate(json.loads(answer.content)))
    except (ValueError, ValidationError):
        return NoServer(str(answer.url), f"answers with status {answer.status_code}", "Is this a histoseek server?")
