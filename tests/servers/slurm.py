"""A real Slurm with two nodes on free ports of this machine, for tests; from Debian's slurmctld, slurmd and munge.

Where CI=true says that this is a machine of continuous integration, and it is root's, they are installed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pytest

from tests.servers.postgres import find_free_port
from tests.waiting import wait_for

_CONFIGURATION = """\
ClusterName=histoseek
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
PluginDir={plugins}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
InactiveLimit=0
KillWait=2
SlurmdParameters=config_overrides
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[0]} CPUs=4 RealMemory=4000
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=4000
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""
_NODES = ("node1", "node2")
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
_PACKAGES = ("slurmctld", "slurmd", "munge")
_INSTALL_S = 120.0


@dataclass
class SlurmServer:
    """A controller and two nodes."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        """By which Slurm's commands find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self) -> None:
        """Start all, and return once both nodes take jobs."""
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        (self.folder / "state").mkdir()
        host, ports = socket.gethostname().partition(".")[0], [find_free_port() for _ in range(3)]
        [plugins, *_] = Path("/usr/lib").glob("*/slurm-wlm")
        text = _CONFIGURATION.format(
            host=host, folder=self.folder, plugins=plugins, controller_port=ports[0], ports=ports[1:]
        )
        (self.folder / "slurm.conf").write_text(text)
        place = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        socket_option = f"--socket={self.folder}/munge.socket"
        self._start("munged", "--foreground", "--force", socket_option, "--num-threads=1", *place)
        wait_for((self.folder / "munge.socket").exists)
        self._start("slurmctld", "-D")
        for node in _NODES:
            self._start("slurmd", "-D", "-N", node)
        wait_for(lambda: self.run("sinfo", "-h", "-o", "%D %t").split() == ["2", "idle"])

    def run(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        given = {**os.environ, **self.environment}
        return subprocess.run(command, env=given, capture_output=True, text=True, check=False).stdout

    def stop(self) -> None:
        """End all jobs and processes."""
        self.run("scancel", "--state=RUNNING,PENDING", "-u", "root", "--full", "--signal=KILL")
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, name: str, *arguments: str) -> None:
        program = find_program(name)
        given = {**os.environ, **self.environment}
        with (self.folder / f"{name}.out").open("ab") as log:
            command = [program, *arguments]
            self.processes.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=given, cwd=self.folder, start_new_session=True)
            )


def find_program(name: str) -> str:
    """The path of one of Slurm's programs; skips the test where it is not installed."""
    found = _find(name)
    if found is None:
        pytest.skip(f"no Slurm: {name} is not installed (Debian: apt-get install {' '.join(_PACKAGES)})")
    return found


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@lru_cache(maxsize=1)
def _install() -> None:
    """Try once to install it where a machine of continuous integration lacks it; whatever comes of that."""
    is_wanted = os.environ.get("CI") == "true" and os.geteuid() == 0
    if not is_wanted or all(map(_find, _PROGRAMS)) or shutil.which("apt-get") is None:
        return
    install = f"apt-get -qy install --no-install-recommends {' '.join(_PACKAGES)}"
    # At this run level the packages start no servers of their own.
    given = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["sh", "-c", f"{install} || {{ apt-get -q update && {install}; }}"]
    process = subprocess.Popen(
        command, env=given, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(_INSTALL_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def run_slurm() -> Iterator[SlurmServer]:
    """A running Slurm; skips the test where it is not installed, or this is not root, as its nodes have to be."""
    _install()
    for name in _PROGRAMS:
        find_program(name)
    if os.geteuid() != 0:
        pytest.skip("no Slurm: its nodes need root, and this is another user")
    # Sockets have short names, and munge wants every folder above its own to be nobody's to change but root's.
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        Path(folder).chmod(0o755)
        server = SlurmServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
