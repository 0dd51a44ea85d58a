"""Load on a running server: many clients that search and look at tiles for a while, from a process of their own.

    PYTHONPATH=. python benchmarks/load.py [--archive FOLDER] [--clients 50] [--seconds 60] [--workers 1] [--think 0]
        [--questions few] [--src OTHER/src --rounds 3]

Starts `histoseek serve` on loopback with a new state folder, asks it as a page would (each client searches, then looks
at sixteen tiles of a result), and prints counts, errors, and percentiles of latency. Without --archive it makes one of
simulated slides. --questions: `few` are asked again and again, as of a teaching set; of `many` hardly any is asked
twice. With --src the server of another checkout takes turns with this one, and ratios are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.lean_http import Answer, LeanClient
from tests.server.running import RunningServer, serving

from histoseek.api import Archive
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

API = "/api/v1"
TILES_A_SEARCH = 16
CONNECTIONS = 6
"""As many as browsers open to one host."""
TEXTS = ("papillary carcinoma", "grade 3", "lymphoma with necrosis", "adenocarcinoma of the colon", "normal tissue")
WORDS = (
    ("invasive", "metastatic", "recurrent", "small", "poorly differentiated", "well differentiated", "early"),
    ("adenocarcinoma", "lymphoma", "squamous cell carcinoma", "papillary carcinoma", "melanoma", "sarcoma", "adenoma"),
    ("colon", "lung", "kidney", "breast", "thyroid", "skin", "stomach", "prostate", "liver"),
    ("necrosis", "inflammation", "mitoses", "fibrosis", "mucin", "keratin pearls", "margins free", "no invasion"),
)
OWN = Path(__file__).resolve().parents[1] / "src"
_MAKE_TOKENS = """
import sys
from pathlib import Path
from histoseek.server.security.tokens import TokenStore
from histoseek.server.state.database import State

store = TokenStore(State(Path(sys.argv[1])))
print(*(store.add(f"person-{number}", "read").text for number in range(int(sys.argv[2]))))
"""


@dataclass
class Seen:
    """Latencies in s by kind of request, what went wrong, seconds of it all, CPU seconds of server and clients."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    memory_mb: float = 0.0

    def rate(self, kind: str) -> float:
        """Answers a second of the kinds that begin so."""
        count = sum(len(found) for name, found in self.latencies.items() if name.startswith(kind))
        return count / self.seconds if self.seconds else 0.0

    def add(self, other: Seen) -> None:
        """What another run saw."""
        for kind, found in other.latencies.items():
            self.latencies[kind] += found
        self.errors += other.errors
        self.seconds += other.seconds
        self.server_cpu += other.server_cpu
        self.client_cpu += other.client_cpu
        self.memory_mb = max(self.memory_mb, other.memory_mb)


def main() -> None:
    given = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        archive = given.archive or simulated(Path(folder))
        sources = [*(given.src or []), OWN]
        seen = {source: Seen() for source in sources}
        for number in range(given.rounds):
            for source in sources:
                state = Path(folder) / f"state-{number}-{sources.index(source)}"
                seen[source].add(measure(archive, state, source, given))
        for source in sources:
            tell(source, seen[source], given)
        for source in sources[:-1]:
            compare(seen[source], seen[OWN])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--think", type=float, default=0, help="s between what a person does, on the average")
    parser.add_argument("--questions", choices=("few", "many"), default="few")
    parser.add_argument("--tiles", type=int, default=TILES_A_SEARCH, help="of each search")
    parser.add_argument("--src", type=Path, action="append", help="`src` of another checkout, to take turns with")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--warm-s", type=float, default=8, help="s of the same load before it is measured")
    return parser.parse_args()


def measure(archive: Path, state: Path, source: Path, given: argparse.Namespace) -> Seen:
    """One server of one checkout under load."""
    environment = {"PYTHONPATH": str(source)}
    with serving([archive], state, "--workers", str(given.workers), environment=environment) as server:
        name, slides = asyncio.run(list_slides(server))
        tokens = make_tokens(source, state, given.clients)
        asyncio.run(open_up(server, name, slides))
        asyncio.run(load(server, tokens, name, slides, given, given.warm_s, "warm"))
        cpu, own = cpu_seconds(server), time.process_time()
        seen = asyncio.run(load(server, tokens, name, slides, given, given.seconds))
        seen.server_cpu, seen.client_cpu = cpu_seconds(server) - cpu, time.process_time() - own
        seen.memory_mb = memory_mb(server)
        server.stop()
    return seen


async def list_slides(server: RunningServer) -> tuple[str, list[str]]:
    """The archive's name, and its first slides that have an image; as any version of the server says it."""
    client = connect(server.url, server.token)
    (archive,) = (await client.ask("GET", f"{API}/archives")).json()
    found = (await client.ask("GET", f"{API}/archives/{archive['name']}/slides?limit=1000")).json()
    client.close()
    return archive["name"], [one["slide_id"] for one in found["items"] if one["has_image"]]


async def open_up(server: RunningServer, archive: str, slides: list[str]) -> None:
    """Ask for the smallest tile of each slide: what the first look at it takes is no load, and would hide the rest."""
    client = connect(server.url, server.token)
    for slide in slides:
        await client.ask("GET", f"{API}/archives/{archive}/slides/{slide}/image_files/0/0_0.jpg")
    client.close()


def connect(url: str, token: str) -> LeanClient:
    """A client as one person's browser is."""
    parts = urlsplit(url)
    return LeanClient(parts.hostname or "", parts.port or 80, {"Authorization": f"Bearer {token}"}, CONNECTIONS)


async def load(
    server: RunningServer,
    tokens: list[str],
    archive: str,
    slides: list[str],
    given: argparse.Namespace,
    seconds: float,
    seed: str = "",
) -> Seen:
    """All persons at once, for so many seconds; seed: another one gives other questions, unasked before."""
    seen, began = Seen(), time.perf_counter()
    until = began + seconds
    persons = (
        Person(server.url, token, archive, slides, seen, random.Random(f"{seed} {number}"), given)
        for number, token in enumerate(tokens)
    )
    await asyncio.gather(*(person.look_until(until) for person in persons))
    seen.seconds = time.perf_counter() - began
    return seen


def make_tokens(source: Path, state: Path, count: int) -> list[str]:
    """One for each person: the server limits how much one may ask for."""
    command = [sys.executable, "-c", _MAKE_TOKENS, str(state), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()


class Person:
    """Asks with a slide or a text, then looks at a result's tiles."""

    def __init__(
        self,
        url: str,
        token: str,
        archive: str,
        slides: list[str],
        seen: Seen,
        draw: random.Random,
        given: argparse.Namespace,
    ) -> None:
        self._client = connect(url, token)
        self._place = f"{API}/archives/{archive}"
        self._slides, self._seen, self._draw, self._given = slides, seen, draw, given

    async def look_until(self, until: float) -> None:
        """Go on until then."""
        think = self._given.think
        while time.perf_counter() < until:
            await asyncio.sleep(self._draw.expovariate(1 / think) if think else 0)
            await self._look()
        self._client.close()

    async def _look(self) -> None:
        request = self._make_request()
        kind = f"search by {request['query']['kind']}"  # type: ignore[index]
        found = await self._ask(kind, "POST", f"{self._place}/search", request)
        if found is None or not found.json()["results"]:
            return
        shown = self._draw.choice(found.json()["results"])["slide_id"]
        place = f"{self._place}/slides/{shown}"
        info = await self._ask("image", "GET", f"{place}/image")
        if info is None:
            return
        tiles = [draw_tile(self._draw, info.json()) for _ in range(self._given.tiles)]
        await asyncio.gather(*(self._ask("tile", "GET", f"{place}/image_files/{tile}.jpg") for tile in tiles))

    def _make_request(self) -> dict[str, object]:
        is_many = self._given.questions == "many"
        if self._draw.random() < 0.5:
            query = {"kind": "slide", "slide": {"slide_id": self._draw.choice(self._slides)}}
        elif is_many:
            one, two, three, four = (self._draw.choice(words) for words in WORDS)
            query = {"kind": "text", "text": f"{one} {two} of the {three} with {four}"}
        else:
            query = {"kind": "text", "text": self._draw.choice(TEXTS)}
        # A filter that all slides pass, and that hardly anybody else asks with, makes it a question of its own.
        different = {"where": f"width > {self._draw.randrange(100)} AND height > {self._draw.randrange(100)}"}
        return {"query": query, **(different if is_many else {})}

    async def _ask(self, kind: str, method: str, path: str, body: object = None) -> Answer | None:
        began = time.perf_counter()
        try:
            answer = await self._client.ask(method, path, body)
        except (OSError, EOFError) as error:
            self._seen.errors[f"{kind}: {type(error).__name__}"] += 1
            return None
        self._seen.latencies[kind].append(time.perf_counter() - began)
        if answer.status >= 400:
            self._seen.errors[f"{kind}: {answer.status}"] += 1
            return None
        return answer


def draw_tile(draw: random.Random, info: dict[str, int]) -> str:
    """The address of a tile somewhere in the finer half of the levels."""
    level = draw.randint(info["max_level"] // 2, info["max_level"])
    shrink, edge = 2 ** (info["max_level"] - level), info["tile_size_px"]
    columns, rows = (math.ceil(math.ceil(info[side] / shrink) / edge) for side in ("width", "height"))
    return f"{level}/{draw.randrange(columns)}_{draw.randrange(rows)}"


def tell(source: Path, seen: Seen, given: argparse.Namespace) -> None:
    """What one checkout's server gave."""
    print(f"{source}: {given.clients} clients for {seen.seconds:.0f} s, {given.questions} questions")
    print(f"{'request':>18} {'count':>8} {'per s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    for kind, found in sorted(seen.latencies.items()):
        low, high, highest = (1000 * float(np.percentile(found, share)) for share in (50, 95, 99))
        count, each = len(found), len(found) / seen.seconds
        print(f"{kind:>18} {count:>8} {each:>8.1f} {low:>8.1f} {high:>8.1f} {highest:>8.1f}")
    shares = (100 * cpu / seen.seconds for cpu in (seen.server_cpu, seen.client_cpu))
    print("CPU of the server and of the clients, %: {:.0f}, {:.0f}".format(*shares), end="; ")
    load_average = os.getloadavg()[0]
    print(f"memory {seen.memory_mb:.0f} MB; errors: {dict(seen.errors) or 'none'}; load average {load_average:.1f}\n")


def compare(before: Seen, after: Seen) -> None:
    """How many times as much was answered, and with how much of the server's time each."""
    for kind in ("search", "tile"):
        print(f"{kind}: {before.rate(kind):.1f} -> {after.rate(kind):.1f} a second", end=", ")
        print(f"{after.rate(kind) / before.rate(kind):.2f} times as many")
    each = [1000 * one.server_cpu / one.seconds / one.rate("search") for one in (before, after)]
    print("the server's CPU ms for a search with its tiles: {:.1f} -> {:.1f}".format(*each))


def cpu_seconds(server: RunningServer) -> float:
    """User and system time of the server's processes."""
    ticks = 0
    for pid in (server.process.pid, *descendants(server.process.pid)):
        ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(server: RunningServer) -> float:
    """Memory of the server's processes; what several of them share is counted once."""
    return sum(own_share_mb(pid) for pid in (server.process.pid, *descendants(server.process.pid)))


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def own_share_mb(pid: int) -> float:
    """What a process has to itself, and its share of what it shares with others (Linux: Pss of proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def simulated(folder: Path) -> Path:
    slides = folder / "slides"
    write_cohort(CohortSpec(patients=10, slides_per_patient=2, sites=2, size_px=2048), slides)
    archive = folder / "simulated.archive"
    Archive.create(archive).index([slides], slides / "metadata.csv", slides / "reports.csv")
    return archive


if __name__ == "__main__":
    main()
