"""`histoseek align`: give slides and reports a shared space, in closed form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption
from histoseek.terminal import Column, as_table, terminal_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoseek.training.recall import RecallAtK


def align(
    archive: ArchiveOption,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same folds.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit slides to the archive's own reports, so that texts find slides and slides find reports.

    Takes seconds. The recalls it prints are of slides and reports that the fit had not seen.
    """
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import terminal_progress
    from histoseek.training.alignment.closed_form import align as run

    with terminal_progress("slides", total=None) as reporter:
        report = run(Archive.open(archive), seed, reporter)
    if as_json:
        print(json.dumps(plain(report), indent=1))
        return
    print(f"{report.pairs} pairs of {report.patients} patients aligned in {report.seconds:.1f} s")
    print(f"ridge strength {report.strength:g}; recall on {report.scored} pairs whose patients were held out:")
    print_recalls(report.recalls)


def print_recalls(recalls: Sequence[RecallAtK]) -> None:
    """A table of recalls with intervals and chance."""
    columns = [Column(name, "text") for name in ("direction", "right is")]
    columns += [Column(name) for name in ("k", "recall", "95 %", "chance", "queries")]
    rows = []
    for one in recalls:
        figures = (f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}", f"{one.chance:.3f}", str(one.queries))
        rows.append((one.direction, one.answer, str(one.k), *figures))
    print(as_table(columns, rows, terminal_width()))
