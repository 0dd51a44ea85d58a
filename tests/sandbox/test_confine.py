"""A confined process can read what it must, and little else; and it knows what holds."""

from __future__ import annotations

import ctypes
import json
import platform
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.sandbox.confinement import Confinement
from histoseek.sandbox.probe import probe_confinement
from tests.sandbox.older_kernel import write_python_without_landlock
from tests.waiting import HANG_S

_PROGRAM = """
import json, mmap, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from histoseek.sandbox.confine import confine

inside, outside, server = Path(sys.argv[1]), Path(sys.argv[2]), os.getppid()
lasting = os.open("/dev/null", os.O_RDONLY)
confine([str(inside.parent)], None)
import ctypes, fcntl, resource
kernel = ctypes.CDLL(None, use_errno=True)

def can(do):
    try:
        do()
    except OSError as error:
        return error.errno not in (1, 13, 38)
    return True

def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")

def with_thread():
    done = []
    thread = threading.Thread(target=done.append, args=(1,))
    thread.start()
    thread.join()
    assert done

def imports_more():
    import numpy, openslide, pyvips

def end_itself():
    caught = []
    signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
    signal.raise_signal(signal.SIGUSR1)
    assert caught

def limit_itself():
    resource.setrlimit(resource.RLIMIT_CPU, (1000, resource.RLIM_INFINITY))
    os.sched_setaffinity(0, os.sched_getaffinity(0))

def map_code():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)

print(json.dumps({
    "inside": can(inside.read_bytes),
    "thread": can(with_thread),
    "imports": can(imports_more),
    "own signal": can(end_itself),
    "own limits": can(limit_itself),
    "outside": can(outside.read_bytes),
    "listing": can(lambda: list(outside.parent.iterdir())),
    "secrets": can(Path(f"/proc/{server}/environ").read_bytes),
    "memory of others": can(lambda: open(f"/proc/{server}/mem", "rb")),
    "writing": can(lambda: inside.with_name("new").write_bytes(b"")),
    "overwriting": can(lambda: inside.write_bytes(b"")),
    "deleting": can(inside.unlink),
    "renaming": can(lambda: inside.rename(outside)),
    "linking": can(lambda: os.link(inside, inside.with_name("link"))),
    "symlink": can(lambda: os.symlink(inside, inside.with_name("link"))),
    "folder": can(lambda: inside.with_name("folder").mkdir()),
    "truncating": can(lambda: os.truncate(inside, 0)),
    "mode": can(lambda: outside.chmod(0o600)),
    "times": can(lambda: os.utime(outside)),
    "owner": can(lambda: os.chown(outside, os.getuid(), -1)),
    "attributes": can(lambda: os.setxattr(outside, "user.x", b"")),
    "locking": can(lambda: fcntl.flock(os.open(inside, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)),
    "signal": can(lambda: os.kill(server, 0)),
    "signal by descriptor": can(lambda: fcntl.fcntl(lasting, fcntl.F_SETOWN, server)),
    "limits of others": can(lambda: resource.prlimit(server, resource.RLIMIT_NOFILE)),
    "processors of others": can(lambda: os.sched_setaffinity(server, os.sched_getaffinity(server))),
    "priority of others": can(lambda: os.setpriority(os.PRIO_PROCESS, server, 0)),
    "handle of others": can(lambda: os.pidfd_open(server)),
    "tcp": can(socket.socket),
    "udp": can(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "unix": can(lambda: socket.socket(socket.AF_UNIX)),
    "pair": can(socket.socketpair),
    "fork": can(os.fork),
    "program": can(lambda: os.execv(sys.executable, [sys.executable, "-c", ""])),
    "shell": can(lambda: subprocess.run(["/bin/true"])),
    "namespace": can(lambda: call(kernel.unshare(0))),
    "personality": can(lambda: call(kernel.personality(0xFFFFFFFF))),
    "file in memory": can(lambda: os.memfd_create("")),
    "watching": can(lambda: call(kernel.inotify_init())),
    "code": can(map_code),
}))
"""

has_filter = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in ("x86_64", "aarch64"),
    reason="no filter of calls for this system",
)
_NEEDED = {"inside", "thread", "imports", "own signal", "own limits"}
_OF_LANDLOCK = {"outside", "listing", "secrets", "memory of others"}
"""A filter of calls does not see what a path names."""


def find_allowed(python: str, folder: Path) -> set[str]:
    inside, outside = folder / "uploads" / "slide.svs", folder / "archive" / "slide.svs"
    for path in (inside, outside):
        path.parent.mkdir()
        path.write_bytes(b"0")
    command = [python, "-c", _PROGRAM, str(inside), str(outside)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=HANG_S)
    return {name for name, can in json.loads(done.stdout).items() if can}


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return find_allowed(sys.executable, tmp_path_factory.mktemp("confined"))


def test_it_can_do_its_work(allowed: set[str]) -> None:
    assert allowed >= _NEEDED


@has_filter
def test_nothing_else_but_what_landlock_is_for(allowed: set[str]) -> None:
    assert allowed - _NEEDED <= _OF_LANDLOCK


def test_no_files_but_those_needed(allowed: set[str]) -> None:
    if _get_landlock_version() < 1:
        pytest.skip("the kernel has no Landlock")
    assert not allowed & _OF_LANDLOCK


@has_filter
def test_a_process_says_what_holds() -> None:
    if _get_landlock_version() < 1:
        pytest.skip("the kernel has no Landlock")
    assert probe_confinement() == Confinement(*(True for _ in fields(Confinement)))


@has_filter
def test_without_landlock_the_filter_still_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = write_python_without_landlock(tmp_path)
    assert _NEEDED | {"outside"} <= find_allowed(python, tmp_path) <= _NEEDED | _OF_LANDLOCK
    monkeypatch.setattr(sys, "executable", python)
    assert probe_confinement().list_open() == ("files",)


_UNCONFINED = """
import os, sys
from pathlib import Path
from histoseek.sandbox.self_test import try_confinement

folder = Path(sys.argv[1])
before = folder.stat()
print(try_confinement(str(folder), 2**20).to_json().decode())
after = folder.stat()
assert (before.st_mode, before.st_mtime_ns, list(folder.iterdir())) == (after.st_mode, after.st_mtime_ns, [])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nothing is tried elsewhere")
def test_an_unconfined_process_says_so_and_changes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _UNCONFINED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=HANG_S)
    assert Confinement.from_json(done.stdout).list_open() == tuple(field.name for field in fields(Confinement))


def test_no_process_is_no_confinement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    assert probe_confinement() == Confinement()


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_what_holds_travels_whole(holds: list[bool]) -> None:
    confinement = Confinement(*holds)
    assert Confinement.from_json(confinement.to_json()) == confinement
    assert confinement.is_complete == all(holds)
    assert len(confinement.list_open()) == holds.count(False)


@pytest.mark.parametrize("header", [b"", b"[]", b"{}", b'{"files": true}', b"\xff"])
def test_anything_else_is_no_confinement(header: bytes) -> None:
    with pytest.raises(ValueError):
        Confinement.from_json(header)
    whole = json.loads(replace(Confinement(), files=True).to_json())
    with pytest.raises(ValueError):
        Confinement.from_json(json.dumps({**whole, "files": 1}).encode())


def _get_landlock_version() -> int:
    return int(ctypes.CDLL(None).syscall(444, None, 0, 1))
