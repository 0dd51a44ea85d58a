"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from histoseek.errors import InputError

ArchiveOption = Annotated[
    Path, typer.Option("--archive", envvar="HISTOSEEK_ARCHIVE", help="The archive's folder.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
WhereOption = Annotated[
    str | None, typer.Option("--where", help="SQL filter over metadata, e.g. \"organ = 'lung' AND age > 50\".")
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=64, help="Threads that read tiles.")]
ReportsOption = Annotated[
    list[Path] | None,
    typer.Option("--reports", help="Reports: tables, JSON, Excel, text, PDF, or folders of them; repeatable."),
]
ReportColumnsOption = Annotated[
    list[str] | None,
    typer.Option("--report-columns", help="What columns of report tables hold: NAME=report,NAME=case_id; repeatable."),
]
KeepIdentifiersOption = Annotated[
    bool, typer.Option("--keep-identifiers", help="Keep names, dates and numbers of persons in what is stored.")
]

DEFAULT_WORKERS = min(4, os.cpu_count() or 1)


def pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping; raises InputError naming the option."""
    found = {}
    for text in texts or ():
        name, equals, value = text.rpartition("=") if option == "--spacing-of" else text.partition("=")
        if not (name and equals):
            raise InputError(f"{option} {text!r}", "is not NAME=VALUE", f"Write for instance {option} name=value")
        found[name] = value
    return found


def listed_pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE,NAME=VALUE` texts as a mapping; raises InputError naming the option."""
    return pairs([part for text in texts or () for part in text.split(",")], option)


def spacings(texts: Sequence[str] | None) -> dict[str, float]:
    """`FILE=0.25` texts as um/px by file; raises InputError for what is no positive number."""
    found = {}
    for name, value in pairs(texts, "--spacing-of").items():
        try:
            spacing = float(value)
        except ValueError:
            spacing = 0.0
        if not 0 < spacing < float("inf"):
            raise InputError(f"--spacing-of '{name}={value}'", "is no positive number of um/px", "Write FILE=0.25")
        found[name] = spacing
    return found
