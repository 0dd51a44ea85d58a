"""Whole evaluations: of easy and impossible archives, with planted leaks and sites, saved and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.errors import ConfigurationError, InputError
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.outcome import compare_saved, load_first_system, name_apart, save_evaluation
from histoseek.evaluation.settings import EvaluationSpec, ProtocolName, ProtocolSpec
from tests.cli.process import histoseek, refused
from tests.evaluation.archives import labelled_archive
from tests.weights import small_weights, write_table

COUNT = 48
LABELS = [i % 3 for i in range(COUNT)]
PATIENTS = [i // 2 for i in range(COUNT)]
SYSTEMS = ("symmetric", "global", "random")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Classes that are told apart, over four sites that are not."""
    sites = [(i // 2) % 4 for i in range(COUNT)]
    return labelled_archive(tmp_path_factory.mktemp("easy"), LABELS, PATIENTS, sites)


def value(evaluation: object, system: str, metric: str) -> float:
    results = {result.name: result for result in evaluation.results}  # type: ignore[attr-defined]
    return float(results[system].scores.get_metric(metric).value)


def test_separated_classes_are_found_and_random_is_at_chance(archive: Archive) -> None:
    found = evaluate(archive, EvaluationSpec(systems=SYSTEMS))
    assert (found.subject.slides, found.subject.patients, found.subject.protocol) == (48, 24, "leave-one-patient-out")
    assert value(found, "symmetric", "top-1") > 0.9
    random = next(r for r in found.results if r.name == "random").scores.get_metric("top-1")
    assert random.low <= random.chance <= random.high
    assert found.query_ids == tuple(sorted(found.query_ids))
    assert [name for name, _ in found.comparisons] == ["global", "random"]
    against_random = {c.metric: c for c in dict(found.comparisons)["random"]}
    assert against_random["top-1"].difference > 0.4
    assert against_random["top-1"].p_holm < 0.05
    everything = sorted(c.p for _, cs in found.comparisons for c in cs if not np.isnan(c.p))
    smallest = min(c.p_holm for _, cs in found.comparisons for c in cs if not np.isnan(c.p))
    assert smallest == pytest.approx(min(1, everything[0] * len(everything)))
    assert found.leaks == ()
    assert all(a <= b for r in found.results for a, b in zip(r.cmc, r.cmc[1:], strict=False))
    assert found.results[0].cmc[0] == pytest.approx(value(found, "symmetric", "recall@1"))


def test_every_query_is_scored_against_a_naive_top_one(archive: Archive) -> None:
    found = evaluate(archive, EvaluationSpec(systems=("global",)))
    vectors = archive.store.vectors(found.query_ids, "global_vector").astype(float)
    similarity = vectors @ vectors.T
    hits = []
    for i in range(COUNT):
        others = [j for j in range(COUNT) if PATIENTS[j] != PATIENTS[i]]
        hits.append(LABELS[max(others, key=lambda j, i=i: similarity[i, j])] == LABELS[i])  # type: ignore[misc]
    assert value(found, "global", "top-1") == pytest.approx(np.mean(hits))


def test_a_planted_site_is_found_and_its_exclusion_shows_the_fall(tmp_path: Path) -> None:
    """Sites decide how slides look, and nearly decide the class: without same-site answers little is left."""
    sites = [i % 3 if i % 8 else (i + 1) % 3 for i in range(COUNT)]
    archive = labelled_archive(tmp_path, LABELS, PATIENTS, sites, class_effect=0.0, site_effect=0.8)
    (check,) = evaluate(archive, EvaluationSpec(systems=("symmetric",))).site_checks
    assert check.column == "site"
    assert check.predictability.low > 2 * check.predictability.chance
    assert check.with_same.value > 0.6
    assert check.fall > 0.3
    assert "site" in check.sentence
    out = evaluate(archive, EvaluationSpec(systems=("symmetric",), protocol=ProtocolSpec("leave-one-site-out")))
    assert value(out, "symmetric", "top-1") < check.with_same.value - 0.3


def test_an_honest_cohort_shows_no_site(archive: Archive) -> None:
    (check,) = evaluate(archive, EvaluationSpec(systems=("symmetric",))).site_checks
    assert check.predictability.low <= check.predictability.chance
    assert abs(check.fall) < 0.1


def protocols(folder: Path) -> list[ProtocolSpec]:
    """Each protocol; of fixed sets one in which queries may meet slides of their own site."""
    rows = [{"slide_id": f"slide-{i:03d}", "role": "database" if PATIENTS[i] % 3 else "query"} for i in range(COUNT)]
    table = write_table(folder / "sets.csv", [dict(row) for row in rows])
    names: list[ProtocolName] = ["leave-one-patient-out", "leave-one-site-out", "k-fold"]
    return [*(ProtocolSpec(name) for name in names), ProtocolSpec("fixed", sets=table)]


@pytest.mark.parametrize("class_effect", [0.0, 0.3])
def test_sites_that_explain_the_vectors_are_named_under_every_protocol(tmp_path: Path, class_effect: float) -> None:
    sites = [(i // 2) % 4 for i in range(COUNT)]
    planted = labelled_archive(
        tmp_path / "planted", LABELS, PATIENTS, sites, class_effect=class_effect, site_effect=0.8
    )
    for protocol in protocols(tmp_path):
        (check,) = evaluate(planted, EvaluationSpec(systems=("symmetric",), protocol=protocol)).site_checks
        assert check.verdict == "retrieval depends on the site", protocol.name
        assert check.preference is not None
        assert check.preference.share > 0.9 > 0.4 > check.preference.chance


def test_no_site_effect_is_quiet_under_every_protocol(archive: Archive, tmp_path: Path) -> None:
    for protocol in protocols(tmp_path):
        (check,) = evaluate(archive, EvaluationSpec(systems=("symmetric",), protocol=protocol)).site_checks
        assert check.verdict == "no clear sign that retrieval depends on the site", protocol.name


def test_leaving_sites_out_compares_two_rankings_and_not_one_with_itself(archive: Archive, tmp_path: Path) -> None:
    closed = EvaluationSpec(systems=("symmetric",), protocol=ProtocolSpec("leave-one-site-out"))
    found = evaluate(archive, closed)
    (check,) = found.site_checks
    (other,) = evaluate(archive, EvaluationSpec(systems=("symmetric",))).site_checks
    assert (check.with_same, check.without_same, check.fall) == (other.with_same, other.without_same, other.fall)
    assert any("compares rankings in which patients are left out" in warning for warning in found.warnings)


def test_a_database_without_the_queries_sites_cannot_be_checked(archive: Archive, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"slide_id": f"slide-{i:03d}", "role": "database" if (i // 2) % 4 else "query"} for i in range(COUNT)
    ]
    protocol = ProtocolSpec("fixed", sets=write_table(tmp_path / "sets.csv", rows))
    (check,) = evaluate(archive, EvaluationSpec(systems=("symmetric",), protocol=protocol)).site_checks
    assert "cannot be told here" in check.verdict
    assert "no query may meet a slide of its own site" in check.sentence


def test_planted_leaks_are_caught_and_named(tmp_path: Path) -> None:
    reports = [f"Report {i}." for i in range(COUNT)]
    reports[5] = reports[40] = "The same words."
    archive = labelled_archive(tmp_path, LABELS, PATIENTS, reports=reports)
    copy = (tmp_path / "features" / "slide-007.h5").read_bytes()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "twin.h5").write_bytes(copy + b" ")
    leaks = evaluate(archive, EvaluationSpec(systems=("symmetric",))).leaks
    (leak,) = [one for one in leaks if {"slide-005", "slide-040"} <= set(one.slide_ids)]
    assert "report" in leak.what
    assert "same words" not in leak.what


def test_one_patient_in_two_spellings_and_a_file_saved_twice_are_named(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, LABELS, PATIENTS)
    for slide_id, patient in (("slide-000", "PAT-07"), ("slide-001", "pat 7"), ("slide-002", "\uff30AT-007")):
        archive.update(slide_id, {"patient_id": patient})
    resaved = tmp_path / "more" / "twin.h5"
    resaved.parent.mkdir()
    with h5py.File(tmp_path / "features" / "slide-010.h5") as old, h5py.File(resaved, "w") as new:
        new["features"], new["coords"] = old["features"][:], old["coords"][:]
        new["coords"].attrs["patch_size_level0"] = 448
        new.attrs["saved"] = "again"
    table = write_table(tmp_path / "t.csv", [{"slide_id": "twin", "patient_id": "other", "diagnosis": "class 1"}])
    archive.index([resaved], table)
    found = evaluate(archive, EvaluationSpec(systems=("symmetric",)))
    kinds = {leak.kind: leak for leak in found.leaks}
    assert kinds["patient ids alike"].slide_ids == ("slide-000", "slide-001", "slide-002")
    assert kinds["same vector"].slide_ids == ("slide-010", "twin")
    assert "PAT" not in kinds["patient ids alike"].what


def test_evaluations_under_other_rules_are_not_paired(archive: Archive, tmp_path: Path) -> None:
    honest, loose = tmp_path / "honest.json", tmp_path / "loose.json"
    save_evaluation(evaluate(archive, EvaluationSpec(systems=("global",))), honest)
    save_evaluation(evaluate(archive, EvaluationSpec(systems=("global",), patient_is_slide=True)), loose)
    with pytest.raises(InputError, match="other queries, database, patients"):
        compare_saved(honest, loose, 0)


@pytest.mark.parametrize("column", ["report", "patient_id", "case_id"])
def test_private_columns_are_no_labels(archive: Archive, column: str) -> None:
    with pytest.raises(InputError, match="is not a label"):
        evaluate(archive, EvaluationSpec(label=column))


def test_what_was_left_out_is_said(archive: Archive, tmp_path: Path) -> None:
    partly = labelled_archive(tmp_path, LABELS, PATIENTS)
    partly.update("slide-003", {"diagnosis": None})
    found = evaluate(partly, EvaluationSpec(systems=("symmetric",), where="site = 'site 0'"))
    assert (found.subject.without_label, found.subject.where) == (1, "site = 'site 0'")
    assert any("1 slides have no label" in warning for warning in found.warnings)
    with pytest.raises(InputError, match="no slide matches"):
        evaluate(archive, EvaluationSpec(where="site = 'moon'"))


def test_chance_of_a_vote_counts_the_database_that_was_met(archive: Archive, tmp_path: Path) -> None:
    """One query, two slides of its label and two of another: the chance of a majority of five is that of their four."""
    ids = [i for i in range(COUNT) if PATIENTS[i] != 0]
    same = [i for i in ids if LABELS[i] == 0][:1]
    others = [i for i in ids if LABELS[i] == 1][:3]
    rows = [{"slide_id": "slide-000", "role": "query"}]
    rows += [{"slide_id": f"slide-{i:03d}", "role": "database"} for i in same + others]
    table = write_table(tmp_path / "sets.csv", [dict(row) for row in rows])
    spec = EvaluationSpec(systems=("global",), protocol=ProtocolSpec("fixed", sets=table))
    scores = evaluate(archive, spec).results[0].scores
    assert scores.get_metric("top-1").chance == pytest.approx(1 / 4)
    assert scores.get_metric("mMV@5").chance == pytest.approx(0)


def test_labels_with_one_patient_and_one_label_alone_are_said(archive: Archive, tmp_path: Path) -> None:
    labels = [3 if i in (0, 1) else LABELS[i] for i in range(COUNT)]
    lonely = labelled_archive(tmp_path / "lonely", labels, PATIENTS)
    found = evaluate(lonely, EvaluationSpec(systems=("symmetric",)))
    assert any("2 of 48 queries have no other slide of their label" in warning for warning in found.warnings)
    one = evaluate(archive, EvaluationSpec(systems=("symmetric",), where="diagnosis = 'class 1'"))
    assert any("only one label" in warning for warning in one.warnings)
    assert value(one, "symmetric", "top-1") == 1
    with pytest.raises(ConfigurationError, match="symmetric"):
        evaluate(archive, EvaluationSpec(systems=("sextant",)))


def test_it_is_deterministic(archive: Archive, tmp_path: Path) -> None:
    texts = []
    for name in ("a.json", "b.json"):
        save_evaluation(evaluate(archive, EvaluationSpec(systems=SYSTEMS)), tmp_path / name)
        found = json.loads((tmp_path / name).read_text())
        found["subject"].pop("created")
        for result in found["results"]:
            result.pop("seconds")
        texts.append(found)
    assert texts[0] == texts[1]


def test_saved_evaluations_are_compared(archive: Archive, tmp_path: Path) -> None:
    paths = []
    for system in ("symmetric", "random"):
        paths.append(tmp_path / f"{system}.json")
        save_evaluation(evaluate(archive, EvaluationSpec(systems=(system,))), paths[-1])
    names, found = compare_saved(paths[0], paths[1], 0)
    assert names == ("symmetric", "random")
    with pytest.raises(InputError, match="same figures of the same system"):
        compare_saved(paths[0], paths[0], 0)
    live = dict(evaluate(archive, EvaluationSpec(systems=("symmetric", "random"))).comparisons)["random"]
    assert [(c.metric, c.difference, c.p) for c in found] == [(c.metric, c.difference, c.p) for c in live]
    other = tmp_path / "other.json"
    save_evaluation(evaluate(archive, EvaluationSpec(systems=("symmetric",), where="site = 'site 1'")), other)
    with pytest.raises(InputError, match="other queries"):
        compare_saved(paths[0], other, 0)
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(InputError, match="is not a saved evaluation"):
        load_first_system(tmp_path / "none.json")


def test_systems_of_one_name_are_told_apart(archive: Archive, tmp_path: Path) -> None:
    """Archives of other names, encoded by other weights, and files whose version wrote no encoder."""
    copy = shutil.copytree(archive.path, tmp_path / "second.archive")
    other = Archive.open(copy)
    reencode(other, SpaceChange(weights=small_weights()))
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, each in zip(paths, (archive, other), strict=True):
        save_evaluation(evaluate(each, EvaluationSpec(systems=("global",))), path)
    names, _ = compare_saved(*paths, 0)
    spaces = [each.require_space().fingerprint for each in (archive, other)]
    assert names == (
        f"global (archive archive, encoder pooled-1, space {spaces[0]})",
        f"global (archive second.archive, encoder pathsearch-1-masked, weights small, space {spaces[1]})",
    )
    printed = histoseek("evaluate", "--compare", *paths).stdout
    assert names[0] in printed
    assert names[1] in printed
    for path in paths:
        old = json.loads(path.read_text())
        old["subject"].pop("encoder")
        old["subject"]["space"] = old["subject"]["archive"] = "the same"
        path.write_text(json.dumps(old))
    left, right = map(load_first_system, paths)
    assert name_apart(left, right, ("a.json", "b.json")) == ("global (a.json)", "global (b.json)")


def test_what_cannot_be_told_is_said(archive: Archive, tmp_path: Path) -> None:
    """Few patients have no intervals; one system under two names is no comparison; shared patients are counted."""
    few = labelled_archive(tmp_path / "few", [0, 1, 0, 1], [0, 0, 1, 1])
    found = evaluate(few, EvaluationSpec(systems=("symmetric",)))
    assert any(warning.startswith("2 patients have queries with an answer") for warning in found.warnings)
    printed = histoseek("evaluate", "--archive", few.path, "--systems", "symmetric,random", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "evaluation.html").read_text()
    for text in (printed.stdout, page):
        assert "nan" not in text.lower().split() and "too few patients" in text
    loose = evaluate(archive, EvaluationSpec(systems=("symmetric",), patient_is_slide=True))
    assert any(warning.startswith("48 slides share a patient id with another one") for warning in loose.warnings)
    alike = evaluate(archive, EvaluationSpec(systems=("random", "random", "majority"), where="diagnosis = 'class 1'"))
    assert any("majority has the figures of random for every query" in warning for warning in alike.warnings)


def test_the_command_line_evaluates_and_compares(archive: Archive, tmp_path: Path) -> None:
    given = ("evaluate", "--archive", archive.path, "--systems", "symmetric,random")
    done = histoseek(*given, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "48 slides of 24 patients, 3 labels" in done.stdout
    assert "random" in done.stdout
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "<script" not in page
    assert "patient-3" not in page
    saved = tmp_path / "out" / "evaluation.json"
    assert "patient-3" not in saved.read_text()
    assert "same figures of the same system" in refused("evaluate", "--compare", saved, saved)
    assert "no such column" in refused(*given, "--label", "grade")
    assert "is not a choice" in refused(*given, "--protocol", "leave-one-slide-out")
    assert "needs --archive" in refused("evaluate")
    assert "is not a saved evaluation" in refused("evaluate", "--compare", archive.layout.manifest, saved)


def test_the_command_line_draws_a_map(archive: Archive, tmp_path: Path) -> None:
    few = ("--where", "slide_id < 'slide-004'", "--colour", "diagnosis")
    done = histoseek("evaluate", "--archive", archive.path, "--systems", "symmetric", *few, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "coloured by diagnosis" in (tmp_path / "out" / "evaluation.html").read_text()
    assert "no such column" in refused("evaluate", "--archive", archive.path, "--colour", "grade")
