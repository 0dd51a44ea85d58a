"""What commands of tests are forked from: `python -m tests.cli.warm_process DESCRIPTOR`."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import socket
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

import histoseek.cli
from histoseek.settings import get_settings

LIBRARIES = ("pandas", "scipy.sparse", "scipy.optimize", "cv2", "h5py", "tifffile", "onnxruntime", "torch")
ROOMS = (
    "histoseek.api",
    "histoseek.archive.indexing.ingest",
    "histoseek.archive.stores.lance.store",
    "histoseek.search.search",
    "histoseek.evaluation.evaluate",
)


def import_commands() -> None:
    """Import what commands import; a package that is not installed is theirs to miss."""
    for module in pkgutil.iter_modules(histoseek.cli.__path__, "histoseek.cli."):
        importlib.import_module(module.name)
    for name in (*LIBRARIES, *ROOMS):
        with suppress(ImportError):
            importlib.import_module(name)
    from lancedb import background_loop

    from histoseek.reports.concepts.terms import find_terms

    find_terms("adenocarcinoma")

    # It warns of forks: nothing of it has begun to work here.
    background_loop._FORK_WARNED = True


def serve(channel: socket.socket) -> None:
    """Fork for each request until nobody is there; a forked process returns, to run its command."""
    while True:
        head, descriptors, _, _ = socket.recv_fds(channel, 4, 2)
        if not head:
            os._exit(0)
        request = bytearray()
        while len(request) < int.from_bytes(head, "big"):
            request += channel.recv(2**20)
        process_id = os.fork()
        if process_id == 0:
            channel.close()
            become(json.loads(request), descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1])
        channel.sendall(code.to_bytes(4, "big", signed=True))


def become(request: tuple[list[str], str, dict[str, str]], descriptors: list[int]) -> None:
    """Take over arguments, folder, environment and output."""
    arguments, cwd, environment = request
    for target, descriptor in zip((1, 2), descriptors, strict=True):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path[0] = ["histoseek", *arguments], cwd
    get_settings.cache_clear()


def run_command() -> NoReturn:
    """Run the command and end, without what libraries do at the end of the process that started their threads."""
    code = 1
    try:
        histoseek.cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(descriptor: int) -> NoReturn:
    import_commands()
    serve(socket.socket(fileno=descriptor))
    run_command()


if __name__ == "__main__":
    main(int(sys.argv[1]))
