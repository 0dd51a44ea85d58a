"""Whether the servers of two checkouts answer 200 random questions alike, byte for byte but for the time they took.

    PYTHONPATH=. python benchmarks/equal_answers.py ARCHIVE OTHER/src [--questions 200]

Each question is asked twice, so that what is remembered is compared, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.load import API, OWN, TEXTS, WORDS, connect, list_slides, make_tokens
from tests.server.running import RunningServer, serving

ASKED_BY_ONE = 100
"""Questions of one token: a minute's worth is limited."""

PASSING = ("elapsed_ms", "request_id", "query_key")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        answers = [
            ask_server(given.archive, Path(folder) / str(number), source, given.questions)
            for number, source in enumerate((given.source, OWN))
        ]
    same = [one == other for one, other in zip(*answers, strict=True)]
    print(f"{sum(same)} of {len(same)} answers are equal")
    raise SystemExit(not all(same))


def ask_server(archive: Path, state: Path, source: Path, count: int) -> list[Any]:
    """The answers of a checkout's server."""
    with serving([archive], state, environment={"PYTHONPATH": str(source)}) as server:
        tokens = make_tokens(source, state, 1 + 2 * count // ASKED_BY_ONE)
        return asyncio.run(ask_all(server, tokens, count))


async def ask_all(server: RunningServer, tokens: list[str], count: int) -> list[Any]:
    """All questions, twice."""
    name, slides = await list_slides(server)
    draw, answers = random.Random(0), []
    for number in range(count):
        client = connect(server.url, tokens[2 * number // ASKED_BY_ONE])
        request = draw_request(draw, slides)
        path = f"{API}/archives/{name}/{'explain' if 'slide_id' in request else 'search'}"
        for _ in range(2):
            answer = await client.ask("POST", path, request)
            answers.append((answer.status, without_time(answer.json())))
        client.close()
    return answers


def draw_request(draw: random.Random, slides: list[str]) -> dict[str, Any]:
    """A search by a slide, words or both, or an explanation."""
    slide = {"kind": "slide", "slide": {"slide_id": draw.choice(slides)}}
    text = draw.choice((draw.choice(TEXTS), " ".join(draw.choice(words) for words in WORDS)))
    if draw.random() < 0.2:
        return {"query": slide, "slide_id": draw.choice(slides)}
    both = {"kind": "composed", "image": slide, "text": text}
    query = draw.choice((slide, {"kind": "text", "text": text}, {"kind": "report", "text": text}, both))
    options: dict[str, Any] = {"k": draw.randint(1, 30), "to": draw.choice(("slides", "slides", "reports"))}
    return {"query": query, **options, "offset": draw.choice((0, 0, 5)), "exact": draw.random() < 0.3}


def without_time(answer: Any) -> str:
    """An answer but for its time, and what is the state's: the id of a failed request, the key of a query."""
    return json.dumps({name: value for name, value in answer.items() if name not in PASSING})


if __name__ == "__main__":
    main()
