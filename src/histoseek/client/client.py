"""A thin, typed client: one method a route, models in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from histoseek.client.connection import API, make_archive_path, make_problem, make_slide_path, parse
from histoseek.client.shared_work import SharedWork
from histoseek.client.slide_annotations import AnnotationClient
from histoseek.errors import SlideNotFound
from histoseek.rest.archives import (
    ArchiveInfo,
    ChangedSlide,
    Facets,
    FacetsRequest,
    FieldFilter,
    ImageInfo,
    ListRequest,
    Map,
    RemovedSlide,
    Report,
    Slide,
    SlideChanges,
    SlideListing,
    Tray,
    Value,
)
from histoseek.rest.base import Page, Region
from histoseek.rest.queries import DifferentialRequest, ExplainRequest, PhrasesRequest, Query, SearchRequest
from histoseek.rest.results import DifferentialResponse, ExplainResponse, PhrasesResponse, SearchResponse
from histoseek.rest.several import SeveralSearchRequest, SeveralSearchResponse
from histoseek.rest.texts import ReportText
from histoseek.rest.understanding import (
    Completion,
    Completions,
    CompletionsRequest,
    Understanding,
    UnderstandRequest,
)
from histoseek.rest.uploads import (
    FileToSend,
    OfferedFile,
    OpenUpload,
    PlanRequest,
    UploadOpening,
    UploadPart,
    UploadPlan,
)
from histoseek.rest.workspace import (
    EncodeRequest,
    FileToIndex,
    Health,
    ImportFile,
    ImportListing,
    Job,
    JobRequest,
    JudgedRegion,
    Judgement,
    Session,
    StoredJudgement,
    Upload,
    UploadToIndex,
)
from histoseek.viewing.appearance import StainName

_CHUNK = 2**20

EraseChoice = Literal["now", "later"]
"""When the bytes of what was removed or replaced are erased: before the answer or by a job, or when they are due."""


class Client(AnnotationClient, SharedWork):
    """A client of one server. Close it, or use it as a context manager. Safe to use from several threads.

    >>> with Client("http://127.0.0.1:8750", token) as client:                   # doctest: +SKIP
    ...     response = client.search("kidney", SearchRequest(query=TextQuery(text="papillary")))
    """

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
        return self._get(ArchiveInfo, make_archive_path(archive))

    def list_slides(self, archive: str, where: str | None = None) -> Iterator[Slide]:
        """All slides that satisfy a filter, by id, fetched page by page."""
        return self._walk_pages(Page[Slide], f"{make_archive_path(archive)}/slides", where=where, limit=500)

    def list_slide_page(self, archive: str, request: ListRequest | None = None) -> SlideListing:
        """A page of slides of a filter in any order, by default the newest first, with how many there are."""
        return self._send(SlideListing, "POST", f"{make_archive_path(archive)}/slides/list", request or ListRequest())

    def get_case(self, archive: str, case_id: str) -> Tray:
        """The slides and reports of a case."""
        return self._get(Tray, f"{make_archive_path(archive)}/cases/{quote(case_id, safe='')}")

    def get_patient(self, archive: str, patient_id: str) -> Tray:
        """The slides and reports of a patient, case by case."""
        return self._get(Tray, f"{make_archive_path(archive)}/patients/{quote(patient_id, safe='')}")

    def get_slide(self, archive: str, slide_id: str) -> Slide:
        """One slide."""
        return self._get(Slide, make_slide_path(archive, slide_id))

    def get_report(self, archive: str, slide_id: str) -> Report:
        """The report of a slide."""
        return self._get(Report, f"{make_slide_path(archive, slide_id)}/report")

    def change_slide(
        self, archive: str, slide_id: str, values: Mapping[str, Value], erase: EraseChoice | None = None
    ) -> ChangedSlide:
        """Set metadata of a slide; erase: when the bytes of what was there before are, by default now of a report."""
        content = SlideChanges(values=dict(values)).model_dump_json()
        return parse(
            ChangedSlide, self._request("PATCH", make_slide_path(archive, slide_id), content=content, erase=erase)
        )

    def remove_slide(self, archive: str, slide_id: str, erase: EraseChoice = "now") -> RemovedSlide:
        """Remove a slide from the archive, with what the server keeps of it; erase: when its bytes are erased."""
        return parse(RemovedSlide, self._request("DELETE", make_slide_path(archive, slide_id), erase=erase))

    def get_image(self, archive: str, slide_id: str) -> ImageInfo:
        """What a viewer needs to show a slide."""
        return self._get(ImageInfo, f"{make_slide_path(archive, slide_id)}/image")

    def get_thumbnail(self, archive: str, slide_id: str, px: int = 256) -> bytes:
        """A slide as a small JPEG picture, its longer edge in px."""
        return self._request("GET", f"{make_slide_path(archive, slide_id)}/thumbnail", px=px).content

    def get_region(
        self, archive: str, slide_id: str, region: Region, px: int | None = None, um_per_px: float | None = None
    ) -> bytes:
        """A region of a slide as a JPEG picture, by its longer edge in px or by its scale; never magnified."""
        path = f"{make_slide_path(archive, slide_id)}/region"
        return self._request("GET", path, **region.model_dump(), px=px, um_per_px=um_per_px).content

    def get_tile(
        self, archive: str, slide_id: str, level: int, column: int, row: int, stain: StainName | None = None
    ) -> bytes:
        """One Deep Zoom tile as JPEG; stain: the only one to show."""
        path = f"{make_slide_path(archive, slide_id)}/image_files/{level}/{column}_{row}.jpg"
        return self._request("GET", path, stain=stain).content

    def search(self, archive: str, request: SearchRequest) -> SearchResponse:
        """Search."""
        return self._send(SearchResponse, "POST", f"{make_archive_path(archive)}/search", request)

    def search_several(self, request: SeveralSearchRequest) -> SeveralSearchResponse:
        """Search several archives, or all, at once."""
        return self._send(SeveralSearchResponse, "POST", "/search", request)

    def find_phrases(self, archive: str, request: PhrasesRequest) -> PhrasesResponse:
        """What a report would say of an image."""
        return self._send(PhrasesResponse, "POST", f"{make_archive_path(archive)}/phrases", request)

    def build_differential(self, archive: str, request: DifferentialRequest) -> DifferentialResponse:
        """Two to four diagnoses side by side for a query."""
        return self._send(DifferentialResponse, "POST", f"{make_archive_path(archive)}/differential", request)

    def explain(self, archive: str, request: ExplainRequest) -> ExplainResponse:
        """Why one slide does, or does not, match a query."""
        return self._send(ExplainResponse, "POST", f"{make_archive_path(archive)}/explain", request)

    def count_facets(self, archive: str, where: str | None = None, filters: Sequence[FieldFilter] = ()) -> Facets:
        """How many slides have which values."""
        request = FacetsRequest(where=where, filters=tuple(filters))
        return self._send(Facets, "POST", f"{make_archive_path(archive)}/facets", request)

    def understand(self, archive: str, text: str) -> Understanding:
        """What a typed or pasted text is made of, and the question that follows."""
        request = UnderstandRequest(text=text)
        return self._send(Understanding, "POST", f"{make_archive_path(archive)}/understand", request)

    def complete(self, archive: str, text: str, most: int = 8) -> tuple[Completion, ...]:
        """What the archive has that begins, or is named, like what is being typed."""
        request = CompletionsRequest(text=text, most=most)
        return self._send(Completions, "POST", f"{make_archive_path(archive)}/completions", request).items

    def get_map(self, archive: str, label: str | None = None) -> Map:
        """The 2-d map of an archive."""
        return self._get(Map, f"{make_archive_path(archive)}/map", label=label)

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
        return parse(Upload, response)

    def upload_files(self, files: Mapping[str, Path], spacing_um_per_px: float | None = None) -> Upload:
        """Upload a slide in several files, by their names with folders, such as a MIRAX slide or a DICOM series.

        What was sent of the same files before, and not completed, is gone on with.
        """
        opened = self.open_upload(files, spacing_um_per_px)
        for part, path in zip(opened.files, files.values(), strict=True):
            if part.received == part.bytes:
                continue
            with path.open("rb") as file:
                file.seek(part.received)
                self.send_part(opened.upload_id, part.number, iter(lambda: file.read(_CHUNK), b""), part.received)
        return self.complete_upload(opened.upload_id)

    def plan_uploads(self, names: Sequence[str]) -> UploadPlan:
        """Which files make which slides, and which reports go with them, by their names with folders."""
        request = PlanRequest(files=tuple(OfferedFile(name=name) for name in names))
        return self._send(UploadPlan, "POST", "/uploads/plan", request)

    def open_upload(self, files: Mapping[str, Path | int], spacing_um_per_px: float | None = None) -> OpenUpload:
        """Begin an upload of one slide in files of these names, given by paths or by sizes in bytes.

        Files of paths that are half-sent already are gone on with.
        """
        named = tuple(_make_file_to_send(name, file) for name, file in files.items())
        request = UploadOpening(files=named, spacing_um_per_px=spacing_um_per_px)
        return self._send(OpenUpload, "POST", "/uploads/open", request)

    def list_open_uploads(self) -> tuple[OpenUpload, ...]:
        """Your uploads that are half-sent, or only wait for `complete_upload`."""
        return self._get_all(OpenUpload, "/uploads/open")

    def get_open_upload(self, upload_id: str) -> OpenUpload:
        """How much of each file has arrived: where `send_part` goes on."""
        return self._get(OpenUpload, f"{_make_upload_path(upload_id)}/files")

    def send_part(self, upload_id: str, number: int, content: bytes | Iterator[bytes], offset: int = 0) -> UploadPart:
        """Send a file of an upload, or its next piece; offset: how many bytes have arrived."""
        path = f"{_make_upload_path(upload_id)}/files/{number}"
        return parse(UploadPart, self._request("PUT", path, content=content, offset=offset))

    def complete_upload(self, upload_id: str) -> Upload:
        """Let the server look at a slide whose files have all arrived."""
        return parse(Upload, self._request("POST", f"{_make_upload_path(upload_id)}/complete"))

    def read_report(self, path: Path) -> ReportText:
        """The text of a PDF or text file without identifiers; raises FileNotFoundError."""
        return parse(ReportText, self._request("POST", "/texts", content=path.read_bytes(), filename=path.name))

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
        return self._send(Job, "POST", f"{make_archive_path(archive)}/jobs", request)

    def list_import_folder(self, archive: str) -> Iterator[ImportFile]:
        """The slides in the server's import folder, by name, and which of them the archive has."""
        return self._walk_pages(ImportListing, f"{make_archive_path(archive)}/import", limit=500)

    def retry_job(self, job_id: str) -> Job:
        """Index the files of the import folder again that a job did not take in."""
        return parse(Job, self._request("POST", f"/jobs/{quote(job_id, safe='')}/retry"))

    def list_jobs(self) -> tuple[Job, ...]:
        """Your jobs, the newest first."""
        return self._get_all(Job, "/jobs")

    def get_job(self, job_id: str) -> Job:
        """One of your jobs as it is now."""
        return self._get(Job, f"/jobs/{quote(job_id, safe='')}")

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job."""
        return parse(Job, self._request("DELETE", f"/jobs/{quote(job_id, safe='')}"))

    def watch_job(self, job_id: str) -> Iterator[Job]:
        """A job whenever it changes, until it has ended."""
        with self._http.stream("GET", f"{API}/jobs/{quote(job_id, safe='')}/events") as response:
            if response.is_error:
                response.read()
                raise make_problem(response)
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield Job.model_validate_json(line.removeprefix("data:").strip())

    def judge(
        self, archive: str, query: Query, slide_id: str, relevant: bool | None, region: Region | None = None
    ) -> StoredJudgement | None:
        """Say whether a slide, or a region of it, is relevant for a query; None withdraws the judgement."""
        judged = JudgedRegion(**region.model_dump()) if region else None
        request = Judgement(query=query, slide_id=slide_id, relevant=relevant, region=judged)
        response = self._request("POST", f"{make_archive_path(archive)}/feedback", content=request.model_dump_json())
        return parse(StoredJudgement, response) if response.content not in (b"", b"null") else None

    def list_judgements(self, archive: str, query_key: str) -> tuple[StoredJudgement, ...]:
        """All judgements on a query; its key is in the response of a search."""
        return self._get_all(StoredJudgement, f"{make_archive_path(archive)}/feedback", query_key=query_key)


def _make_file_to_send(name: str, file: Path | int) -> FileToSend:
    if isinstance(file, int):
        return FileToSend(name=name, bytes=file)
    facts = file.stat()
    return FileToSend(name=name, bytes=facts.st_size, modified=datetime.fromtimestamp(facts.st_mtime, UTC))


def _make_upload_path(upload_id: str) -> str:
    return f"/uploads/{quote(upload_id, safe='')}"
