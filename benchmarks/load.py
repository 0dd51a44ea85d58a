"""Load on a running server: many clients that search and look at tiles for a while, from a process of their own.

    PYTHONPATH=. python benchmarks/load.py [--archive FOLDER] [--clients 50] [--seconds 60] [--workers 1] [--think 0]

Starts `histoseek serve` on loopback with a new state folder, asks it as a page would (each client searches, then looks
at sixteen tiles of a result), and prints counts, errors, and percentiles of latency. Without --archive it makes one of
simulated slides.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.server.running import RunningServer, serving

from histoseek.api import Archive
from histoseek.server.security.tokens import TokenStore
from histoseek.server.state.database import State
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

API = "/api/v1"
TILES_A_SEARCH = 16
CONNECTIONS = 6
"""As many as browsers open to one host."""
TEXTS = ("papillary carcinoma", "grade 3", "lymphoma with necrosis", "adenocarcinoma of the colon", "normal tissue")


@dataclass
class Seen:
    """Latencies in s by kind of request, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--think", type=float, default=0, help="s between what a person does, on the average")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = given.archive or simulated(Path(folder))
        with serving([archive], Path(folder) / "state", "--workers", str(given.workers)) as server:
            with server.client() as client:
                name = client.list_archives()[0].name
                slides = [one for one in client.list_slides(name) if one.has_image]
            seen = Seen()
            before = memory_mb(server)
            began = time.perf_counter()
            until = began + given.seconds
            persons = enumerate(tokens(server.state, given.clients))
            await asyncio.gather(
                *(person(server.url, text, name, slides, seen, until, one, given.think) for one, text in persons)
            )
            tell(seen, time.perf_counter() - began, given.clients)
            print(f"memory of the server: {before:.0f} MB before, {memory_mb(server):.0f} MB after")
            print(f"exit code of the server: {server.stop()}")


def tokens(state: Path, count: int) -> list[str]:
    """One for each person: the server limits how much one may ask for."""
    opened = State(state)
    made = [TokenStore(opened).add(f"person-{number}", "read").text for number in range(count)]
    opened.close()
    return made


async def person(
    url: str, token: str, archive: str, slides: list, seen: Seen, until: float, seed: int, think: float
) -> None:
    limits = httpx2.Limits(max_connections=CONNECTIONS)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, limits=limits) as client:
        await look(client, archive, slides, seen, until, seed, think)


async def look(
    client: httpx2.AsyncClient, archive: str, slides: list, seen: Seen, until: float, seed: int, think: float
) -> None:
    """One person: asks with a slide or a text, then looks at a result's tiles."""
    draw = random.Random(seed)
    while time.perf_counter() < until:
        await asyncio.sleep(draw.expovariate(1 / think) if think else 0)
        if draw.random() < 0.5:
            query = {"kind": "slide", "slide": {"slide_id": draw.choice(slides).slide_id}}
        else:
            query = {"kind": "text", "text": draw.choice(TEXTS)}
        found = await ask(
            client, seen, f"search by {query['kind']}", "POST", f"{API}/archives/{archive}/search", {"query": query}
        )
        if found is None or not found.json()["results"]:
            continue
        shown = draw.choice(found.json()["results"])["slide"]
        place = f"{API}/archives/{archive}/slides/{shown['slide_id']}"
        info = await ask(client, seen, "image", "GET", f"{place}/image")
        if info is None:
            continue
        tiles = (tile(draw, info.json()) for _ in range(TILES_A_SEARCH))
        await asyncio.gather(*(ask(client, seen, "tile", "GET", f"{place}/image_files/{one}.jpg") for one in tiles))


def tile(draw: random.Random, info: dict) -> str:
    """The address of a tile somewhere in the finer half of the levels."""
    level = draw.randint(info["max_level"] // 2, info["max_level"])
    shrink, edge = 2 ** (info["max_level"] - level), info["tile_size_px"]
    columns, rows = (math.ceil(math.ceil(info[side] / shrink) / edge) for side in ("width", "height"))
    return f"{level}/{draw.randrange(columns)}_{draw.randrange(rows)}"


async def ask(
    client: httpx2.AsyncClient, seen: Seen, kind: str, method: str, path: str, body: dict | None = None
) -> httpx2.Response | None:
    began = time.perf_counter()
    try:
        answer = await client.request(method, path, json=body)
    except httpx2.HTTPError as error:
        seen.errors[f"{kind}: {type(error).__name__}"] += 1
        return None
    seen.seconds[kind].append(time.perf_counter() - began)
    if answer.is_error:
        seen.errors[f"{kind}: {answer.status_code}"] += 1
        return None
    return answer


def tell(seen: Seen, seconds: float, clients: int) -> None:
    print(f"{clients} clients for {seconds:.0f} s")
    print(f"{'request':>18} {'count':>8} {'per s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    for kind, found in sorted(seen.seconds.items()):
        low, high, highest = (1000 * float(np.percentile(found, share)) for share in (50, 95, 99))
        print(f"{kind:>18} {len(found):>8} {len(found) / seconds:>8.1f} {low:>8.1f} {high:>8.1f} {highest:>8.1f}")
    print(f"errors: {dict(seen.errors) or 'none'}")


def memory_mb(server: RunningServer) -> float:
    """Resident memory of the server's processes."""
    return sum(resident_mb(pid) for pid in (server.process.pid, *descendants(server.process.pid)))


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def resident_mb(pid: int) -> float:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096 / 2**20


def simulated(folder: Path) -> Path:
    slides = folder / "slides"
    write_cohort(CohortSpec(patients=10, slides_per_patient=2, sites=2, size_px=2048), slides)
    archive = folder / "simulated.archive"
    Archive.create(archive).index([slides], slides / "metadata.csv", slides / "reports.csv")
    return archive


if __name__ == "__main__":
    asyncio.run(main())
