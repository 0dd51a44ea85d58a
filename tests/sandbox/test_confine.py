"""A confined process can read what it must, and little else."""

from __future__ import annotations

import ctypes
import json
import platform
import subprocess
import sys

import pytest

from tests.waiting import HANG_S

_TRIES = """
import json, os, socket, subprocess, sys, threading
from pathlib import Path
from histoseek.sandbox.confine import confine

inside, outside, server = Path(sys.argv[1]), Path(sys.argv[2]), os.getppid()
confine([str(inside.parent)], None)

def can(do):
    try:
        do()
    except PermissionError:
        return False
    return True

def with_thread():
    done = []
    thread = threading.Thread(target=done.append, args=(1,))
    thread.start()
    thread.join()
    assert done

def imports_more():
    import numpy, openslide, pyvips

print(json.dumps({
    "inside": can(inside.read_bytes),
    "thread": can(with_thread),
    "imports": can(imports_more),
    "outside": can(outside.read_bytes),
    "listing": can(lambda: list(outside.parent.iterdir())),
    "writing": can(lambda: inside.with_name("new").write_bytes(b"")),
    "deleting": can(inside.unlink),
    "secrets": can(Path(f"/proc/{server}/environ").read_bytes),
    "signal": can(lambda: os.kill(server, 0)),
    "tcp": can(socket.socket),
    "udp": can(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "unix": can(lambda: socket.socket(socket.AF_UNIX)),
    "fork": can(os.fork),
    "program": can(lambda: os.execv(sys.executable, [sys.executable, "-c", ""])),
    "shell": can(lambda: subprocess.run(["/bin/true"])),
}))
"""

NEEDED = {"inside", "thread", "imports"}
OF_FILES = {"outside", "listing", "writing", "deleting", "secrets"}
OF_CALLS = {"tcp", "udp", "unix", "fork", "program", "shell"}
_SIGNALS_SINCE = 6


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    inside, outside = (tmp_path_factory.mktemp(name) / "slide.svs" for name in ("uploads", "archive"))
    inside.write_bytes(b"0")
    outside.write_bytes(b"0")
    done = subprocess.run(
        [sys.executable, "-c", _TRIES, str(inside), str(outside)], capture_output=True, check=True, timeout=HANG_S
    )
    return {name for name, can in json.loads(done.stdout).items() if can}


def test_it_can_do_its_work(allowed: set[str]) -> None:
    assert allowed >= NEEDED


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter for this processor")
def test_no_sockets_and_no_new_processes(allowed: set[str]) -> None:
    assert not allowed & OF_CALLS


def test_no_files_but_those_needed(allowed: set[str]) -> None:
    if _landlock_version() < 1:
        pytest.skip("the kernel has no Landlock")
    assert not allowed & OF_FILES


def test_no_signals_to_the_server(allowed: set[str]) -> None:
    if _landlock_version() < _SIGNALS_SINCE:
        pytest.skip("the kernel's Landlock does not confine signals")
    assert "signal" not in allowed


def _landlock_version() -> int:
    return int(ctypes.CDLL(None).syscall(444, None, 0, 1))
