"""An archive of two slide encoders: searched, explained, verified and evaluated, both together and each alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.archive_fusion import load_distance
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.pairing import pair_weights
from histoseek.encoders.weights import PARTS, PartName, PatientParts, TrainingFacts, Weights, save_weights
from histoseek.errors import ConfigurationError
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.outcome import Evaluation, compare_saved, save_evaluation
from histoseek.evaluation.report.evaluation_page import render_evaluation
from histoseek.evaluation.settings import DEFAULT_SYSTEMS, EvaluationSpec
from histoseek.geometry import Rect
from histoseek.mosaics.distances import SignatureBlock
from histoseek.rest.queries import Box, PhrasesRequest, RegionQuery, SlideRef
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide, Region
from tests.cli.process import histoseek
from tests.evaluation.archives import labelled_archive
from tests.server.running import serving
from tests.weights import SMALL_FGCR, small_weights

COUNT, SHARE = 36, 0.6
LABELS = [i % 3 for i in range(COUNT)]
PATIENTS = [i // 2 for i in range(COUNT)]
SPEC = EvaluationSpec(systems=("both", "pathsearch", "fgcr"), all_patients=True)


def trained_on(weights: Weights, patients: range) -> Weights:
    ids: dict[PartName, list[tuple[str, str]]] = {part: [] for part in PARTS}
    ids["train"] = [(f"patient-{patient}", f"renamed-{patient}") for patient in patients]
    facts = TrainingFacts({"epochs": 1}, PatientParts.from_ids(ids, f"salt {patients}"))
    return replace(weights, card=replace(weights.card, training=facts))


@pytest.fixture(scope="module", name="parts")
def fixture_parts() -> tuple[Weights, Weights]:
    one = small_weights(1, texts=True, name="one")
    other = small_weights(2, texts=True, name="other", architecture=SMALL_FGCR)
    return trained_on(one, range(3)), trained_on(other, range(2, 6))


@pytest.fixture(scope="module", name="archives")
def fixture_archives(parts: tuple[Weights, Weights], tmp_path_factory: pytest.TempPathFactory) -> list[Archive]:
    """The same slides by either encoder, and by both. Not to be changed."""
    folder = tmp_path_factory.mktemp("paired")
    stated = ("Necrosis.", "No necrosis.", "Mucin, no necrosis.")
    reports = [f"{stated[LABELS[i]]} class {LABELS[i]}, block {i % 4}" for i in range(COUNT)]
    plain = labelled_archive(folder / "plain", LABELS, PATIENTS, reports=reports)
    archives = []
    for number, weights in enumerate((*parts, pair_weights(*parts, "pair", SHARE))):
        archive = Archive.open(shutil.copytree(plain.path, folder / str(number)))
        reencode(archive, SpaceChange(weights=weights, text_encoder="minilm"))
        archives.append(archive)
    return archives


@pytest.fixture(scope="module", name="evaluations")
def fixture_evaluations(archives: list[Archive]) -> list[Evaluation]:
    usual = replace(SPEC, systems=("symmetric",))
    return [evaluate(archive, spec) for archive, spec in zip(archives, (usual, usual, SPEC), strict=True)]


def test_an_archive_moves_to_both_encoders(archives: list[Archive]) -> None:
    one, other, both = (archive.store.get(archive.store.slides()) for archive in archives)
    space = archives[2].require_space()
    assert (space.slide_encoder, space.dimension, space.first_dimension) == ("paired-1-weighted", 48, 32)
    assert (space.text_dimension, space.shared_dimension, space.first_share) == (768, 48, SHARE)
    assert archives[2].verify().problems == ()
    for slides in zip(one, other, both, strict=True):
        first, second = slides[2].signature.split(space.side_by_side)  # type: ignore[arg-type]
        for own, alone in zip((first, second), slides[:2], strict=True):
            assert np.array_equal(own.mosaic, alone.signature.mosaic)
            assert np.array_equal(own.barcodes, alone.signature.barcodes)
            assert np.allclose(own.shares, alone.signature.shares, atol=1e-6)
            assert [tiles.coords.tolist() for tiles in own.mosaic_tiles] == [
                tiles.coords.tolist() for tiles in alone.signature.mosaic_tiles
            ]
        assert slides[2].signature.shares.sum() == pytest.approx(1)
        assert len(slides[2].language.shared_report_vector) == 48  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["symmetric", "maxsim", "rare"])
def test_slides_are_ranked_by_the_weighted_mean(archives: list[Archive], name: str) -> None:
    found = archives[2].search(ArchivedSlide("slide-004"), options=SearchOptions(k=5, distance=name, exact=True))
    assert len(found) == 5
    fusion = load_distance(archives[2], name).fusion
    for result in found:
        parts = []
        for archive in archives[:2]:
            query, slide = archive.store.get(["slide-004", result.slide_id])
            distance = load_distance(archive, name)
            parts.append(distance(query.signature, SignatureBlock.from_signatures([slide.signature])))
        local, global_ = (
            SHARE * getattr(parts[0], part)[0] + (1 - SHARE) * getattr(parts[1], part)[0]
            for part in ("local", "global_")
        )
        assert result.global_ == pytest.approx(global_, abs=1e-5)
        if name != "rare":  # what is common is read off the archive, here as there
            assert result.local == pytest.approx(local, abs=1e-3)
            assert result.score == pytest.approx(1 - fusion.total(local, global_), abs=1e-2)
        explanation = result.explanation
        assert explanation is not None
        assert explanation.score == pytest.approx(result.score, abs=1e-5)
        assert all((match.query_mosaic < 4) == (match.result_mosaic < 4) for match in result.matches)
        assert all(match.similarity != 0 for match in result.matches)


def test_texts_find_slides_and_regions(archives: list[Archive]) -> None:
    found = archives[2].search(text="class 2, block 5", k=4)
    assert len(found) == 4
    assert "shared space" in {channel.name for result in found for channel in result.channels}
    reports = archives[2].search(ArchivedSlide("slide-004"), options=SearchOptions(k=3, to="reports"))
    assert len(reports) == 3
    regions = archives[2].search(text="class 2", options=SearchOptions(k=4, to="regions"))
    alone = archives[1].search(text="class 2", options=SearchOptions(k=4, to="regions"))
    assert [(one.slide_id, one.region) for one in regions] == [(one.slide_id, one.region) for one in alone]
    for one, other in zip(regions, alone, strict=True):
        assert one.channels[0].score == pytest.approx(other.channels[0].score, abs=1e-3)


def test_phrases_are_those_of_the_encoder_with_regions_also_over_http(archives: list[Archive], tmp_path: Path) -> None:
    region = Region(ArchivedSlide("slide-004"), (Rect(0, 0, 900, 900),))
    for query in (ArchivedSlide("slide-004"), region):
        both, alone = (archive.phrases(query) for archive in (archives[2], archives[1]))
        assert {(one.measured_by, one.calibrated) for one in (both, alone)} == {("anchors", False)}
        assert [one.name for one in both] == [one.name for one in alone] and len(both) == 2
        for one, other in zip(both, alone, strict=True):
            assert one.similarity == pytest.approx(other.similarity, abs=0.01)
            assert [each.slide_id for each in one.examples] == [each.slide_id for each in other.examples]
    asked = RegionQuery(slide=SlideRef(slide_id="slide-004"), regions=(Box(x=0, y=0, width=900, height=900),))
    with serving([archives[2].path], tmp_path / "state") as server, server.client() as client:
        assert client.get_archive("2").measures_regions
        answer = client.find_phrases("2", PhrasesRequest(query=asked))
    assert [one.name for one in answer.results] == [one.name for one in both]
    assert [one.similarity for one in answer.results] == pytest.approx([one.similarity for one in both], abs=1e-4)


def test_each_encoder_is_judged_as_if_it_were_alone(evaluations: list[Evaluation]) -> None:
    one, other, pair = evaluations
    assert [result.name for result in pair.results] == ["both", "pathsearch", "fgcr"]
    for result, alone in zip(pair.results[1:], (one, other), strict=True):
        assert np.allclose(result.scores.per_query, alone.results[0].scores.per_query, equal_nan=True)
    assert set(pair.cross_modal_encoders) == {"pathsearch", "fgcr"}
    for name, alone in (("pathsearch", one), ("fgcr", other)):
        own = pair.cross_modal_encoders[name]
        assert [(r.direction, r.answer, r.k) for r in own] == [(r.direction, r.answer, r.k) for r in alone.cross_modal]
        assert [r.value for r in own] == pytest.approx([r.value for r in alone.cross_modal])
    assert {r.k for r in pair.cross_modal} == {1, 3, 5}
    assert len({(r.direction) for r in pair.cross_modal}) == 4
    page = render_evaluation(pair)
    assert page.count("<td>both</td>") == len(pair.cross_modal)


def test_patients_that_either_encoder_has_seen_are_no_queries(
    archives: list[Archive], parts: tuple[Weights, Weights]
) -> None:
    found = evaluate(archives[2], EvaluationSpec(systems=("global",)))
    assert set(found.query_ids) == {f"slide-{i:03d}" for i in range(COUNT) if PATIENTS[i] > 5}
    (note,) = [warning for warning in found.warnings if "not trained on" in warning]
    assert "12 patients that one and other was not trained on" in note


def test_what_one_of_the_two_does_not_say_is_said(
    archives: list[Archive], parts: tuple[Weights, Weights], tmp_path: Path
) -> None:
    silent = replace(parts[1], card=replace(parts[1].card, training=None, name="silent"))
    save_weights(pair_weights(parts[0], silent, "half"), tmp_path / "half.safetensors")
    spec = EvaluationSpec(systems=("global",), held_out=str(tmp_path / "half.safetensors"))
    found = evaluate(archives[2], spec)
    assert set(found.query_ids) == {f"slide-{i:03d}" for i in range(COUNT) if PATIENTS[i] > 2}
    assert any("weights silent do not say on whom" in warning for warning in found.warnings)


def test_encoders_are_systems_of_their_own_archive_alone(archives: list[Archive]) -> None:
    with pytest.raises(ConfigurationError, match="fgcr: there is no such system"):
        evaluate(archives[0], replace(SPEC, systems=("fgcr",)))
    named = [result.name for result in evaluate(archives[2], EvaluationSpec(all_patients=True)).results]
    assert named == [DEFAULT_SYSTEMS[0], "pathsearch", "fgcr", *DEFAULT_SYSTEMS[1:]]


def test_saved_evaluations_of_both_and_of_one_are_compared(
    archives: list[Archive], evaluations: list[Evaluation], tmp_path: Path
) -> None:
    only = evaluate(archives[2], replace(SPEC, systems=("fgcr",)))
    for evaluation, name in ((evaluations[2], "both"), (only, "fgcr"), (evaluations[1], "alone")):
        save_evaluation(evaluation, tmp_path / name)
    names, comparisons = compare_saved(tmp_path / "both", tmp_path / "fgcr", 0)
    assert names == ("both", "fgcr")
    assert all(comparison.difference != 0 or comparison.p == 1 for comparison in comparisons)
    names, comparisons = compare_saved(tmp_path / "fgcr", tmp_path / "alone", 0)
    assert all(comparison.difference == pytest.approx(0) for comparison in comparisons)


def test_both_are_evaluated_on_the_command_line(archives: list[Archive]) -> None:
    done = histoseek("evaluate", "--archive", archives[2].path, "--systems", "both,fgcr", "--all-patients")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.split()[:1] == ["fgcr"] for line in lines)
    [heading] = [line for line in lines if "direction" in line]
    assert heading.split() == ["direction", "right", "is", "k", "both", "pathsearch", "fgcr", "chance", "queries"]
