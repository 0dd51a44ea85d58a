"""What clients that mean ill take from others: connections held, searches nobody waits for, a full disk under the log.

`python benchmarks/attacks/availability.py ARCHIVE`; for other sources the same with PYTHONPATH at them. All of it stays
on loopback: each attack has a server of its own, at most 1,000 connections or 150 requests, ends by itself, and takes
less than a minute on an idle machine. The full disk is a tmpfs of 8 MB, which only root can mount.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 1000
PROBES = 20
PROBE_S = 5.0
SEARCHES = 150
LATE_SEARCHES = 50
SEARCH_S = 0.2
"""What a search may take where searches are to run out of time."""

LOOK_S = 10.0
IDLE_CORES = 0.05
START = """
import sys
from pathlib import Path
from histoseek.server.run import run_server
from histoseek.server.settings import Limits, Rates, ServerSettings
limits = Limits(rates=Rates(searches=100_000, others=100_000), search_s=float(sys.argv[3]))
settings = ServerSettings({"a": Path(sys.argv[1])}, state=Path(sys.argv[2]), port=0, limits=limits)
run_server(settings, lambda settings, token, *_: print(settings.port, token, flush=True))
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server under attack."""

    port: int
    token: str
    state: Path
    process: subprocess.Popen[str]

    def ask(self, path: str, body: object = None, timeout_s: float = PROBE_S) -> int:
        """The status of an answer on a connection of its own; 0 for none in time."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def count_answered(self) -> int:
        """How many of PROBES requests of another client get an answer."""
        return sum(self.ask("/api/v1/health") == 200 for _ in range(PROBES))

    def read_cpu_s(self) -> float:
        """CPU time that the process has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args().archive
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    head = b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: 90\r\n\r\n{"
    attacks: dict[str, Callable[[Server], str]] = {
        "1,000 idle connections": lambda server: hold(server, b""),
        "1,000 heads that do not end": lambda server: hold(server, b"GET / HTTP/1.1\r\nHost: loc"),
        "1,000 bodies that do not end": lambda server: hold(server, head),
        "150 searches nobody waits for": abandon_searches,
    }
    for name, attack in attacks.items():
        with tempfile.TemporaryDirectory() as folder, serve(archive, Path(folder) / "state") as server:
            print(f"{name}: {attack(server)}", flush=True)
    with tempfile.TemporaryDirectory() as folder, serve(archive, Path(folder) / "state", SEARCH_S) as server:
        print(f"{LATE_SEARCHES} searches that run out of time: {overrun_searches(server)}", flush=True)
    print(f"a full disk under the audit log: {fill_disk(archive)}")


@contextmanager
def serve(archive: Path, state: Path, search_s: float = 60.0) -> Iterator[Server]:
    """A server that is ready, until the block ends; search_s: what a search may take."""
    command = [sys.executable, "-c", START, str(archive), str(state), str(search_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout
        port, token = process.stdout.readline().split()
        server = Server(int(port), token, state, process)
        search = {"query": {"kind": "text", "text": "carcinoma"}, "k": 1}
        server.ask("/api/v1/archives/a/search", search, timeout_s=120)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def hold(server: Server, part: bytes) -> str:
    """Open connections, send a part of a request on each, and look what another client gets."""
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            with suppress(OSError):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), PROBE_S))
                connection.sendall(part)
        return f"{server.count_answered()} of {PROBES} requests of others answered"


def abandon_searches(server: Server) -> str:
    """Send searches and leave at once; how long another search takes then, and what CPU time goes on being spent."""
    query = make_exact_query(server)
    body = json.dumps(query).encode()
    head = (
        f"POST /api/v1/archives/a/search HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    server.ask("/api/v1/archives/a/search", query, timeout_s=120)
    connections = [socket.create_connection(("127.0.0.1", server.port), PROBE_S) for _ in range(SEARCHES)]
    for connection in connections:
        connection.sendall(head + body)
    time.sleep(0.5)
    for connection in connections:
        connection.close()
    spent, began = server.read_cpu_s(), time.monotonic()
    status = server.ask("/api/v1/archives/a/search", query, timeout_s=120)
    waited = time.monotonic() - began
    time.sleep(max(0.0, LOOK_S - waited))
    return (
        f"another one is answered ({status}) after {waited:.1f} s; {server.read_cpu_s() - spent:.1f} s of CPU in 10 s"
    )


def overrun_searches(server: Server) -> str:
    """Send searches that can't end in time, wait for their answers, and look how long CPU time goes on being spent."""
    query = make_exact_query(server)
    wait_until_idle(server)
    statuses: Counter[int] = Counter()
    guard = threading.Lock()

    def ask() -> None:
        status = server.ask("/api/v1/archives/a/search", query, timeout_s=120)
        with guard:
            statuses[status] += 1

    before, began = server.read_cpu_s(), time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(LATE_SEARCHES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered_s, spent = time.monotonic() - began, [server.read_cpu_s()]
    for _ in range(int(LOOK_S)):
        time.sleep(1.0)
        spent.append(server.read_cpu_s())
    seconds = [after - earlier for earlier, after in itertools.pairwise(spent)]
    busy = max((number for number, second in enumerate(seconds, 1) if second > IDLE_CORES), default=0)
    return (
        f"answers {dict(statuses)} in {answered_s:.1f} s and {spent[0] - before:.1f} s of CPU; idle after {busy} s, in "
        f"which {sum(seconds[:busy]):.1f} s of CPU"
    )


def wait_until_idle(server: Server) -> None:
    """Wait, for a minute at most, until it has warmed up."""
    spent_s = 0.0
    for _ in range(20):
        before_s, spent_s = spent_s, server.read_cpu_s()
        if spent_s - before_s <= 3 * IDLE_CORES:
            return
        time.sleep(3.0)


def make_exact_query(server: Server) -> dict[str, object]:
    """A search that ranks all slides."""
    listing = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/api/v1/archives/a/slides?limit=1",
        headers={"Authorization": f"Bearer {server.token}"},
    )
    with urllib.request.urlopen(listing, timeout=60) as answer:
        slide_id = json.load(answer)["items"][0]["slide_id"]
    return {"query": {"kind": "slide", "slide": {"slide_id": slide_id}}, "k": 50, "exact": True}


def fill_disk(archive: Path) -> str:
    """Fill the disk of the state; how many requests are answered that the log knows nothing of."""
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False).returncode:
            return "not tried: only root can mount a small disk"
        try:
            with serve(archive, Path(folder) / "state") as server:
                return _ask_on_full_disk(server, Path(folder))
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _ask_on_full_disk(server: Server, disk: Path) -> str:
    log = server.state / "audit.jsonl"
    # As long lines as there are, so that the room that the last block leaves is used up soon.
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    before = len(log.read_bytes().splitlines()) if log.exists() else 0
    statuses: list[int] = []
    guard = threading.Lock()

    def ask() -> None:
        for _ in range(25):
            status = server.ask("/api/v1/archives")
            with guard:
                statuses.append(status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(1.0)  # the line of an answer is written when that is sent
    lines = log.read_bytes().splitlines() if log.exists() else []
    torn = sum(not line.endswith(b"}") for line in lines)
    answered = sum(status == 200 for status in statuses)
    missing = max(0, answered - (len(lines) - before - torn))
    refused = sum(status == 507 for status in statuses)
    return f"{answered} answered, {missing} of them without a line, {torn} torn lines, {refused} refused with 507"


if __name__ == "__main__":
    main()
