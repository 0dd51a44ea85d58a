"""A real Slurm with two nodes on free ports of this machine, for tests; from Debian's slurmctld, slurmd and munge."""

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
    """The path of one of Slurm's programs; skips the test where it is not installed, or this is not root."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"no Slurm: {name} is not installed (Debian: apt-get install slurmctld slurmd munge)")
    return found


@contextmanager
def run_slurm() -> Iterator[SlurmServer]:
    """A running Slurm; skips the test where it is not installed, or this is not root, as its nodes have to be."""
    for name in ("munged", "slurmctld", "slurmd", "sbatch"):
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
