"""Trained weights are judged on the patients they have not seen, or the page says how many they have."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.weights import PARTS, PartName, PatientParts, TrainingFacts, Weights, save_weights
from histoseek.errors import ConfigurationError, InputError
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.outcome import compare_saved, save_evaluation
from histoseek.evaluation.settings import EvaluationSpec, ProtocolSpec
from histoseek.training.alignment.closed_form import align
from tests.cli.process import histoseek
from tests.evaluation.archives import labelled_archive
from tests.weights import small_weights, write_table

COUNT = 36
LABELS = [i % 3 for i in range(COUNT)]
PATIENTS = [i // 2 for i in range(COUNT)]
SPEC = EvaluationSpec(systems=("global",))
TEST_PATIENTS = range(12, 18)


def part_of(patient: int) -> PartName:
    return "test" if patient in TEST_PATIENTS else PARTS[patient % 2]


def weights_of(training: bool = True, patients: range = range(18)) -> Weights:
    """Weights whose card says that patients up to 11 were trained on or chose them."""
    weights = small_weights(texts=True)
    ids: dict[PartName, list[tuple[str, str]]] = {part: [] for part in PARTS}
    for patient in patients:
        ids[part_of(patient)].append((f"patient-{patient}", f"renamed-{patient}"))
    facts = TrainingFacts({"epochs": 1}, PatientParts.from_ids(ids, "salt")) if training else None
    return replace(weights, card=replace(weights.card, training=facts))


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    reports = [f"class {LABELS[i]}, block {i}" for i in range(COUNT)]
    return labelled_archive(tmp_path_factory.mktemp("pooled"), LABELS, PATIENTS, reports=reports)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive of the weights of 18 patients. Not to be changed."""
    folder = tmp_path_factory.mktemp("seen")
    archive = labelled_archive(folder, LABELS, PATIENTS, reports=[f"class {LABELS[i]}" for i in range(COUNT)])
    reencode(archive, SpaceChange(weights=weights_of(), text_encoder="minilm"))
    return archive


def trained(folder: Path, seen: Archive, weights: Weights) -> Archive:
    """The same archive with vectors of other weights."""
    archive = Archive.open(shutil.copytree(seen.path, folder / "archive"))
    reencode(archive, SpaceChange(weights=weights))
    return archive


def test_queries_are_the_patients_that_were_held_out(seen: Archive) -> None:
    found = evaluate(seen, SPEC)
    held_out = [f"slide-{i:03d}" for i in range(COUNT) if PATIENTS[i] in TEST_PATIENTS]
    assert list(found.query_ids) == held_out
    (note,) = [warning for warning in found.warnings if "not trained on" in warning]
    assert note.startswith(
        "queries are 12 slides of 6 patients that small was not trained on; 24 slides of its training"
    )
    assert max(recall.queries for recall in found.cross_modal) == 12
    assert any("of the 12 held-out slides alone" in warning for warning in found.warnings)
    vectors = seen.store.vectors([f"slide-{i:03d}" for i in range(COUNT)], "global_vector").astype(float)
    hits = []
    for i in range(24, COUNT):
        others = [j for j in range(COUNT) if PATIENTS[j] != PATIENTS[i]]
        hits.append(LABELS[max(others, key=lambda j, i=i: vectors[i] @ vectors[j])] == LABELS[i])  # type: ignore[misc]
    assert found.results[0].scores.get_metric("top-1").value == pytest.approx(sum(hits) / len(hits))


def test_all_patients_and_fixed_sets_are_warned_of_with_numbers(seen: Archive, tmp_path: Path) -> None:
    found = evaluate(seen, replace(SPEC, all_patients=True))
    assert len(found.query_ids) == COUNT
    assert any(
        warning.startswith("24 of 36 queries are of patients that small was trained") for warning in found.warnings
    )
    rows: list[dict[str, object]] = [
        {"slide_id": f"slide-{i:03d}", "role": "query" if 20 <= i < 28 else "database"} for i in range(COUNT)
    ]
    protocol = ProtocolSpec("fixed", sets=write_table(tmp_path / "sets.csv", rows))
    fixed = evaluate(seen, replace(SPEC, protocol=protocol))
    assert any(warning.startswith("4 of 8 queries are of patients") for warning in fixed.warnings)


@pytest.mark.parametrize("name", ["leave-one-patient-out", "k-fold"])
def test_a_pooled_archive_is_asked_by_the_same_patients(
    pooled: Archive, seen: Archive, tmp_path: Path, name: str
) -> None:
    """So that both can be compared: by weights, and by the table of parts that a training left."""
    path = tmp_path / "mine.safetensors"
    save_weights(weights_of(), path)
    rows: list[dict[str, object]] = [{"patient_id": f"patient-{p}", "part": part_of(p)} for p in range(18)]
    table = write_table(tmp_path / "split.csv", rows)
    spec = replace(SPEC, protocol=ProtocolSpec(name))  # type: ignore[arg-type]
    ours = evaluate(seen, spec)
    for number, given in enumerate((path, table)):
        theirs = evaluate(pooled, replace(spec, held_out=str(given)))
        assert theirs.query_ids == ours.query_ids
        files = tmp_path / f"ours-{number}.json", tmp_path / f"theirs-{number}.json"
        save_evaluation(ours, files[0])
        save_evaluation(theirs, files[1])
        assert compare_saved(*files, 0)[0][0].startswith("global (encoder pathsearch-1-masked, weights small")


def test_an_aligned_archive_is_judged_on_the_same_patients(tmp_path: Path) -> None:
    """Each report is of its own, so that each of the twelve slides held out asks for one."""
    reports = [f"class {LABELS[i]}, block {i}" for i in range(COUNT)]
    archive = labelled_archive(tmp_path, LABELS, PATIENTS, reports=reports)
    reencode(archive, SpaceChange(text_encoder="minilm"))
    align(archive)
    rows: list[dict[str, object]] = [{"patient_id": f"patient-{p}", "part": part_of(p)} for p in range(18)]
    table = write_table(tmp_path / "split.csv", rows)
    found = evaluate(archive, replace(SPEC, held_out=str(table)))
    assert {recall.queries for recall in found.cross_modal if recall.answer == "pair"} == {12}
    assert any("of the 12 held-out slides alone" in warning for warning in found.warnings)
    assert {recall.queries for recall in evaluate(archive, SPEC).cross_modal if recall.answer == "pair"} == {COUNT}


def test_weights_that_say_nothing_of_their_patients_are_unknown(pooled: Archive, seen: Archive, tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    save_weights(weights_of(training=False), path)
    found = evaluate(trained(tmp_path / "old", seen, weights_of(training=False)), SPEC)
    assert len(found.query_ids) == COUNT
    assert any("its weights do not say on whom" in warning for warning in found.warnings)
    with pytest.raises(ConfigurationError, match="does not say which patients"):
        evaluate(pooled, replace(SPEC, held_out=str(path)))
    assert not any("trained" in warning for warning in evaluate(pooled, SPEC).warnings)


def test_without_a_patient_held_out_it_refuses_and_strangers_are_said(seen: Archive, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all 2 slides are of patients of its training"):
        evaluate(seen, replace(SPEC, where="slide_id in ('slide-000', 'slide-001')"))
    strangers = evaluate(trained(tmp_path / "new", seen, weights_of(patients=range(50, 60))), SPEC)
    assert len(strangers.query_ids) == COUNT
    assert any("none of the 18 patients was in the training of small" in w for w in strangers.warnings)
    shown = histoseek("evaluate", "--archive", seen.path, "--systems", "global", "--all-patients").stdout
    assert "24 of 36 queries" in shown
