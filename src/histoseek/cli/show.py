"""`histoseek show`: everything an archive knows about a slide."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption

if TYPE_CHECKING:
    from histoseek.reports.cleaning.mends import Mend
    from histoseek.reports.language.sections import Sections


def show(
    slide_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the slide.")],
    archive: ArchiveOption,
    as_json: JsonOption = False,
) -> None:
    """Show the metadata of a slide, the sections, quality and mends of its report, and the size of its signature."""
    from histoseek.api import Archive
    from histoseek.jsonable import plain

    opened = Archive.open(archive)
    stored = opened.get(slide_id)
    facts = plain(stored.record)
    facts["sections"] = list_section_names(opened.sections(slide_id))
    mends = opened.clean_report(slide_id).mends
    facts["quality"] = _read_quality(stored.language.report_facts or ())
    facts["mends"] = [_describe_mend(mend) for mend in mends]
    facts["mosaic_vectors"] = len(stored.signature.mosaic)
    facts["dimension"] = len(stored.signature.global_vector)
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    extra = facts.pop("extra")
    counts = Counter(mend.reason.value for mend in mends).items()
    lines = {"sections": ", ".join(facts["sections"]), "mends": ", ".join(f"{count} {name}" for name, count in counts)}
    for name, value in {**facts, **lines, **extra}.items():
        print(f"{name}: {'' if value is None else value}")


def _read_quality(facts: Sequence[str]) -> str | None:
    """Of the facts of a report, the one that says how good it is."""
    return next((fact.partition(":")[2] for fact in facts if fact.startswith("quality:")), None)


def _describe_mend(mend: Mend) -> dict[str, object]:
    place = {"start": mend.span.start, "end": mend.span.end}
    return {**place, "original": mend.original, "mended": mend.mended, "reason": mend.reason.value}


def list_section_names(sections: Sections) -> list[str]:
    """The sections in order, each with its specimens: "diagnosis (A, B)"."""
    specimens: dict[str, dict[str, None]] = {}
    for section in sections.sections:
        specimens.setdefault(section.name, {}).update({section.specimen: None} if section.specimen else {})
    return [f"{name} ({', '.join(labels)})" if labels else name for name, labels in specimens.items()]
