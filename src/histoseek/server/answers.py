"""Answers that were given, for who asks the same again while nothing has changed: nothing is computed twice."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from histoseek.server.clock import Clock
from histoseek.server.tiles.cache import ByteCache

LIFETIME_S = 30.0
"""How long an answer is believed: whether a slide's file is there, it says as it was."""

_STAMP = 8
"""Bytes before each answer that say when it was made, in ms."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of an archive, and the archive's state when it is asked (`ArchiveFolder.read_mark`).

    request: the route and all of a request that its answer depends on. Who asks must not be part of that: answers are
    given to everybody who may ask.
    """

    archive: str
    request: str
    mark: Hashable

    @property
    def key(self) -> tuple[str, bytes]:
        """What stands for it in memory: requests may be long."""
        return self.archive, hashlib.sha256(f"{self.request}\0{self.mark!r}".encode()).digest()


class AnswerMemory:
    """The last answers by their questions, together at most `most_bytes`, and those that are being made.

    Who asks what is being answered just now waits for that answer. Answers of an archive's former states are forgotten
    with the first question about another. `give` is for one event loop, the rest for any thread.
    """

    def __init__(self, most_bytes: int, clock: Clock = time.monotonic) -> None:
        self._answers = ByteCache(most_bytes)
        self._clock = clock
        self._marks: dict[str, Hashable] = {}
        self._under_way: dict[Hashable, asyncio.Future[bytes | None]] = {}
        self._guard = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """What all answers take."""
        return self._answers.size_bytes

    async def give(self, question: Question, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The answer, as it is remembered or made now; raises what making it raises."""
        self._forget_former(question)
        kept = self._recall(question) or await self._wait_for_same(question)
        return kept if kept is not None else await self._make(question, make)

    def forget(self, archive: str) -> None:
        """Forget all answers of an archive."""
        with self._guard:
            self._marks.pop(archive, None)
        self._answers.drop(lambda key: isinstance(key, tuple) and key[0] == archive)

    def forget_outdated(self, archive: str, mark: Hashable) -> None:
        """Forget the answers of an archive unless they are of this state."""
        with self._guard:
            is_outdated = self._marks.get(archive, mark) != mark
        if is_outdated:
            self.forget(archive)

    def _forget_former(self, question: Question) -> None:
        self.forget_outdated(question.archive, question.mark)
        with self._guard:
            self._marks[question.archive] = question.mark

    def _recall(self, question: Question) -> bytes | None:
        kept = self._answers.get(question.key)
        if kept is None or self._clock() - int.from_bytes(kept[:_STAMP]) / 1000 > LIFETIME_S:
            return None
        return kept[_STAMP:]

    async def _wait_for_same(self, question: Question) -> bytes | None:
        """What somebody else is given who asked the same a moment ago; None where nobody did, or was given none."""
        under_way = self._under_way.get(question.key)
        return await asyncio.shield(under_way) if under_way is not None else None

    async def _make(self, question: Question, make: Callable[[], Awaitable[bytes]]) -> bytes:
        under_way = self._under_way[question.key] = asyncio.get_running_loop().create_future()
        answer: bytes | None = None
        try:
            answer = await make()
            self._keep(question, answer)
            return answer
        finally:
            under_way.set_result(answer)
            if self._under_way.get(question.key) is under_way:
                del self._under_way[question.key]

    def _keep(self, question: Question, answer: bytes) -> None:
        """Unless the archive has changed meanwhile: whoever removed a slide has forgotten its answers already."""
        stamp = int(self._clock() * 1000).to_bytes(_STAMP)
        with self._guard:
            if self._marks.get(question.archive) == question.mark:
                self._answers.put(question.key, stamp + answer)
