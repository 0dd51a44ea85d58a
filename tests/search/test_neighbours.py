"""Searching an archive whose tuning lets neighbours have a say, and its graph as slides come, go and change."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive import graph_file
from histoseek.archive.graph_file import keep_graph, load_graph
from histoseek.archive.ranking_method import load_method
from histoseek.archive.tuning_file import Tuning, remove_tuning, write_tuning
from histoseek.ranking.diffusion import spread
from histoseek.ranking.graph import SPARE_NEIGHBOURS, NeighbourGraph
from histoseek.ranking.metric import Metric
from histoseek.ranking.settings import PLAIN, DiffusionSettings
from histoseek.search.queries import ArchivedSlide, Case, Refined
from histoseek.search.results import SearchResult
from tests.evaluation.archives import labelled_archive

SLIDES = 40
SETTINGS = DiffusionSettings(0.4, 4, 0.9)
PATIENTS = [i // 2 for i in range(SLIDES)]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty patients of two slides, with tuning and graph."""
    folder = tmp_path_factory.mktemp("neighbours")
    archive = labelled_archive(folder, [i % 3 for i in PATIENTS], PATIENTS, tiles=8)
    tune(archive, SETTINGS)
    return archive.path


@pytest.fixture
def archive(labelled: Path, tmp_path: Path) -> Archive:
    return Archive.open(shutil.copytree(labelled, tmp_path / "archive"))


def tune(archive: Archive, diffusion: DiffusionSettings | None) -> Tuning:
    fusion = load_method(archive, "symmetric").distance.fusion
    space = archive.require_space().slides_fingerprint
    settings = replace(PLAIN, diffusion=diffusion)
    tuning = Tuning(space, SLIDES, "2026-11-30T00:00:00+00:00", "diagnosis", settings, Metric(), fusion)
    with archive.writing():
        write_tuning(archive.layout, tuning)
    return tuning


def search(archive: Archive, query: str = "slide-004", **options: object) -> dict[str, SearchResult]:
    found = archive.search(like=query, k=SLIDES, **options)  # type: ignore[arg-type]
    assert not any("neighbours have no say" in warning for warning in found.warnings)
    return {result.slide_id: result for result in found.results}


def read_graph(archive: Archive) -> NeighbourGraph:
    graph = graph_file._read_if_sound(archive.layout)
    assert graph is not None
    return graph.graph


def build_anew(archive: Archive) -> NeighbourGraph:
    records = list(archive)
    vectors = load_method(archive, None).view(archive.store.snapshot()).ranking_rows().global_vectors
    owners = np.unique([str(record.patient_id) for record in records], return_inverse=True)[1]
    return NeighbourGraph.build(vectors, owners, SETTINGS.neighbours + SPARE_NEIGHBOURS)


def test_the_score_is_of_the_distance_and_of_what_neighbours_say(archive: Archive) -> None:
    store = load_method(archive, None).view(archive.store.snapshot())
    vectors = store.ranking_rows().global_vectors
    own = np.array([patient == PATIENTS[4] for patient in PATIENTS])
    order = np.argsort(-(vectors @ vectors[4]), kind="stable")
    parts = spread(build_anew(archive), vectors, vectors[4], order[~own[order]], own, SETTINGS)
    said = dict(zip(sorted(record.slide_id for record in archive), parts.find_parts(np.arange(SLIDES)), strict=True))
    direct = search(archive, distance="symmetric")
    found = search(archive)
    assert found.keys() == direct.keys() and not {"slide-004", "slide-005"} & found.keys()
    for slide_id, result in found.items():
        distance = 1 - direct[slide_id].score
        assert result.neighbours == pytest.approx(said[slide_id], abs=1e-6)
        assert 1 - result.score == pytest.approx(0.6 * distance + 0.4 * said[slide_id], abs=1e-3)
        explanation = result.explanation
        assert explanation and explanation.score == pytest.approx(result.score, abs=1e-6)
        assert explanation.neighbours == pytest.approx(0.4 * (1 - said[slide_id]), abs=1e-6)
    assert min(result.neighbours or 0 for result in found.values()) == 0
    assert all(result.neighbours is None for result in direct.values())
    assert [*found] != [*direct]


def test_what_is_asked_for_changes_no_score(archive: Archive) -> None:
    every = search(archive)
    some = search(archive, where="diagnosis = 'class 1'")
    assert 5 < len(some) < len(every)
    assert all(result.score == every[slide_id].score for slide_id, result in some.items())
    few = archive.search(like="slide-004", k=3, candidates=3).results
    assert all(result.score == every[result.slide_id].score for result in few)
    own = search(archive, same_patient=True)
    assert own.keys() - every.keys() == {"slide-005"}
    assert own["slide-005"].score == pytest.approx(
        search(archive, same_patient=True, distance="symmetric")["slide-005"].score, abs=1e-3
    )
    assert all(own[slide_id].score == result.score for slide_id, result in every.items())


def test_slides_that_only_neighbours_lead_to_are_candidates(archive: Archive) -> None:
    found = archive.search(like="slide-004", k=10, candidates=1).results
    reached = [result for result in found if result.neighbours is not None and result.neighbours < 1]
    assert len(reached) > 1


def test_cases_and_marked_slides_hear_the_same_neighbours(archive: Archive) -> None:
    one, other = search(archive, "slide-004"), search(archive, "slide-005")
    pair = tuple(ArchivedSlide(name) for name in ("slide-004", "slide-005"))
    for result in archive.search(Case(pair), k=SLIDES).results:
        best = max(one[result.slide_id], other[result.slide_id], key=lambda alone: alone.score)
        assert (result.score, result.neighbours) == pytest.approx((best.score, best.neighbours))
        assert result.explanation and result.explanation.score == pytest.approx(result.score, abs=1e-6)
    marked = archive.search(Refined(ArchivedSlide("slide-004"), ("slide-007",)), k=5).results
    assert all(result.score == pytest.approx(one[result.slide_id].score, abs=1e-6) for result in marked)
    cases = archive.search(ArchivedSlide("slide-004"), k=5, to="cases").results
    assert cases and all(r.explanation and r.explanation.neighbours >= 0 for r in cases)


def test_the_graph_follows_the_slides(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_graph(archive) == build_anew(archive)
    before = archive.layout.graph.read_bytes()
    with archive.writing():
        pass
    assert archive.layout.graph.read_bytes() == before
    searched = []
    build = NeighbourGraph.build
    monkeypatch.setattr(NeighbourGraph, "build", lambda *rest: searched.append(rest) or build(*rest))
    gone = "slide-010"
    mark = graph_file._read_if_sound(archive.layout).marks[10].tobytes()  # type: ignore[union-attr]
    assert mark in before
    archive.remove([gone], now=True)
    assert mark not in archive.layout.graph.read_bytes()
    assert not searched
    assert read_graph(archive) == build_anew(archive)
    assert len(read_graph(archive)) == SLIDES - 1
    assert gone not in search(archive)
    checked = archive.verify()
    assert not checked.problems and not checked.foreign
    remove_tuning(archive.layout)
    with archive.writing():
        pass
    assert not archive.layout.graph.exists()


def test_a_reader_completes_a_graph_that_is_behind_or_says_that_it_is(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = archive.tuning
    assert tuning
    expected = {slide_id: result.score for slide_id, result in search(archive).items()}
    old = archive.layout.graph.read_bytes()
    archive.remove(["slide-030", "slide-031"])
    removed = {slide_id: result.score for slide_id, result in search(archive).items()}
    archive.layout.graph.write_bytes(old)
    assert {slide_id: result.score for slide_id, result in search(archive).items()} == removed
    assert load_graph(archive.layout, archive.store.snapshot(), tuning) == build_anew(archive)
    for content in (b"nonsense", None):
        graph_file._complete.cache_clear()
        archive.layout.graph.write_bytes(content) if content else archive.layout.graph.unlink()
        assert {slide_id: result.score for slide_id, result in search(archive).items()} == removed
        assert any("graph.safetensors is damaged" in one for one in archive.warnings) == bool(content)
    graph_file._complete.cache_clear()
    monkeypatch.setattr(graph_file, "MOST_COMPARED", 100)
    found = archive.search(like="slide-004", k=3)
    assert any("neighbours have no say in this ranking" in warning for warning in found.warnings)
    assert all(r.neighbours is None and r.explanation and r.explanation.neighbours == 0 for r in found.results)
    with archive.writing():
        keep_graph(archive.layout, archive.store.snapshot(), tuning)
    assert {slide_id: result.score for slide_id, result in search(archive).items()} == removed != expected
    graph_file._complete.cache_clear()
