"""Time as the server's parts see it, so that tests can set it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Seconds: since 1970 where moments are kept, since anything where only differences count."""


def to_datetime(seconds: float) -> datetime:
    """A time of a clock that counts from 1970, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
