"""Archives whose global vectors come from a published slide encoder or another tool, and mosaics from the tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from histoseek.api import Archive
from histoseek.archive.indexing.index_warnings import list_sampling_warnings
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.archive.verification.verify import verify
from histoseek.encoders.bag import load_bag
from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.pooled import encode_bag
from histoseek.encoders.slide.registry import UNTRAINED
from histoseek.encoders.weights import FeatureSpace, Weights
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.settings import EvaluationSpec
from histoseek.mosaics.barcodes import make_barcodes
from tests.encoders import naive_published_slides as naive
from tests.encoders import published_slide_names as names_of
from tests.evaluation.archives import labelled_archive

COUNT, FEATURES, WIDTH = 24, 24, 40


def published_weights(folder: Path) -> tuple[Weights, dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    shapes = names_of.feather(FEATURES, WIDTH, 8)
    tensors = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    torch.save({name: torch.from_numpy(value) for name, value in tensors.items()}, folder / "feather.pt")
    request = ImportRequest("feather", FeatureSpace("test"), text_encoder=None)
    return import_checkpoint(folder / "feather.pt", request), tensors


def make_labelled(folder: Path) -> Archive:
    return labelled_archive(folder, [i % 2 for i in range(COUNT)], [i // 2 for i in range(COUNT)])


def test_an_archive_with_published_weights_has_mosaics_of_its_tiles(tmp_path: Path) -> None:
    weights, tensors = published_weights(tmp_path)
    untrained = make_labelled(tmp_path / "untrained")
    archive = Archive.create(tmp_path / "a", Recipe(encoder="features:test"), weights=weights, text_encoder="none")
    report = archive.index([tmp_path / "untrained" / "features"], tmp_path / "untrained" / "slides.csv")
    assert (report.added, report.refused, report.warnings) == (COUNT, (), ())
    space = archive.require_space()
    assert (space.slide_encoder, space.dimension, space.mosaic_dimension) == ("feather-1-slide", WIDTH, FEATURES)
    pooled = untrained.get("slide-003").signature
    stored = archive.get("slide-003").signature
    bag = load_bag(archive.layout.bag("slide-003"))
    expected = naive.feather(tensors, bag.features.astype(np.float64))
    assert np.allclose(stored.global_vector, expected / np.linalg.norm(expected), atol=1e-5)
    assert np.array_equal(stored.mosaic, pooled.mosaic)
    centre = np.load(archive.layout.centre)
    assert len(stored.mosaic) == len(encode_bag(bag, centre).parts)
    mean = stored.shares.astype(np.float64) @ stored.mosaic.astype(np.float64)
    assert np.array_equal(stored.barcodes[:-1], pooled.barcodes[:-1])
    assert np.array_equal(stored.barcodes[-1:], make_barcodes(mean[None].astype(np.float32)))
    assert stored.fault() is None
    _require_working(archive)
    before = archive.require_space()
    reencode(untrained, SpaceChange(weights=weights))
    assert untrained.require_space() == before
    assert np.array_equal(untrained.get("slide-003").signature.barcodes, stored.barcodes)
    _require_working(untrained)
    reencode(untrained, SpaceChange(untrained=True))
    assert untrained.require_space().mosaic_dimension == 0
    assert np.array_equal(untrained.get("slide-003").signature.mosaic, pooled.mosaic)


def test_published_encoders_warn_of_archives_that_take_some_tiles(tmp_path: Path) -> None:
    weights, _ = published_weights(tmp_path)
    [warning] = list_sampling_warnings(weights.card.slide_encoder, Recipe())
    assert warning.startswith(
        "feather-1-slide was published for all tiles of a slide, and this archive takes at most 256"
    )
    assert not list_sampling_warnings(weights.card.slide_encoder, Recipe(tile_budget=None))
    assert not list_sampling_warnings(weights.card.slide_encoder, Recipe(encoder="features:test"))
    assert not list_sampling_warnings(UNTRAINED.encoder_name, Recipe())


def _require_working(archive: Archive) -> None:
    """Search by every distance, arrays, evaluation and verification."""
    vectors = {slide_id: archive.get(slide_id).signature.global_vector for slide_id in archive.store.slides()}
    others = [record.slide_id for record in archive.records() if record.patient_id != "patient-0"]
    nearest = max(others, key=lambda other: vectors["slide-000"] @ vectors[other])
    for opened in (archive, Archive.open(archive.path)):
        for distance in ("symmetric", "maxsim", "global", "contained", "pathsearch-paper"):
            found = list(opened.search(like="slide-000", k=3, distance=distance))
            assert len(found) == 3
            assert distance != "global" or found[0].slide_id == nearest
    assert archive.vectors().vectors.shape == (COUNT, archive.require_space().dimension)
    assert archive.mosaics()["slide-001"].shape[1] == FEATURES
    evaluation = evaluate(archive, EvaluationSpec(systems=("global", "symmetric", "maxsim")))
    assert evaluation.subject.slides == COUNT
    assert any("the slide encoder was trained" in warning for warning in evaluation.warnings)
    assert not verify(archive, deep=True).problems
