"""`histoseek encoders`: what encodes tiles, texts and slides, whether it is usable here, and works; one's own cards."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoseek.cli.options import AcceptUnknownOption, DownloadOption, JsonOption, settle_weights_options

if TYPE_CHECKING:
    from histoseek.encoders.inventory.check import EncoderCheck
    from histoseek.encoders.inventory.listing import ListedEncoder

encoders = typer.Typer(help="List, check and add encoders of tiles, texts and slides.")

_HEADINGS = {
    "tile": "tile encoders (--encoder):",
    "text": "text encoders (--text-encoder):",
    "slide": "slide encoders (`histoseek weights`):",
}
_DISAGREES = 2

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="An encoder, as `histoseek encoders` lists it.")]


@encoders.callback(invoke_without_command=True)
def list_(
    context: typer.Context,
    usable: Annotated[bool, typer.Option("--usable", help="Only those that can be loaded here and now.")] = False,
    commercial: Annotated[
        bool, typer.Option("--commercial", help="Only those whose licence allows commercial use.")
    ] = False,
    words: Annotated[bool, typer.Option("--words", help="Only those that read words, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List encoders: what each is, whether its packages and weights are here, and what to do where they aren't."""
    if context.invoked_subcommand is not None:
        return
    from histoseek.encoders.cards.catalogue import read_own_cards
    from histoseek.encoders.inventory.listing import list_encoders

    for fault in read_own_cards().faults:
        print(f"warning: {fault}", file=sys.stderr)
    listed = [
        each
        for each in list_encoders()
        if (each.is_usable or not usable)
        and (each.publication.commercial or not commercial)
        and (each.has_words or not words)
    ]
    if as_json:
        _print_json([{**asdict(each), "usable": each.is_usable} for each in listed])
        return
    for kind, heading in _HEADINGS.items():
        print(heading)
        for each in listed:
            if each.kind == kind:
                _print_entry(each)
    if not (usable or commercial or words):
        print("  transformers@/folder (texts): any transformers model from a local folder")
        print("  module:attribute (all kinds): your own, see docs/own-encoders.md")


@encoders.command()
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show the card of an encoder: what it takes and gives, its files and licence, and what was not verified."""
    from histoseek.encoders.inventory.cards import find_any_card
    from histoseek.jsonable import plain

    card = plain(find_any_card(name))
    if as_json:
        print(json.dumps(card, indent=1))
        return
    facts, not_verified = card.pop("facts", ()), card.pop("not_verified", ())
    for key, value in card.items():
        _print_field(key, value)
    for fact in facts:
        print(f"  source of {fact['about']}: {fact['source']}")
    for doubt in not_verified:
        print(f"  not verified: {doubt}")


@encoders.command()
def check(
    spec: Annotated[str, typer.Argument(metavar="NAME[:VARIANT][@PATH]", help="A tile encoder.")],
    download: DownloadOption = False,
    accept_unknown_weights: AcceptUnknownOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load a tile encoder, encode reference tiles, and compare: speed, memory, and whether its vectors are known.

    Exit code 2 where the vectors differ from those on its card, or from those of an earlier check.
    """
    from histoseek.encoders.inventory.check import check_tile_encoder

    settle_weights_options(download, accept_unknown_weights)
    check = check_tile_encoder(spec)
    if as_json:
        _print_json({**asdict(check), "agrees": check.agrees})
    else:
        _print_check(check)
    if not check.agrees:
        raise typer.Exit(_DISAGREES)


@encoders.command()
def add(file: Annotated[Path, typer.Argument(metavar="CARD.toml", help="Cards in the catalogue's form.")]) -> None:
    """Add your own encoders by their cards, in the form of docs/encoders.md."""
    from histoseek.encoders.inventory.own_cards import add_own_cards

    names = add_own_cards(file)
    print(f"added: {', '.join(names)}; `histoseek encoders check {names[0]}` tries it")


@encoders.command()
def remove(name: NameArgument) -> None:
    """Remove the card of an encoder that you added; archives that were made with it need it back."""
    from histoseek.encoders.inventory.own_cards import remove_own_card

    print(f"removed: {remove_own_card(name)}")


def _print_entry(each: ListedEncoder) -> None:
    dimension = f"{each.dimension}-d, " if each.dimension else ""
    marks = [mark for mark, on in (("words", each.has_words and each.kind == "tile"), ("own", each.is_own)) if on]
    variants = f"; variants: {', '.join(each.variants)}" if len(each.variants) > 1 else ""
    print(f"  {each.name}: {dimension}{each.summary}{''.join(f', {mark}' for mark in marks)}{variants}")
    print(f"    {_describe_state(each)}")
    publication = each.publication
    if publication.repository:
        use = {True: ", commercial use", False: ", no commercial use", None: ""}[publication.commercial]
        gated = ", gated" if publication.gated else ""
        print(f"    from {publication.repository}, {publication.licence}{use}{gated}")


def _describe_state(each: ListedEncoder) -> str:
    """Whether it is usable, and what to do where it isn't."""
    if each.state == "usable":
        return f"usable: {each.place.path} ({each.place.origin})" if each.place else "usable"
    if each.state == "package missing":
        extra = f"[{each.extra}]" if each.extra else ""
        return f"{each.missing} not installed: pip install 'histoseek{extra}'"
    if each.state == "features only":
        return f"features only: {each.missing}"
    return f"weights not here: {each.missing or 'import some with `histoseek weights import`'}"


def _print_check(check: EncoderCheck) -> None:
    print(f"{check.name} ({check.weights_hash}): {check.dimension}-d, computed by {check.runtime}")
    print(f"  {check.tiles_per_second:.1f} tiles a second, {check.peak_memory_mb:,} MB at most")
    if check.cosine is not None:
        verdict = "agree" if check.agrees else "DISAGREE"
        print(f"  vectors {verdict} with {check.compared_with}: cosine {check.cosine:.5f}, {check.least_cosine} wanted")
    if check.note:
        print(f"  {check.note}")


def _print_field(key: str, value: Any) -> None:
    name = key.replace("_", " ")
    if isinstance(value, dict):
        print(f"{name}:")
        for inner, each in value.items():
            text = _format_pairs(each) if inner == "arguments" else _format(each)
            if text or inner == "commercial":
                print(f"  {inner.replace('_', ' ')}: {text or 'unclear'}")
    elif value not in ("", [], ()):
        print(f"{name}: {_format(value)}")


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_format, value))
    if isinstance(value, dict):
        return " ".join(filter(None, map(_format, value.values())))
    return f"{value}" if value else ""  # what is not stated, or of no use here, is left out


def _format_pairs(pairs: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs)


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, default=str))
