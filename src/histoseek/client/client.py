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
    ChangedSlide,
    Facets,
    FacetsRequest,
    FieldFilter,
    ImageInfo,
    Map,
    RemovedSlide,
    Report,
    Slide,
    SlideChanges,
    Value,
)
from histoseek.rest.base import Page, Problem, Region
from histoseek.rest.queries import DifferentialRequest, ExplainRequest, PhrasesRequest, Query, SearchRequest
from histoseek.rest.results import DifferentialResponse, ExplainResponse, PhrasesResponse, SearchResponse
from histoseek.rest.saved_searches import NewsSeen, SavedSearch, SavedSearchContent, SavedSearchName, SearchNews
from histoseek.rest.several import SeveralSearchRequest, SeveralSearchResponse
from histoseek.rest.texts import ReportText
from histoseek.rest.uploads import (
    FileToSend,
    OfferedFile,
    OpenUpload,
    PlanRequest,
    UploadOpening,
    UploadPart,
    UploadPlan,
)
from histoseek.rest.worklists import Worklist, WorklistInfo, WorklistRequest
from histoseek.rest.workspace import (
    Collection,
    CollectionContent,
    CollectionSharing,
    EncodeRequest,
    FileToIndex,
    Health,
    ImportFile,
    ImportListing,
    Job,
    JobRequest,
    Judgement,
    Session,
    StoredJudgement,
    Upload,
    UploadToIndex,
)

API = "/api/v1"
_CHUNK = 2**20
_TIMEOUT_S = 120.0

EraseChoice = Literal["now", "later"]
"""When the bytes of what was removed or replaced are erased: before the answer or by a job, or when they are due."""

Model = TypeVar("Model", bound=BaseModel)


class Client:
    """A client of one server. Close it, or use it as a context manager. Safe to use from several threads.

    >>> with Client("http://127.0.0.1:8750", token) as client:                   # doctest: +SKIP
    ...     response = client.search("kidney", SearchRequest(query=TextQuery(text="papillary")))
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

    def get_health(self) -> Health:
        """Whether the server runs."""
        return self._get(Health, "/health")

    def get_session(self) -> Session:
        """Who you are by your token, and what the server allows."""
        return self._get(Session, "/session")

    def list_archives(self) -> tuple[ArchiveInfo, ...]:
        """All archives of the server."""
        return self._get_all(ArchiveInfo, "/archives")

    def get_archive(self, archive: str) -> ArchiveInfo:
        """One archive; raises ServerProblem, as all methods do."""
        return self._get(ArchiveInfo, _make_archive_path(archive))

    def list_slides(self, archive: str, where: str | None = None) -> Iterator[Slide]:
        """All slides that satisfy a filter, by id, fetched page by page."""
        after: str | None = None
        while True:
            page = self._get(Page[Slide], f"{_make_archive_path(archive)}/slides", where=where, after=after, limit=500)
            yield from page.items
            after = page.next
            if after is None:
                return

    def get_slide(self, archive: str, slide_id: str) -> Slide:
        """One slide."""
        return self._get(Slide, _make_slide_path(archive, slide_id))

    def get_report(self, archive: str, slide_id: str) -> Report:
        """The report of a slide."""
        return self._get(Report, f"{_make_slide_path(archive, slide_id)}/report")

    def change_slide(
        self, archive: str, slide_id: str, values: Mapping[str, Value], erase: EraseChoice | None = None
    ) -> ChangedSlide:
        """Set metadata of a slide; erase: when the bytes of what was there before are, by default now of a report."""
        content = SlideChanges(values=dict(values)).model_dump_json()
        return _parse(
            ChangedSlide, self._request("PATCH", _make_slide_path(archive, slide_id), content=content, erase=erase)
        )

    def remove_slide(self, archive: str, slide_id: str, erase: EraseChoice = "now") -> RemovedSlide:
        """Remove a slide from the archive, with what the server keeps of it; erase: when its bytes are erased."""
        return _parse(RemovedSlide, self._request("DELETE", _make_slide_path(archive, slide_id), erase=erase))

    def get_image(self, archive: str, slide_id: str) -> ImageInfo:
        """What a viewer needs to show a slide."""
        return self._get(ImageInfo, f"{_make_slide_path(archive, slide_id)}/image")

    def get_thumbnail(self, archive: str, slide_id: str, px: int = 256) -> bytes:
        """A slide as a small JPEG picture, its longer edge in px."""
        return self._request("GET", f"{_make_slide_path(archive, slide_id)}/thumbnail", px=px).content

    def get_region(
        self, archive: str, slide_id: str, region: Region, px: int | None = None, um_per_px: float | None = None
    ) -> bytes:
        """A region of a slide as a JPEG picture, by its longer edge in px or by its scale; never magnified."""
        path = f"{_make_slide_path(archive, slide_id)}/region"
        return self._request("GET", path, **region.model_dump(), px=px, um_per_px=um_per_px).content

    def get_tile(self, archive: str, slide_id: str, level: int, column: int, row: int) -> bytes:
        """One Deep Zoom tile as JPEG."""
        return self._request(
            "GET", f"{_make_slide_path(archive, slide_id)}/image_files/{level}/{column}_{row}.jpg"
        ).content

    def search(self, archive: str, request: SearchRequest) -> SearchResponse:
        """Search."""
        return self._send(SearchResponse, "POST", f"{_make_archive_path(archive)}/search", request)

    def search_several(self, request: SeveralSearchRequest) -> SeveralSearchResponse:
        """Search several archives, or all, at once."""
        return self._send(SeveralSearchResponse, "POST", "/search", request)

    def find_phrases(self, archive: str, request: PhrasesRequest) -> PhrasesResponse:
        """What a report would say of an image."""
        return self._send(PhrasesResponse, "POST", f"{_make_archive_path(archive)}/phrases", request)

    def build_differential(self, archive: str, request: DifferentialRequest) -> DifferentialResponse:
        """Two to four diagnoses side by side for a query."""
        return self._send(DifferentialResponse, "POST", f"{_make_archive_path(archive)}/differential", request)

    def explain(self, archive: str, request: ExplainRequest) -> ExplainResponse:
        """Why one slide does, or does not, match a query."""
        return self._send(ExplainResponse, "POST", f"{_make_archive_path(archive)}/explain", request)

    def count_facets(self, archive: str, where: str | None = None, filters: Sequence[FieldFilter] = ()) -> Facets:
        """How many slides have which values."""
        request = FacetsRequest(where=where, filters=tuple(filters))
        return self._send(Facets, "POST", f"{_make_archive_path(archive)}/facets", request)

    def get_map(self, archive: str, label: str | None = None) -> Map:
        """The 2-d map of an archive."""
        return self._get(Map, f"{_make_archive_path(archive)}/map", label=label)

    def upload(self, path: Path, spacing_um_per_px: float | None = None) -> Upload:
        """Upload a slide to search with, of MIRAX with its folder; raises SlideNotFound."""
        if not path.is_file():
            raise SlideNotFound(path)
        if path.suffix.lower() == ".mrxs":
            folder = path.with_suffix("")
            parts = {f"{folder.name}/{file.name}": file for file in sorted(folder.glob("*")) if file.is_file()}
            return self.upload_files({path.name: path, **parts}, spacing_um_per_px)
        with path.open("rb") as file:
            chunks = iter(lambda: file.read(_CHUNK), b"")
            response = self._request(
                "POST", "/uploads", content=chunks, filename=path.name, spacing_um_per_px=spacing_um_per_px
            )
        return _parse(Upload, response)

    def upload_files(self, files: Mapping[str, Path], spacing_um_per_px: float | None = None) -> Upload:
        """Upload a slide in several files, by their names with folders, such as a MIRAX slide or a DICOM series."""
        opened = self.open_upload({name: path.stat().st_size for name, path in files.items()}, spacing_um_per_px)
        for part, path in zip(opened.files, files.values(), strict=True):
            with path.open("rb") as file:
                self.send_part(opened.upload_id, part.number, iter(lambda: file.read(_CHUNK), b""))
        return self.complete_upload(opened.upload_id)

    def plan_uploads(self, names: Sequence[str]) -> UploadPlan:
        """Which files make which slides, and which reports go with them, by their names with folders."""
        request = PlanRequest(files=tuple(OfferedFile(name=name) for name in names))
        return self._send(UploadPlan, "POST", "/uploads/plan", request)

    def open_upload(self, sizes: Mapping[str, int], spacing_um_per_px: float | None = None) -> OpenUpload:
        """Begin an upload of one slide in files of these names and sizes in bytes."""
        files = tuple(FileToSend(name=name, bytes=size) for name, size in sizes.items())
        return self._send(
            OpenUpload, "POST", "/uploads/open", UploadOpening(files=files, spacing_um_per_px=spacing_um_per_px)
        )

    def get_open_upload(self, upload_id: str) -> OpenUpload:
        """How much of each file has arrived: where `send_part` goes on."""
        return self._get(OpenUpload, f"{_make_upload_path(upload_id)}/files")

    def send_part(self, upload_id: str, number: int, content: bytes | Iterator[bytes], offset: int = 0) -> UploadPart:
        """Send a file of an upload, or its next piece; offset: how many bytes have arrived."""
        path = f"{_make_upload_path(upload_id)}/files/{number}"
        return _parse(UploadPart, self._request("PUT", path, content=content, offset=offset))

    def complete_upload(self, upload_id: str) -> Upload:
        """Let the server look at a slide whose files have all arrived."""
        return _parse(Upload, self._request("POST", f"{_make_upload_path(upload_id)}/complete"))

    def read_report(self, path: Path) -> ReportText:
        """The text of a PDF or text file without identifiers; raises FileNotFoundError."""
        return _parse(ReportText, self._request("POST", "/texts", content=path.read_bytes(), filename=path.name))

    def list_uploads(self) -> tuple[Upload, ...]:
        """Your uploads that have not expired."""
        return self._get_all(Upload, "/uploads")

    def get_upload(self, upload_id: str) -> Upload:
        """One of your uploads."""
        return self._get(Upload, _make_upload_path(upload_id))

    def get_upload_thumbnail(self, upload_id: str, px: int = 256) -> bytes:
        """An upload as a small JPEG picture, its longer edge in px."""
        return self._request("GET", f"{_make_upload_path(upload_id)}/thumbnail", px=px).content

    def get_upload_region(
        self, upload_id: str, region: Region, px: int | None = None, um_per_px: float | None = None
    ) -> bytes:
        """The same of an upload; its scale needs an upload of known spacing."""
        path = f"{_make_upload_path(upload_id)}/region"
        return self._request("GET", path, **region.model_dump(), px=px, um_per_px=um_per_px).content

    def get_upload_tile(self, upload_id: str, level: int, column: int, row: int) -> bytes:
        """One Deep Zoom tile of an upload as JPEG."""
        return self._request("GET", f"{_make_upload_path(upload_id)}/image_files/{level}/{column}_{row}.jpg").content

    def delete_upload(self, upload_id: str) -> None:
        """Delete an upload before it expires."""
        self._request("DELETE", _make_upload_path(upload_id))

    def encode(self, upload_id: str, archive: str) -> Job:
        """Encode an upload as an archive needs it."""
        return self._send(Job, "POST", f"{_make_upload_path(upload_id)}/encode", EncodeRequest(archive=archive))

    def index(self, archive: str, uploads: Sequence[UploadToIndex] = (), files: Sequence[FileToIndex] = ()) -> Job:
        """Index uploads and files of the server's import folder or, without either, all of that folder."""
        request = JobRequest(uploads=tuple(uploads), files=tuple(files))
        return self._send(Job, "POST", f"{_make_archive_path(archive)}/jobs", request)

    def list_import_folder(self, archive: str) -> Iterator[ImportFile]:
        """The slides in the server's import folder, by name, and which of them the archive has."""
        after: str | None = None
        while True:
            page = self._get(ImportListing, f"{_make_archive_path(archive)}/import", after=after, limit=500)
            yield from page.items
            after = page.next
            if after is None:
                return

    def retry_job(self, job_id: str) -> Job:
        """Index the files of the import folder again that a job did not take in."""
        return _parse(Job, self._request("POST", f"/jobs/{quote(job_id, safe='')}/retry"))

    def list_jobs(self) -> tuple[Job, ...]:
        """Your jobs, the newest first."""
        return self._get_all(Job, "/jobs")

    def get_job(self, job_id: str) -> Job:
        """One of your jobs as it is now."""
        return self._get(Job, f"/jobs/{quote(job_id, safe='')}")

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job."""
        return _parse(Job, self._request("DELETE", f"/jobs/{quote(job_id, safe='')}"))

    def watch_job(self, job_id: str) -> Iterator[Job]:
        """A job whenever it changes, until it has ended."""
        with self._http.stream("GET", f"{API}/jobs/{quote(job_id, safe='')}/events") as response:
            if response.is_error:
                response.read()
                raise _make_problem(response)
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield Job.model_validate_json(line.removeprefix("data:").strip())

    def judge(self, archive: str, query: Query, slide_id: str, relevant: bool | None) -> StoredJudgement | None:
        """Say whether a slide is relevant for a query; None withdraws the judgement."""
        request = Judgement(query=query, slide_id=slide_id, relevant=relevant)
        response = self._request("POST", f"{_make_archive_path(archive)}/feedback", content=request.model_dump_json())
        return _parse(StoredJudgement, response) if response.content not in (b"", b"null") else None

    def list_judgements(self, archive: str, query_key: str) -> tuple[StoredJudgement, ...]:
        """All judgements on a query; its key is in the response of a search."""
        return self._get_all(StoredJudgement, f"{_make_archive_path(archive)}/feedback", query_key=query_key)

    def list_collections(self) -> tuple[Collection, ...]:
        """Your collections, and those that others share with you."""
        return self._get_all(Collection, "/collections")

    def get_collection(self, collection_id: str) -> Collection:
        """A collection of yours, or one that is shared with you."""
        return self._get(Collection, _make_collection_path(collection_id))

    def create_collection(self, content: CollectionContent) -> Collection:
        """Create a collection."""
        return self._send(Collection, "POST", "/collections", content)

    def replace_collection(self, collection_id: str, content: CollectionContent) -> Collection:
        """Put other content into a collection; its version must be the last one."""
        return self._send(Collection, "PUT", _make_collection_path(collection_id), content)

    def delete_collection(self, collection_id: str) -> None:
        """Delete a collection; the slides stay in their archives."""
        self._request("DELETE", _make_collection_path(collection_id))

    def share_collection(self, collection_id: str, sharing: CollectionSharing) -> Collection:
        """Share a collection of yours with these colleagues and nobody else."""
        return self._send(Collection, "PUT", f"{_make_collection_path(collection_id)}/sharing", sharing)

    def leave_collection(self, collection_id: str) -> None:
        """Take a collection that somebody shares off your list."""
        self._request("DELETE", f"{_make_collection_path(collection_id)}/membership")

    def export_collection(self, collection_id: str, as_: Literal["csv", "json"] = "csv") -> bytes:
        """A collection with its slides' metadata, as a file."""
        return self._request("GET", f"{_make_collection_path(collection_id)}/export", format=as_).content

    def list_saved_searches(self) -> tuple[SavedSearch, ...]:
        """Your saved searches, the latest first."""
        return self._get_all(SavedSearch, "/saved-searches")

    def get_saved_search(self, search_id: str) -> SavedSearch:
        """One of your saved searches."""
        return self._get(SavedSearch, _make_saved_path(search_id))

    def save_search(self, content: SavedSearchContent) -> SavedSearch:
        """Save a search; identifiers in its texts are replaced."""
        return self._send(SavedSearch, "POST", "/saved-searches", content)

    def rename_saved_search(self, search_id: str, name: str) -> SavedSearch:
        """Give a saved search another name."""
        return self._send(SavedSearch, "PATCH", _make_saved_path(search_id), SavedSearchName(name=name))

    def delete_saved_search(self, search_id: str) -> None:
        """Delete a saved search."""
        self._request("DELETE", _make_saved_path(search_id))

    def get_news(self, search_id: str) -> SearchNews:
        """What a saved search finds that was added or changed since you looked last."""
        return self._get(SearchNews, f"{_make_saved_path(search_id)}/news")

    def mark_news_seen(self, news: SearchNews) -> SavedSearch:
        """Say that you have seen news: they are none any more."""
        seen = NewsSeen(as_of=news.as_of, slide_ids=tuple(slide.slide_id for slide in news.slides))
        return self._send(SavedSearch, "POST", f"{_make_saved_path(news.search_id)}/seen", seen)

    def start_worklist(self, archive: str, request: WorklistRequest) -> WorklistInfo:
        """Search with many slides; `watch_job` follows its progress."""
        return self._send(WorklistInfo, "POST", f"{_make_archive_path(archive)}/worklists", request)

    def list_worklists(self) -> tuple[WorklistInfo, ...]:
        """Your worklists, the latest first."""
        return self._get_all(WorklistInfo, "/worklists")

    def get_worklist(self, worklist_id: str) -> Worklist:
        """One of your worklists with its rows, as far as they are done."""
        return self._get(Worklist, f"/worklists/{quote(worklist_id, safe='')}")

    def export_worklist(self, worklist_id: str, as_: Literal["csv", "json"] = "csv") -> bytes:
        """A worklist as a table."""
        return self._request("GET", f"/worklists/{quote(worklist_id, safe='')}/export", format=as_).content

    def delete_worklist(self, worklist_id: str) -> None:
        """Delete a worklist, and end the work on it."""
        self._request("DELETE", f"/worklists/{quote(worklist_id, safe='')}")

    def _get(self, model: type[Model], path: str, **parameters: Any) -> Model:
        return _parse(model, self._request("GET", path, **parameters))

    def _get_all(self, model: type[Model], path: str, **parameters: Any) -> tuple[Model, ...]:
        return TypeAdapter(tuple[model, ...]).validate_json(self._request("GET", path, **parameters).content)  # type: ignore[valid-type]

    def _send(self, model: type[Model], method: str, path: str, request: BaseModel) -> Model:
        return _parse(model, self._request(method, path, content=request.model_dump_json()))

    def _request(self, method: str, path: str, content: Any = None, **parameters: Any) -> httpx2.Response:
        present_parameters = {name: value for name, value in parameters.items() if value is not None}
        kind = "application/json" if isinstance(content, str) else "application/octet-stream"
        headers = {"Content-Type": kind} if content is not None else {}
        try:
            response = self._http.request(
                method, f"{API}{path}", params=present_parameters, content=content, headers=headers
            )
        except httpx2.TransportError as error:
            what = f"does not respond ({type(error).__name__})"
            raise NoServer(
                str(self._http.base_url), what, "Check the address, and that `histoseek serve` is running"
            ) from error
        if response.is_error:
            raise _make_problem(response)
        return response


def _make_archive_path(name: str) -> str:
    return f"/archives/{quote(name, safe='')}"


def _make_slide_path(archive: str, slide_id: str) -> str:
    return f"{_make_archive_path(archive)}/slides/{quote(slide_id, safe='')}"


def _make_upload_path(upload_id: str) -> str:
    return f"/uploads/{quote(upload_id, safe='')}"


def _make_collection_path(collection_id: str) -> str:
    return f"/collections/{quote(collection_id, safe='')}"


def _make_saved_path(search_id: str) -> str:
    return f"/saved-searches/{quote(search_id, safe='')}"


def _parse(model: type[Model], response: httpx2.Response) -> Model:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise NoServer(
            str(response.url),
            "sent a response that this client does not understand",
            "Use a client of the server's version",
        ) from error


def _make_problem(response: httpx2.Response) -> ServerProblem | NoServer:
    try:
        return ServerProblem(Problem.model_validate(json.loads(response.content)))
    except (ValueError, ValidationError):
        return NoServer(
            str(response.url),
            f"responded with status {response.status_code}",
            "Check that the address is that of a histoseek server",
        )
