"""`histoseek weights`: bring in, list, show and use trained slide encoders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption

if TYPE_CHECKING:
    from histoseek.encoders.weights import WeightsCard

weights = typer.Typer(no_args_is_help=True, help="Trained slide encoders: import, list, show, use.")

NameArgument = Annotated[str, typer.Argument(help="A name in the library, or a path ending in .safetensors.")]


@weights.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A PathSearch checkpoint, or weights that `train` wrote.")],
    name: Annotated[str | None, typer.Option(help="Name in the library [the file's].")] = None,
    tile_encoder: Annotated[str, typer.Option(help="What its tile features were made with.")] = "conch_v1_5",
    spacing: Annotated[float, typer.Option(help="um/px of its tiles; 0 if not known.")] = 0.5,
    tile_px: Annotated[int, typer.Option(help="Edge of its tiles in px; 0 if not known.")] = 512,
    mode: Annotated[str | None, typer.Option(help="How it is computed: reference or masked [reference].")] = None,
    text_encoder: Annotated[
        str, typer.Option(help="Where its text tower's tokenizer comes from; `none` leaves texts out.")
    ] = "biomedclip",
    licence: Annotated[str, typer.Option(help="The licence its publisher states.")] = "unknown",
    replace: Annotated[bool, typer.Option("--replace", help="Replace weights of this name.")] = False,
) -> None:
    """Bring weights into the library: every name and shape is checked, and nothing in the file is run.

    A file with a histoseek card beside it is taken as the card says.
    """
    from dataclasses import replace as with_

    from histoseek.encoders.checkpoints import ImportRequest, import_checkpoint
    from histoseek.encoders.library import add_to_library
    from histoseek.encoders.weights import FeatureSpace, Weights, card_path, load_weights

    if file.suffix == ".safetensors" and card_path(file).is_file():
        found = load_weights(file)
        found = Weights(with_(found.card, name=found.card.name if name is None else name), found.tensors)
    else:
        features = FeatureSpace(tile_encoder, spacing, tile_px)
        wanted = None if text_encoder == "none" else text_encoder
        found = import_checkpoint(
            file, ImportRequest(file.stem if name is None else name, features, mode, wanted, licence)
        )
    path = add_to_library(found, replace=replace)
    print(f"{found.card.name}: {len(found.tensors)} tensors, {_summary(found.card)}; in {path}")


@weights.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the weights in the library."""
    from histoseek.encoders.library import library_cards
    from histoseek.jsonable import plain

    cards, faults = library_cards()
    for fault in faults:
        print(f"warning: {fault}", file=sys.stderr)
    if as_json:
        print(json.dumps(plain(cards), indent=1))
        return
    for card in cards:
        print(f"{card.name}: {_summary(card)}")
    if not cards:
        print("no weights in the library: `histoseek weights import FILE` or `histoseek train`")


@weights.command()
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show the card of weights: what they are, what they were trained on, how well they did."""
    from histoseek.encoders.library import weights_path
    from histoseek.encoders.weights import load_card
    from histoseek.jsonable import plain

    facts = plain(load_card(weights_path(name)))
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    metrics = facts.pop("metrics")
    for key, value in facts.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        print(f"{key.replace('_', ' ')}: {'' if text is None else text}")
    for metric in metrics:
        print(f"  {metric['name']}: {_figure(metric)}")


@weights.command()
def use(name: NameArgument, archive: ArchiveOption, text_encoder: Annotated[str | None, typer.Option()] = None) -> None:
    """Re-encode an archive to these weights, from its cached features (as `histoseek reencode --weights`)."""
    from histoseek.cli.reencode import reencode

    reencode(archive, weights=name, text_encoder=text_encoder)


def _summary(card: WeightsCard) -> str:
    sizes = card.architecture
    texts = f"texts by {card.text.encoder}" if card.text else "no texts"
    takes = f"{sizes.input_dimension}-d features of {card.features.tile_encoder}"
    return f"{card.mode} mode, {takes} to {sizes.mosaic_size} x {sizes.dimension}, {texts}, licence {card.licence}"


def _figure(metric: dict[str, float | None]) -> str:
    interval = f" (95 % {metric['low']:.3f} to {metric['high']:.3f})" if metric["low"] is not None else ""
    chance = f", chance {metric['chance']:.3f}" if metric["chance"] is not None else ""
    return f"{metric['value']:.3f}{interval}{chance}"
