"""`histoseek adapt-tiles`: fit a tile encoder to an archive's own labelled slides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import (
    UNSTATED,
    ArchiveOption,
    DataOption,
    EpochsOption,
    JsonOption,
    LabelOption,
    LearningRateOption,
    PatienceOption,
    TrainingSeedOption,
    read_defaults,
    read_settings,
)
from histoseek.training.compute import Device
from histoseek.training.tiles.settings import TileAdaptSettings

if TYPE_CHECKING:
    from histoseek.training.tiles.folder import TileAdaptationCard
    from histoseek.training.tiles.retrieval import Gain

DEFAULTS = read_defaults(TileAdaptSettings)

OutOption = Annotated[Path, typer.Option(metavar="FOLDER", help="New folder for the adapted encoder.")]
SiteOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Metadata column with the sites, to measure held-out patients across them."),
]
BlocksOption = Annotated[int, typer.Option(help="Number of last blocks to train.")]
BatchOption = Annotated[int, typer.Option(help="Tiles per step, balanced over the labels.")]
TemperatureOption = Annotated[float, typer.Option(help="Temperature of the contrastive loss.")]
TilesOption = Annotated[int, typer.Option(help="Maximum number of tiles per slide.")]
ViewsOption = Annotated[int, typer.Option(help="Views of each tile: as it is, turned, mirrored, otherwise stained.")]
LicenceOption = Annotated[
    str, typer.Option(help="Licence of the weights, for the card.", show_default="that of the encoder before")
]
DeviceOption = Annotated[Device, typer.Option(help="auto: the GPU if there is one.")]


def adapt_tiles(
    context: typer.Context,
    archive: ArchiveOption,
    out: OutOption,
    label: LabelOption = "diagnosis",
    site: SiteOption = None,
    epochs: EpochsOption = DEFAULTS.epochs,
    blocks: BlocksOption = DEFAULTS.blocks,
    batch: BatchOption = DEFAULTS.batch,
    learning_rate: LearningRateOption = DEFAULTS.learning_rate,
    temperature: TemperatureOption = DEFAULTS.temperature,
    tiles: TilesOption = DEFAULTS.tiles,
    views: ViewsOption = DEFAULTS.views,
    patience: PatienceOption = DEFAULTS.patience,
    seed: TrainingSeedOption = DEFAULTS.seed,
    device: DeviceOption = DEFAULTS.device,
    data: DataOption = UNSTATED,
    licence: LicenceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Adapt an archive's tile encoder to the labels of its own slides, for slides of the same institution.

    Tiles are read again from the slides' files. Patients are held out: some choose the best epoch and how old and new
    weights are blended, the others are asked once, in the end, before and after. You can interrupt it; the same command
    continues and ends with the same weights. Use the result with `histoseek index --encoder` in a new archive.
    """
    settings = read_settings(context, TileAdaptSettings)
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress
    from histoseek.training.tiles.folder import adapt_to_folder

    with show_progress("steps", total=None) as reporter:
        card, notes = adapt_to_folder(
            Archive.open(archive), label, out, settings, site=site, data=data, licence=licence, reporter=reporter
        )
    if as_json:
        print(json.dumps(plain({"card": card, "notes": notes}), indent=1))
        return
    _print_card(card, notes, out)


def _print_card(card: TileAdaptationCard, notes: tuple[str, ...], out: Path) -> None:
    for note in notes:
        print(f"note: {note}")
    labels = len(card.measured.labels)
    print(
        f"{card.train.slides} slides of {card.train.patients} patients trained on, {labels} labels, {card.tiles} tiles"
    )
    print(f"MAP@5 of {card.test.patients} patients held out, in this archive: {_describe(card.gain)}")
    across = _describe(card.across) if card.across else card.measured.across_sites
    print(f"asked of slides of other sites alone: {across}")
    if not card.blend:
        print("nothing is written")
        return
    print(f"helps: {'yes' if card.helps else 'not shown'}; for {card.measured.valid_for}")
    print(f"best epoch {card.best_epoch} of {len(card.epochs) - 1}, {card.blend:.0%} of the adapted weights")
    print(f"encoder and card: {out}")
    print(f"use it with: histoseek index SLIDES --archive NEW --encoder {card.load_with}")


def _describe(gain: Gain) -> str:
    if not gain.queries:
        return "no query has an answer there"
    return (
        f"{gain.before:.3f} before, {gain.after:.3f} after "
        f"({gain.difference:+.3f}, 95 % {gain.low:+.3f} to {gain.high:+.3f}, p {gain.p:.3g})"
    )
