"""`histoseek show`: everything an archive knows about a slide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption

if TYPE_CHECKING:
    from histoseek.reports.language.sections import Sections


def show(
    slide_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the slide.")],
    archive: ArchiveOption,
    as_json: JsonOption = False,
) -> None:
    """Show the metadata of a slide, the sections of its report, and the size of its signature."""
    from histoseek.api import Archive
    from histoseek.jsonable import plain

    opened = Archive.open(archive)
    stored = opened.get(slide_id)
    facts = plain(stored.record)
    facts["sections"] = list_section_names(opened.sections(slide_id))
    facts["mosaic_vectors"] = len(stored.signature.mosaic)
    facts["dimension"] = len(stored.signature.global_vector)
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    extra = facts.pop("extra")
    for name, value in {**facts, "sections": ", ".join(facts["sections"]), **extra}.items():
        print(f"{name}: {'' if value is None else value}")


def list_section_names(sections: Sections) -> list[str]:
    """The sections in order, each with its specimens: "diagnosis (A, B)"."""
    specimens: dict[str, dict[str, None]] = {}
    for section in sections.sections:
        specimens.setdefault(section.name, {}).update({section.specimen: None} if section.specimen else {})
    return [f"{name} ({', '.join(labels)})" if labels else name for name, labels in specimens.items()]
