"""`histoseek verify`: check an archive."""

from __future__ import annotations

import json

import typer

from histoseek.cli.options import ArchiveOption, JsonOption


def verify(archive: ArchiveOption, as_json: JsonOption = False) -> None:
    """Check every slide's vectors, cached features and file; exit code 1 when something is wrong."""
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import terminal_progress

    opened = Archive.open(archive)
    with terminal_progress("slides", total=len(opened)) as reporter:
        found = opened.verify(reporter)
    if as_json:
        print(json.dumps(plain(found), indent=1))
    else:
        for problem in found.problems:
            print(f"{problem.slide_id or 'archive'}: {problem.what}")
        print(f"{found.checked} slides checked, {len(found.problems)} problems, {len(found.orphans)} leftover files")
    if found.problems:
        raise typer.Exit(1)
