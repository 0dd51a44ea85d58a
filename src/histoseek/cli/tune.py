"""`histoseek tune`: find the best ranking of an archive by its own labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption, LabelOption
from histoseek.errors import ConfigurationError
from histoseek.search.options import DEFAULT_LABEL
from histoseek.terminal import TableColumn, format_table, get_terminal_width

if TYPE_CHECKING:
    from histoseek.api import Archive
    from histoseek.evaluation.tuning.tune import TuningOutcome

_SHOWN = 12
"""Of the settings that were tried, the best."""


def tune(
    archive: ArchiveOption,
    label: LabelOption = DEFAULT_LABEL,
    site: Annotated[
        list[str] | None,
        typer.Option(
            "--site",
            metavar="COLUMN",
            help="Column of sites or scanners: find slides of others, and try to rank without it. Repeatable.",
        ),
    ] = None,
    patient_is_slide: Annotated[
        bool, typer.Option("--patient-is-slide", help="State that each slide is of another patient.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to plain ranking.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same folds.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Find the ranking of slides that suits an archive best, by its own labels, and search by it from then on.

    Distances, metrics learned from labels, columns to be left out of account and the graph of neighbours are tried by
    nested cross-validation over patients; what does not beat plain ranking on patients held out is not adopted.
    """
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress

    opened = Archive.open(archive)
    if reset:
        _reset(opened, dry_run=dry_run, as_json=as_json)
        return
    with show_progress("tune", total=None) as reporter:
        outcome = opened.tune(
            label, tuple(site or ()), patient_is_slide=patient_is_slide, dry_run=dry_run, seed=seed, reporter=reporter
        )
    if as_json:
        print(json.dumps(plain(outcome.facts), indent=1))
    else:
        _print_outcome(outcome)


def _reset(archive: Archive, *, dry_run: bool, as_json: bool) -> None:
    if dry_run:
        raise ConfigurationError("--reset", "does not go with --dry-run", "Leave one of them out")
    was_tuned = archive.reset_tuning()
    said = "the tuning is removed: slides are ranked plainly" if was_tuned else "the archive was not tuned"
    print(json.dumps({"reset": was_tuned}) if as_json else said)


def _print_outcome(outcome: TuningOutcome) -> None:
    from histoseek.evaluation.tuning.candidates import describe_settings
    from histoseek.ranking.settings import PLAIN

    tuning, card = outcome.tuning, outcome.card
    sites = f"; slides of other {', '.join(card.sites)} alone count as found" if card.sites else ""
    seen = f"; {card.left_out} slides left out, whose patients trained its encoders" if card.left_out else ""
    print(
        f"{card.slides} slides of {card.patients} patients, {card.classes} labels ({tuning.column}), {card.folds} folds"
        f"{sites}{seen}"
    )
    best = sorted(card.tried, key=lambda tried: -tried.map5)[:_SHOWN]
    kept = [tried for tried in card.tried if tried in best or tried.settings in {tuning.settings, PLAIN}]
    rows = [
        (
            describe_settings(tried.settings),
            f"{tried.map5:.3f}",
            f"{tried.error:.3f}",
            "chosen" if tried.settings == tuning.settings else "",
        )
        for tried in sorted(kept, key=lambda tried: -tried.map5)
    ]
    columns = [TableColumn("settings", "text"), TableColumn("MAP@5"), TableColumn("SE"), TableColumn("", "text")]
    print(format_table(columns, rows, get_terminal_width()))
    print(f"{len(card.tried)} settings tried; what choosing and fitting is worth on patients that saw neither:")
    for gain in card.gains:
        print(
            f"  {gain.metric:6} plain {gain.plain:.3f}, tuned {gain.tuned:.3f}, "
            f"difference {gain.tuned - gain.plain:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}), {_format_p(gain.p)}"
        )
    print(outcome.verdict)


def _format_p(p: float) -> str:
    return "p < .001" if p < 0.001 else f"p {p:.3f}"
