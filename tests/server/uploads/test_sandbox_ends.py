"""What cannot be read within limits costs the process that reads it, and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histoseek.encoders.recipe import Recipe
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.server.settings import UploadLimits
from histoseek.server.uploads.errors import RefusedSlide, SandboxBusy, SandboxFailure
from histoseek.server.uploads.sandbox import Sandbox, SandboxLimits
from tests.server.uploads.files import write_flat_png, write_repeating_tiff
from tests.server.uploads.processes import has_ended, readers, watched

LARGE_PX, HUGE_PX = 13_000, 100_000
SHORT_S = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uploads")
    write_flat_png(folder / "large.png", LARGE_PX)
    write_flat_png(folder / "huge.png", 4 * LARGE_PX)
    write_repeating_tiff(folder / "huge.tiff", HUGE_PX)
    write_repeating_tiff(folder / "usual.tiff", 8000)
    speckled = np.random.default_rng(0).integers(90, 220, (200, 300, 3), np.uint8)
    Image.fromarray(speckled).save(folder / "good.png")
    return folder


@contextmanager
def limited(
    folder: Path, memory_bytes: int = 2**31, cpu_s: float = 600.0, wall_s: float = 600.0, start_s: float = 600.0
) -> Iterator[Sandbox]:
    limits = ChildLimits(memory_bytes, cpu_s, wall_s, start_s=start_s)
    sandbox = Sandbox(folder, SandboxLimits(limits, limits))
    try:
        yield sandbox
    finally:
        sandbox.close()


def still_works(sandbox: Sandbox, folder: Path) -> bool:
    facts = sandbox.describe(folder / "good.png")
    return (facts.width, facts.height) == (300, 200)


def test_too_much_memory(folder: Path) -> None:
    with limited(folder, memory_bytes=2**27) as sandbox:
        with pytest.raises(SandboxFailure, match="memory"):
            sandbox.describe(folder / "large.png")
        assert still_works(sandbox, folder)


def test_a_picture_that_claims_to_be_huge_is_refused_unread(folder: Path) -> None:
    with limited(folder, memory_bytes=2**27) as sandbox:
        with pytest.raises(RefusedSlide, match="pixels"):
            sandbox.describe(folder / "huge.png")
        assert still_works(sandbox, folder)


def test_too_much_computing(folder: Path) -> None:
    with limited(folder, cpu_s=1.0) as sandbox:
        assert sandbox.describe(folder / "huge.tiff").width == HUGE_PX
        with pytest.raises(SandboxFailure, match="computing time"):
            sandbox.make_thumbnail(folder / "huge.tiff", 256)
        assert still_works(sandbox, folder)


def test_computing_is_counted_for_each_request(folder: Path) -> None:
    with limited(folder, cpu_s=1.0) as sandbox:
        assert still_works(sandbox, folder)
        (process,) = readers(os.getpid())
        begun_s = _cpu_s(process)
        while _cpu_s(process) < begun_s + 1.5:
            sandbox.make_thumbnail(folder / "usual.tiff", 1000)
        assert readers(os.getpid()) == [process]


def _cpu_s(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(int(ticks) for ticks in times) / os.sysconf("SC_CLK_TCK")


def test_too_much_time(folder: Path) -> None:
    """A stopped process answers in no time, whatever the machine does else."""
    with limited(folder, wall_s=SHORT_S) as sandbox:
        assert still_works(sandbox, folder)
        (process,) = readers(os.getpid())
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(SandboxFailure, match="too long"):
            sandbox.make_thumbnail(folder / "huge.tiff", 256)
        assert still_works(sandbox, folder)


def test_the_start_of_a_process_is_not_held_against_a_slide(folder: Path) -> None:
    with limited(folder, start_s=0.001) as sandbox:
        for _ in range(4):
            with pytest.raises(SandboxBusy, match="start"):
                sandbox.describe(folder / "good.png")


def test_killed_from_outside(folder: Path) -> None:
    with limited(folder) as sandbox:

        def kill(done: int, total: int | None) -> None:
            for process in readers(os.getpid()):
                os.kill(process, signal.SIGKILL)

        with pytest.raises(SandboxFailure, match="interrupted"):
            sandbox.encode(folder / "good.png", Recipe(), 0.5, on_progress=kill)
        assert still_works(sandbox, folder)


def test_a_process_that_has_served_others_is_not_held_against_a_slide(folder: Path) -> None:
    with limited(folder) as sandbox:
        killed: list[int] = []

        def kill_once(done: int, total: int | None) -> None:
            for process in readers(os.getpid()) if not killed else ():
                os.kill(process, signal.SIGKILL)
                killed.append(process)

        first = sandbox.encode(folder / "good.png", Recipe(), 0.5)
        second = sandbox.encode(folder / "good.png", Recipe(), 0.5, on_progress=kill_once)
        assert len(killed) == 1
        np.testing.assert_array_equal(first.features, second.features)


def test_killed_between_requests(folder: Path) -> None:
    with limited(folder) as sandbox:
        assert still_works(sandbox, folder)
        (process,) = readers(os.getpid())
        with watched(process) as end:
            os.kill(process, signal.SIGKILL)
            assert has_ended(end)
        assert still_works(sandbox, folder)


def test_whoever_is_told_can_end_it(folder: Path) -> None:
    class Cancelled(Exception):
        pass

    def told(done: int, total: int | None) -> None:
        raise Cancelled

    with limited(folder) as sandbox:
        with pytest.raises(Cancelled):
            sandbox.encode(folder / "good.png", Recipe(), 0.5, on_progress=told)
        assert len(sandbox.encode(folder / "good.png", Recipe(), 0.5)) > 0


def test_a_slide_that_always_fails_is_not_opened_any_more(folder: Path) -> None:
    with limited(folder, memory_bytes=2**27) as sandbox:
        for _ in range(3):
            with pytest.raises(SandboxFailure, match="memory"):
                sandbox.describe(folder / "large.png")
        assert still_works(sandbox, folder)
        before = readers(os.getpid())
        with pytest.raises(SandboxFailure, match="several times"):
            sandbox.describe(folder / "large.png")
        assert readers(os.getpid()) == before


def test_deleted_slides_are_let_go(folder: Path) -> None:
    path = folder / "deleted.tiff"
    shutil.copy(folder / "usual.tiff", path)
    with limited(folder) as sandbox:
        sandbox.make_thumbnail(path, 64)
        (process,) = readers(os.getpid())
        assert str(path) in _open_files(process)
        path.unlink()
        assert still_works(sandbox, folder)
        assert not [file for file in _open_files(process) if path.name in file]


def _open_files(pid: int) -> set[str]:
    return {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}


def test_limits_of_the_settings() -> None:
    limits = SandboxLimits.from_upload_limits(UploadLimits(sandbox_s=7.0, sandbox_bytes=2**30))
    assert (limits.reading.wall_s, limits.reading.cpu_s, limits.reading.memory_bytes) == (7.0, 7.0, 2**30)
    assert limits.encoding.wall_s > limits.reading.wall_s
    assert limits.encoding.memory_bytes == 2**30


def test_close_leaves_no_process(folder: Path) -> None:
    before = readers(os.getpid())
    with limited(folder) as sandbox:
        sandbox.start("lite0")
        assert still_works(sandbox, folder)
        assert len(sandbox.encode(folder / "good.png", Recipe(), 0.5)) > 0
        assert len(readers(os.getpid())) == len(before) + 2
    assert readers(os.getpid()) == before
    with pytest.raises(SandboxBusy, match="shutting down"):
        still_works(sandbox, folder)


_SERVER = """
import os, sys, threading
from pathlib import Path
from histoseek.server.uploads.sandbox import Sandbox
folder = Path(sys.argv[1])
sandbox = Sandbox(folder)
sandbox.describe(folder / "huge.tiff")
threading.Thread(target=sandbox.make_thumbnail, args=(folder / "huge.tiff", 256), daemon=True).start()
print("busy", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_server(folder: Path, how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(folder)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"busy\n"
        (process,) = readers(server.pid)
        with watched(process) as end:
            server.send_signal(how)
            assert has_ended(end)
