"""Searching an archive that was tuned: slides are compared under its metric, and what it says adds up."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.ranking_method import TUNED, load_method
from histoseek.archive.tuning_file import Tuning, remove_tuning, write_tuning
from histoseek.encoders.bag import load_bag
from histoseek.errors import ConfigurationError
from histoseek.mosaics.distances import Fusion
from histoseek.ranking.metric import LinearMap, Metric
from histoseek.ranking.settings import PLAIN
from histoseek.search.calibration.novelty import learn_novelty
from histoseek.search.queries import ArchivedSlide, Case, EncodedSlide, Refined
from histoseek.search.retrieve.image import PLAIN_FOR_STRANGERS
from tests.evaluation.archives import labelled_archive

SLIDES = 36
FUSION = Fusion(0.4, 0.8, 0.9, 0.8)
Vectors = np.ndarray


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    places = [i % 3 for i in range(SLIDES)]
    folder = tmp_path_factory.mktemp("tuned")
    return labelled_archive(folder, [i % 2 for i in range(SLIDES)], list(range(SLIDES)), places, tiles=8).path


@pytest.fixture
def archive(labelled: Path, tmp_path: Path) -> Archive:
    return Archive.open(shutil.copytree(labelled, tmp_path / "archive"))


def tune(archive: Archive, rank: int = 24) -> Tuning:
    rng = np.random.default_rng(5)
    offsets, update = 0.3 * rng.standard_normal((2, 24)), rng.standard_normal((2, rank, 24))
    one = LinearMap(offsets.astype(np.float32), *update.astype(np.float32))
    centres = rng.standard_normal((2, 24)).astype(np.float32)
    metric = Metric(one, one, "site", ("site 0", "site 2"), centres, np.zeros(2, np.float32))
    space = archive.require_space().slides_fingerprint
    tuning = Tuning(space, SLIDES, "2026-11-30T00:00:00+00:00", "diagnosis", PLAIN, metric, FUSION)
    write_tuning(archive.layout, tuning)
    return tuning


def map_by_hand(vectors: Vectors, site: str, metric: Metric) -> Vectors:
    rows = vectors.astype(np.float32)
    if site in metric.groups:
        rows = rows - metric.global_map.offsets[metric.groups.index(site)]
    mapped = rows @ (np.eye(24) + metric.global_map.inward.T @ metric.global_map.outward)
    return mapped / np.linalg.norm(mapped, axis=1, keepdims=True)


def measure_by_hand(archive: Archive, query: str, tuning: Tuning) -> dict[str, float]:
    """Naive: signs of differences of the mapped vectors, medians of the nearest, cosines."""
    bits, vectors = {}, {}
    for record in archive.records():
        signature = archive.get(record.slide_id).signature
        own = map_by_hand(signature.global_vector[None], str(record.site), tuning.metric)
        mosaic = map_by_hand(signature.mosaic, str(record.site), tuning.metric).astype(np.float16)
        vectors[record.slide_id] = own[0]
        bits[record.slide_id] = np.concatenate([np.diff(mosaic.astype(np.float64)) < 0, np.diff(own) < 0])
    scores = {}
    for other, codes in bits.items():
        between = (bits[query][:, None] != codes).sum(axis=2)
        local = (np.median(between.min(axis=1)) + np.median(between.min(axis=0))) / 2 / (0.5 * codes.shape[1])
        apart = 1 - float(vectors[query] @ vectors[other])
        scores[other] = 1 - FUSION.local_weight * local - FUSION.global_weight * apart
    return scores


@pytest.mark.parametrize(("rank", "cache_mb"), [(24, ""), (7, "0")])
def test_slides_are_ranked_under_the_metric(
    archive: Archive, rank: int, cache_mb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cache_mb:
        monkeypatch.setenv("HISTOSEEK_CACHE_MB", cache_mb)
        archive = Archive.open(archive.path)
    tuning = tune(archive, rank)
    expected = measure_by_hand(archive, "slide-004", tuning)
    results = archive.search(like="slide-004", k=SLIDES).results
    assert {result.slide_id for result in results} == expected.keys() - {"slide-004"}
    assert [result.score for result in results] == pytest.approx([expected[r.slide_id] for r in results], abs=2e-3)
    assert all(r.explanation and r.explanation.score == pytest.approx(r.score, abs=1e-5) for r in results)
    assert [result.score for result in results] == sorted((result.score for result in results), reverse=True)


def test_a_named_distance_is_the_plain_one_and_regions_stay_plain(archive: Archive) -> None:
    before = archive.search(like="slide-004", k=5)
    tune(archive)
    tuned, plain = archive.search(like="slide-004", k=5), archive.search(like="slide-004", k=5, distance="symmetric")
    assert (tuned.query.distance, plain.query.distance) == (TUNED, "symmetric")
    assert [(r.slide_id, r.score) for r in plain.results] == [(r.slide_id, r.score) for r in before.results]
    assert [r.slide_id for r in tuned.results] != [r.slide_id for r in before.results]
    assert load_method(archive, None, "contained").tuning is None


def test_a_filter_and_a_case_are_ranked_alike(archive: Archive) -> None:
    tune(archive)
    every = {r.slide_id: r.score for r in archive.search(like="slide-004", k=SLIDES).results}
    some = archive.search(like="slide-004", k=SLIDES, where="site = 'site 1'").results
    assert some and all(r.score == pytest.approx(every[r.slide_id], abs=1e-6) for r in some)
    # Each slide of a case is mapped by its own site; a slide is as near as it is to the nearest of them.
    pair = tuple(ArchivedSlide(name, "patient-x") for name in ("slide-004", "slide-005"))
    other = {r.slide_id: r.score for r in archive.search(like="slide-005", k=SLIDES).results}
    case = archive.search(Case(pair), k=SLIDES).results
    assert {r.slide_id for r in case} == set(every) - {"slide-005"}
    assert all(r.score == pytest.approx(max(every[r.slide_id], other[r.slide_id]), abs=1e-6) for r in case)


def test_marked_slides_are_compared_under_the_metric(archive: Archive) -> None:
    tune(archive)
    results = archive.search(Refined(ArchivedSlide("slide-004"), ("slide-007",), ("slide-010",)), k=5).results
    scores = {r.slide_id: r.score for r in archive.search(like="slide-004", k=SLIDES).results}
    assert results[0].slide_id == "slide-007" and "slide-010" not in {r.slide_id for r in results}
    assert all(r.score == pytest.approx(scores[r.slide_id], abs=1e-6) for r in results)


def test_removed_slides_leave_the_ranking(archive: Archive) -> None:
    tune(archive)
    first = archive.search(like="slide-004", k=1).results[0].slide_id
    archive.remove([first])
    assert first not in {r.slide_id for r in archive.search(like="slide-004", k=SLIDES).results}


def test_a_damaged_tuning_is_left_out_and_another_space_has_none(archive: Archive) -> None:
    tuning = tune(archive)
    assert archive.tuning == tuning and archive.tuning.mark == tuning.mark
    path = archive.layout.tuning
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(bytes(content))
    assert archive.tuning is None
    assert archive.search(like="slide-004").query.distance == "symmetric"
    assert any("tuning.safetensors is damaged and left out" in warning for warning in archive.warnings)
    write_tuning(archive.layout, Tuning("others", 1, "", "diagnosis", PLAIN, Metric(), FUSION))
    assert archive.tuning is None and not any("tuning" in warning for warning in archive.warnings)
    assert remove_tuning(archive.layout) and not remove_tuning(archive.layout)


def test_an_archive_that_was_not_tuned_says_so(archive: Archive) -> None:
    with pytest.raises(ConfigurationError, match=r"the archive is not tuned. Run `histoseek tune` first"):
        archive.search(like="slide-004", distance="tuned")


def test_an_identity_ranks_as_the_plain_distance(archive: Archive) -> None:
    plain = archive.search(like="slide-004", k=SLIDES)
    fusion = load_method(archive, "symmetric").distance.fusion
    space = archive.require_space().slides_fingerprint
    write_tuning(archive.layout, Tuning(space, SLIDES, "", "diagnosis", PLAIN, Metric(), fusion))
    tuned = archive.search(like="slide-004", k=SLIDES)
    assert {r.slide_id: r.score for r in tuned.results} == pytest.approx(
        {r.slide_id: r.score for r in plain.results}, abs=1e-3
    )


def test_a_query_unlike_the_archive_is_ranked_plainly(archive: Archive) -> None:
    tune(archive)
    with archive.writing():
        learn_novelty(archive, archive.records())
    bag = load_bag(archive.layout.bag("slide-004"))
    own, stranger = (
        EncodedSlide(replace(bag, features=features), "query", 0.0, "patient-4")
        for features in (bag.features, bag.features + 25)
    )
    assert archive.search(own, k=5).query.distance == TUNED
    results = archive.search(stranger, k=5)
    plain, by_name = archive.search(stranger, k=5, distance="symmetric"), archive.search(stranger, k=5, distance=TUNED)
    assert (results.query.distance, by_name.query.distance) == ("symmetric", TUNED)
    assert [(r.slide_id, r.score) for r in results.results] == [(r.slide_id, r.score) for r in plain.results]
    assert [r.score for r in by_name.results] != [r.score for r in plain.results]
    assert PLAIN_FOR_STRANGERS in results.warnings
    assert not {PLAIN_FOR_STRANGERS} & {*plain.warnings, *by_name.warnings, *archive.search(own).warnings}
    assert archive.search(stranger, to="cases", k=2).query.distance == "symmetric"
