"""A job that writes to an archive, in a process of its own: `python -m histoseek.server.jobs.runner JOB`.

The server stays small and answers on; a job that dies takes nothing with it.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from histoseek.api import Archive
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.errors import ArchiveBusy, HistoseekError
from histoseek.garbage import collect_seldom
from histoseek.progress import CountingReporter, Reporter
from histoseek.server.errors import Overloaded, format_detail
from histoseek.server.jobs.import_folder import KEPT
from histoseek.server.jobs.job_spec import PLACEHOLDER, NewSlide, hide_person_name, parse_spec
from histoseek.server.jobs.job_store import JobStore, Outcome, StoredJob, StoredRefusal, add_outcomes
from histoseek.server.jobs.supervisor import describe_unexpected, insist
from histoseek.server.settings import ServerSettings
from histoseek.server.state.database import State
from histoseek.slides.readers.base import SUFFIXES

METADATA, REPORTS = "metadata.csv", "reports.csv"
"""Tables of these names in the import folder are read with its slides."""

_REPORT_EVERY_S = 0.5
_RETRY_S = 2.0
_ABSOLUTE = re.compile(r"(?:^|[\s'\"(])(?:file://)?/\w")
"""A path of the server's, which is nobody else's business."""

_SLIDE_FILE = re.compile(rf"(?<=/)[^/\n]+?(?:{'|'.join(map(re.escape, sorted(SUFFIXES)))})(?!\w)", re.IGNORECASE)
"""The name of a slide's file within a path."""

log = logging.getLogger(__name__)


class IndexingCancelled(Exception):
    """The job is no longer wanted."""


class _JobReporter(CountingReporter):
    """A Reporter that writes into the job, not more often than twice a second."""

    def __init__(self, jobs: JobStore, job_id: str) -> None:
        super().__init__()
        self._jobs, self._job_id = jobs, job_id
        self._next = 0.0

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        yield _TileReporter(self)

    def close(self) -> None:
        """Report what is done in the end."""
        with suppress(Overloaded):
            self._jobs.report_progress(self._job_id, self.done, self.total, None)

    def publish(self) -> None:
        """Report how far it is; raises IndexingCancelled."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _REPORT_EVERY_S
        with suppress(Overloaded):
            if not self._jobs.report_progress(self._job_id, self.done, self.total, None):
                raise IndexingCancelled


class _TileReporter:
    """Tiles of a slide: they show only that the job is alive."""

    def __init__(self, whole: _JobReporter) -> None:
        self._whole = whole

    def advance(self, items: int = 1) -> None:
        self._whole.publish()

    def expect(self, total: int) -> None:
        self._whole.publish()

    def note(self, text: str) -> None:
        self._whole.publish()

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        yield self


def main(job_id: str) -> None:
    """Do one job of the server whose settings are in the environment."""
    signal.signal(signal.SIGTERM, _stop)
    collect_seldom()
    settings = ServerSettings.from_environment()
    jobs = JobStore(State.from_settings(settings))
    job = jobs.get(job_id)
    try:
        reporter = _JobReporter(jobs, job_id)
        run = erase if job.kind == "erase" else run_job
        outcome = _retry_while_busy(lambda: run(settings, job, reporter), reporter)
        reporter.close()
        insist(lambda: jobs.end(job_id, "done", outcome))
    except IndexingCancelled:
        insist(lambda: jobs.end(job_id, "cancelled"))
    except HistoseekError as error:
        detail = format_detail(error)
        insist(lambda: jobs.end(job_id, "failed", error=detail))
    except Exception as error:
        log.exception("job %s failed", job_id)
        text = describe_unexpected(error)
        insist(lambda: jobs.end(job_id, "failed", error=text))


def run_job(settings: ServerSettings, job: StoredJob, reporter: Reporter) -> Outcome:
    """Index what the job names; files are named as their users do, or by their place below the import folder."""
    archive = Archive.open(settings.archives[job.archive])
    if settings.import_folder is None:
        raise HistoseekError("server", "has no import folder", "Start it with --import-folder")
    slides = parse_spec(job.spec)
    if not slides:
        report = archive.index([settings.import_folder], *_find_tables(settings.import_folder), reporter=reporter)
        return _summarise(report, settings.import_folder, {})
    names = {str(slide.file): slide.name for slide in slides}
    plain = [slide for slide in slides if slide.is_plain and _lies_in(slide.file, settings.import_folder)]
    told = [slide for slide in slides if slide not in plain]
    outcomes = []
    if plain:
        files, tables = [slide.file for slide in plain], _find_tables(settings.import_folder)
        outcomes.append(_summarise(archive.index(files, *tables, reporter=reporter), settings.import_folder, names))
    if told:
        outcomes.append(_summarise(_index_files(archive, told, reporter), settings.import_folder, names))
    return add_outcomes(outcomes)


def _find_tables(folder: Path) -> tuple[Path | None, Path | None]:
    """The tables of metadata and reports that lie in a folder."""
    metadata, reports = folder / METADATA, folder / REPORTS
    return metadata if metadata.is_file() else None, reports if reports.is_file() else None


def _lies_in(file: Path, folder: Path) -> bool:
    """Whether a file lies in the import folder by its user's doing."""
    return file.is_relative_to(folder.absolute()) and not file.is_relative_to(folder.absolute() / KEPT)


def erase(settings: ServerSettings, job: StoredJob, reporter: Reporter) -> Outcome:
    """Leave no byte of what was removed from an archive."""
    archive = Archive.open(settings.archives[job.archive])
    if archive.pending_erasure:
        archive.erase()
    return Outcome()


def _retry_while_busy(work: Callable[[], Outcome], reporter: _JobReporter) -> Outcome:
    """Do it as soon as nobody else writes to the archive."""
    while True:
        try:
            return work()
        except ArchiveBusy:
            reporter.publish()
            time.sleep(_RETRY_S)


def _index_files(archive: Archive, slides: Sequence[NewSlide], reporter: Reporter) -> IndexReport:
    metadata = [{"file": str(slide.file), **slide.metadata} for slide in slides]
    reports = [{"file": str(slide.file), "report": slide.report} for slide in slides if slide.report]
    return archive.index([slide.file for slide in slides], metadata, reports, reporter=reporter)


def _summarise(report: IndexReport, folder: Path, names: Mapping[str, str]) -> Outcome:
    """What was done; names: of files, by path."""

    def hide_paths(text: str) -> str:
        for path, name in names.items():
            text = text.replace(path, name)
        text = _SLIDE_FILE.sub(lambda match: hide_person_name(match[0]), text)
        for place in (folder, folder.absolute(), folder.absolute().as_uri()):
            text = text.replace(f"{place}{os.sep}", "")
        return text

    def find_file(path: str) -> str | None:
        """The name in the import folder of what lies there, unless it tells who the patient is."""
        name = hide_paths(path)
        return name if _lies_in(Path(path), folder) and PLACEHOLDER not in name else None

    def refuse(path: str, error: str, reason: str) -> StoredRefusal:
        name = hide_paths(path)
        return StoredRefusal(name, error, hide_paths(reason).removeprefix(f"{name}: "), find_file(path))

    refused = tuple(refuse(refusal.path, refusal.error, refusal.reason) for refusal in report.refused)
    warnings = tuple(text for text in map(hide_paths, report.warnings) if not _ABSOLUTE.search(text))
    return Outcome(report.added, report.updated, report.unchanged, refused, warnings, report.passed_over)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(signum + 128)


if __name__ == "__main__":
    main(sys.argv[1])
