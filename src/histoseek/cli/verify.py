"""`histoseek verify`: check an archive."""

from __future__ import annotations

import json

import typer

from histoseek.cli.options import ArchiveOption, JsonOption


def verify(archive: ArchiveOption, as_json: JsonOption = False) -> None:
    """Check the vectors, the cached features and the file of every slide; exit code 1 if something is wrong."""
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress

    opened = Archive.open(archive)
    with show_progress("slides", total=len(opened)) as reporter:
        verification = opened.verify(reporter)
    if as_json:
        print(json.dumps(plain(verification), indent=1))
    else:
        for problem in verification.problems:
            print(f"{problem.slide_id or 'archive'}: {problem.what}")
        print(
            f"{verification.checked} slides checked, {len(verification.problems)} problems, "
            f"{len(verification.orphans)} leftover files"
        )
    if verification.problems:
        raise typer.Exit(1)
