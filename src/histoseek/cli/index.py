"""`histoseek index`: bring an archive up to date with slide files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import (
    DEFAULT_WORKERS,
    ArchiveOption,
    JsonOption,
    KeepIdentifiersOption,
    ReportColumnsOption,
    ReportsOption,
    WorkersOption,
    listed_pairs,
    pairs,
    spacings,
)
from histoseek.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from histoseek.api import Archive
    from histoseek.archive.indexing.ingest import IndexReport
    from histoseek.encoders.recipe import Recipe


def index(
    archive: ArchiveOption,
    slides: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Slide files and folders.")] = None,
    features: Annotated[Path | None, typer.Option(help="Folder of feature files instead of slides (.h5, .pt).")] = None,
    features_encoder: Annotated[str, typer.Option(help="Which encoder made the feature files.")] = "unnamed",
    metadata: Annotated[Path | None, typer.Option(help="CSV or TSV with slide_id, case_id or file.")] = None,
    reports: ReportsOption = None,
    report_columns: ReportColumnsOption = None,
    keep_identifiers: KeepIdentifiersOption = False,
    rename: Annotated[list[str] | None, typer.Option(help="OLD=NEW column name of the tables; repeatable.")] = None,
    spacing: Annotated[float | None, typer.Option(help="um/px of the tiles [0.5 in a new archive].")] = None,
    spacing_of: Annotated[
        list[str] | None, typer.Option(help="FILE=0.25 or '*/scans/*.png=0.25', um/px; repeatable.")
    ] = None,
    spacing_tolerance: Annotated[float | None, typer.Option(help="How much coarser slides may be [0.05: 5 %].")] = None,
    tiles: Annotated[str | None, typer.Option(help="Tiles per slide: a number or `all` [256].")] = None,
    tissue_threshold: Annotated[
        float | None, typer.Option(help="Optical density that counts as tissue [0.06]; lower finds fainter tissue.")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Tile encoder [lite0]; see `histoseek encoders`.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Trained slide encoder of a new archive: a name in the library, or a file.")
    ] = None,
    text_encoder: Annotated[str | None, typer.Option(help="Text encoder of a new archive, or `none` [minilm].")] = None,
    workers: WorkersOption = DEFAULT_WORKERS,
    as_json: JsonOption = False,
) -> None:
    """Index slides into an archive: new and changed ones are encoded, unchanged ones skipped, bad ones listed.

    Can be interrupted at any time; the same command goes on from there.
    """
    from histoseek.api import index_request
    from histoseek.archive.indexing.ingest import index as run
    from histoseek.progress import terminal_progress

    paths = _inputs(slides, features)
    changes = _changes(
        tiles,
        encoder=encoder if features is None else f"features:{features_encoder}",
        spacing_um_per_px=spacing,
        tissue_threshold=tissue_threshold,
        spacing_tolerance=spacing_tolerance,
    )
    with terminal_progress("slides", total=None) as reporter:
        request = index_request(
            paths,
            metadata,
            reports,
            imported=features is not None,
            spacing_of=spacings(spacing_of),
            rename=pairs(rename, "--rename"),
            report_columns=listed_pairs(report_columns, "--report-columns"),
            deidentify=not keep_identifiers,
            workers=workers,
            reporter=reporter,
        )
        opened = _open_or_create(archive, changes, weights, text_encoder)
        report = run(opened, request, reporter)
    _tell(report, opened, as_json)


def _inputs(slides: list[str] | None, features: Path | None) -> Sequence[Path | str]:
    if bool(slides) == (features is not None):
        raise InputError("index", "needs either slides or --features", "Give slide files or folders, or --features DIR")
    return [features] if features is not None else slides or []


def _changes(tiles: str | None, **given: object) -> dict[str, object]:
    """What of the recipe is asked for."""
    changes = {name: value for name, value in given.items() if value is not None}
    return changes if tiles is None else {**changes, "tile_budget": _budget(tiles)}


def _budget(tiles: str) -> int | None:
    """The number of tiles as given, None for all."""
    if tiles == "all":
        return None
    if not tiles.isdecimal():
        raise ConfigurationError(f"--tiles {tiles}", "is no number", "Give a number, or 'all'")
    return int(tiles)


def _open_or_create(path: Path, changes: dict[str, object], weights: str | None, text_encoder: str | None) -> Archive:
    """The archive with its recipe changed as far as asked; unknown encoders are refused before anything is made."""
    from histoseek.api import Archive
    from histoseek.archive.layout import ArchiveLayout
    from histoseek.encoders.library import find_weights
    from histoseek.encoders.recipe import Recipe

    found = find_weights(weights) if weights is not None else None

    exists = ArchiveLayout(path).manifest.exists()
    archive = Archive.open(path) if exists else None
    recipe: Recipe = replace(archive.recipe if archive else Recipe(), **changes)  # type: ignore[arg-type]
    if archive is None:
        return Archive.create(path, recipe, weights=found, text_encoder=text_encoder)
    archive.require_encoders(found, text_encoder)
    archive.use_recipe(recipe)
    return archive


def _tell(report: IndexReport, archive: Archive, as_json: bool) -> None:
    """Print what was done; when no slide at all was good, that is an error."""
    from histoseek.jsonable import plain

    nothing = bool(report.refused) and not (report.added or report.updated or report.unchanged)
    if as_json:
        print(json.dumps(plain(report), indent=1))
    elif not nothing:
        print(_text(report, archive))
    if nothing:
        for refusal in report.refused:
            print(f"error: {refusal.reason}", file=sys.stderr)
        raise typer.Exit(2)


def _text(report: IndexReport, archive: Archive) -> str:
    from histoseek.cli.report_lines import taken_lines

    lines = [f"warning: {warning}" for warning in report.warnings]
    lines += list(taken_lines(report.reports)) if report.reports else []
    lines += [f"refused: {refusal.reason}" for refusal in report.refused]
    counts = f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged"
    lines.append(
        f"{counts}, {len(report.refused)} refused in {report.seconds:.1f} s; the archive has {len(archive)} slides"
    )
    if report.refused or (report.reports and report.reports.refused):
        lines.append(f"what was refused is also in {archive.layout.refused}")
    return "\n".join(lines)
