"""Protocols and ranking: who meets whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.errors import BadTable, ConfigurationError, InputError
from histoseek.evaluation.cohort import Cohort, load_cohort
from histoseek.evaluation.neighbours import NOBODY, Fold, join_neighbours, rank
from histoseek.evaluation.protocols import make_folds
from histoseek.evaluation.settings import ProtocolSpec
from tests.evaluation.archives import labelled_archive
from tests.weights import write_features, write_table

LABELS = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
PATIENTS = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
SITES = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return load_cohort(labelled_archive(tmp_path_factory.mktemp("cohort"), LABELS, PATIENTS, SITES), "diagnosis")


class Table:
    """A system that looks its distances up."""

    name = "table"

    def __init__(self, distances: np.ndarray) -> None:
        self.all = distances.astype(np.float32)

    def fit(self, database: np.ndarray) -> None:
        pass

    def distances(self, queries: np.ndarray, database: np.ndarray) -> np.ndarray:
        return self.all[np.ix_(queries, database)]


@settings(max_examples=60)
@given(st.integers(1, 12), st.integers(0, 999), st.integers(1, 14))
def test_ranking_equals_a_naive_one(count: int, seed: int, depth: int) -> None:
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 4, (count, count))
    patients, labels = rng.integers(0, 4, count), rng.integers(0, 3, count)
    everyone = np.arange(count)
    database = np.flatnonzero(rng.random(count) < 0.8)
    found = rank(Table(distances), Fold(everyone, database, (patients,)), labels, depth)
    for query in everyone:
        allowed = [c for c in database.tolist() if c != query and patients[c] != patients[query]]
        best = sorted(distances[query, c] for c in allowed)[:depth]
        row = [c for c in found.slides[query].tolist() if c != NOBODY]
        assert [distances[query, c] for c in row] == best
        assert len(set(row)) == len(row)
        assert set(row) <= set(allowed)
        assert np.isinf(found.distances[query, len(best) :]).all()
        assert found.eligible[query] == len(allowed)
        assert found.relevant[query] == sum(labels[c] == labels[query] for c in allowed)


def test_ties_tell_nothing_of_the_order_of_slides() -> None:
    """Slides lie sorted by class; a system that knows nothing must not profit from that."""
    labels, everyone = np.repeat(np.arange(4), 50), np.arange(200)
    found = rank(Table(np.zeros((200, 200))), Fold(everyone, everyone, (everyone,)), labels, 10)
    right = (labels[found.slides] == labels[:, None]).mean()
    assert abs(right - 49 / 199) < 0.03
    places = found.slides.astype(float).mean()
    assert abs(places - 99.5) < 5


def test_blocks_and_folds_join(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    system, labels = Table(rng.random((9, 9))), rng.integers(0, 3, 9)
    fold = Fold(np.arange(9), np.arange(9), (np.arange(9) // 2,))
    whole = rank(system, fold, labels, 5)
    monkeypatch.setattr("histoseek.evaluation.neighbours._BLOCK_CELLS", 20)
    blocks = rank(system, fold, labels, 5)
    assert np.array_equal(whole.slides, blocks.slides)
    narrow = rank(system, Fold(np.arange(2), np.arange(5, 8), ()), labels, 5)
    both = join_neighbours([narrow, whole])
    assert both.slides.shape == (11, 5)
    assert (both.slides[:2, 3:] == NOBODY).all()


def test_a_query_never_meets_its_patient_or_site(cohort: Cohort) -> None:
    system = Table(np.random.default_rng(0).random((12, 12)))
    for name, groups in (("leave-one-patient-out", PATIENTS), ("leave-one-site-out", SITES)):
        (fold,) = make_folds(cohort, ProtocolSpec(name))  # type: ignore[arg-type]
        found = rank(system, fold, cohort.labels, 12)
        for query, row in zip(found.queries, found.slides, strict=True):
            met = {groups[c] for c in row if c != NOBODY}
            assert met == set(groups) - {groups[query]}


def test_k_folds_share_no_patient_and_ask_everybody_once(cohort: Cohort) -> None:
    folds = make_folds(cohort, ProtocolSpec("k-fold", folds=3))
    asked = np.concatenate([fold.queries for fold in folds])
    assert sorted(asked.tolist()) == list(range(12))
    for fold in folds:
        assert not {PATIENTS[q] for q in fold.queries} & {PATIENTS[c] for c in fold.database}
    again = make_folds(cohort, ProtocolSpec("k-fold", folds=3))
    assert all(np.array_equal(a.queries, b.queries) for a, b in zip(folds, again, strict=True))
    with pytest.raises(InputError, match="6 patients are too few for 7 folds"):
        make_folds(cohort, ProtocolSpec("k-fold", folds=7))


def test_fixed_sets_are_read_and_checked(cohort: Cohort, tmp_path: Path) -> None:
    def spec(*rows: tuple[str, str]) -> ProtocolSpec:
        table = write_table(tmp_path / "sets.csv", [{"slide_id": s, "role": r} for s, r in rows])
        return ProtocolSpec("fixed", sets=table)

    (fold,) = make_folds(cohort, spec(("slide-000", "query"), ("slide-001", "database"), ("slide-004", "database")))
    assert (fold.queries.tolist(), fold.database.tolist()) == ([0], [1, 4])
    found = rank(Table(np.zeros((12, 12))), fold, cohort.labels, 3)
    assert found.slides.tolist() == [[4, NOBODY]]
    for rows, reason in (
        ([("slide-000", "both")], "line 2: 'both' is not a role"),
        ([("nobody", "query")], "line 2: the archive has no labelled slide nobody"),
        ([("slide-000", "query")], "no query or no database"),
    ):
        with pytest.raises(BadTable, match=reason):
            make_folds(cohort, spec(*rows))
    with pytest.raises(BadTable, match="cannot be read"):
        make_folds(cohort, ProtocolSpec("fixed", sets=tmp_path / "none.csv"))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadTable, match="no columns slide_id and role"):
        make_folds(cohort, ProtocolSpec("fixed", sets=tmp_path / "other.csv"))


def test_wrong_protocols_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    for wrong, reason in (
        ({"name": "leave-one-slide-out"}, "is not a protocol"),
        ({"name": "k-fold", "folds": 1}, "too few"),
        ({"name": "fixed"}, "goes with"),
        ({"sets": Path("x.csv")}, "goes with"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            ProtocolSpec(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no value in the column 'stain'"):
        make_folds(cohort, ProtocolSpec("leave-one-site-out", site_column="stain"))
    with pytest.raises(InputError, match="no such column"):
        make_folds(cohort, ProtocolSpec("leave-one-site-out", site_column="scanner"))


def test_cohorts_need_labels_and_patients(cohort: Cohort, tmp_path: Path) -> None:
    assert cohort.classes == ("class 0", "class 1", "class 2")
    assert cohort.labels.tolist() == LABELS
    assert len(load_cohort(cohort.archive, "diagnosis", "site = 'site 1'")) == 4
    with pytest.raises(InputError, match="no such column"):
        load_cohort(cohort.archive, "grade")
    with pytest.raises(InputError, match="0 slides have a value in the column 'organ'"):
        load_cohort(cohort.archive, "organ")
    archive = Archive.create(tmp_path / "bare", cohort.archive.recipe, text_encoder="none")
    table = write_table(tmp_path / "t.csv", [{"slide_id": f"slide-0{i}", "diagnosis": "a"} for i in range(3)])
    archive.index([write_features(tmp_path / "features", 3)], table)
    with pytest.raises(InputError, match=r"3 slides have no patient id \(slide-00, slide-01, slide-02\)"):
        load_cohort(archive, "diagnosis")
    assert load_cohort(archive, "diagnosis", patient_is_slide=True).patients.tolist() == [0, 1, 2]
