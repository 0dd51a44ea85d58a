"""The 2-d map of an archive."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from histoseek.errors import InputError, MissingExtra
from histoseek.evaluation.outcome import ArchiveMap
from histoseek.evaluation.report.embedding_map import PRIVATE_COLUMNS, make_archive_map


def clusters(count: int) -> np.ndarray:
    """Slides of two clusters in turn, far apart by angle and of any length."""
    rng = np.random.default_rng(0)
    vectors = 6 * rng.standard_normal((2, 24))[np.arange(count) % 2] + rng.standard_normal((count, 24))
    return (vectors * rng.uniform(0.2, 5, (count, 1))).astype(np.float32)


def mapped(vectors: np.ndarray) -> ArchiveMap:
    ids = [f"s{i}" for i in range(len(vectors))]
    return make_archive_map(
        vectors, ids, {"organ": ["lung", *[None] * (len(vectors) - 1)], "stain": ["HE"] * len(ids)}, 0
    )


def places(found: ArchiveMap) -> np.ndarray:
    return np.array([(point.x, point.y) for point in found.points])


def test_values_come_along_and_unknown_ones_are_empty() -> None:
    found = mapped(clusters(3))
    assert found.columns == ("organ", "stain")
    assert [point.values for point in found.points] == [("lung", "HE"), ("", "HE"), ("", "HE")]


def test_few_slides_lie_by_their_principal_components() -> None:
    vectors = np.array([[0, 0, 0], [4, 0, 0], [8, 0, 0], [4, 1, 0]], np.float32)
    where = places(mapped(vectors))
    gaps = np.linalg.norm(where[:, None] - where[None], axis=2)
    assert np.allclose(gaps, np.linalg.norm(vectors[:, None] - vectors[None], axis=2), atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_slides_that_are_all_alike_lie_in_one_place(count: int) -> None:
    where = places(make_archive_map(np.ones((count, 6), np.float32), [str(i) for i in range(count)], {}, 0))
    assert (where == 0).all()
    assert len(where) == count


@pytest.mark.parametrize("column", PRIVATE_COLUMNS)
def test_no_map_tells_of_patients(column: str) -> None:
    with pytest.raises(InputError, match="holds data of patients"):
        make_archive_map(clusters(3), ["a", "b", "c"], {column: ["x", "y", "z"]}, 0)


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtra, match=r"histoseek\[evaluation\]"):
        mapped(clusters(8))
