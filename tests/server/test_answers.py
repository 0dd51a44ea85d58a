"""Answers that were given are given again, and are those that would be computed now."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from histoseek.server import answers as module
from histoseek.server.answers import AnswerMemory, Question
from histoseek.server.app import create_app
from histoseek.server.settings import ServerSettings

ASKED = Question("cohort", "search {}", 1)
TEXTS = ("adenocarcinoma", "necrosis", "grade 2", "no tumour")


def make(answer: bytes, calls: list[bytes]) -> Callable[[], Awaitable[bytes]]:
    async def answering() -> bytes:
        calls.append(answer)
        await asyncio.sleep(0)
        return answer

    return answering


def test_an_answer_is_made_once() -> None:
    memory, calls = AnswerMemory(1000), []
    for _ in range(3):
        assert asyncio.run(memory.give(ASKED, make(b"one", calls))) == b"one"
    assert len(calls) == 1


def test_who_asks_the_same_meanwhile_gets_the_same_answer() -> None:
    memory, calls = AnswerMemory(1000), []

    async def ask() -> list[bytes]:
        return await asyncio.gather(*(memory.give(ASKED, make(b"one", calls)) for _ in range(5)))

    assert asyncio.run(ask()) == [b"one"] * 5
    assert len(calls) == 1


def test_one_that_fails_takes_no_other_along() -> None:
    memory, calls = AnswerMemory(1000), []

    async def fail() -> bytes:
        await asyncio.sleep(0)
        raise ValueError

    async def ask() -> list[bytes | BaseException]:
        return await asyncio.gather(
            memory.give(ASKED, fail), memory.give(ASKED, make(b"one", calls)), return_exceptions=True
        )

    first, second = asyncio.run(ask())
    assert isinstance(first, ValueError)
    assert second == b"one"


def test_answers_of_a_former_state_are_forgotten() -> None:
    memory, calls = AnswerMemory(1000), []
    asyncio.run(memory.give(ASKED, make(b"old", calls)))
    assert asyncio.run(memory.give(Question("cohort", "search {}", 2), make(b"new", calls))) == b"new"
    assert memory.size_bytes < 2 * len(b"old" + bytes(8))
    memory.forget_outdated("cohort", 2)
    assert memory.size_bytes
    memory.forget_outdated("cohort", 3)
    assert not memory.size_bytes


def test_what_was_forgotten_while_it_was_made_is_not_kept() -> None:
    memory = AnswerMemory(1000)

    async def forgetting() -> bytes:
        memory.forget("cohort")
        return b"old"

    assert asyncio.run(memory.give(ASKED, forgetting)) == b"old"
    assert not memory.size_bytes


def test_answers_are_believed_for_a_while() -> None:
    now, calls = [0.0], []
    memory = AnswerMemory(1000, lambda: now[0])
    asyncio.run(memory.give(ASKED, make(b"one", calls)))
    now[0] = module.LIFETIME_S + 1
    assert asyncio.run(memory.give(ASKED, make(b"two", calls))) == b"two"


def test_they_take_no_more_room_than_they_may() -> None:
    memory, calls = AnswerMemory(100), []
    for number in range(20):
        asyncio.run(memory.give(Question("cohort", str(number), 1), make(bytes(20), calls)))
    assert memory.size_bytes <= 100


@pytest.fixture
def page(indexed: Path, tmp_path: Path) -> TestClient:
    """The whole server in this process, of an archive of its own; anybody may write."""
    copy = shutil.copytree(indexed, tmp_path / "kept.archive")
    app = create_app(ServerSettings({"kept": Path(copy)}, tmp_path / "state", write=True, allow_anonymous=True))
    return TestClient(app, "http://127.0.0.1:8750", headers={"X-Histoseek": "page"})


def test_answers_are_those_of_now_whatever_changes(page: TestClient) -> None:
    """Searches between changes and removals, each compared with a server that remembers nothing."""
    draw = random.Random(0)
    slides = [one["slide_id"] for one in page.get("/api/v1/archives/kept/slides").json()["items"]]
    context = page.app.state.context  # type: ignore[attr-defined]
    for step in range(36):
        if step % 12 == 5:
            place = f"/api/v1/archives/kept/slides/{draw.choice(slides)}"
            assert page.patch(place, json={"values": {"organ": f"organ {step}"}}).status_code == 200
        elif step % 12 == 11:
            gone = slides.pop(draw.randrange(len(slides)))
            assert page.delete(f"/api/v1/archives/kept/slides/{gone}").status_code == 200
        request = draw_request(draw, slides)
        given = ask(page, request)
        context.answers.forget("kept")
        assert given == ask(page, request)


def test_a_slide_that_is_gone_is_in_no_answer_and_no_memory(page: TestClient) -> None:
    request = {"query": {"kind": "text", "text": "tumour"}, "k": 20}
    found = [one["slide_id"] for one in ask(page, request)["results"]]
    context = page.app.state.context  # type: ignore[attr-defined]
    assert context.answers.size_bytes
    assert page.delete(f"/api/v1/archives/kept/slides/{found[0]}").status_code == 200
    assert not context.answers.size_bytes
    assert found[0] not in [one["slide_id"] for one in ask(page, request)["results"]]


def test_a_slide_that_another_program_removed_leaves_the_memory(page: TestClient) -> None:
    context = page.app.state.context  # type: ignore[attr-defined]
    first = ask(page, {"query": {"kind": "text", "text": "tumour"}})["results"][0]["slide_id"]
    context.archives.get("kept").archive.remove([first])
    context.removal.sweep()
    assert not context.answers.size_bytes


def draw_request(draw: random.Random, slides: list[str]) -> dict[str, object]:
    """One of a few questions, so that many are asked again."""
    if draw.random() < 0.5:
        return {"query": {"kind": "text", "text": draw.choice(TEXTS)}, "k": draw.choice((3, 5))}
    return {"query": {"kind": "slide", "slide": {"slide_id": draw.choice(slides[:4])}}, "k": 5}


def ask(page: TestClient, request: dict[str, object]) -> dict[str, object]:
    """An answer, but for how long it took."""
    answer = page.post("/api/v1/archives/kept/search", json=request)
    assert answer.status_code == 200, answer.text
    return {name: value for name, value in json.loads(answer.text).items() if name != "elapsed_ms"}
