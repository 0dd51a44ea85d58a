"""A real Dask scheduler with workers on free ports of this machine, for tests: processes that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

from tests.servers.postgres import find_free_port
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class DaskCluster:
    """A scheduler and its workers. folder: for their files, and for what holds workers up (`servers.dask_worker`)."""

    folder: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    scheduler_options: tuple[str, ...] = ()
    worker_options: tuple[str, ...] = ()
    scheme: str = "tcp"
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """Start it, and return once it answers."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        options = ("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--scheduler-file", str(file))
        protocol = ("--protocol", self.scheme)
        self._start("distributed.cli.dask_scheduler", *options, *protocol, *self.scheduler_options)
        wait_for(lambda: file.exists() and file.read_text() and json.loads(file.read_text())["address"])

    def start_workers(self, count: int = 2, **environment: str) -> subprocess.Popen[bytes]:
        """Start some, each started anew when it dies; they look for the scheduler until it is there."""
        options = ("--nworkers", str(count), "--nthreads", "2", "--host", "127.0.0.1", "--no-dashboard")
        preload = (
            "--preload",
            "tests.servers.dask_worker",
            "--memory-limit",
            "0",
            "--local-directory",
            str(self.folder),
        )
        arguments = (self.address, *options, *preload, *self.worker_options)
        return self._start("distributed.cli.dask_worker", *arguments, **environment)

    def stop(self) -> None:
        """End all processes."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def _start(self, module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        given = {**os.environ, **self.environment, **environment, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        given |= {"HISTOSEEK_TEST_HOLD": str(self.folder), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(command, stdout=log, stderr=log, env=given, cwd=ROOT, start_new_session=True)
        self.processes.append(process)
        return process


@contextmanager
def run_dask(folder: Path, workers: int = 2, scheme: str = "tcp", **environment: str) -> Iterator[DaskCluster]:
    """A scheduler and workers; skips the test where the extra `cluster` is not installed."""
    if find_spec("distributed") is None:
        pytest.skip("no Dask: the package distributed is not installed")
    folder.mkdir(exist_ok=True)
    cluster = DaskCluster(folder, find_free_port(), environment, scheme=scheme)
    try:
        cluster.start_scheduler()
        if workers:
            cluster.start_workers(workers)
        yield cluster
    finally:
        cluster.stop()


def make_certificate(folder: Path) -> Mapping[str, str]:
    """Settings of Dask with a certificate of its own for all of a cluster; skips the test where openssl is missing."""
    if which("openssl") is None:
        pytest.skip("no certificates: the program openssl is not installed")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ("-subj", "/CN=histoseek-tests", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    files = ("-keyout", str(key), "-out", str(certificate))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    place = "DASK_DISTRIBUTED__COMM__TLS__"
    pairs = {f"{place}{role}__CERT": str(certificate) for role in ("CLIENT", "SCHEDULER", "WORKER")}
    pairs |= {f"{place}{role}__KEY": str(key) for role in ("CLIENT", "SCHEDULER", "WORKER")}
    return {**pairs, f"{place}CA_FILE": str(certificate)}
