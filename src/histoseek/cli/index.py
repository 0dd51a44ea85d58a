"""`histoseek index`: add slides to an archive."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoseek.cli.options import (
    DEFAULT_WORKERS,
    AcceptUnknownOption,
    ArchiveOption,
    DeidentifyOption,
    DownloadOption,
    JsonOption,
    KeepIdentifiersOption,
    KeepPenOption,
    RenameOption,
    ReportColumnsOption,
    ReportsOption,
    TrustOption,
    WorkersOption,
    choose_deidentification,
    parse_pair_lists,
    parse_pairs,
    parse_spacings,
    settle_weights_options,
)
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ConfigurationError, InputError, SpaceMismatch

if TYPE_CHECKING:
    from histoseek.api import Archive
    from histoseek.archive.indexing.ingest import IndexReport, IndexRequest
    from histoseek.progress import Reporter

_RECIPE = Recipe()
_MOST_ROWS = 20
_PRECISIONS = ("auto", "float32", "bf16", "int8")

SlidesArgument = Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Slide files, and folders of them.")]
FeaturesOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Index feature files (.h5, .pt) of this folder instead of slides.")
]
FeaturesEncoderOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Tile encoder that the feature files were made with.", show_default="as the files state it"
    ),
]
MetadataOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Table (CSV, Excel, JSON) with a column slide_id, case_id or file.")
]
SpacingOption = Annotated[
    float | None,
    typer.Option(help="Spacing of the tiles in µm/px.", show_default="the tile encoder's usual one in a new archive"),
]
ContextSpacingOption = Annotated[
    float | None,
    typer.Option(
        help="A coarser spacing in µm/px, such as 2, at which the slides of a new archive are encoded as well.",
        show_default="none",
    ),
]
SpacingOfOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE=NUMBER",
        help="Spacing in µm/px of slides that do not state it: FILE=0.25 or '*/scans/*.png=0.25'. Repeatable.",
    ),
]
SpacingToleranceOption = Annotated[
    float | None,
    typer.Option(
        help="How much coarser than --spacing slides may be, as a share.",
        show_default=f"{_RECIPE.spacing_tolerance:g} in a new archive",
    ),
]
TilesOption = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER|all",
        help="Maximum number of tiles per slide.",
        show_default=f"{_RECIPE.tile_budget} in a new archive",
    ),
]
TissueThresholdOption = Annotated[
    float | None,
    typer.Option(
        help="Optical density above which a pixel is tissue; lower it to find fainter tissue.",
        show_default=f"{_RECIPE.tissue_threshold:g} in a new archive",
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        help="Tile encoder; `histoseek encoders` lists them.", show_default=f"{_RECIPE.encoder} in a new archive"
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Trained slide encoder of a new archive: a name in the library, or a file."),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        metavar="auto|float32|bf16|int8",
        help="Precision of the tile encoder.",
        show_default="HISTOSEEK_PRECISION, else auto",
    ),
]
SlideFeaturesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER|FILE", help="Vectors of whole slides that another tool made (.h5, .pt, .pkl), by slide id."
    ),
]
SlideEncoderOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|MODULE:ATTRIBUTE",
        help="Slide encoder that --slide-features were made with, or one of your own.",
        show_default="as the files state it",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Let others encode the slides: local:N processes of this machine, N jobs of slurm:N, pbs:N or lsf:N, or "
        "the workers of a Dask scheduler at tcp://HOST:PORT or tls://HOST:PORT.",
        show_default="this process",
    ),
]
TextEncoderOption = Annotated[
    str | None,
    typer.Option(help="Text encoder of a new archive, or `none`.", show_default="minilm"),
]


def index(
    context: typer.Context,
    archive: ArchiveOption,
    slides: SlidesArgument = None,
    features: FeaturesOption = None,
    features_encoder: FeaturesEncoderOption = None,
    metadata: MetadataOption = None,
    reports: ReportsOption = None,
    report_columns: ReportColumnsOption = None,
    keep_identifiers: KeepIdentifiersOption = False,
    deidentify: DeidentifyOption = "rules",
    rename: RenameOption = None,
    spacing: SpacingOption = None,
    context_spacing: ContextSpacingOption = None,
    spacing_of: SpacingOfOption = None,
    spacing_tolerance: SpacingToleranceOption = None,
    tiles: TilesOption = None,
    tissue_threshold: TissueThresholdOption = None,
    keep_pen: KeepPenOption = None,
    encoder: EncoderOption = None,
    weights: WeightsOption = None,
    slide_features: SlideFeaturesOption = None,
    slide_encoder: SlideEncoderOption = None,
    text_encoder: TextEncoderOption = None,
    download: DownloadOption = False,
    accept_unknown_weights: AcceptUnknownOption = False,
    precision: PrecisionOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
    cluster: ClusterOption = None,
    trust: TrustOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add slides to an archive: encode new and changed ones, skip unchanged ones, list bad ones.

    Without slides, --metadata and --reports add to those that the archive has. Interrupted, the same command continues.
    """
    with _noted_confinement(trust):
        opened, report = _index(archive, context.params)
    _print_report(report, opened, as_json)


def _index(archive: str, values: Mapping[str, Any]) -> tuple[Archive, IndexReport]:
    from histoseek.archive.indexing.ingest import index as run
    from histoseek.progress import show_progress

    settle_weights_options(values["download"], values["accept_unknown_weights"])
    with show_progress("slides", total=None) as reporter:
        request = _make_request(values, reporter)
        changes = _add_encoder(_read_recipe_changes(values), request, values)
        opened = _open_or_create(archive, changes, values)
        return opened, run(opened, request, reporter)


def _use_precision(precision: str | None) -> None:
    from histoseek.settings import change_settings

    if precision is not None:
        if precision not in _PRECISIONS:
            raise ConfigurationError(f"--precision {precision}", "is no precision", f"Use {', '.join(_PRECISIONS)}")
        change_settings(precision=precision)


@contextmanager
def _noted_confinement(trust: bool | None) -> Iterator[None]:
    """Find out meanwhile what holds for processes that read files, and say what doesn't."""
    from histoseek.sandbox.probe import probe_confinement
    from histoseek.settings import choose_trust

    if choose_trust(trust):
        yield
        return
    with ThreadPoolExecutor(1) as executor:
        confinement = executor.submit(probe_confinement)
        yield
    kinds = confinement.result().list_open()
    if kinds:
        print(f"note: the processes that read files are not kept from: {', '.join(kinds)}", file=sys.stderr)


def _is_archive(address: str) -> bool:
    from histoseek.archive.layout import ArchiveLayout
    from histoseek.archive.remote.address import ArchiveAddress

    return ArchiveLayout.of(ArchiveAddress.parse(address)).exists


def _require_tables(archive: str, metadata: Path | None, reports: Sequence[Path] | None) -> None:
    """Raise InputError where there is nothing to index, ArchiveError for tables about an archive without slides."""
    from histoseek.api import Archive

    if metadata is None and not reports:
        what = "needs either slides or --features, or tables about slides that the archive has"
        raise InputError("index", what, "Give slide files or folders, --features DIR, --metadata or --reports")
    Archive.open(archive).require_space()


def _make_request(values: Mapping[str, Any], reporter: Reporter) -> IndexRequest:
    """What to index, from the values of the options."""
    from histoseek.archive.indexing.index_request import make_index_request

    _use_precision(values["precision"])
    slides, features = values["slides"], values["features"]
    if not slides and features is None:
        _require_tables(values["archive"], values["metadata"], values["reports"])
    if slides and features is not None:
        raise InputError("index", "takes either slides or --features", "Give slide files or folders, or --features DIR")
    return make_index_request(
        slides or ([] if features is None else [features]),
        values["metadata"],
        values["reports"],
        imported=features is not None,
        spacing_of=parse_spacings(values["spacing_of"]),
        rename=parse_pairs(values["rename"], "--rename"),
        report_columns=parse_pair_lists(values["report_columns"], "--report-columns"),
        deidentify=choose_deidentification(values["keep_identifiers"], values["deidentify"]),
        workers=values["workers"],
        trust=values["trust"],
        slide_features=values["slide_features"],
        cluster=values["cluster"],
        reporter=reporter,
    )


def _read_recipe_changes(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the recipe that options set."""
    options = {
        "encoder": values["encoder"] if values["features"] is None else _choose_features_encoder(values),
        "spacing_um_per_px": values["spacing"],
        "context_spacing_um_per_px": values["context_spacing"],
        "tissue_threshold": values["tissue_threshold"],
        "keep_pen": values["keep_pen"],
        "spacing_tolerance": values["spacing_tolerance"],
    }
    changes = {name: value for name, value in options.items() if value is not None}
    return changes if values["tiles"] is None else {**changes, "tile_budget": _parse_budget(values["tiles"])}


def _choose_features_encoder(values: Mapping[str, Any]) -> str | None:
    """What the options call the encoder of feature files, if they do."""
    names = {name for name in (values["features_encoder"], values["encoder"]) if name}
    if len(names) > 1:
        raise ConfigurationError("--features-encoder", "is another name than --encoder", "Give one of the two")
    return f"features:{names.pop()}" if names else None


def _add_encoder(changes: dict[str, Any], request: IndexRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the recipe with the encoder of a new archive of feature files, where no option names it."""
    if values["features"] is None or "encoder" in changes or _is_archive(values["archive"]):
        return changes
    return {**changes, "encoder": _name_encoder(request)}


def _name_encoder(request: IndexRequest) -> str:
    """The encoder of a new archive of feature files by what they state; where they state none, index warns of it."""
    from histoseek.encoders.features.confined import load_stated_facts
    from histoseek.encoders.features.facts import UNNAMED, is_same_encoder
    from histoseek.slides.sources.registry import require_local

    facts = (load_stated_facts(require_local(source), request.trust) for source in request.sources)
    stated = sorted({fact.encoder for fact in facts if fact.encoder})
    if not all(is_same_encoder(name, stated[0]) for name in stated):
        what = f"is missing, and the files state several encoders: {', '.join(stated)}"
        raise ConfigurationError("--features-encoder", what, "Give one; the files of others are then refused")
    return f"features:{stated[0] if stated else UNNAMED}"


def _name_slide_encoder(values: Mapping[str, Any]) -> str | None:
    """What the slide encoder of --slide-features is called: by the option, in a new archive as the files state it."""
    from histoseek.own_code import is_own

    folder, named = values["slide_features"], values["slide_encoder"]
    if folder is None and named is not None and not is_own(named):
        raise ConfigurationError("--slide-encoder", "names the encoder of --slide-features", "Give these, too")
    if folder is None or named is not None or _is_archive(values["archive"]):
        return str(named) if named is not None else None
    from histoseek.archive.indexing.slide_vectors import name_stated_encoder

    return name_stated_encoder(folder, values["trust"])


def _parse_budget(tiles: str) -> int | None:
    """The maximum number of tiles, None for all."""
    if tiles == "all":
        return None
    if not tiles.isdecimal():
        raise ConfigurationError(f"--tiles {tiles}", "is not a number", "Give a number, or 'all'")
    return int(tiles)


def _open_or_create(path: str, changes: dict[str, Any], values: Mapping[str, Any]) -> Archive:
    """The archive with its recipe changed as far as asked; encoders that are unknown, or have no weights here, are
    refused before anything is made."""
    from histoseek.api import Archive
    from histoseek.encoders.library import find_weights
    from histoseek.encoders.slide.registry import name_slide_encoder
    from histoseek.encoders.tile.registry import require_encoder_files
    from histoseek.own_code import allow_own_code

    text_encoder, slide_encoder = values["text_encoder"], _name_slide_encoder(values)
    allow_own_code(changes.get("encoder"), slide_encoder, text_encoder)
    trained = find_weights(values["weights"]) if values["weights"] is not None else None
    archive = Archive.open(path) if _is_archive(path) else None
    recipe = replace(archive.recipe if archive is not None else _RECIPE, **changes)
    if archive is None:
        if not recipe.imported:
            require_encoder_files(recipe.encoder)
        return Archive.create(path, recipe, weights=trained, text_encoder=text_encoder, slide_encoder=slide_encoder)
    archive.require_encoders(trained, text_encoder)
    given = name_slide_encoder(None, slide_encoder)
    if slide_encoder is not None and given != archive.manifest.slide_encoder:
        raise SpaceMismatch(archive.address, "slide encoder", archive.manifest.slide_encoder, given)
    archive.use_recipe(recipe)
    return archive


def _print_report(report: IndexReport, archive: Archive, as_json: bool) -> None:
    """Print what was done; when no slide at all was good, that is an error."""
    from histoseek.jsonable import plain
    from histoseek.slides.sources.folder_walk import describe_passed_over

    nothing = bool(report.refused) and not (report.added or report.updated or report.unchanged)
    if as_json:
        print(json.dumps(plain(report), indent=1))
    elif not nothing:
        print(_format_report(report, archive))
    if nothing:
        for refusal in report.refused:
            print(f"error: {refusal.reason}", file=sys.stderr)
        if report.passed_over and not as_json:
            print(f"passed over: {describe_passed_over(report.passed_over)}", file=sys.stderr)
        raise typer.Exit(2)


def _format_report(report: IndexReport, archive: Archive) -> str:
    from histoseek.cli.report_lines import describe_intake
    from histoseek.slides.sources.folder_walk import describe_passed_over

    lines = [f"warning: {warning}" for warning in report.warnings]
    lines += list(describe_intake(report.reports)) if report.reports else []
    lines += [f"reports: {report.reread} that the archive had were read anew"] if report.reread else []
    lines += [f"refused: {refusal.reason}" for refusal in report.refused_rows[:_MOST_ROWS]]
    hidden = len(report.refused_rows) - _MOST_ROWS
    lines += [f"refused: {hidden} more rows of the metadata"] if hidden > 0 else []
    lines += [f"refused: {refusal.reason}" for refusal in report.refused]
    lines += [f"passed over: {describe_passed_over(report.passed_over)}"] if report.passed_over else []
    counts = f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged"
    lines.append(
        f"{counts}, {len(report.refused)} refused in {report.seconds:.1f} s; the archive has {len(archive)} slides"
    )
    if report.refused or report.refused_rows or (report.reports and report.reports.refused):
        lines.append(f"refused files are also listed in {archive.layout.refused}")
    return "\n".join(lines)
