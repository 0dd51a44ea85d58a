"""`histoseek reencode`: move an archive to another embedding space."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption
from histoseek.errors import ConfigurationError

if TYPE_CHECKING:
    from histoseek.archive.space_folders import SpaceChange


def reencode(
    archive: ArchiveOption,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Trained slide encoder: a name in the library, or a file.")
    ] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Use the slide encoder that needs no training, fitted to the archive.")
    ] = False,
    text_encoder: Annotated[
        str | None, typer.Option(help="Text encoder for reports, or `none`; `histoseek encoders` lists them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Encode the slides of an archive with another encoder, from its cached features.

    The slide files are not needed. You can interrupt it; the same command continues. Until all slides are done,
    searches use the archive as it was.
    """
    from histoseek.api import Archive
    from histoseek.archive.reencode import reencode as run
    from histoseek.jsonable import plain
    from histoseek.own_code import allow_own_code
    from histoseek.progress import show_progress

    allow_own_code(text_encoder)
    change = _read_change(weights, untrained, text_encoder)
    with show_progress("slides", total=None) as reporter:
        report = run(Archive.open(archive), change, reporter)
    if as_json:
        print(json.dumps(plain(report), indent=1))
        return
    space = report.space
    print(f"{report.slides} slides in the space {space.fingerprint} ({space.slide_encoder}) in {report.seconds:.1f} s")
    if report.continued:
        print(f"{report.continued} of them were done by an earlier run")
    for note in report.notes:
        print(f"note: {note}")


def _read_change(weights: str | None, untrained: bool, text_encoder: str | None) -> SpaceChange:
    from histoseek.archive.space_folders import SpaceChange
    from histoseek.encoders.library import find_weights

    if weights is not None and untrained:
        raise ConfigurationError("--weights and --untrained", "exclude each other", "Give only one of them")
    if weights is None and not untrained and text_encoder is None:
        advice = "Give --weights, --untrained or --text-encoder"
        raise ConfigurationError("reencode", "there is nothing to change", advice)
    trained = find_weights(weights) if weights is not None else None
    if trained and trained.card.text and text_encoder is None:
        text_encoder = trained.card.text.encoder
    return SpaceChange(trained, untrained, text_encoder)
