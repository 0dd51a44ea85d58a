"""What an evaluation found, as typed objects and as one JSON file that can be read back and compared."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import InputError
from histoseek.evaluation.confounders import SiteCheck
from histoseek.evaluation.leaks import Leak
from histoseek.evaluation.scores import ClassMetrics, MetricEstimate, Scores
from histoseek.evaluation.significance import SystemComparison, compare
from histoseek.files import write_atomic
from histoseek.jsonable import plain
from histoseek.training.recall_at_k import RecallAtK

Ints = NDArray[np.int64]

_INTS = ("queries", "confusion", "votes")
_FLOATS = ("per_query", "chances", "confidence")


@dataclass(frozen=True, slots=True)
class Subject:
    """What was evaluated: an archive's name and embedding space, the label column with its classes, how many slides and
    patients, how many slides had no label, by which filter and protocol, from which seed, by which version, when (UTC).

    design: hash of who asks, who is found, who is barred from whom and what is right: figures of two evaluations can be
    paired if it is equal. encoder: of the slides, with the name of its weights; "" where an older version wrote it.
    """

    archive: str
    space: str
    label: str
    classes: tuple[str, ...]
    slides: int
    patients: int
    without_label: int
    where: str | None
    protocol: str
    design: str
    seed: int
    version: str
    created: str
    encoder: str = ""


@dataclass(frozen=True, slots=True)
class VoteCalibration:
    """How far the share of the vote can be believed.

    error: expected calibration error; area: under the risk-coverage curve; coverage, risk: that curve: shares of the
    queries kept, from the surest on, and the error among them.
    """

    error: float
    area: float
    coverage: tuple[float, ...]
    risk: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SystemResult:
    """All figures of one system. cmc: the share of queries with a right answer among the first 1, 2, ... neighbours."""

    name: str
    scores: Scores
    cmc: tuple[float, ...]
    calibration: VoteCalibration
    seconds: float


@dataclass(frozen=True, slots=True)
class WorstQuery:
    """A query that the first system got wrong, with its nearest slides; ids as in the archive."""

    slide_id: str
    label: str
    nearest: tuple[str, ...]
    nearest_labels: tuple[str, ...]
    distances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A slide on the 2-d map of the archive, with its values of the columns that the map can be coloured by."""

    slide_id: str
    x: float
    y: float
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArchiveMap:
    """The 2-d map; columns: what `values` of each point are of."""

    columns: tuple[str, ...]
    points: tuple[MapPoint, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation: systems under one protocol; comparisons are each system against the first.

    query_ids: slide ids of the queries, in the order of the scores' rows; patients: codes of their patients;
    cross_modal: recalls in four directions between slides and reports; cross_modal_encoders: the same by either of two
    encoders alone, by its name, where an archive has two.
    """

    subject: Subject
    query_ids: tuple[str, ...]
    patients: Ints
    results: tuple[SystemResult, ...]
    comparisons: tuple[tuple[str, tuple[SystemComparison, ...]], ...]
    site_checks: tuple[SiteCheck, ...]
    cross_modal: tuple[RecallAtK, ...]
    leaks: tuple[Leak, ...]
    worst: tuple[WorstQuery, ...]
    map: ArchiveMap | None
    warnings: tuple[str, ...]
    cross_modal_encoders: Mapping[str, tuple[RecallAtK, ...]] = field(default_factory=dict)


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write it as JSON; what is undefined (NaN) is null. Raises InputError when it can't be written."""
    text = json.dumps(_make_jsonable(plain(evaluation)), indent=1, allow_nan=False)
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be written", "Choose another place") from error


@dataclass(frozen=True, slots=True)
class SavedSystem:
    """What a comparison needs of a saved evaluation's first system."""

    name: str
    subject: Subject
    query_ids: tuple[str, ...]
    scores: Scores
    patients: Ints


def load_first_system(path: Path) -> SavedSystem:
    """The first system of a saved evaluation; raises InputError for a file that is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        system = data["results"][0]
        subject = Subject(**{**data["subject"], "classes": tuple(data["subject"]["classes"])})
        scores = _parse_scores(system["scores"])
        return SavedSystem(
            system["name"], subject, tuple(data["query_ids"]), scores, np.array(data["patients"], np.int64)
        )
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "Check the path") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(str(path), "is not a saved evaluation", "Write one with `histoseek evaluate --out`") from error


def compare_saved(first: Path, second: Path, seed: int) -> tuple[tuple[str, str], tuple[SystemComparison, ...]]:
    """The first systems of two saved evaluations, paired by query: their names, and the first minus the second.

    Names say what the two differ in. Raises InputError when a file is no evaluation, when both hold the same figures of
    the same system, or when the two did not ask the same queries by the same protocol.
    """
    left, right = load_first_system(first), load_first_system(second)
    if (left.query_ids, left.subject.design) != (right.query_ids, right.subject.design):
        what = f"has other queries, database, patients, labels or protocol than {first}"
        raise InputError(str(second), what, "Evaluate both on the same slides, by the same label and protocol")
    names = name_apart(left, right, (str(first), str(second)))
    if _is_same_system(left, right):
        what = f"has the same figures of the same system ({left.name}, one embedding space) as {first}"
        raise InputError(str(second), what, "Compare two systems, or two archives encoded differently")
    patients = np.full(int(left.scores.queries.max()) + 1, -1, np.int64)
    patients[left.scores.queries] = left.patients
    return names, compare(left.scores, replace(right.scores, queries=left.scores.queries), patients, seed)


def name_apart(left: SavedSystem, right: SavedSystem, files: tuple[str, str]) -> tuple[str, str]:
    """The names of two systems with all that tells one from the other, the files' names where nothing else does."""
    facts = [_list_facts(each) for each in (left, right)]
    differing = [name for name in facts[0] if facts[0][name] != facts[1][name]]
    if left.name != right.name and not differing:
        return left.name, right.name
    if not differing:
        return f"{left.name} ({files[0]})", f"{right.name} ({files[1]})"
    first, second = (", ".join(f"{name} {each[name] or 'not stated'}" for name in differing) for each in facts)
    return f"{left.name} ({first})", f"{right.name} ({second})"


def _list_facts(system: SavedSystem) -> dict[str, str]:
    """What may tell two systems of one name apart."""
    subject = system.subject
    return {
        "archive": subject.archive,
        "encoder": subject.encoder,
        "space": subject.space,
        "histoseek": subject.version,
    }


def _is_same_system(left: SavedSystem, right: SavedSystem) -> bool:
    same_figures = np.array_equal(left.scores.per_query, right.scores.per_query, equal_nan=True)
    return same_figures and (left.name, left.subject.space) == (right.name, right.subject.space)


def _parse_scores(data: dict[str, Any]) -> Scores:
    plain_names = {field.name for field in fields(Scores)} - set(_INTS) - set(_FLOATS)
    arrays: dict[str, Any] = {name: np.array(data[name], np.int64) for name in _INTS}
    arrays |= {name: np.array(data[name], np.float64) for name in _FLOATS}
    rest: dict[str, Any] = {name: data[name] for name in plain_names}
    rest["names"] = tuple(data["names"])
    rest["metrics"] = tuple(_parse_metric(metric) for metric in data["metrics"])
    rest["classes"] = tuple(
        ClassMetrics(**{**each, "metrics": tuple(_parse_metric(metric) for metric in each["metrics"])})
        for each in data["classes"]
    )
    return Scores(**arrays, **rest)


def _parse_metric(data: dict[str, Any]) -> MetricEstimate:
    values: dict[str, Any] = {name: math.nan if value is None else value for name, value in data.items()}
    return MetricEstimate(**values)


def _make_jsonable(value: Any) -> Any:
    """Arrays as lists, NaN as null."""
    if isinstance(value, np.ndarray):
        return _make_jsonable(value.tolist())
    if isinstance(value, dict):
        return {key: _make_jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_make_jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return _make_jsonable(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
