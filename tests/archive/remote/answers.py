"""One archive, many questions of all kinds, and whether two places of it answer them alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.geometry import Rect
from histoseek.search.queries import (
    ArchivedCase,
    ArchivedReport,
    ArchivedSlide,
    Composed,
    EncodedSlide,
    Query,
    Refined,
    TextQuery,
)
from tests.archive.feature_files import write_feature_files

SLIDES = 120
FILTERS = (None, "share < 0.1", "share < 0.01", "slide_id = 'slide-0117'")
"""All slides, a tenth of them, a hundredth, and one."""

_ORGANS = ("colon", "kidney", "lung", 'Öhr\'s "left"')
_FINDINGS = ("adenocarcinoma", "clear cell carcinoma", "chronic inflammation", "tubular adenoma", "no malignancy")


def make_archive(folder: Path) -> Archive:
    """Of random features, with reports of which many say the same, and gaps."""
    stems = [_name(number) for number in range(SLIDES)]
    features = write_feature_files(folder / "features", stems, tiles=10, dimension=48)
    archive = Archive.create(folder / "answers.archive", Recipe(encoder="features:test"))
    report = archive.index([features], [_describe(number) for number in range(SLIDES)])
    assert (report.added, report.refused) == (SLIDES, ())
    return archive


def _name(number: int) -> str:
    return f"slide-{number:04d}"


def _describe(number: int) -> dict[str, object]:
    organ, finding = _ORGANS[number % 4], _FINDINGS[number % 5]
    report = f"{organ.capitalize()}, biopsy: {finding}, grade {number % 3}." if number % 6 else ""
    return {
        "slide_id": _name(number),
        "patient_id": f"p{number // 2}",
        "case_id": f"c{number // 2}",
        "organ": organ,
        "share": number / SLIDES,
        "report": report,
    }


@dataclass(frozen=True)
class Question:
    query: Query
    options: dict[str, Any] = field(default_factory=dict)


def list_questions(archive: Archive, count: int) -> Iterator[Question]:
    """So many, of all kinds in turn, with each of the filters."""
    for number in range(count):
        slide = ArchivedSlide(_name(number * 7 % SLIDES))
        text = TextQuery(f"{_FINDINGS[number % 5]} of the {_ORGANS[number % 3]}")
        queries: list[Query] = [
            slide,
            _cut_region(archive, slide.slide_id),
            ArchivedCase(f"c{number % 60}"),
            ArchivedReport(_name(number * 6 % SLIDES + 1)),
            text,
            Composed(slide, text.text, "inflammation"),
            Refined(slide, tuple(_name((number + step) % SLIDES) for step in (0, 9)), (_name((number + 4) % SLIDES),)),
        ]
        where = FILTERS[number // len(queries) % len(FILTERS)]
        yield Question(queries[number % len(queries)], {"where": where, "k": 10})


def _cut_region(archive: Archive, slide_id: str) -> EncodedSlide:
    bag = archive.bags.load(slide_id)
    x, y = bag.coords[0].tolist()
    edge = bag.tile_size_level0
    few = bag.take(np.arange(4))
    return EncodedSlide(few, "region", 0.5, regions=(Rect(x, y, edge, edge),))


def answer(archive: Archive, question: Question, **options: Any) -> list[tuple[str, float]]:
    found = archive.search(question.query, **{**question.options, **options})
    return [(one.slide_id, round(one.score, 6)) for one in found.results]


def require_same_answers(one: Archive, other: Archive, count: int, **options: Any) -> None:
    for question in list_questions(one, count):
        assert answer(one, question, **options) == answer(other, question, **options), (question, options)
