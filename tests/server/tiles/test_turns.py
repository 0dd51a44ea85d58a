"""Turns: never more at once than may be, first come, first served."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from histoseek.server.tiles.turns import Turns
from tests.waiting import wait_for


def test_who_came_first_goes_first() -> None:
    turns, order = Turns(1), list[int]()

    def take(number: int) -> None:
        with turns:
            order.append(number)

    with ThreadPoolExecutor(8) as threads, turns:
        for number in range(8):
            threads.submit(take, number)
            wait_for(lambda number=number: turns.waiting == number + 1)
    assert order == list(range(8))


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_than_may_be_at_once(at_once: int) -> None:
    turns, guard, inside, most = Turns(at_once), threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with turns:
            with guard:
                inside += 1
                most = max(most, inside)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, range(600)))
    assert 1 <= most <= at_once
    assert not turns.waiting


def test_a_turn_ends_with_an_error() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="broken"), turns:
        raise ValueError("broken")
    with turns:
        assert not turns.waiting
