"""What a server leaves on the disk: which words and pixels lie in which of its files, byte by byte."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.server.running import RunningServer
from tests.waiting import wait_for

NAME = "Schmidt_Anna"
RAW: Mapping[str, bytes] = {word: word.encode() for word in ("Schmidt", "98765432", "Willoughby", "030 1234567")}
"""What names a person in what `REPORT`, `METADATA` and the file's name say."""

REPORT = (
    "Patient: Schmidt, Anna. MRN 98765432, referred by Dr. Willoughby, telephone 030 1234567.\n"
    "Diagnosis: quokkaform carcinoma of the kidney, grade 2."
)
METADATA = {"patient_id": "Schmidt, Anna", "diagnosis": "quokkaform carcinoma", "Phone": "030 1234567"}
WORD = "quokkaform"
_SAMPLE_BYTES = 64


def sample_pixels(slide: Path) -> bytes:
    """Some bytes of a slide's file that no other file has."""
    content = slide.read_bytes()
    return content[len(content) // 2 :][:_SAMPLE_BYTES]


def find_leftovers(folders: Iterable[Path], wanted: Mapping[str, bytes]) -> list[str]:
    """What lies where, as "name in file"; in names of files, too."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            content = (path.read_bytes() if path.is_file() else b"") + os.fsencode(path.relative_to(folder))
            found += [
                f"{name} in {path.relative_to(folder.parent)}" for name, part in wanted.items() if part in content
            ]
    return found


def kill_runner(server: RunningServer) -> None:
    """Kill the process that works on an indexing job, as the kernel does when memory is short."""
    wait_for(lambda: _find_runners(server.process.pid))
    for pid in _find_runners(server.process.pid):
        os.kill(pid, signal.SIGKILL)


def _find_runners(pid: int) -> list[int]:
    children = [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in _read(task / "children").split()]
    return [child for child in children if b"jobs.runner" in _read(Path(f"/proc/{child}/cmdline"))]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
