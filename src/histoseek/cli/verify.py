"""`histoseek verify`: check an archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption

if TYPE_CHECKING:
    from histoseek.archive.verification.problems import Verification


def verify(
    archive: ArchiveOption,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file of the store, and make all signatures anew to compare them.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended from cached features, whole rows and the journal.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every slide's row, features and file, and the archive's own files; exit code 1 if something is wrong.

    Without --repair nothing is changed: each problem says what would mend it.
    """
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress

    opened = Archive.open(archive)
    with show_progress("slides", total=None) as reporter:
        verification = opened.verify(reporter, deep=deep, repair=repair)
    if as_json:
        print(json.dumps(plain(verification), indent=1))
    else:
        _print(verification)
    if verification.problems:
        raise typer.Exit(1)


def _print(verification: Verification) -> None:
    for mend in verification.mended:
        print(f"{mend.slide_id or 'archive'}: {mend.what}")
    for problem in verification.problems:
        print(f"{problem.slide_id or 'archive'}: {problem.what}")
    for remedy in dict.fromkeys(problem.remedy for problem in verification.problems):
        kinds = dict.fromkeys(problem.kind for problem in verification.problems if problem.remedy == remedy)
        print(f"{', '.join(kinds)}: {remedy}")
    print(
        *(f"not the archive's: {path}" for path in verification.foreign),
        sep="\n",
        end="\n" * bool(verification.foreign),
    )
    print(
        f"{verification.checked} slides checked, {len(verification.problems)} problems, "
        f"{len(verification.orphans)} leftover files"
    )
