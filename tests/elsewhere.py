"""Processes of their own, each with its arguments, folder, environment and output, forked from one that has imported
what histoseek needs: which takes seconds, and is what most tests would spend their time on.

Tests of imports, of another Python and of what libraries read as they are imported need `subprocess` instead.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from unittest.mock import patch

from histoseek.settings import get_settings

Run = Callable[[Sequence[str]], None]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.warm_imports"])


def get_warm_context() -> ForkServerContext:
    """Starts processes that have imported what archives need."""
    # The server of forks doesn't look where this process does for modules, but where its environment says.
    with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))):
        forkserver.ensure_running()
    return _context


def run_apart(
    run: Run, arguments: Sequence[object], cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> CompletedProcess[str]:
    """Call a function of a module in a process of its own; without a folder or an environment, it has those of this."""
    texts = [*map(str, arguments)]
    with TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("out", "err")]
        given = run, texts, cwd or Path.cwd(), dict(environment or os.environ), outputs
        process = get_warm_context().Process(target=_become, args=given)
        process.start()
        process.join()
        assert process.exitcode is not None
        written = [output.read_text(encoding="utf-8") if output.exists() else "" for output in outputs]
        return CompletedProcess(texts, process.exitcode, *written)


def run_code(code: str, *arguments: object) -> CompletedProcess[str]:
    """Run code as `python -c` does."""
    return run_apart(_execute, (code, *arguments))


def run_elsewhere(code: str, *arguments: object) -> str:
    """What code prints in a process of its own, which must end well."""
    done = run_code(code, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _become(
    run: Run, arguments: Sequence[str], cwd: Path, environment: dict[str, str], outputs: Sequence[Path]
) -> None:
    for target, output in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), target)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    get_settings.cache_clear()
    run(arguments)


def _execute(arguments: Sequence[str]) -> None:
    code, *others = arguments
    sys.argv = ["-c", *others]
    exec(compile(code, "-c", "exec"), {"__name__": "__main__"})  # noqa: S102
