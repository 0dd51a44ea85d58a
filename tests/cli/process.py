"""Running the command line as a user does: a process for each command, with its own environment, output and code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from histoseek.cli import main
from tests.elsewhere import run_apart

_PYTHON = sys.executable


def histoseek(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "COLUMNS": "200", **environment}
    if sys.executable == _PYTHON and all(name.startswith("HISTOSEEK_") for name in environment):
        return run_apart(_run_command, arguments, cwd, variables)
    command = [sys.executable, "-m", "histoseek", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=variables)


def _run_command(arguments: Sequence[str]) -> None:
    sys.argv = ["histoseek", *arguments]
    sys.path[0] = str(Path.cwd())
    main()


def refused(*arguments: object, **environment: str) -> str:
    """The error line of a command that must fail cleanly."""
    done = histoseek(*arguments, **environment)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]
