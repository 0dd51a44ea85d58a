"""How a sandbox's process is set up: handed to it on its command line, before anything else is known to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

OUT_OF_MEMORY = 71
"""The exit code of a process that needed more than it may take."""


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What one process may take.

    memory_bytes: address space beyond that of the program itself; cpu_s: computing time of one request, over all
    threads; wall_s: time for one request; open_files: at the same time; start_s: time until it takes requests, which
    no slide is to blame for: on a busy machine, or while a model is downloaded, that is long.
    """

    memory_bytes: int
    cpu_s: float
    wall_s: float
    open_files: int = 128
    start_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Setup:
    """handler: the module that answers requests (`RequestHandler`); folder: what it may read; encoder: the tile encoder
    to load, if any; lifeline: a pipe that ends with the process that started this one.

    Only Python's own parts are used here: this is read before the process has given up its rights.
    """

    handler: str
    folder: str
    encoder: str | None
    lifeline: int
    limits: ChildLimits

    def to_json(self) -> str:
        """As one argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From the argument that `to_json` made."""
        parts = json.loads(text)
        return cls(**{**parts, "limits": ChildLimits(**parts["limits"])})


@dataclass(frozen=True, slots=True)
class ForkRequest:
    """What a forked process may read and take, the environment it gets, and what its handler is made with: numbers and
    texts by their names."""

    readable: tuple[str, ...]
    limits: ChildLimits
    environment: Mapping[str, str]
    arguments: Mapping[str, str | float | None]

    def to_json(self) -> str:
        """As one text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From the text that `to_json` made."""
        parts = json.loads(text)
        limits = ChildLimits(**parts["limits"])
        return cls(tuple(parts["readable"]), limits, parts["environment"], parts["arguments"])
