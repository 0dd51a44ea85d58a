from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.server.errors import TooManyRequests
from histoseek.server.security.limits import RateLimiter, RequestKind
from histoseek.server.settings import Rates

KINDS = (RequestKind.SEARCH, RequestKind.TILES, RequestKind.UPLOAD, RequestKind.OTHER)


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 500.0

    def __call__(self) -> float:
        return self.now


def taken(limiter: RateLimiter, kind: RequestKind, who: str, tries: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            limiter.count_request(kind, who)
        except TooManyRequests:
            continue
        done += 1
    return done


def test_each_kind_has_its_own_limit() -> None:
    limiter = RateLimiter(Rates(searches=2, tiles=7, uploads=1, others=4), clock=Hand())
    assert [taken(limiter, kind, "a", 20) for kind in KINDS] == [2, 7, 1, 4]
    assert [taken(limiter, kind, "b", 20) for kind in KINDS] == [2, 7, 1, 4]


def test_who_is_turned_away_hears_when_to_come_again() -> None:
    hand = Hand()
    limiter = RateLimiter(Rates(searches=6), clock=hand)
    assert taken(limiter, RequestKind.SEARCH, "a", 6) == 6
    with pytest.raises(TooManyRequests) as caught:
        limiter.count_request(RequestKind.SEARCH, "a")
    assert caught.value.retry_after_s == 10
    hand.now += 9.9
    with pytest.raises(TooManyRequests) as caught:
        limiter.count_request(RequestKind.SEARCH, "a")
    assert caught.value.retry_after_s == 1
    hand.now += 0.2
    limiter.count_request(RequestKind.SEARCH, "a")


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from("abc")), max_size=150), st.integers(1, 20))
def test_no_minute_has_more_than_twice_the_rate(steps: list[tuple[float, str]], rate: int) -> None:
    """A bucket holds one minute's worth and gets one more in a minute."""
    hand = Hand()
    limiter = RateLimiter(Rates(others=rate), clock=hand)
    passed: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for wait, who in steps:
        hand.now += wait
        if taken(limiter, RequestKind.OTHER, who, 1):
            passed[who].append(hand.now)
    for times in passed.values():
        for start in times:
            assert sum(start <= time <= start + 60 for time in times) <= 2 * rate


def test_workers_share_what_is_allowed() -> None:
    rates = Rates(searches=100, uploads=2)
    shares = [RateLimiter(rates, workers=4, clock=Hand()) for _ in range(4)]
    assert sum(taken(share, RequestKind.SEARCH, "a", 200) for share in shares) == 100
    assert taken(shares[0], RequestKind.UPLOAD, "a", 5) == 1


def test_memory_is_bounded() -> None:
    hand = Hand()
    limiter = RateLimiter(Rates(others=1), clock=hand, max_buckets=100)
    for number in range(1000):
        limiter.count_request(RequestKind.OTHER, str(number))
        assert len(limiter) <= 100
    with pytest.raises(TooManyRequests):
        limiter.count_request(RequestKind.OTHER, "999")
    hand.now += 61
    limiter.count_request(RequestKind.OTHER, "new")
    assert len(limiter) == 1


def test_failed_logins_are_counted_by_address() -> None:
    limiter = RateLimiter(Rates(failed_logins=2), clock=Hand())
    for _ in range(2):
        limiter.count_failed_login("10.0.0.1")
    with pytest.raises(TooManyRequests):
        limiter.count_failed_login("10.0.0.1")
    limiter.count_failed_login("10.0.0.2")


def test_a_site_of_ipv6_has_one_bucket() -> None:
    limiter = RateLimiter(Rates(failed_logins=2), clock=Hand())
    limiter.count_failed_login("2001:db8:1:2::1")
    limiter.count_failed_login("2001:db8:1:2:ffff::9")
    with pytest.raises(TooManyRequests):
        limiter.count_failed_login("2001:db8:1:2::77")
    limiter.count_failed_login("2001:db8:1:3::1")
    limiter.count_failed_login("no address")


def test_each_refusal_is_told() -> None:
    told: list[RequestKind] = []
    limiter = RateLimiter(replace(Rates(), searches=1, failed_logins=1), clock=Hand(), on_refusal=told.append)
    taken(limiter, RequestKind.SEARCH, "a", 3)
    for _ in range(2):
        with suppress(TooManyRequests):
            limiter.count_failed_login("10.0.0.1")
    assert told == [RequestKind.SEARCH, RequestKind.SEARCH, RequestKind.FAILED_LOGIN]


def test_threads_get_no_more_than_one_would() -> None:
    limiter = RateLimiter(Rates(others=500), clock=Hand())
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda: done.append(taken(limiter, RequestKind.OTHER, "a", 200))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 500
