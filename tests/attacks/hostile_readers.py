"""The readers of untrusted files as one table, and processes that read many files, one after the other, within limits.

`python -m tests.attacks.hostile_readers READER MEMORY_MB FOLDER` reads the files of a folder whose names come on its
standard input, and prints how each ended.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from histoseek.settings import get_settings
from tests.elsewhere import get_warm_context

ROOT = Path(__file__).resolve().parents[2]

Fate = Literal["read", "refused", "foreign exception", "crash", "hang", "memory"]

_START_S = 60.0

_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1", "HISTOSEEK_TRUST": "1"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of reading a file: how it ended, in which words, what it took at most beyond the process itself."""

    file: str
    fate: Fate
    words: str
    peak_mb: float
    seconds: float


def read_slide(path: Path) -> None:
    """As indexing does: open, overview, some pixels of every level."""
    from histoseek.slides.slide import open_slide

    with open_slide(path, 0.5) as slide:
        slide.thumbnail(256)
        for level in slide.levels:
            slide.read_level(level.index, level.size.width // 2, level.size.height // 2, 224, 224)


def read_feature_file(path: Path) -> None:
    from histoseek.encoders.features.feature_files import discover_features, read_features, read_stated_facts

    discover_features([path])
    read_stated_facts(path)
    read_features(path, "encoder")


def read_slide_feature_file(path: Path) -> None:
    from histoseek.encoders.features.slide_features import read_slide_features

    read_slide_features(path)


def read_bag(path: Path) -> None:
    from histoseek.encoders.bag import load_bag

    load_bag(path)


def read_metadata(path: Path) -> None:
    from histoseek.archive.indexing.metadata_table import load_table

    load_table(path)


def read_report_file(path: Path) -> None:
    from histoseek.reports.files.report_reader import read_reports

    read_reports([path])


def read_checkpoint(path: Path) -> None:
    from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
    from histoseek.encoders.weights import FeatureSpace

    import_checkpoint(path, ImportRequest("name", FeatureSpace("encoder"), text_encoder=None))


def read_weights(path: Path) -> None:
    from histoseek.encoders.weights import load_weights

    load_weights(path).build_slide_encoder()


def read_vocabulary(path: Path) -> None:
    from histoseek.reports.concepts.vocabulary_files import read_vocabulary_file

    read_vocabulary_file(path.name, path.read_bytes())


def read_split_table(path: Path) -> None:
    from histoseek.training.split_table import read_split

    read_split(path)


READERS: dict[str, Callable[[Path], None]] = {
    "slide": read_slide,
    "features": read_feature_file,
    "slide features": read_slide_feature_file,
    "bag": read_bag,
    "metadata": read_metadata,
    "reports": read_report_file,
    "checkpoint": read_checkpoint,
    "weights": read_weights,
    "vocabulary": read_vocabulary,
    "split": read_split_table,
}


def read_files(
    reader: str, folder: Path, files: Sequence[str], memory_mb: int, wall_s: float, source: Path | None = None
) -> Iterator[Outcome]:
    """Read the files of a folder in processes of their own; one that dies or hangs is followed by another.

    memory_mb: what a process may take beyond its start; wall_s: how long one file may take; source: the tree of
    histoseek to read with, None for this one.
    """
    done = 0
    while done < len(files):
        for outcome in _read_on(reader, folder, files, done, memory_mb, wall_s, source):
            yield outcome
            done += 1


def _read_on(
    reader: str, folder: Path, files: Sequence[str], first: int, memory_mb: int, wall_s: float, source: Path | None
) -> Iterator[Outcome]:
    """Outcomes from `first` on, up to the first that ended the process."""
    complaints = folder.parent / "stderr"
    complaints.write_bytes(b"")
    with _Process([reader, str(memory_mb), str(folder)], complaints, source) as process:
        if process.read(_START_S) != "ready":
            process.kill()
            raise RuntimeError(f"the process that reads did not start: {_read_end(complaints)}")
        for name in files[first:]:
            started = time.monotonic()
            process.write(name)
            reply = process.read(wall_s)
            if reply is None:
                fate: Fate = "crash" if process.has_ended else "hang"
                if fate == "hang":
                    process.kill()
                status = process.wait()
                words = _read_end(complaints) if fate == "crash" else ""
                yield Outcome(name, fate, f"signal {-status} {words}".strip(), 0.0, time.monotonic() - started)
                return
            kind, peak, words = reply.split("\t", 2)
            fate = "memory" if float(peak) > memory_mb else kind  # type: ignore[assignment]
            yield Outcome(name, fate, words, float(peak), time.monotonic() - started)


def _read_end(complaints: Path) -> str:
    lines = complaints.read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")[:200]


class _Process:
    """A process that reads files, with lines to and from it, and limits of time."""

    def __init__(self, arguments: Sequence[str], complaints: Path, source: Path | None) -> None:
        """Of this tree it is forked, which is quicker; complaints: takes what it writes of errors."""
        self._connection, theirs = socket.socketpair()
        self._rest = b""
        self.has_ended = False
        with theirs:
            if source is None:
                forked = get_warm_context().Process(target=_read_apart, args=(theirs, arguments, complaints))
                forked.start()
                self.kill, self._join = forked.kill, forked.join
                self._get_status: Callable[[], int | None] = lambda: forked.exitcode
            else:
                started = _start(theirs, arguments, complaints, source)
                self.kill, self._join = started.kill, started.wait
                self._get_status = lambda: started.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        self.wait()

    def wait(self) -> int:
        """Until it has ended; how it did, a signal as a number below 0."""
        self._join()
        status = self._get_status()
        assert status is not None
        return status

    def write(self, line: str) -> None:
        """Send one."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.sendall(line.encode() + b"\n")

    def read(self, wait_s: float) -> str | None:
        """The next; None when the process ends or the time is over."""
        until = time.monotonic() + wait_s
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._connection], [], [], left)[0]:
                return None
            data = self._receive()
            if not data:
                self.has_ended = True
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def _receive(self) -> bytes:
        try:
            return self._connection.recv(2**16)
        except ConnectionResetError:
            return b""


def _start(theirs: socket.socket, arguments: Sequence[str], complaints: Path, source: Path) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join((str(source), str(ROOT)))
    command = [sys.executable, "-m", "tests.attacks.hostile_readers", *arguments]
    environment = {**os.environ, **_ENVIRONMENT, "PYTHONPATH": paths}
    with complaints.open("ab") as log:
        return subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=log, cwd=ROOT, env=environment)


def _read_apart(theirs: socket.socket, arguments: Sequence[str], complaints: Path) -> None:
    """In a forked process, as one that was started."""
    for target in (0, 1):
        os.dup2(theirs.fileno(), target)
    theirs.close()
    os.dup2(os.open(complaints, os.O_WRONLY | os.O_APPEND), 2)
    os.chdir(ROOT)
    os.environ.update(_ENVIRONMENT)
    get_settings.cache_clear()
    sys.argv = [__name__, *arguments]
    main()


def main() -> None:
    """Read each file whose name comes on standard input, and print how it ended."""
    name, memory_mb, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warm_up(name)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("ready", file=out)
    for line in os.fdopen(os.dup(0)):
        before = reset_peak()
        kind, words = try_to_read(READERS[name], folder / line.rstrip("\n"))
        print(kind, f"{read_status('VmHWM') - before:.0f}", words, sep="\t", file=out)


def warm_up(name: str) -> None:
    """Load what the reader loads, so that its memory does not count as the file's."""
    import h5py  # noqa: F401
    import tifffile  # noqa: F401

    from histoseek.errors import HistoseekError  # noqa: F401

    if name in ("features", "checkpoint", "weights", "bag"):
        import torch

        from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
        from histoseek.encoders.slide.registry import FAMILIES

        torch.set_num_threads(1)
        FAMILIES[0].network(PathSearchArchitecture(8, 16, 2, 2, 4))
    try_to_read(READERS[name], Path("/nowhere/at.all"))


def try_to_read(read: Callable[[Path], None], path: Path) -> tuple[str, str]:
    """How reading a file ends, and in which words."""
    from histoseek.errors import HistoseekError

    try:
        read(path)
    except HistoseekError as error:
        line = str(error).replace(str(path), path.name)
        return ("refused", line[:300]) if "\n" not in str(error) else ("foreign exception", "an error of several lines")
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return "foreign exception", f"{type(error).__name__} at {where}: {error}".replace("\n", " ")[:200]
    return "read", ""


def reset_peak() -> float:
    """Memory in use in MB, from which the peak counts from now on."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return read_status("VmRSS")


def read_status(name: str) -> float:
    """A figure of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
