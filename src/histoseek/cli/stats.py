"""`histoseek stats`: how large an archive is, what it is made with, and what its fast search misses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoseek.cli.options import ArchiveOption, JsonOption

if TYPE_CHECKING:
    from histoseek.api import Archive
    from histoseek.search.recall import Recall


def stats(
    archive: ArchiveOption,
    with_recall: Annotated[
        bool,
        typer.Option("--recall", help="Also measure how often the fast search finds what exact ranking finds."),
    ] = False,
    queries: Annotated[int, typer.Option(min=1, help="Number of slides to search with for --recall.")] = 200,
    where: Annotated[
        str | None, typer.Option(help="Filter on the metadata, applied in the searches of --recall.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the size of an archive, the recipe of its features and its embedding space."""
    from histoseek.api import Archive
    from histoseek.errors import InputError
    from histoseek.jsonable import plain

    if where is not None and not with_recall:
        raise InputError("--where", "only applies with --recall", "Use `histoseek list --where` to list slides")
    opened = Archive.open(archive)
    measured = opened.stats()
    facts = plain(measured)
    if measured.pending_erasure:
        facts["pending_erasure"]["due"] = plain(measured.pending_erasure.due)
    facts["recipe"] = plain(opened.recipe)
    facts["space"] = {**plain(opened.space), "fingerprint": opened.space.fingerprint} if opened.space else None
    facts["alignment"] = _describe_alignment(opened)
    facts["tuning"] = _describe_tuning(opened)
    recall = _measure_recall(opened, queries, where) if with_recall else None
    if as_json:
        print(json.dumps({**facts, **({"recall": plain(recall)} if recall else {})}, indent=1))
        return
    _print_facts(facts)
    if recall:
        _print_recall(recall)


def _measure_recall(archive: Archive, queries: int, where: str | None) -> Recall:
    from histoseek.progress import show_progress

    with show_progress("recall", total=None) as reporter:
        return archive.recall(queries, where=where, reporter=reporter)


def _print_facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        text = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        print(f"{name.replace('_', ' ')}: {text}")


def _describe_alignment(archive: Archive) -> dict[str, Any] | None:
    """How the maps of slides and texts were fitted, and how well texts find slides there, as far as that is known."""
    alignment = archive.language.alignment if archive.space else None
    if alignment is None:
        return None
    measured = alignment.measured
    recall = {"text_to_slide_recall_at_5": measured.value, "chance": measured.chance} if measured else {}
    return {"kind": alignment.kind, **alignment.facts, **recall}


def _describe_tuning(archive: Archive) -> dict[str, Any] | None:
    """How the archive was tuned, and what to know of that."""
    from histoseek.archive.ranking_method import list_tuning_warnings
    from histoseek.evaluation.tuning.candidates import describe_settings

    if archive.space is None:
        return None
    tuning, notes = archive.tuning, list_tuning_warnings(archive)
    about = {"note": "; ".join(notes)} if notes else {}
    if tuning is None:
        return about or None
    facts = {"settings": describe_settings(tuning.settings), "column": tuning.column, "slides": tuning.slides}
    return {**facts, "created": tuning.created, **about}


def _print_recall(recall: Recall) -> None:
    if recall.is_exact:
        print(
            f"recall@{recall.k}: nothing to measure, as the default search ranks all slides exactly here; median "
            f"{recall.default_ms:.0f} ms"
        )
        return
    print(
        f"recall@{recall.k} of the default search against exact ranking: {recall.value:.3f} "
        f"(95 % interval {recall.low:.3f} to {recall.high:.3f}) on {recall.queries} slides; "
        f"median {recall.default_ms:.0f} ms and {recall.exact_ms:.0f} ms"
    )
