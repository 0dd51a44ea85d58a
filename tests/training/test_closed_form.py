"""The closed-form alignment: against naive ridge regression, on pairs that belong together and on pairs that don't."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import SharedRecall, load_alignment
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ArchiveError, TooFewPairs
from histoseek.search.queries import ReportText
from histoseek.search.retrieve.channels import LEAST_SHARED_WEIGHT, REPORTS_WEIGHT, weigh_shared_space
from histoseek.training.alignment.closed_form import STRENGTHS, Ridge, align
from histoseek.training.recall_at_k import find_recall
from tests.weights import small_weights, write_features, write_table

REPORTS = (
    "Adenocarcinoma of the colon with gland formation.",
    "Squamous cell carcinoma of the lung, keratinising.",
    "Normal liver tissue without inflammation.",
    "Renal cell carcinoma, clear cell type.",
    "Prostate tissue with chronic prostatitis.",
    "Gastric mucosa with intestinal metaplasia.",
)
"""One report a class."""


def archive_of(folder: Path, labels: list[int], patients: list[int], *, shuffled: bool = False) -> Archive:
    """Slides whose features point where their class does, with their class's report, or with a random one."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((len(REPORTS), 24)) * 0.7
    (folder / "features").mkdir(parents=True)
    said = rng.permutation(labels) if shuffled else labels
    rows: list[dict[str, object]] = []
    for number, (label, patient) in enumerate(zip(labels, patients, strict=True)):
        with h5py.File(folder / "features" / f"slide-{number:02d}.h5", "w") as file:
            file["features"] = (rng.standard_normal((20, 24)) + directions[label]).astype(np.float32)
        text = f"{REPORTS[int(said[number])]} Block {number}."
        rows.append({"slide_id": f"slide-{number:02d}", "patient_id": f"p{patient}", "report": text})
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"))
    table = write_table(folder / "slides.csv", rows)
    archive.index([folder / "features"], table, table)
    return archive


SIX_KINDS = [i % 6 for i in range(60)]


@pytest.fixture(scope="module")
def in_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 60 slides, two of each patient. Not to be changed."""
    return archive_of(tmp_path_factory.mktemp("pairs"), SIX_KINDS, [i // 2 for i in range(60)]).path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same slides, each of a patient of its own. Not to be changed."""
    return archive_of(tmp_path_factory.mktemp("alone"), SIX_KINDS, list(range(60))).path


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides of a patient each, with the report of another. Not to be changed."""
    return archive_of(tmp_path_factory.mktemp("shuffled"), SIX_KINDS, list(range(60)), shuffled=True).path


def copied(archive: Path, folder: Path) -> Archive:
    return Archive.open(shutil.copytree(archive, folder / "archive"))


@settings(max_examples=20)
@given(st.integers(3, 40), st.integers(2, 30), st.integers(1, 12), st.sampled_from(STRENGTHS), st.integers(0, 99))
def test_ridge_solves_the_normal_equations(n: int, d: int, t: int, strength: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    slides = rng.standard_normal((n, d)).astype(np.float32)
    texts = rng.standard_normal((n, t)).astype(np.float32)
    ridge = Ridge.fit(slides, texts)
    x, y = slides.astype(float) - slides.astype(float).mean(0), texts.astype(float) - texts.astype(float).mean(0)
    eigenvalues = np.linalg.eigvalsh(x.T @ x)
    penalty = strength * eigenvalues[eigenvalues > eigenvalues.max() * 1e-10].mean()
    naive = np.linalg.solve(x.T @ x + penalty * np.eye(d), x.T @ y)
    assert np.allclose(ridge.matrix(strength), naive, atol=1e-6)
    alignment = ridge.alignment(strength)
    mapped = (slides - slides.mean(0)) @ naive
    unit = mapped / np.linalg.norm(mapped, axis=1, keepdims=True)
    assert np.allclose(alignment.slides(slides), unit, atol=1e-2 if strength > 100 else 2e-3)
    centred = texts - texts.mean(0)
    assert np.allclose(alignment.texts(texts), centred / np.linalg.norm(centred, axis=1, keepdims=True), atol=1e-3)


def test_pairs_that_belong_together_align(in_pairs: Path, tmp_path: Path) -> None:
    archive = copied(in_pairs, tmp_path)
    report = align(archive)
    assert (report.pairs, report.patients, report.scored) == (60, 30, 60)
    found = {(r.direction, r.answer, r.k): r for r in report.recalls}
    for direction in ("slide->report", "text->slide"):
        recall = found[(direction, "pair", 5)]  # type: ignore[index]
        assert recall.chance == pytest.approx(5 / 60)
        assert recall.low > 2 * recall.chance
    results = archive.search(text="squamous carcinoma", k=10)
    ways = [(r.record.slide_id, w.rank) for r in results for w in r.channels if w.name == "shared space"]
    best = sorted(ways, key=lambda pair: pair[1])[:5]
    assert sum(SIX_KINDS[int(slide_id[-2:])] == 1 for slide_id, _ in best) >= 4
    assert archive.verify().problems == ()
    again = align(archive)
    assert again.recalls == report.recalls
    assert again.strength == report.strength


def test_pairs_that_do_not_belong_together_stay_at_chance(shuffled: Path, tmp_path: Path) -> None:
    aligned = align(copied(shuffled, tmp_path))
    for direction in ("slide->report", "text->slide"):
        value = find_recall(aligned.recalls, direction, "pair", 5)  # type: ignore[arg-type]
        assert value < 0.2


@pytest.mark.parametrize("pairs", ["alone", "shuffled"])
def test_a_known_report_finds_its_slide_as_well_once_aligned(
    pairs: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever the shared space is worth: what a report says word by word needs no guess from the slide's look."""
    archive = copied(request.getfixturevalue(pairs), tmp_path)

    def count_first() -> int:
        # A quarter of them.
        reports = {record.slide_id: record.report or "" for record in archive.records()[::4]}
        found = {i: next(iter(archive.search(ReportText(text), k=1))).slide_id for i, text in reports.items()}
        return sum(found[slide_id] == slide_id for slide_id in reports)

    before = count_first()
    align(archive)
    assert count_first() >= before > 12


def test_what_was_measured_is_kept_with_the_maps_and_old_ones_lack_it(alone: Path, tmp_path: Path) -> None:
    archive = copied(alone, tmp_path)
    report = align(archive)
    measured = archive.language.alignment and archive.language.alignment.measured
    assert measured is not None
    assert measured.value == find_recall(report.recalls, "text->slide", "group", 5)
    path, space = archive.layout.alignment, archive.require_space()
    maps = load_alignment(path, space.alignment_weights)
    replace(maps, measured=None).save(tmp_path / "old.safetensors")
    assert load_alignment(tmp_path / "old.safetensors", space.alignment_weights).measured is None


def test_a_given_split_keeps_the_test_part_out_of_the_maps(in_pairs: Path, tmp_path: Path) -> None:
    archive = copied(in_pairs, tmp_path)
    part = ["train"] * 36 + ["validation"] * 12 + ["test"] * 12
    rows: list[dict[str, object]] = [{"slide_id": f"slide-{i:02d}", "part": part[i]} for i in range(60)]
    report = align(archive, split=write_table(tmp_path / "split.csv", rows))
    assert (report.scored, report.held_out) == (12, "the test part of split.csv")
    maps = archive.language.alignment
    assert maps is not None
    ids = [f"slide-{i:02d}" for i in range(60)]
    slides, texts = (archive.store.vectors(ids, name) for name in ("global_vector", "report_vector"))
    naive = Ridge.fit(slides[:36], texts[:36]).alignment(report.strength)
    assert np.allclose(maps.slides(slides), naive.slides(slides), atol=1e-5)
    similarity = maps.texts(texts[48:]) @ maps.slides(slides[48:]).T
    best = (similarity.argmax(1) == np.arange(12)).mean()
    assert find_recall(report.recalls, "text->slide", "pair", 1) == pytest.approx(best)
    pooled = {each.direction for each in report.pooled}
    assert pooled == set()
    assert maps.facts == {"pairs": 60, "patients": 30, "strength": report.strength, "seed": 0} | {
        "held_out": "the test part of split.csv"
    }


@given(st.floats(0, 1), st.floats(0, 0.9), st.floats(0, 1))
def test_the_shared_space_weighs_what_was_measured(value: float, chance: float, missing: float) -> None:
    weight = weigh_shared_space(SharedRecall(value, chance), missing)
    assert weigh_shared_space(None, missing) == LEAST_SHARED_WEIGHT <= weight <= REPORTS_WEIGHT + 1e-9
    assert weight <= weigh_shared_space(SharedRecall(min(1.0, value + 0.1), chance), missing)
    assert weigh_shared_space(SharedRecall(value, chance), 0.0) <= max(LEAST_SHARED_WEIGHT, REPORTS_WEIGHT / 4 + 1e-9)
    if value <= chance:
        assert weight == LEAST_SHARED_WEIGHT


def test_what_cannot_be_aligned_is_refused(tmp_path: Path) -> None:
    few = archive_of(tmp_path / "few", [0, 1, 2, 3] * 3, list(range(12)))
    with pytest.raises(TooFewPairs, match="12 slides with reports, of 12 patients, with 12 distinct texts"):
        align(few)
    one_patient = archive_of(tmp_path / "one", [i % 6 for i in range(30)], [0] * 30)
    with pytest.raises(TooFewPairs, match="of 1 patients"):
        align(one_patient)
    bare = Archive.create(tmp_path / "bare", Recipe(encoder="features:test"))
    bare.index([write_features(tmp_path / "features", 3)])
    with pytest.raises(ArchiveError, match="no report vectors"):
        align(bare)
    reencode(few, SpaceChange(weights=small_weights(texts=True)))
    with pytest.raises(ArchiveError, match="trained with texts"):
        align(few)
    assert not few.layout.target.exists()
