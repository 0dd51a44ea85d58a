"""Python as on a kernel without Landlock: a filter answers its calls as one from before 5.13 would."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

from histoseek.sandbox.call_filter import MACHINES, install_filter

_CREATE_RULESET = 444
_NO_NEW_PRIVILEGES = 38


def write_python_without_landlock(folder: Path) -> str:
    """The path of a program that is to be used in place of `sys.executable`."""
    path = folder / "python-without-landlock"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{__file__}" "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def main(program: str, *arguments: str) -> None:
    """Become a program that finds no Landlock."""
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    unknown, allowed = (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000)
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, _CREATE_RULESET), unknown, allowed]
    install_filter(kernel, MACHINES[os.uname().machine], steps)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
