"""Rounds of the event loop: what is asked once in each, and questions that wait for tiles."""

from __future__ import annotations

import asyncio

import pytest

from histoseek.server.rounds import OnceARound, TilesFirst


def test_a_value_is_asked_for_once_a_round() -> None:
    asked: list[int] = []
    value = OnceARound(lambda: asked.append(1) or len(asked))

    async def read(times: int) -> int:
        return [value.read() for _ in range(times)][-1]

    async def ask() -> list[int]:
        first = await asyncio.gather(*(read(3) for _ in range(5)))
        return [*first, await read(1)]

    assert asyncio.run(ask()) == [1] * 5 + [2]


def test_what_comes_later_is_told_what_is_so_then() -> None:
    now = ["old"]
    value, seen = OnceARound(lambda: now[0]), []

    async def read() -> None:
        seen.append(value.read())

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.create_task(read()))
        seen.append(value.read())
        now[0] = "new"
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert seen == ["old", "new"]


def test_no_value_goes_from_one_event_loop_to_the_next() -> None:
    asked: list[int] = []
    value = OnceARound(lambda: asked.append(1) or len(asked))

    async def read() -> int:
        return value.read()

    async def leave() -> None:
        value.read()
        asyncio.get_running_loop().stop()

    loop = asyncio.new_event_loop()
    left = loop.create_task(leave())
    loop.run_forever()
    loop.close()
    assert left.done()
    assert asyncio.run(read()) == 2
    assert [value.read(), value.read()] == [3, 4], "outside of an event loop it is always asked"


def test_an_error_is_nobody_elses() -> None:
    asked: list[int] = []

    def read() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise OSError
        return len(asked)

    value = OnceARound(read)

    async def ask() -> int:
        with pytest.raises(OSError):
            value.read()
        return value.read()

    assert asyncio.run(ask()) == 2


async def show_tiles(order: TilesFirst, rounds: list[int], done: list[str]) -> None:
    """So many tiles in each round."""
    for count in rounds:
        for _ in range(count):
            order.count_tile()
        done.append(f"{count} tiles")
        await asyncio.sleep(0)


async def ask(order: TilesFirst, name: str, done: list[str]) -> None:
    await order.wait()
    done.append(name)


def test_questions_wait_for_tiles_and_then_go_one_after_the_other() -> None:
    async def look(done: list[str]) -> list[str]:
        order = TilesFirst(few=2)
        tiles = asyncio.create_task(show_tiles(order, [3, 3, 3, 2, 0, 3, 0, 0, 0], done))
        await asyncio.gather(*(ask(order, name, done) for name in ("first", "second")), tiles)
        return done

    done = asyncio.run(look([]))
    few = done.index("2 tiles")
    assert not {"first", "second"} & set(done[: few - 1])
    assert done.index("first") < done.index("second")
    assert len(set(done[done.index("first") + 1 : done.index("second")])) >= 1, "a round each"


def test_nobody_waits_for_ever() -> None:
    async def look() -> bool:
        order, going = TilesFirst(few=0, longest_s=0.01), True

        async def keep_asking_for_tiles() -> None:
            while going:
                order.count_tile()
                await asyncio.sleep(0)

        tiles = asyncio.create_task(keep_asking_for_tiles())
        await order.wait()
        going = False
        await tiles
        return True

    assert asyncio.run(look())
