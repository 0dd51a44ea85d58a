"""Processes that read one file each: what ends them, and that nothing else ends or stays."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from histoseek.errors import UnreadableSlide
from histoseek.sandbox.child_process import build_environment
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.sandbox.error_replies import parse_error
from histoseek.sandbox.failures import ChildError, NotStarted
from histoseek.sandbox.forks import ForkedProcess, ForkServer, close_fork_servers, get_fork_server
from histoseek.slides.readers.confined import ConfinedReader
from tests.server.uploads.processes import has_ended, watched
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = "tests.sandbox.handlers"
LIMITS = ChildLimits(2**30, 600.0, 600.0)


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "src"))))
        server = ForkServer(HANDLERS)
        server.start()
    yield server
    server.close()


def fork(server: ForkServer, limits: ChildLimits = LIMITS, readable: tuple[str, ...] = ()) -> ForkedProcess:
    return server.fork(readable, limits, {}, 4)


def children(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").glob("*/children") for one in task.read_text().split()]


def test_it_answers_with_bytes_or_into_an_array(server: ForkServer) -> None:
    process = fork(server)
    assert process.ask({"kind": "echo"}, most_bytes=10) == (b'{"kind": "echo"}', bytes(range(10)))
    target = np.zeros(10, np.uint8)
    assert process.ask({"kind": "echo"}, target.data) == (b'{"kind": "echo"}', b"")
    assert target.tolist() == list(range(10))
    process.close()


@pytest.mark.parametrize("wanted_bytes", [0, 9, 11])
def test_bytes_that_nobody_wanted_end_it(server: ForkServer, wanted_bytes: int) -> None:
    process = fork(server)
    with pytest.raises(ChildError, match="could not be read"):
        process.ask({"kind": "echo"}, np.zeros(wanted_bytes, np.uint8).data)
    assert process.has_ended


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("crash", "SIGSEGV"), ("hog", "memory"), ("exit", "interrupted"), ("hang", "too long")],
)
def test_what_ends_a_process_is_told_and_ends_nothing_else(server: ForkServer, kind: str, reason: str) -> None:
    wall_s = 0.5 if kind == "hang" else LIMITS.wall_s
    other, process = fork(server), fork(server, ChildLimits(2**30, 600.0, wall_s))
    for _ in range(2):
        with pytest.raises(ChildError, match=reason):
            process.ask({"kind": kind})
    assert process.has_ended
    assert other.ask({"kind": "echo"}, most_bytes=10)[1]
    other.close()
    assert fork(server).ask({"kind": "echo"}, most_bytes=10)[1]


def test_several_threads_are_answered_at_the_same_time(server: ForkServer) -> None:
    process = fork(server)
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(lambda _: process.ask({"kind": "meet"}, most_bytes=10), range(2)))) == 2
    process.close()


def test_errors_come_across_without_words_of_files(server: ForkServer) -> None:
    process = fork(server)
    refused = parse_error(process.ask({"kind": "refuse"})[0], "mine", ValueError)  # type: ignore[arg-type]
    assert isinstance(refused, UnreadableSlide)
    assert (refused.where, refused.uri, str(refused)) == ("mine", "mine", str(UnreadableSlide("mine", "a\\nb")))
    blamed = parse_error(process.ask({"kind": "raise"})[0], "mine", lambda reason: UnreadableSlide("mine", reason))
    assert "unexpected ZeroDivisionError" in str(blamed)
    process.close()


@pytest.mark.parametrize("header", [b"", b"[]", b'{"error": 1}', b'{"error": "print", "what": "", "facts": []}'])
def test_nonsense_is_the_file_s_fault(header: bytes) -> None:
    error = parse_error(header, "mine", lambda reason: UnreadableSlide("mine", reason))
    assert isinstance(error, UnreadableSlide)


@pytest.mark.parametrize("kind", ["DamagedArchive", "ConfigurationError", "OutOfTime", "BadTable", "MissingExtra"])
def test_a_slide_s_error_is_the_slide_s(kind: str) -> None:
    facts = {"package": "json", "extra": "everything", "reason": ""}
    header = json.dumps({"error": kind, "what": "end\nit", "advice": "", "facts": facts}).encode()
    error = parse_error(header, "mine", lambda reason: UnreadableSlide("mine", reason))
    assert isinstance(error, UnreadableSlide)
    assert error.reason == "end\\nit"


def test_it_reads_what_it_may(server: ForkServer, tmp_path: Path) -> None:
    mine, others = tmp_path / "mine", tmp_path / "others"
    for path in (mine, others):
        path.write_bytes(b"0")
    process = fork(server, readable=(str(mine),))
    assert process.ask({"kind": "open", "path": str(mine)}, most_bytes=10) == (b"opened", b"0")
    header, _ = process.ask({"kind": "open", "path": str(others)}, most_bytes=10)
    process.close()
    if header == b"opened":
        pytest.skip("the kernel has no Landlock")
    assert b"Permission denied" in header


def test_an_interrupt_ends_the_process_that_is_waited_for(server: ForkServer) -> None:
    process = fork(server)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            process.ask({"kind": "hang"})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ChildError, match="interrupted"):
        process.ask({"kind": "echo"}, most_bytes=10)


def test_nothing_is_left_of_many(server: ForkServer) -> None:
    fork(server).close()
    assert server.pid
    wait_for(lambda: not children(server.pid or 0))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(200):
        process = fork(server)
        if number % 20 == 0:
            process.ask({"kind": "echo"}, most_bytes=10)
        process.close()
    # Other threads of this process may be opening a connection.
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 20
    wait_for(lambda: not children(server.pid or 0))


def test_a_server_that_died_is_started_again(server: ForkServer) -> None:
    with watched(server.pid or 0) as end:
        os.kill(server.pid or 0, signal.SIGKILL)
        assert has_ended(end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "src"))))
        assert fork(server).ask({"kind": "echo"}, most_bytes=10)[1]


def test_one_that_cannot_start_is_reported() -> None:
    server = ForkServer("histoseek.no_such_module")
    with pytest.raises(NotStarted):
        server.fork((), LIMITS, {}, 1)
    assert server.pid is None


_PARENT = """
import sys, threading
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.sandbox.forks import ForkServer
server = ForkServer("tests.sandbox.handlers")
process = server.fork((), ChildLimits(2**30, 600.0, 600.0), {}, 1)
process.ask({"kind": "echo"}, most_bytes=10)
threading.Thread(target=process.ask, args=({"kind": "hang"},), daemon=True).start()
print(server.pid, flush=True)
threading.Event().wait()
"""


def test_nothing_outlives_the_process_that_started_it() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        (child,) = children(server)
        with watched(server) as end_of_server, watched(child) as end_of_child:
            parent.kill()
            assert has_ended(end_of_server)
            assert has_ended(end_of_child)


def _count_pixels(path: str, counts: multiprocessing.Queue[int]) -> None:
    from histoseek.slides.slide import open_slide

    with open_slide(path, 0.5) as slide:
        counts.put(slide.thumbnail(10).size)
    close_fork_servers()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_programs_have_processes_of_their_own(tmp_path: Path, method: str) -> None:
    from PIL import Image

    from histoseek.slides.slide import open_slide

    path = tmp_path / "slide.png"
    Image.new("RGB", (20, 10), "pink").save(path)
    with open_slide(path, 0.5) as slide:
        context = multiprocessing.get_context(method)
        counts = context.Queue()
        worker = context.Process(target=_count_pixels, args=(str(path), counts), daemon=True)
        worker.start()
        assert counts.get() == slide.thumbnail(10).size == 150
        worker.join()
        assert slide.thumbnail(10).size == 150


def _compare_pixels(reader: ConfinedReader, wanted: dict[int, bytes], counts: multiprocessing.Queue[int]) -> None:
    counts.put(sum(reader.read(0, 0, row, 20, 1).tobytes() == wanted[row] for _ in range(20) for row in wanted))
    reader.close()


def test_copies_of_a_program_read_an_open_slide_each_for_themselves(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "slide.png"
    Image.fromarray(np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(10, 20, 3)).save(path)
    reader = ConfinedReader(path, str(path))
    wanted = {row: reader.read(0, 0, row, 20, 1).tobytes() for row in range(10)}
    context = multiprocessing.get_context("fork")
    counts = context.Queue()
    workers = [context.Process(target=_compare_pixels, args=(reader, wanted, counts)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [counts.get() for _ in workers] == [200, 200]
    for worker in workers:
        worker.join()
    assert reader.read(0, 0, 3, 20, 1).tobytes() == wanted[3]
    reader.close()


def test_processes_load_what_this_one_was_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stated = {"PYTHONPATH": os.pathsep.join(("", "some", "/else", ""))}
    parts = build_environment(stated)["PYTHONPATH"].split(os.pathsep)
    assert parts[-2:] == [str(Path.cwd() / "some"), "/else"]
    assert str(Path.cwd()) not in parts
    monkeypatch.chdir(tmp_path)
    assert build_environment(stated)["PYTHONPATH"].split(os.pathsep) == parts


def test_threads_share_one_server() -> None:
    servers: list[ForkServer] = []
    threads = [threading.Thread(target=lambda: servers.append(get_fork_server("a", "b"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, servers))) == 1
