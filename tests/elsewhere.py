"""Code that runs in a process of its own, forked from one that has imported what archives need."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from unittest.mock import patch

from histoseek.settings import get_settings

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.warm_imports"])


def run_code(code: str, *arguments: object) -> CompletedProcess[str]:
    """Run code as `python -c` does, with arguments, and this process's environment and folder."""
    with TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("out", "err")]
        argv = ["-c", *map(str, arguments)]
        # The server of forks doesn't look where this process does for modules, but where its environment says.
        with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))):
            forkserver.ensure_running()
        process = _context.Process(target=_run, args=(code, argv, dict(os.environ), outputs))
        process.start()
        process.join()
        texts = [output.read_text(encoding="utf-8") if output.exists() else "" for output in outputs]
        assert process.exitcode is not None
        return CompletedProcess(argv, process.exitcode, *texts)


def run_elsewhere(code: str, *arguments: object) -> str:
    """What a process of its own prints, which must end well."""
    done = run_code(code, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(code: str, argv: list[str], environment: dict[str, str], outputs: list[Path]) -> None:
    for target, output in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), target)
    os.environ.clear()
    os.environ.update(environment)
    get_settings.cache_clear()
    sys.argv = argv
    exec(compile(code, "-c", "exec"), {"__name__": "__main__"})  # noqa: S102
