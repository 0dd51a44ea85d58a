"""`histoseek align`: give slides and reports a shared space, in closed form."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption, SplitOption
from histoseek.terminal import TableColumn, format_table, get_terminal_width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoseek.training.recall_at_k import RecallAtK


def align(
    archive: ArchiveOption,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same folds.")] = 0,
    split: SplitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Align slides with the reports of the archive, so that texts find slides and slides find reports.

    This takes seconds. The recalls that it prints are measured on patients that were held out, beside those of the
    slides' own vectors. With the split of a training, all are judged on the same patients as the training.
    """
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress
    from histoseek.training.alignment.closed_form import align as run

    with show_progress("slides", total=None) as reporter:
        report = run(Archive.open(archive), seed, reporter, split)
    if as_json:
        print(json.dumps(plain(report), indent=1))
        return
    print(f"{report.pairs} pairs of {report.patients} patients aligned in {report.seconds:.1f} s")
    print(f"ridge strength {report.strength:g}; recall on {report.scored} pairs held out ({report.held_out}):")
    print_side_by_side({"pooled": report.pooled, "aligned": report.recalls})


UNDEFINED = "-"
"""Stands for a figure or an interval that is not defined, as that over fewer than five patients."""


def format_number(value: float, form: str) -> str:
    """A figure in the form that is wanted, a dash where it is not defined."""
    return UNDEFINED if math.isnan(value) else f"{value:{form}}"


def format_interval(low: float, high: float, form: str) -> str:
    """A 95 % interval, a dash where it is not defined."""
    return UNDEFINED if math.isnan(low) or math.isnan(high) else f"{low:{form}} to {high:{form}}"


def print_side_by_side(judged: Mapping[str, Sequence[RecallAtK]]) -> None:
    """Print the recalls of several encoders on the same queries, with what chance would give."""
    kinds = {(r.direction, r.answer, r.k): r for recalls in judged.values() for r in recalls if r.queries}
    columns = [TableColumn(name, "text") for name in ("direction", "right is")]
    columns += [TableColumn(name) for name in ("k", *judged, "chance", "queries")]
    rows = []
    for (direction, answer, k), any_of_them in kinds.items():
        figures = [_find_figure(recalls, (direction, answer, k)) for recalls in judged.values()]
        chance = format_number(any_of_them.chance, ".3f")
        rows.append((direction, answer, str(k), *figures, chance, str(any_of_them.queries)))
    print(format_table(columns, rows, get_terminal_width()))


def _find_figure(recalls: Sequence[RecallAtK], kind: tuple[str, str, int]) -> str:
    recall = next((each for each in recalls if (each.direction, each.answer, each.k) == kind), None)
    if recall is None:
        return UNDEFINED
    interval = "" if math.isnan(recall.low) else f" ({recall.low:.2f} to {recall.high:.2f})"
    return f"{format_number(recall.value, '.3f')}{interval}"


def print_recalls(recalls: Sequence[RecallAtK]) -> None:
    """Print a table of recalls with their intervals and chance."""
    columns = [TableColumn(name, "text") for name in ("direction", "right is")]
    columns += [TableColumn(name) for name in ("k", "recall", "95 %", "chance", "queries")]
    rows = []
    for recall in recalls:
        figures = (
            format_number(recall.value, ".3f"),
            format_interval(recall.low, recall.high, ".3f"),
            format_number(recall.chance, ".3f"),
            str(recall.queries),
        )
        rows.append((recall.direction, recall.answer, str(recall.k), *figures))
    print(format_table(columns, rows, get_terminal_width()))
