"""Trained slide encoders: regions through their mosaics, and the four directions between slides and texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek import Archive
from histoseek.encoders.bag import load_bag
from histoseek.encoders.pairing import pair_weights
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.base import Architecture, RegionalEncoder
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.registry import find_family
from histoseek.encoders.text.registry import register_text_encoder
from histoseek.encoders.weights import FeatureSpace, TextPart, Weights, WeightsCard
from histoseek.search.regional.opening import open_region_measure
from tests.search.regional.conftest import TEXTS
from tests.search.regional.test_region_search import check_apart
from tests.search.words.conftest import SLIDES
from tests.weights import write_table
from tests.word_tower import CARD, write_features

DIMENSION = 16

FGCR = FgcrArchitecture(
    input_dimension=CARD.dimension,
    dimension=DIMENSION,
    mosaic_size=64,
    depth=1,
    heads=2,
    head_dimension=8,
    mlp_dimension=16,
    scales=(6, 36),
)
PATHSEARCH = PathSearchArchitecture(
    input_dimension=CARD.dimension, dimension=DIMENSION, mosaic_size=4, heads=2, gate_dimension=8
)
MODES: tuple[tuple[Architecture, str], ...] = ((PATHSEARCH, "masked"), (FGCR, "anchored"))
REPORTS = {"teal-1": "teal", "crimson-1": "crimson", "crimson-2": "crimson and cobalt", "cobalt-1": "cobalt"}

Floats = NDArray[np.float32]


def make_weights(architecture: Architecture, mode: str, *, texts: bool = True) -> Weights:
    """Random ones, with a projection of the colours' texts into their space if asked for."""
    import torch

    torch.manual_seed(5)
    network = find_family(architecture.family).network(architecture)
    tensors = {f"visual.{name}": value.numpy().copy() for name, value in network.state_dict().items()}
    rng = np.random.default_rng(5)
    if texts:
        tensors["text_projection.weight"] = rng.standard_normal((DIMENSION, TEXTS.card.dimension)).astype(np.float32)
        tensors["text_projection.bias"] = rng.standard_normal(DIMENSION).astype(np.float32)
    card = WeightsCard(
        name="random",
        architecture=architecture,
        mode=mode,
        features=FeatureSpace("test"),
        text=TextPart(register_text_encoder(TEXTS), TEXTS.card.dimension) if texts else None,
        data="random numbers",
        licence="Apache-2.0",
        source="a test",
        seed=5,
        version="0",
        created="2026-01-01T00:00:00+00:00",
    )
    return Weights.from_tensors(card, tensors)


def make_trained_archive(folder: Path, weights: Weights) -> Archive:
    (folder / "features").mkdir()
    for name, patches in SLIDES.items():
        write_features(folder / "features" / f"{name}.h5", patches)
    rows: list[dict[str, object]] = [{"slide_id": name, "report": text} for name, text in REPORTS.items()]
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"), weights=weights)
    archive.index([folder / "features"], reports=write_table(folder / "reports.csv", rows))
    return archive


@pytest.fixture(scope="module", params=MODES, ids=["pathsearch", "fgcr"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Seven slides of two colours and more, four with a report. Not to be changed."""
    yield make_trained_archive(tmp_path_factory.mktemp("trained"), make_weights(*request.param))


def project(texts: list[str]) -> Floats:
    """Texts in the space of slides, by hand."""
    tensors = make_weights(FGCR, "anchored").tensors
    projected = TEXTS.encode(texts) @ tensors["text_projection.weight"].T + tensors["text_projection.bias"]
    return np.asarray(projected / np.linalg.norm(projected, axis=1, keepdims=True), np.float32)


def test_regions_are_scored_by_their_mosaic_vectors(trained: Archive) -> None:
    results = trained.search(text="teal", to="regions", k=8)
    check_apart(results)
    [vector] = project(["teal"])
    encoder = trained.signer.slide_encoder
    kept = {slide.record.slide_id: slide.signature for slide in trained.store.get(list(SLIDES))}
    cosines = {one: signature.mosaic.astype(np.float32) @ vector for one, signature in kept.items()}
    first = max(cosines, key=lambda one: float(cosines[one].max()))
    assert results.results[0].slide_id == first
    for result in results:
        assert result.region is not None
        if isinstance(encoder, RegionalEncoder):
            regions = encoder.list_regions(load_bag(trained.layout.bag(result.slide_id)))
            [place] = [place for place, region in enumerate(regions) if region.box == result.region]
            assert result.channels[0].name == "anchors"
            assert result.channels[0].score == pytest.approx(float(cosines[result.slide_id][place]), abs=1e-3)
        else:
            assert result.channels[0].name == "aligned tiles"
            assert min(abs(cosines[result.slide_id] - result.channels[0].score)) < 1e-3


def test_of_two_encoders_side_by_side_the_one_with_regions_is_asked(tmp_path: Path) -> None:
    archive = make_trained_archive(tmp_path, pair_weights(*(make_weights(*one) for one in MODES), "both", 0.7))
    measure = open_region_measure(archive, archive.store.snapshot())
    assert measure.name == "anchors"
    vectors, projected = measure.encode(["teal"]), project(["teal"])
    slides = measure.measure_slides(vectors)
    for slide in archive.store.get(list(SLIDES)):
        anchors = slide.signature.mosaic[PATHSEARCH.mosaic_size :, DIMENSION:].astype(np.float32)
        expected = anchors @ projected[0]
        measured = measure.measure_regions(slide.record.slide_id, vectors)
        assert measured.similarities[0] == pytest.approx(expected, abs=1e-3)
        [place] = np.flatnonzero(slides.slide_ids == slide.record.slide_id)
        assert slides.similarities[0, place] == pytest.approx(expected.max(), abs=0.01)
        bag = load_bag(archive.layout.bag(slide.record.slide_id))
        assert measure.measure_best_region(bag, vectors)[0] == pytest.approx(expected.max(), abs=1e-3)
    assert slides.similarities.min() < 0
    check_apart(archive.search(text="teal", to="regions", k=6))


def test_of_two_encoders_side_by_side_only_one_with_texts_is_compared_with_them(tmp_path: Path) -> None:
    for number, mute in enumerate((FGCR, PATHSEARCH)):
        pair = [make_weights(one, mode, texts=one is not mute) for one, mode in MODES]
        (tmp_path / str(number)).mkdir()
        archive = make_trained_archive(tmp_path / str(number), pair_weights(*pair, "both", 0.7))
        measure = open_region_measure(archive, archive.store.snapshot())
        assert measure.name == ("aligned tiles" if mute is FGCR else "anchors")
        vectors = measure.encode(["teal"])
        slides, place = measure.measure_slides(vectors), int(mute is PATHSEARCH)
        for slide in archive.store.get(list(SLIDES)):
            own = slide.signature.split(archive.require_space().side_by_side)[place]  # type: ignore[arg-type]
            cosines = own.mosaic.astype(np.float32) @ project(["teal"])[0]
            best = float(slides.similarities[0, slides.slide_ids == slide.record.slide_id][0])
            assert best == pytest.approx(cosines.max(), abs=0.01)
            regions = measure.measure_regions(slide.record.slide_id, vectors)
            assert np.abs(regions.similarities[0][:, None] - cosines).min(axis=1).max() < 1e-3
        check_apart(archive.search(text="teal", to="regions", k=6))


def test_a_bag_is_measured_as_a_slide_of_its_own(trained: Archive) -> None:
    measure = open_region_measure(trained, trained.store.snapshot())
    bag = load_bag(trained.layout.bag("teal-1")).take(np.arange(6))
    embedding = trained.signer.slide_encoder.encode(bag)
    # Six tiles are one anchor: at the coarsest scale there is one region of all.
    own = embedding.parts[-1].vector if measure.name == "anchors" else embedding.global_vector
    vectors = measure.encode(["teal", "crimson"])
    assert vectors == pytest.approx(project(["teal", "crimson"]), abs=1e-5)
    assert measure.measure_bag(bag, vectors) == pytest.approx(vectors @ own, abs=1e-5)


def test_slides_and_texts_find_each_other_in_four_directions(trained: Archive) -> None:
    vectors = dict(zip(SLIDES, trained.store.vectors(list(SLIDES), "global_vector"), strict=True))
    texts = dict(zip(REPORTS, project(list(REPORTS.values())), strict=True))
    by_text = {one: float(vector @ texts["teal-1"]) for one, vector in vectors.items()}
    by_slide = {one: float(vectors["teal-1"] @ text) for one, text in texts.items() if one != "teal-1"}
    for options, expected in (
        ({"text": "teal", "to": "slides"}, by_text),
        ({"like": "teal-1", "to": "reports"}, by_slide),
    ):
        results = trained.search(k=10, **options)  # type: ignore[arg-type]
        shared = {r.slide_id: way.score for r in results for way in r.channels if way.name == "shared space"}
        assert shared.keys() == expected.keys()
        assert shared == pytest.approx(expected, abs=1e-3)
    alike = trained.search(like="teal-1", k=10)
    assert {result.slide_id for result in alike} == SLIDES.keys() - {"teal-1"}
    same = trained.search(text="crimson", to="reports", k=10)
    own = {r.slide_id: way.score for r in same for way in r.channels if way.name == "report vectors"}
    assert own["crimson-1"] == pytest.approx(1, abs=1e-5) and own["crimson-2"] < 1
