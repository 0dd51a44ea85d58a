"""Who holds many idle connections makes room for others; who is served keeps theirs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from histoseek.server.security.connections import ConnectionTable

SITE, OTHER, LOOPBACK = "192.0.2.1", "192.0.2.2", "127.0.0.1"


@dataclass(eq=False)
class Line:
    """A connection whose client is waited for since a time, or is served."""

    address: str = SITE
    waiting_since: float | None = 0.0
    is_open: bool = True

    def abort(self) -> None:
        self.is_open = False


def fill(table: ConnectionTable, lines: list[Line]) -> list[bool]:
    return [table.admit(line) for line in lines]


@pytest.mark.parametrize("address", [SITE, LOOPBACK, "2001:db8::1"])
def test_a_thousand_idle_ones_shut_nobody_out(address: str) -> None:
    table = ConnectionTable(100, 100)
    idle = [Line(address, float(number)) for number in range(1000)]
    assert all(fill(table, idle))
    assert sum(line.is_open for line in idle) == len(table) == 100
    assert table.admit(Line(OTHER)) and table.admit(Line(address, 2000.0))
    assert [line.is_open for line in idle[-98:]] == [True] * 98


def test_one_address_has_its_own_limit() -> None:
    table = ConnectionTable(100, 10)
    busy = [Line(SITE, None) for _ in range(10)]
    assert all(fill(table, busy)) and not table.admit(Line(SITE))
    assert table.admit(Line(OTHER))
    busy[3].waiting_since = 5.0
    assert table.admit(Line(SITE)) and not busy[3].is_open
    assert all(line.is_open for line in busy[:3])


@pytest.mark.parametrize(("address", "behind_proxy"), [(LOOPBACK, False), (SITE, True)])
def test_a_proxy_and_this_machine_have_only_that_of_all(address: str, behind_proxy: bool) -> None:
    table = ConnectionTable(100, 10, behind_proxy)
    busy = [Line(address, None) for _ in range(100)]
    assert all(fill(table, busy)) and not table.admit(Line(address))


def test_the_largest_network_gives_way_first() -> None:
    table = ConnectionTable(10, 10)
    few, many = [Line(OTHER, 0.0) for _ in range(3)], [Line(SITE, 5.0 - number) for number in range(7)]
    assert all(fill(table, few + many))
    assert table.admit(Line("192.0.2.3"))
    assert all(line.is_open for line in few)
    assert [line.is_open for line in many] == [True] * 6 + [False]


def test_networks_of_served_clients_are_passed_over() -> None:
    table = ConnectionTable(4, 4)
    busy, idle = [Line(SITE, None) for _ in range(3)], Line(OTHER)
    assert all(fill(table, [*busy, idle]))
    assert table.admit(Line("192.0.2.3", None)) and not idle.is_open
    assert not table.admit(Line("192.0.2.4"))


def test_closed_ones_leave_room() -> None:
    table = ConnectionTable(2, 2)
    lines = [Line(SITE, None) for _ in range(2)]
    fill(table, lines)
    for line in [*lines, Line(OTHER)]:
        table.remove(line)
    assert len(table) == 0 and all(fill(table, [Line(SITE, None) for _ in range(2)]))
