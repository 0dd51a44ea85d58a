"""What an evaluation found, as typed objects and as one JSON file that can be read back and compared."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import InputError
from histoseek.evaluation.confounders import SiteCheck
from histoseek.evaluation.intervals import Comparison
from histoseek.evaluation.leaks import Leak
from histoseek.evaluation.metrics import ClassMetrics, Metric, Scores
from histoseek.files import write_atomic
from histoseek.search.results import plain
from histoseek.training.recall import Recall

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Subject:
    """What was evaluated: an archive's name and embedding space, the label column with its classes, how many slides and
    patients, by which protocol, from which seed, by which version, when (UTC)."""

    archive: str
    space: str
    label: str
    classes: tuple[str, ...]
    slides: int
    patients: int
    protocol: str
    seed: int
    version: str
    created: str


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How far the share of the vote can be believed: expected calibration error, area under the risk-coverage curve, and
    that curve: shares of the queries kept, from the surest on, and the error among them."""

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
    calibration: Calibrated
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

    query_ids: slide ids of the queries, in the order of the scores' rows; patients: codes of their patients.
    """

    subject: Subject
    query_ids: tuple[str, ...]
    patients: Ints
    results: tuple[SystemResult, ...]
    comparisons: tuple[tuple[str, tuple[Comparison, ...]], ...]
    site_checks: tuple[SiteCheck, ...]
    cross_modal: tuple[Recall, ...]
    leaks: tuple[Leak, ...]
    worst: tuple[WorstQuery, ...]
    map: ArchiveMap | None
    warnings: tuple[str, ...]


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write it as JSON; what is undefined (NaN) is null. Raises InputError when it can't be written."""
    text = json.dumps(_jsonable(plain(evaluation)), indent=1, allow_nan=False)
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
        found = json.loads(path.read_text(encoding="utf-8"))
        first = found["results"][0]
        subject = Subject(**{**found["subject"], "classes": tuple(found["subject"]["classes"])})
        scores = _scores(first["scores"])
        return SavedSystem(
            first["name"], subject, tuple(found["query_ids"]), scores, np.array(found["patients"], np.int64)
        )
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "Check the path") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(str(path), "is no saved evaluation", "Write one with `histoseek evaluate --out`") from error


def _scores(data: dict[str, Any]) -> Scores:
    arrays = {name: np.array(data[name], np.int64) for name in ("queries", "confusion", "votes")}
    floats = {name: np.array(data[name], np.float64) for name in ("per_query", "confidence")}
    return Scores(
        **arrays,
        **floats,
        names=tuple(data["names"]),
        metrics=tuple(_metric(metric) for metric in data["metrics"]),
        classes=tuple(
            ClassMetrics(**{**each, "metrics": tuple(_metric(m) for m in each["metrics"])}) for each in data["classes"]
        ),
        without_answer=data["without_answer"],
    )


def _metric(data: dict[str, Any]) -> Metric:
    return Metric(**{name: math.nan if value is None else value for name, value in data.items()})


def _jsonable(value: Any) -> Any:
    """Arrays as lists, NaN as null."""
    if isinstance(value, np.ndarray):
        return _jsonable(value.tolist())
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return _jsonable(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
