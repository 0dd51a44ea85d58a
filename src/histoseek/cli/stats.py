"""`histoseek stats`: how large an archive is, and what it is made with."""

from __future__ import annotations

import json

from histoseek.cli.options import ArchiveOption, JsonOption


def stats(archive: ArchiveOption, as_json: JsonOption = False) -> None:
    """Show counts, sizes, recipe and embedding space."""
    from histoseek.api import Archive
    from histoseek.search.results import plain

    opened = Archive.open(archive)
    facts = plain(opened.stats())
    facts["recipe"] = plain(opened.recipe)
    facts["space"] = {**plain(opened.space), "fingerprint": opened.space.fingerprint} if opened.space else None
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        text = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        print(f"{name.replace('_', ' ')}: {text}")
