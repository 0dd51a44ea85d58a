"""A Milvus server of the tests' own: standalone, on free ports of this machine, in a folder of its own."""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import lzma
import os
import re
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import wait_for

_PORTS = (
    "etcd_port",
    "root_coord_port",
    "proxy_port",
    "proxy_internal_port",
    "query_coord_port",
    "query_node_port",
    "index_coord_port",
    "index_node_port",
    "data_coord_port",
    "data_node_port",
)
_QUICK = {
    "PROXY_TIMETICKINTERVAL": "20",
    "QUERYCOORD_CHECKCHANNELINTERVAL": "50",
    "QUERYCOORD_CHECKSEGMENTINTERVAL": "50",
    "QUERYCOORD_DISTPULLINTERVAL": "50",
    "QUERYCOORD_CHECKINTERVAL": "50",
    "ROOTCOORD_DMLCHANNELNUM": "4",
    "COMMON_SESSION_TTL": "6",
    "LOG_STDOUT": "false",
    "LOG_LEVEL": "warn",
}
"""What makes collections of a few rows usable sooner than those of many machines."""

_STOP_S = 10.0


@dataclass
class MilvusServer:
    """A running server; port: of its API; token: of its administrator, "" without access control."""

    folder: Path
    port: int
    health_port: int
    token: str
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As a power cut would: nothing is written any more."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        """Start it again on what it left, on the same ports."""
        self.process = _run(self.folder, self.health_port)
        self.wait()

    def wait(self) -> None:
        """Until it serves."""
        wait_for(self._is_healthy)

    def _is_healthy(self) -> bool:
        assert self.process.poll() is None, (self.folder / "server.log").read_text(errors="replace")[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/healthz", timeout=5) as reply:
                return b"OK" in reply.read()
        except (urllib.error.URLError, OSError):
            return False


def start_milvus(folder: Path, access_control: bool = False) -> MilvusServer:
    """Start a server with its data in a folder; skips the test where the package `milvus` is missing.

    access_control: only root with the password Milvus gets in.
    """
    if importlib.util.find_spec("milvus") is None or os.name != "posix":
        pytest.skip("needs a Milvus server: pip install milvus==2.3.5")
    ports = _find_ports(len(_PORTS) + 2)
    values = dict(zip(_PORTS, map(str, ports), strict=False))
    values |= {
        "etcd_data_dir": str(folder / "etcd"),
        "local_storage_dir": str(folder / "storage"),
        "rocksmq_data_dir": str(folder / "queue"),
        "system_log_path": str(folder / "logs"),
        "authorization_enabled": str(access_control).lower(),
    }
    template = (_package() / "data" / "config.yaml.template").read_text()
    # Its parts find each other by an address: that of this machine alone.
    text = re.sub(r"^( +ip:).*$", r"\1 127.0.0.1", _fill(template, values), flags=re.MULTILINE)
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "etcd.yaml").write_text(_describe_etcd(folder, ports[0], ports[-2]))
    (folder / "configs" / "milvus.yaml").write_text(text)
    (folder / "configs" / "glog.conf").write_text((_package() / "data" / "glog.conf").read_text())
    token = "root:Milvus" if access_control else ""
    server = MilvusServer(folder, int(values["proxy_port"]), ports[-1], token, _run(folder, ports[-1]))
    server.wait()
    return server


def _fill(template: str, values: dict[str, str]) -> str:
    """The template with values, or with the defaults that it names."""

    def fill(match: re.Match[str]) -> str:
        return values.get(match["name"], (match["default"] or "").strip())

    return re.sub(r"\{\{\s*(?P<name>\w+)(\(\w+\))?\s*(:(?P<default>[^}]*))?\}\}", fill, template)


def _describe_etcd(folder: Path, port: int, peer_port: int) -> str:
    """Of the metadata's own server, which runs within the process and otherwise takes ports of all others."""
    client, peer = (f"http://127.0.0.1:{one}" for one in (port, peer_port))
    return f"""name: default
data-dir: {folder / "etcd"}
listen-client-urls: {client}
advertise-client-urls: {client}
listen-peer-urls: {peer}
initial-advertise-peer-urls: {peer}
initial-cluster: default={peer}
"""


def _run(folder: Path, health_port: int) -> subprocess.Popen[bytes]:
    programs = _unpack()
    environment = os.environ | _QUICK
    environment |= {
        "DEPLOY_MODE": "STANDALONE",
        "METRICS_PORT": str(health_port),
        "MILVUS_RUN_DIR": str(folder / "run"),
        "MILVUSCONF": str(folder / "configs"),
        "ETCD_CONFIG_PATH": str(folder / "configs" / "etcd.yaml"),
        "LD_LIBRARY_PATH": str(programs),
    }
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            [programs / "milvus", "run", "standalone"], cwd=folder, env=environment, stdout=log, stderr=log
        )


def _package() -> Path:
    found = importlib.util.find_spec("milvus")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _unpack() -> Path:
    """The programs, unpacked once for all runs of the tests of one user."""
    version = importlib.metadata.version("milvus")
    folder = Path(tempfile.gettempdir()) / f"histoseek-milvus-{version}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    assert folder.stat().st_uid == os.getuid()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for packed in (_package() / "data" / "bin").glob("*.lzma"):
            program = folder / packed.stem
            if not program.exists():
                part = folder / f".{packed.stem}.part"
                part.write_bytes(lzma.decompress(packed.read_bytes()))
                part.chmod(0o755)
                part.rename(program)
    return folder


def _find_ports(count: int) -> list[int]:
    """Ports that are free now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
