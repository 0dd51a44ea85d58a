"""`histoseek calibrate`: learn from an archive what its distances mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption, LabelOption
from histoseek.search.options import DEFAULT_LABEL, FALSE_ALARMS

if TYPE_CHECKING:
    from histoseek.archive.calibration_file import Calibration, LabelCalibration
    from histoseek.archive.fusion_file import DistanceParts
    from histoseek.archive.novelty_file import ArchiveNovelty
    from histoseek.ranking.reliability import Reliability


def calibrate(
    archive: ArchiveOption,
    label: LabelOption = DEFAULT_LABEL,
    without_labels: Annotated[
        bool, typer.Option("--without-labels", help="Only learn which queries are unlike anything in the archive.")
    ] = False,
    distance: Annotated[
        str | None,
        typer.Option(
            help="How slides are compared: symmetric, maxsim, closest, rare, global, pathsearch-paper or tuned; "
            "by default as searches do it."
        ),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(help="The share of queries of its own kind that may be said to be unlike the archive.")
    ] = FALSE_ALARMS,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same queries and folds.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Let searches state how probable it is that the query has a result's label, or none of the archive's.

    They also say when a query is unlike anything in the archive, and the labels decide how the parts of the distance
    are weighted. The figures that it prints are measured on patients that were held out.
    """
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.own_code import allow_own_code
    from histoseek.progress import show_progress

    if distance is not None:
        allow_own_code(distance)
    with show_progress("calibrate", total=None) as reporter:
        opened = Archive.open(archive)
        calibration = opened.calibrate(None if without_labels else label, distance, seed, reporter, false_alarms)
    if as_json:
        print(json.dumps(plain(calibration), indent=1))
        return
    fusion = opened.fusion
    print_calibration(calibration, fusion.find(calibration.distance) if fusion else None)
    print_novelty(opened.novelty)


def print_calibration(calibration: Calibration, parts: DistanceParts | None = None) -> None:
    """Print what was learned, and how good it is."""
    if parts:
        _print_share(parts)
    print(f"distance {calibration.distance}, {calibration.slides} slides")
    if calibration.label:
        _print_label(calibration.label)


def print_novelty(novelty: ArchiveNovelty | None) -> None:
    """Print what is known of the archive's tiles, and from what to tell others."""
    if novelty is None:
        return
    model = novelty.model
    sizes = [str(own.tiles) for own in model.own if own.tiles]
    print(
        f"unlike the archive: by tiles of {novelty.slides} slides, compared as patches of {', '.join(sizes)} tiles and "
        f"as whole slides; {novelty.false_alarms:.1%} false alarms"
    )


def _print_share(parts: DistanceParts) -> None:
    from histoseek.mosaics.distances import get_distance

    choice, stated = parts.choice, get_distance(parts.distance).stated_share
    if choice is None:
        print(f"local share {stated}: the default")
        return
    origin = "the default, which is as good here" if choice.share == stated else "chosen by the labels"
    print(
        f"local share {choice.share}: {origin} "
        f"(on {parts.column}, {choice.queries} slides of {choice.patients} patients)"
    )
    print(
        f"  patients held out, first 5 results with the same {parts.column}: chosen {choice.fitted:.3f}, "
        f"default {choice.stated:.3f}, standard error of the difference {choice.error:.3f}"
    )


def _print_label(label: LabelCalibration) -> None:
    from histoseek.ranking.labelled_queries import TOP_RANKS

    fitted = label.fitted
    print(
        f"{label.column} of a query, by the patients nearest to it: fitted on {label.queries} slides ({label.slides} "
        f"labelled, {label.patients} patients, {label.classes} labels); base rate {fitted.base_rate:.3f}"
    )
    print(f"on patients held out, the labels of the {TOP_RANKS} patients nearest to each slide:")
    print(_format_line("probabilities", fitted.held_out))
    print(_format_line("base rate", fitted.base))
    print(
        f'"none of these" has {fitted.none:.3f} on average, and {fitted.none_beyond:.3f} where the own label of the '
        "slide is taken out of the archive"
    )
    if fitted.held_out.brier >= fitted.base.brier:
        print(f"note: no better than the base rate; what is near says little about {label.column} here")


def _format_line(name: str, figures: Reliability) -> str:
    return f"  {name:15}ECE {figures.ece:.3f}  Brier {figures.brier:.3f}  log loss {figures.log_loss:.3f}"
