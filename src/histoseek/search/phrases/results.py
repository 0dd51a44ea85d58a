"""What a report would say of an image: phrases with their probabilities, as JSON and as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from histoseek.geometry import Rect
from histoseek.jsonable import plain
from histoseek.search.figures import format_figure, format_probability
from histoseek.search.regional.base import MeasureName
from histoseek.search.results import QueryInfo
from histoseek.terminal import TableColumn, format_table, get_terminal_width


@dataclass(frozen=True, slots=True)
class PhraseExample:
    """A slide of the archive whose report states a phrase, with its region that fits the phrase best.

    region: in level-0 px, None where places of tiles are not known; similarity: a cosine.
    """

    slide_id: str
    region: Rect | None
    similarity: float


@dataclass(frozen=True, slots=True)
class PhraseResult:
    """A phrase that a report may state.

    concept_id, kind and name: of the concept in the vocabulary of reports, its preferred name; probability: that the
    report of a slide whose best region fits the phrase as well states it, None where that is not calibrated; prior: the
    share of the archive's patients whose reports state it, of those whose reports tell; lift: probability / prior, None
    without one; similarity: of the image and the phrase, a cosine; patients: how many have a report that states it;
    judged: how many have one that states it, denies it, or is long enough to be silent on purpose; examples: the best
    slides that state it, one a patient.
    """

    rank: int
    concept_id: str
    kind: str
    name: str
    probability: float | None
    prior: float
    lift: float | None
    similarity: float
    patients: int
    judged: int
    examples: tuple[PhraseExample, ...]


@dataclass(frozen=True, slots=True)
class PhraseResults:
    """The phrases that a report is likeliest to state, likeliest first; where not calibrated those that stand out most.

    measured_by: what regions are compared with phrases by: "anchors", "tile words" or "aligned tiles"; calibrated:
    whether there are probabilities; calibration_error: the gap between probability and frequency in ten bins (Guo et
    al. 2017), on patients held out, None without probabilities; patients: how many have reports that count; phrases:
    how many there were to choose from.
    """

    query: QueryInfo
    measured_by: MeasureName
    elapsed_ms: float
    results: tuple[PhraseResult, ...]
    calibrated: bool
    calibration_error: float | None
    patients: int
    phrases: int
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[PhraseResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        return as_text(self)

    def to_json(self) -> str:
        """The documented object (docs/json.md)."""
        return json.dumps(plain(self), indent=1, allow_nan=False)


def as_text(results: PhraseResults) -> str:
    """A table that fits the terminal, with what to know of it below."""
    calibrated = results.calibrated
    columns = (
        TableColumn("rank"),
        TableColumn("phrase", "name"),
        *((TableColumn("probability"), TableColumn("base rate"), TableColumn("lift", drop=3)) if calibrated else ()),
        TableColumn("similarity", drop=2),
        TableColumn("patients", drop=1),
        TableColumn("example", "name", drop=4),
    )
    rows = tuple(_make_row(result, calibrated) for result in results)
    notes = [f"note: {warning}" for warning in results.warnings]
    return "\n".join((format_table(columns, rows, get_terminal_width()), *notes))


def _make_row(result: PhraseResult, calibrated: bool) -> tuple[str, ...]:
    likely = (format_probability(result.probability), format_probability(result.prior), format_figure(result.lift, 2))
    return (
        str(result.rank),
        result.name,
        *(likely if calibrated else ()),
        format_figure(result.similarity),
        f"{result.patients} of {result.judged}",
        _name_example(result.examples[0]) if result.examples else "",
    )


def _name_example(example: PhraseExample) -> str:
    """A slide, and the region as --region takes it."""
    region = example.region
    return f"{example.slide_id} {region.x},{region.y},{region.width},{region.height}" if region else example.slide_id
