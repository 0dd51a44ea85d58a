"""What is out of reach of a process that reads files of strangers: reported by itself, shown by whoever started it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process can't do: True where everything it tried of a kind was refused.

    files: reading what it does not need; changes: to any file; network: sockets; processes: starting, signalling or
    changing others; calls: system calls that reading does not take; memory: more than its limit.
    """

    files: bool = False
    changes: bool = False
    network: bool = False
    processes: bool = False
    calls: bool = False
    memory: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing is within reach."""
        return not self.list_open()

    def list_open(self) -> tuple[str, ...]:
        """The kinds that are within reach, by the names of the fields."""
        return tuple(field.name for field in fields(self) if not getattr(self, field.name))

    def to_json(self) -> bytes:
        """As a message's header."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, header: bytes) -> Self:
        """From the header that `to_json` made; raises ValueError for anything else."""
        parts = json.loads(header)
        names = {field.name for field in fields(cls)}
        if (
            not isinstance(parts, dict)
            or parts.keys() != names
            or not all(isinstance(it, bool) for it in parts.values())
        ):
            raise ValueError("no confinement")
        return cls(**parts)
