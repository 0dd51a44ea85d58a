"""`histoseek weights`: import, list, show and use trained slide encoders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoseek.cli.options import ArchiveOption, JsonOption
from histoseek.errors import ConfigurationError

if TYPE_CHECKING:
    from histoseek.encoders.weights import Weights, WeightsCard

weights = typer.Typer(no_args_is_help=True, help="Manage trained slide encoders.")

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A name in the library, or a .safetensors file.")
]

VocabularyOption = Annotated[
    Path | None, typer.Option(help="Words of an FGCR training, in the order of its word embedding.")
]
PromptsOption = Annotated[
    Path | None, typer.Option(help="Prompts of an FGCR training, in the order of its classifier.")
]


@weights.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A published slide encoder, or weights from `histoseek train`.")
    ],
    name: Annotated[str | None, typer.Option(help="Name in the library.", show_default="that of the file")] = None,
    tile_encoder: Annotated[
        str | None, typer.Option(help="Tile encoder that it was trained with.", show_default="as published")
    ] = None,
    spacing: Annotated[
        float | None, typer.Option(help="Spacing of its tiles in µm/px; 0 if unknown.", show_default="as published")
    ] = None,
    tile_px: Annotated[
        int | None, typer.Option(help="Width of its tiles in px; 0 if unknown.", show_default="as published")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="How it is computed (docs/weights.md).", show_default="the usual of its kind")
    ] = None,
    text_encoder: Annotated[
        str, typer.Option(help="Text encoder whose tokenizer its text tower uses; `none` to leave texts out.")
    ] = "biomedclip",
    vocabulary: VocabularyOption = None,
    prompts: PromptsOption = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence that its publisher states.", show_default="as published")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace weights with the same name.")] = False,
) -> None:
    """Import weights into the library: every name and shape is checked, and no code in the file is run.

    If a histoseek card lies beside the file, the card is followed.
    """
    from histoseek.encoders.library import add_to_library

    stated = {"tile_encoder": tile_encoder, "spacing_um_per_px": spacing, "tile_edge_px": tile_px}
    tokenizer = None if text_encoder == "none" else text_encoder
    request = {"mode": mode, "text_encoder": tokenizer, "licence": licence}
    trained = _read_weights(file, name, stated, request | {"vocabulary": vocabulary, "prompts": prompts})
    path = add_to_library(trained, replace=replace)
    print(f"{trained.card.name}: {len(trained.tensors)} tensors, {_summarize(trained.card)}; in {path}")


def _read_weights(file: Path, name: str | None, stated: dict[str, Any], request: dict[str, Any]) -> Weights:
    """Our own weights, followed by their card, or a published file, of whose features the options may say otherwise."""
    from dataclasses import replace

    from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
    from histoseek.encoders.weights import Weights, card_path, load_weights

    if file.suffix == ".safetensors" and card_path(file).is_file():
        own = load_weights(file)
        return Weights(replace(own.card, name=own.card.name if name is None else name), own.tensors)
    published = import_checkpoint(file, ImportRequest(file.stem if name is None else name, None, **request))
    given = {key: value for key, value in stated.items() if value is not None}
    return Weights(replace(published.card, features=replace(published.card.features, **given)), published.tensors)


@weights.command()
def pair(
    first: NameArgument,
    second: NameArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write; its name becomes the name of the pair.")],
    share: Annotated[
        float, typer.Option(help="Share of the first in all similarities; the second has the rest.")
    ] = 0.5,
) -> None:
    """Put two slide encoders of the same tile features side by side, in one file.

    An archive with it has the vectors and mosaics of both, and ranks by the weighted mean of both.
    """
    from histoseek.encoders.library import find_weights
    from histoseek.encoders.pairing import pair_weights
    from histoseek.encoders.weights import SUFFIX, save_weights

    path = out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)
    if path.exists():
        raise ConfigurationError(f"--out {path}", "already exists", "Choose another name, or move it away")
    paired = pair_weights(find_weights(first), find_weights(second), path.stem, share)
    try:
        save_weights(paired, path)
    except OSError as error:
        what = error.strerror or "cannot be written"
        raise ConfigurationError(f"--out {path}", what, "Choose another place") from error
    print(f"{paired.card.name}: {paired.card.source}; {_summarize(paired.card)}; in {path}")


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
        print(f"{card.name}: {_summarize(card)}")
    if not cards:
        print("no weights in the library: `histoseek weights import FILE` or `histoseek train`")


@weights.command()
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show the card of weights: what they are, what they were trained on, and how well they perform."""
    from histoseek.encoders.library import weights_path
    from histoseek.encoders.weights import load_card
    from histoseek.jsonable import plain

    facts = plain(load_card(weights_path(name)))
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    _print_card(facts)


@weights.command()
def use(
    name: NameArgument,
    archive: ArchiveOption,
    text_encoder: Annotated[
        str | None, typer.Option(help="Text encoder for reports, or `none`.", show_default="that of the weights")
    ] = None,
) -> None:
    """Re-encode an archive with these weights, as `histoseek reencode --weights` does."""
    from histoseek.cli.reencode import reencode

    reencode(archive, weights=name, text_encoder=text_encoder)


def _print_card(facts: dict[str, Any]) -> None:
    """A card as `plain` gives it; of a pair what is said of both, then each card."""
    parts, metrics, training = (facts.pop(name) for name in ("parts", "metrics", "training"))
    if parts:
        del facts["architecture"]
    for key, value in facts.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        print(f"{key.replace('_', ' ')}: {'' if text is None else text}")
    for metric in metrics:
        print(f"  {metric['name']}: {_format_metric(metric)}")
    if not parts:
        _print_training(training)
    for name, part in zip(("first", "second"), parts, strict=False):
        print(f"{name} of the pair:")
        _print_card(part)


def _summarize(card: WeightsCard) -> str:
    sizes = card.architecture
    texts = f"texts by {card.text.encoder}" if card.text else "no texts"
    takes = f"{sizes.input_dimension}-d features of {card.features.tile_encoder}"
    return f"{card.mode} mode, {takes} to {sizes.mosaic_size} x {sizes.dimension}, {texts}, licence {card.licence}"


def _print_training(training: dict[str, Any] | None) -> None:
    """The settings of a training and what it is judged beside; of its patients only how many keys there are."""
    if training is None:
        print("training: its settings and patients are not stated")
        return
    for metric in training["baselines"]:
        print(f"  {metric['name']}: {_format_metric(metric)}")
    print(f"training: {', '.join(f'{name} {value}' for name, value in training['settings'].items())}")
    if training["prompts"]:
        prompts = ", ".join(f"{concept_id} {patients}" for concept_id, patients in training["prompts"].items())
        print(f"prompts, with patients who have each: {prompts}")
    counts = ", ".join(f"{name} {len(keys)}" for name, keys in training["parts"].items() if name != "salt")
    print(f"keys of patients and slides by part: {counts} (`histoseek evaluate` knows them again)")


def _format_metric(metric: dict[str, float | None]) -> str:
    interval = f" (95 % {metric['low']:.3f} to {metric['high']:.3f})" if metric["low"] is not None else ""
    chance = f", chance {metric['chance']:.3f}" if metric["chance"] is not None else ""
    return f"{metric['value']:.3f}{interval}{chance}"
