"""What checks find."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ProblemKind = Literal[
    "metadata",
    "report",
    "signature",
    "language",
    "words",
    "row",
    "lost",
    "bag",
    "file",
    "space",
    "store",
    "side file",
    "log",
]
"""What is not as it should be: metadata, report, vectors and tiles, what was read from the report, the words of the
metadata, a row as a whole, a slide that has none any more, cached features, the slide's file, the files of the
embedding space, those of the store, a file beside it, or a line of a log."""

_REMEDIES = {
    **dict.fromkeys(
        ("signature", "language", "words", "row", "store", "side file", "log"), "`histoseek verify --repair` mends it"
    ),
    **dict.fromkeys(
        ("metadata", "report"),
        "nothing else knows what it was: `histoseek remove` the slide, then index its file by name, with its table",
    ),
    "lost": "index its file again with its table and report, or let `histoseek verify --repair` note that it is gone",
    "bag": "`histoseek verify --repair` takes them away, and the next `histoseek index` of its file makes them anew",
    "file": "index the file again, or remove the slide",
    "space": "restore it from a backup, or make a new space with `histoseek reencode`",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong; slide_id is None where it concerns the archive as a whole."""

    slide_id: str | None
    what: str
    kind: ProblemKind = "row"

    @property
    def remedy(self) -> str:
        """What mends it."""
        return _REMEDIES[self.kind]


@dataclass(frozen=True, slots=True)
class Mend:
    """Something that was mended, or that was given up so that it can be made anew; slide_id as in `Problem`."""

    slide_id: str | None
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and found.

    problems: of a repair those that are left; orphans: files that belong to no slide and leftovers of killed runs, all
    harmless; foreign: files in the folder that are none of the archive's; mended: by a repair.
    """

    checked: int
    problems: tuple[Problem, ...]
    orphans: tuple[Path, ...]
    foreign: tuple[Path, ...] = ()
    mended: tuple[Mend, ...] = ()
