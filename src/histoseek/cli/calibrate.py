"""`histoseek calibrate`: learn from an archive what its distances mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption

if TYPE_CHECKING:
    from histoseek.archive.calibration import Calibration, LabelCalibration
    from histoseek.archive.fusion import PartsOfDistance
    from histoseek.mosaics.calibration_curves import Reliability


def calibrate(
    archive: ArchiveOption,
    label: Annotated[str, typer.Option(help="Metadata column of the labels.")] = "diagnosis",
    without_labels: Annotated[
        bool, typer.Option("--without-labels", help="Only learn what is unlike anything in the archive.")
    ] = False,
    distance: Annotated[str, typer.Option(help="symmetric, maxsim, global or pathsearch-paper.")] = "symmetric",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same queries and folds.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Let searches say how probable it is that a result shares the query's label, and when a query is like nothing
    in the archive; weigh the parts of the distance by the labels. The figures it prints are of patients that the fit
    had not seen.
    """
    from histoseek.api import Archive
    from histoseek.archive.fusion import last_fusion
    from histoseek.jsonable import plain
    from histoseek.progress import terminal_progress

    with terminal_progress("calibrate", total=None) as reporter:
        opened = Archive.open(archive)
        found = opened.calibrate(None if without_labels else label, distance, seed, reporter)
    if as_json:
        print(json.dumps(plain(found), indent=1))
        return
    fusion = last_fusion(opened)
    print_calibration(found, fusion.of(distance) if fusion else None)


def print_calibration(found: Calibration, parts: PartsOfDistance | None = None) -> None:
    """What was learned, and how good it is."""
    if parts:
        _print_share(parts)
    print(f"distance {found.distance}, {found.slides} slides; nearest slides of other patients of {len(found.nearest)}")
    if found.label:
        _print_label(found.label)


def _print_share(parts: PartsOfDistance) -> None:
    from histoseek.mosaics.fusion import DEFAULT_SHARE

    choice = parts.choice
    if choice is None:
        print(f"local share {DEFAULT_SHARE}: as stated")
        return
    way = "as stated, which is as good here" if choice.share == DEFAULT_SHARE else "chosen by labels"
    print(
        f"local share {choice.share}: {way} (on {parts.column}, {choice.queries} slides of {choice.patients} patients)"
    )
    print(
        f"  patients held out, first 5 results with the same {parts.column}: chosen {choice.fitted:.3f}, "
        f"stated {choice.stated:.3f}, standard error of the difference {choice.error:.3f}"
    )


def _print_label(label: LabelCalibration) -> None:
    from histoseek.mosaics.calibration_curves import TOP_RANKS
    from histoseek.search.calibration.fit import DEPTH

    fitted = label.fitted
    print(
        f"same {label.column}: {fitted.method} on {label.pairs} pairs of {label.queries} slides "
        f"({label.slides} labelled, {label.patients} patients, {label.classes} labels); base rate "
        f"{fitted.base_rate:.3f}"
    )
    print(f"on patients held out, first {TOP_RANKS} results:")
    print(_line("calibrated", fitted.held_out))
    print(_line("score as it is", fitted.score))
    print(_line("base rate", fitted.base))
    print(f"on patients held out, first {DEPTH} results:")
    print(_line("calibrated", fitted.deep))
    if fitted.held_out.brier >= fitted.base.brier:
        print(f"note: no better than the base rate; distances of first results say little about {label.column} here")


def _line(name: str, figures: Reliability) -> str:
    return f"  {name:15}ECE {figures.ece:.3f}  Brier {figures.brier:.3f}  log loss {figures.log_loss:.3f}"
