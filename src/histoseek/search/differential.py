"""A differential: two to four diagnoses weighed for a query, by their nearest cases and what their reports say."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from histoseek.archive.filters.expression import Column, Expression, IsNull, all_of, not_true
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import name_owner, read_value
from histoseek.deadline import check_deadline
from histoseek.errors import InputError
from histoseek.jsonable import plain
from histoseek.progress import Reporter
from histoseek.search.calibration.novelty import describe_novelty
from histoseek.search.distinguishing_terms import DistinguishingTerm, find_distinguishing_terms
from histoseek.search.figures import format_figure, format_probability
from histoseek.search.options import DEFAULT_LABEL, FEWEST_COLUMNS, MOST_COLUMNS, DifferentialOptions, SearchOptions
from histoseek.search.queries import ArchivedSlide, Query
from histoseek.search.results import QueryInfo, SearchResult, SearchResults
from histoseek.search.retrieve.retrieval import Retrieval, present
from histoseek.search.scope.fields import FieldFilter, combine_filters
from histoseek.search.search import retrieve, search
from histoseek.terminal import TableColumn, format_table, get_terminal_width

_LOOKED_AT = 50
"""Results among which the diagnoses nearest to a query are looked for, unless they are named."""

_LEAST_PROBABILITY = 0.05
"""Diagnoses that are less probable are weighed only where too few others are left."""

_UNCERTAIN = 0.05
"""A term that chance explains with a larger probability is printed as uncertain."""


@dataclass(frozen=True, slots=True)
class CounterExample:
    """A slide that looks like the nearest of a diagnosis and has another: what the diagnosis is mistaken for.

    label: its own; like: the slide that it looks like.
    """

    label: str
    like: str
    result: SearchResult


@dataclass(frozen=True, slots=True)
class DifferentialColumn:
    """A diagnosis with its nearest cases.

    probability: that it is the query's, None where that is not calibrated; nearest: one a patient, nearest first;
    counter_example: None where all others' slides are left out, or none is known; reports: how many of the nearest
    patients have a report; terms: what their reports state more often than those of the other columns.
    """

    label: str
    probability: float | None
    nearest: tuple[SearchResult, ...]
    counter_example: CounterExample | None
    reports: int
    terms: tuple[DistinguishingTerm, ...]


@dataclass(frozen=True, slots=True)
class Differential:
    """Diagnoses side by side, the likeliest first, or in the order in which they were named."""

    query: QueryInfo
    column: str
    elapsed_ms: float
    columns: tuple[DifferentialColumn, ...]
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[DifferentialColumn]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __str__(self) -> str:
        return as_text(self)

    def to_json(self) -> str:
        """The documented object (docs/json.md)."""
        return json.dumps(plain(self), indent=1, allow_nan=False)


def build_differential(
    archive: ArchiveFolder, query: Query, options: DifferentialOptions, reporter: Reporter | None = None
) -> Differential:
    """Weigh diagnoses for a query; raises what `search` raises, and InputError for a column that is not there or where
    fewer than two diagnoses are left."""
    return archive.read(lambda view: _build(view, query, options, reporter))


def _build(
    archive: ArchiveFolder, query: Query, options: DifferentialOptions, reporter: Reporter | None
) -> Differential:
    check_deadline()
    started = time.perf_counter()
    archive.require_space()
    column = _choose_column(archive, options)
    wanted = SearchOptions(
        k=_LOOKED_AT, where=options.where, same_patient=options.same_patient, workers=options.workers
    )
    retrieval = retrieve(archive, query, wanted, reporter)
    results = present(archive, retrieval, wanted)
    labels = options.labels or _choose_labels(results, column)
    likely = _read_probabilities(results, column)
    builder = _Builder(archive, query, options, column, retrieval)
    found = {label: builder.find_nearest(label) for label in labels}
    facts = {label: builder.read_facts(nearest) for label, nearest in found.items()}
    return Differential(
        query=results.query,
        column=column,
        columns=tuple(
            DifferentialColumn(
                label=label,
                probability=likely.get(label),
                nearest=tuple(nearest[: options.cases]),
                counter_example=builder.find_counter_example(label, nearest),
                reports=len(facts[label]),
                terms=_compare_reports(label, facts, options.terms),
            )
            for label, nearest in found.items()
        ),
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
        warnings=(
            *archive.warnings,
            *describe_novelty(retrieval.novelty),
            *retrieval.warnings,
            *(f"no slide of {label} fits the query and the filter" for label in labels if not found[label]),
        ),
    )


PatientReports = Sequence[Sequence[str]]
"""What each report of a patient states, as `field:value`."""


@dataclass(frozen=True, slots=True)
class _Builder:
    archive: ArchiveFolder
    query: Query
    options: DifferentialOptions
    column: str
    retrieval: Retrieval

    def find_nearest(self, label: str) -> list[SearchResult]:
        """The nearest slide of each of the nearest patients with a diagnosis."""
        options = SearchOptions(
            k=self.options.patients,
            where=all_of(self.retrieval.store.filter(self.options.where), self._has(label)),
            same_patient=self.options.same_patient,
            by_case=True,
            workers=self.options.workers,
        )
        by_owner: dict[str, SearchResult] = {}
        for result in search(self.archive, self.query, options):
            by_owner.setdefault(name_owner(result.record), result)
        return [replace(result, rank=rank) for rank, result in enumerate(by_owner.values(), start=1)]

    def read_facts(self, nearest: Sequence[SearchResult]) -> list[PatientReports]:
        """What the reports of each patient's nearest case state, of those that have any."""
        slides = {slide_id: place for place, one in enumerate(nearest) for slide_id in (one.slide_id, *one.also)}
        stated = self.retrieval.store.list_report_facts(list(slides))
        by_patient: dict[int, list[Sequence[str]]] = {}
        for slide_id, facts in stated.items():
            by_patient.setdefault(slides[slide_id], []).append(facts)
        return [by_patient[place] for place in sorted(by_patient)]

    def find_counter_example(self, label: str, nearest: Sequence[SearchResult]) -> CounterExample | None:
        """The slide of another diagnosis that looks most like the nearest of this one."""
        if not nearest:
            return None
        like = nearest[0].slide_id
        store = self.retrieval.store
        others = all_of(
            store.filter(self.options.where),
            not_true(self._has(label)),
            not_true(IsNull(Column(self.column))),
            not_true(self.retrieval.scope.exclusions.condition),
        )
        for result in search(self.archive, ArchivedSlide(like), SearchOptions(k=1, where=others)):
            return CounterExample(read_value(result.record, self.column), like, result)
        return None

    def _has(self, label: str) -> Expression | None:
        return combine_filters(self.retrieval.store, [FieldFilter("metadata", self.column, (label,))])


def _choose_column(archive: ArchiveFolder, options: DifferentialOptions) -> str:
    calibrated = archive.calibration.label if archive.calibration else None
    column = options.column or (calibrated.column if calibrated else DEFAULT_LABEL)
    if column not in archive.store.metadata_types():
        raise InputError(f"--column {column}", "the archive has no such column", "`histoseek show ID` names them")
    return column


def _choose_labels(results: SearchResults, column: str) -> tuple[str, ...]:
    """The likeliest diagnoses, filled up with those of the nearest patients."""
    by_owner = {name_owner(result.record): read_value(result.record, column) for result in reversed(results.results)}
    nearest = Counter(label for label in reversed(by_owner.values()) if label)
    likely = [label for label, share in _read_probabilities(results, column).items() if share >= _LEAST_PROBABILITY]
    wanted = max(FEWEST_COLUMNS, min(len(likely), MOST_COLUMNS)) if likely else FEWEST_COLUMNS + 1
    labels = tuple(dict.fromkeys((*likely, *(label for label, _ in nearest.most_common()))))[:wanted]
    if len(labels) < FEWEST_COLUMNS:
        what = f"the slides near the query have fewer than {FEWEST_COLUMNS} different values of {column}"
        raise InputError("differential", what, "Name the diagnoses with --label, or choose another --column")
    return labels


def _read_probabilities(results: SearchResults, column: str) -> Mapping[str, float]:
    """How probable each diagnosis is, the likeliest first; nothing where that is not calibrated."""
    labels = results.labels
    return {one.label: one.share for one in labels.shares} if labels and labels.column == column else {}


def _compare_reports(
    label: str, facts: Mapping[str, Sequence[PatientReports]], most: int
) -> tuple[DistinguishingTerm, ...]:
    others = [patient for other, patients in facts.items() if other != label for patient in patients]
    return find_distinguishing_terms(facts[label], others, most)


def as_text(differential: Differential) -> str:
    """A table of the nearest cases, and below it of each diagnosis its counter-example and its terms."""
    likely = any(column.probability is not None for column in differential)
    columns = (
        TableColumn(differential.column, "text"),
        *((TableColumn("probability"),) if likely else ()),
        TableColumn("nearest", "name"),
        TableColumn("score", drop=1),
        TableColumn("case", "name", drop=2),
    )
    rows = tuple(
        (
            column.label,
            *((format_probability(column.probability),) if likely else ()),
            result.slide_id,
            format_figure(result.score),
            result.case_id or "",
        )
        for column in differential
        for result in column.nearest
    )
    notes = [line for column in differential for line in _describe(column)]
    warnings = [f"note: {warning}" for warning in differential.warnings]
    return "\n".join((format_table(columns, rows, get_terminal_width()), *notes, *warnings))


def _describe(column: DifferentialColumn) -> Iterable[str]:
    example = column.counter_example
    if example:
        yield f"{column.label}: {example.result.slide_id} looks like {example.like}, and is {example.label}"
    for term in column.terms:
        yield f"{column.label}: {term}{' (may be chance)' if term.chance > _UNCERTAIN else ''}"
