"""Each measure of regions against naive computation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek import Archive
from histoseek.encoders.bag import Bag, load_bag
from histoseek.errors import ArchiveError
from histoseek.search.regional.base import RegionMeasure
from histoseek.search.regional.opening import open_region_measure
from tests.search.regional.conftest import TEXTS, BlockEncoder, make_alignment
from tests.search.words.conftest import SLIDES, make_archive
from tests.word_tower import EDGE, ColourWords, Installed

WORDS = ["teal", "crimson", "a teal house", "nothing of it"]

Floats = NDArray[np.float32]


def open_measure(archive: Archive) -> RegionMeasure:
    return open_region_measure(archive, archive.store.snapshot())


def unit(vector: Floats) -> Floats:
    return vector / np.sqrt((vector.astype(np.float64) ** 2).sum())


def map_naively(vector: Floats) -> Floats:
    """A vector of slides in the space of texts, of length one."""
    slide = make_alignment().slide
    assert slide is not None
    return unit(np.array([float((vector * column).sum()) for column in slide.matrix.T]) + slide.offset)


def centre_of(archive: Archive) -> Floats:
    return np.load(next(archive.path.glob("spaces/*/centre.npy")))


def bag_of(archive: Archive, slide_id: str) -> Bag:
    return load_bag(archive.layout.bag(slide_id))


def check_best_of_slides(measure: RegionMeasure, vectors: Floats, naive: dict[str, list[float]]) -> None:
    best = measure.measure_slides(vectors)
    assert sorted(best.slide_ids) == sorted(naive)
    for column, slide_id in enumerate(best.slide_ids):
        assert best.similarities[:, column] == pytest.approx(naive[slide_id], abs=0.01)
    only = measure.measure_slides(vectors, archive_filter(measure, "slide_id = 'teal-1'"))
    assert only.slide_ids.tolist() == ["teal-1"] and only.similarities.shape == (len(vectors), 1)


def archive_filter(measure: RegionMeasure, where: str) -> object:
    owner = measure.words if hasattr(measure, "words") else measure.space  # type: ignore[attr-defined]
    return owner.store.filter(where)


def test_aligned_tiles_are_compared_one_by_one(aligned: Archive) -> None:
    measure = open_measure(aligned)
    assert measure.name == "aligned tiles"
    vectors = measure.encode(WORDS)
    assert np.allclose(vectors, TEXTS.encode(WORDS), atol=1e-6)
    bag, centre = bag_of(aligned, "crimson-teal"), centre_of(aligned)
    measured = measure.measure_regions("crimson-teal", vectors)
    assert len(measured.regions) == len(bag)
    for place in (0, 45, 60, 100, 143):
        tile = map_naively(unit(bag.features[place] - centre))
        assert measured.similarities[:, place] == pytest.approx(vectors @ tile, abs=1e-5)
        x, y = bag.coords[place].tolist()
        corners = [[x, y], [x + EDGE, y], [x + EDGE, y + EDGE], [x, y + EDGE]]
        assert measured.regions[place].outline.tolist() == corners
        assert (measured.regions[place].tiles.tolist(), measured.regions[place].scale) == ([place], 0)
    part = bag.take(np.arange(40, 50))
    mean = map_naively(unit((part.features - centre).mean(axis=0)))
    assert measure.measure_bag(part, vectors) == pytest.approx(vectors @ mean, abs=1e-5)


def test_the_best_mosaic_vector_stands_for_a_slide(aligned: Archive) -> None:
    measure = open_measure(aligned)
    vectors = measure.encode(WORDS)
    mosaics = {slide.record.slide_id: slide.signature.mosaic for slide in aligned.store.get(list(SLIDES))}
    naive = {
        slide_id: np.max([vectors @ map_naively(vector.astype(np.float32)) for vector in mosaic], axis=0).tolist()
        for slide_id, mosaic in mosaics.items()
    }
    check_best_of_slides(measure, vectors, naive)
    whole = measure.measure_best_region(bag_of(aligned, "teal-1"), vectors)
    assert whole == pytest.approx(naive["teal-1"], abs=1e-3)


def test_anchors_are_the_mosaic_vectors_with_their_regions(anchored: Archive) -> None:
    measure = open_measure(anchored)
    assert measure.name == "anchors"
    vectors, bag = measure.encode(WORDS), bag_of(anchored, "crimson-teal")
    encoder = BlockEncoder(centre_of(anchored))
    measured = measure.measure_regions("crimson-teal", vectors)
    assert measured.regions == encoder.list_regions(bag)
    for place in (0, 7, 16, 20):
        mean = unit((bag.features[measured.regions[place].tiles] - encoder.centre).mean(axis=0))
        kept = map_naively(mean.astype(np.float16).astype(np.float32))
        assert measured.similarities[:, place] == pytest.approx(vectors @ kept, abs=1e-5)
    naive = {one: measure.measure_regions(one, vectors).similarities.max(axis=1).tolist() for one in SLIDES}
    check_best_of_slides(measure, vectors, naive)
    assert measure.measure_best_region(bag, vectors) == pytest.approx(naive["crimson-teal"], abs=1e-3)
    whole = encoder.encode(bag).parts[-1].vector
    assert measure.measure_bag(bag, vectors) == pytest.approx(vectors @ map_naively(whole), abs=1e-5)


def test_tiles_and_words_are_compared_as_the_tower_projects_them(installed: Installed, tmp_path: Path) -> None:
    archive = make_archive(tmp_path, {name: SLIDES[name] for name in ("teal-1", "crimson-1", "plain-1")})
    measure = open_measure(archive)
    assert measure.name == "tile words"
    [vector] = measure.encode(["teal"])
    tower, bag = ColourWords(), bag_of(archive, "teal-1")
    tiles = tower.project_tiles(bag.features)
    measured = measure.measure_regions("teal-1", vector[None])
    assert measured.similarities[0] == pytest.approx([float((tile * vector).sum()) for tile in tiles], abs=1e-5)
    best = sorted(measured.similarities[0].tolist())[-3:]
    assert measure.measure_bag(bag, vector[None])[0] == pytest.approx(np.mean(best), abs=1e-5)
    slides = measure.measure_slides(vector[None])
    kept = slides.similarities[0, slides.slide_ids.tolist().index("teal-1")]
    assert measure.measure_best_region(bag, vector[None])[0] == pytest.approx(kept, abs=1e-5)
    assert kept == pytest.approx(measured.similarities.max(), abs=0.03)


def test_without_its_features_a_slide_is_measured_by_what_is_kept(aligned: Archive, tmp_path: Path) -> None:
    archive = Archive.open(shutil.copytree(aligned.path, tmp_path / "archive"))
    archive.layout.bag("teal-1").unlink()
    measure = open_measure(archive)
    [vector] = measure.encode(["teal"])
    [slide] = archive.store.get(["teal-1"])
    cosines = [float(vector @ map_naively(one.astype(np.float32))) for one in slide.signature.mosaic]
    carried: dict[tuple[int, int], tuple[float, float]] = {}
    for cosine, part in zip(cosines, slide.signature.mosaic_tiles, strict=True):
        for corner, weight in zip(part.coords.tolist(), part.weights.tolist(), strict=True):
            carried[corner[0], corner[1]] = max(carried.get((corner[0], corner[1]), (0.0, 0.0)), (weight, cosine))
    measured = measure.measure_regions("teal-1", vector[None])
    corners = [tuple(region.outline[0].tolist()) for region in measured.regions]
    assert len(set(corners)) == len(corners) == len(carried)
    expected = [carried[corner][1] for corner in corners]
    assert measured.similarities[0] == pytest.approx(expected, abs=1e-5)


def test_an_archive_without_any_measure_says_what_to_do(tmp_path: Path) -> None:
    archive = make_archive(tmp_path, {"a": [], "b": []}, "own")
    with pytest.raises(ArchiveError, match=r"no words, and it is not aligned.*histoseek align"):
        archive.search(text="teal", to="regions")
