"""Memory of a server over ten minutes of mixed use, each 10 s, and how it grows after the first two minutes.

    PYTHONPATH=. python benchmarks/memory.py [--archive FOLDER] [--clients 8] [--minutes 10]

Persons search (hardly any question twice), look at tiles and thumbnails, ask why a slide matches, and browse slides and
facets. Without --archive it makes one of simulated slides.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.load import OWN, Person, Seen, list_slides, make_tokens, memory_mb, simulated
from tests.server.running import RunningServer, serving

EVERY_S = 10.0
WARM_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive, state = given.archive or simulated(Path(folder)), Path(folder) / "state"
        with serving([archive], state) as server:
            tokens = make_tokens(OWN, state, given.clients)
            asyncio.run(use(server, tokens, 60 * given.minutes))


async def use(server: RunningServer, tokens: list[str], seconds: float) -> None:
    """All persons at once, while memory is noted."""
    archive, slides = await list_slides(server)
    seen, until = Seen(), time.perf_counter() + seconds
    habits = Namespace(think=0.5, questions="many", tiles=8)
    persons = (
        Browser(server.url, token, archive, slides, seen, random.Random(number), habits)
        for number, token in enumerate(tokens)
    )
    samples, *_ = await asyncio.gather(watch(server, until), *(person.look_until(until) for person in persons))
    tell(np.array(samples), Counter({kind: len(found) for kind, found in seen.latencies.items()}), seen.errors)


async def watch(server: RunningServer, until: float) -> list[tuple[float, float]]:
    """Seconds since the start and MB, again and again."""
    began, samples = time.perf_counter(), []
    while time.perf_counter() < until:
        samples.append((time.perf_counter() - began, memory_mb(server)))
        print(f"{samples[-1][0]:6.0f} s {samples[-1][1]:8.1f} MB", flush=True)
        await asyncio.sleep(EVERY_S)
    return samples


class Browser(Person):
    """A person who also browses and asks why."""

    async def _look(self) -> None:
        await super()._look()
        shown, query = (self._draw.choice(self._slides) for _ in range(2))
        await self._ask("slides", "GET", f"{self._place}/slides?limit=50")
        await self._ask("thumbnail", "GET", f"{self._place}/slides/{shown}/thumbnail?px={self._draw.randint(64, 512)}")
        await self._ask("facets", "POST", f"{self._place}/facets", {"where": f"width > {self._draw.randrange(1000)}"})
        if shown != query:
            request = {"query": {"kind": "slide", "slide": {"slide_id": query}}, "slide_id": shown}
            await self._ask("explain", "POST", f"{self._place}/explain", request)


def tell(samples: np.ndarray, counts: Counter[str], errors: Counter[str]) -> None:
    """The growth, by a straight line through what is measured once all is warm."""
    print(f"requests: {dict(counts)}; errors: {dict(errors) or 'none'}")
    late = samples[samples[:, 0] >= min(WARM_S, samples[-1, 0] / 2)]
    slope = np.polyfit(late[:, 0], late[:, 1], 1)[0] * 60
    print(f"from {late[0, 1]:.0f} to {late[-1, 1]:.0f} MB; {slope:+.2f} MB a minute after {late[0, 0]:.0f} s")


if __name__ == "__main__":
    main()
