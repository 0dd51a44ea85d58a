"""`histoseek show`: all that is known of one slide."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption


def show(
    slide_id: Annotated[str, typer.Argument(help="The slide's id.")],
    archive: ArchiveOption,
    as_json: JsonOption = False,
) -> None:
    """Show a slide's metadata and what its signature is made of."""
    from histoseek.api import Archive
    from histoseek.search.results import plain

    stored = Archive.open(archive).get(slide_id)
    facts = plain(stored.record)
    facts["mosaic_vectors"] = len(stored.signature.mosaic)
    facts["dimension"] = len(stored.signature.global_vector)
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    extra = facts.pop("extra")
    for name, value in {**facts, **extra}.items():
        print(f"{name}: {'' if value is None else value}")
