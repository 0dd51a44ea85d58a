"""Retrieval systems: each against a naive computation, and what all of them must keep to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.encoders.bag import UNKNOWN_POSITION, Bag
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ConfigurationError
from histoseek.evaluation.cohort import Cohort, load_cohort
from histoseek.evaluation.neighbours import Fold, rank
from histoseek.evaluation.systems import tuned
from histoseek.evaluation.systems.bags import BagReader
from histoseek.evaluation.systems.base import System
from histoseek.evaluation.systems.hamming import medians_of_minima
from histoseek.evaluation.systems.registry import list_systems, make_systems
from histoseek.evaluation.systems.tile_mosaics import select_mosaic_tiles
from histoseek.ranking.settings import RankingSettings
from histoseek.statistics.clustering import kmeans
from tests.mosaics.signatures import Naive, naive_closest, naive_rare
from tests.weights import write_table

SEED = 3
DIMENSION = 24
ONE_TILE = (25, 26)
COPY, ORIGINAL = 24, 0
CLASSES = 3
CHANCE = ("majority", "random")
LOOKING = tuple(name for name in list_systems() if name not in CHANCE)

Ints = np.ndarray


@pytest.fixture(autouse=True)
def few_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tuning tries one: what is chosen of many is tested where tuning is."""
    monkeypatch.setattr(tuned, "list_stages", lambda *_: (lambda _: [RankingSettings("global", shrinkage=0.8)],))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """24 slides of three classes, a copy of the first under another id, and two slides of one tile."""
    folder = tmp_path_factory.mktemp("systems")
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CLASSES, DIMENSION))
    (folder / "features").mkdir()
    rows: list[dict[str, object]] = []
    for number in range(27):
        tiles = 1 if number in ONE_TILE else 160 if number == 5 else int(rng.integers(12, 60))
        features = rng.standard_normal((tiles, DIMENSION)) + centres[number % CLASSES]
        if number == ORIGINAL:
            original = features
        write_slide(folder, number, original if number == COPY else features)
        rows.append(
            {"slide_id": slide_id(number), "patient_id": f"p{number}", "diagnosis": f"class {number % CLASSES}"}
        )
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"), text_encoder="none")
    report = archive.index([folder / "features"], write_table(folder / "slides.csv", rows))
    assert (report.added, report.refused) == (27, ())
    return load_cohort(archive, "diagnosis")


def write_slide(folder: Path, number: int, features: np.ndarray) -> None:
    with h5py.File(folder / "features" / f"{slide_id(number)}.h5", "w") as file:
        file["features"] = features.astype(np.float32)
        file["coords"] = np.array([(448 * (i % 6), 448 * (i // 6)) for i in range(len(features))])
        file["coords"].attrs["patch_size_level0"] = 448
        file.attrs["number"] = number


def slide_id(number: int) -> str:
    return f"slide-{number:02d}"


def made(name: str, cohort: Cohort, seed: int = SEED) -> System:
    (system,) = make_systems([name], cohort, seed)
    return system


def fitted(name: str, cohort: Cohort, queries: Ints, database: Ints) -> np.ndarray:
    """Distances by a system made and fitted anew."""
    system = made(name, cohort)
    system.fit(database)
    return system.distances(queries, database)


# Naive computations, [Q, C] each.


def bits(vector: np.ndarray) -> np.ndarray:
    return np.diff(vector.astype(np.float64)) < 0


def median_of_minima(query: list[np.ndarray], slide: list[np.ndarray]) -> float:
    return float(np.median([min(int((own != other).sum()) for other in slide) for own in query]))


def signature_bits(cohort: Cohort, place: int) -> list[np.ndarray]:
    (stored,) = cohort.read_slides([place])
    return [bits(vector) for vector in (*stored.signature.mosaic, stored.signature.global_vector)]


def naive_local(cohort: Cohort, q: int, c: int) -> float:
    own, other = signature_bits(cohort, q), signature_bits(cohort, c)
    return (median_of_minima(own, other) + median_of_minima(other, own)) / (DIMENSION - 1)


def naive_global(cohort: Cohort, q: int, c: int) -> float:
    own, other = (cohort.global_vectors[place].astype(np.float64) for place in (q, c))
    return float(1 - own @ other)


def naive_symmetric(cohort: Cohort, q: int, c: int) -> float:
    return (naive_local(cohort, q, c) + naive_global(cohort, q, c)) / 2


def naive_paper(cohort: Cohort, q: int, c: int) -> float:
    apart = cohort.global_vectors[q].astype(np.float64) - cohort.global_vectors[c]
    return median_of_minima(signature_bits(cohort, q), signature_bits(cohort, c)) + 200 * float(np.sqrt(apart @ apart))


def naive_maxsim(cohort: Cohort, q: int, c: int) -> float:
    own, other = (slide.signature.mosaic.astype(np.float64) for slide in cohort.read_slides([q, c]))

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    there = np.mean([max(cosine(a, b) for b in other) for a in own])
    back = np.mean([max(cosine(a, b) for a in own) for b in other])
    return float(1 - (there + back) / 2)


def naive_total(parts: Naive, cohort: Cohort, q: int, c: int) -> float:
    return sum(parts(*(slide.signature for slide in cohort.read_slides([q, c])))) / 2


def mean_of(cohort: Cohort, place: int) -> np.ndarray:
    bag = cohort.bag(place)
    return np.average(bag.features.astype(np.float64), axis=0, weights=bag.weights)


def naive_pooled(cohort: Cohort, queries: Ints, database: Ints, *, centred: bool) -> np.ndarray:
    centre = np.mean([mean_of(cohort, c) for c in database], axis=0) if centred else 0.0
    found = np.empty((len(queries), len(database)))
    for i, q in enumerate(queries):
        for j, c in enumerate(database):
            a, b = mean_of(cohort, q) - centre, mean_of(cohort, c) - centre
            found[i, j] = 1 - a @ b / np.sqrt((a @ a) * (b @ b))
    return found


def naive_words(cohort: Cohort, queries: Ints, database: Ints) -> np.ndarray:
    """So few tiles that all are in the sample."""
    words = kmeans(np.concatenate([cohort.bag(c).features for c in database]), 64, SEED).centres

    def histogram(place: int) -> list[float]:
        counts = [0.0] * len(words)
        for tile in cohort.bag(place).features:
            counts[int(np.argmin([((tile - word) ** 2).sum() for word in words]))] += 1
        return [count / sum(counts) for count in counts]

    def chi_squared(p: list[float], q: list[float]) -> float:
        return sum((a - b) ** 2 / (a + b) for a, b in zip(p, q, strict=True) if a + b) / 2

    slides = [histogram(c) for c in database]
    return np.array([[chi_squared(own, other) for other in slides] for own in map(histogram, queries)])


def mosaic_features(cohort: Cohort, place: int) -> np.ndarray:
    bag = cohort.bag(place)
    return bag.features[select_mosaic_tiles(bag, SEED)]


def naive_yottixel(cohort: Cohort, queries: Ints, database: Ints) -> np.ndarray:
    barcodes = {place: [bits(v) for v in mosaic_features(cohort, place)] for place in {*queries, *database}}
    return np.array([[median_of_minima(barcodes[q], barcodes[c]) for c in database] for q in queries])


def naive_sish(cohort: Cohort, queries: Ints, database: Ints) -> np.ndarray:
    code = naive_tile_code(np.concatenate([cohort.bag(c).features for c in database]))
    tiles = [(code(v), bits(v), slide) for slide, c in enumerate(database) for v in mosaic_features(cohort, c)]
    pairs = np.random.default_rng(SEED).integers(len(tiles), size=(2, 10_000)).T
    limit = np.quantile([(tiles[a][1] != tiles[b][1]).sum() for a, b in pairs], 0.25)
    order = sorted(range(len(tiles)), key=lambda tile: tiles[tile][0])

    def likeness(vector: np.ndarray) -> tuple[float, np.ndarray]:
        near: set[int] = set()
        own = code(vector)
        for step in range(-10, 11):
            probe = own + step * 128 * 128
            below = [tile for tile in order if tiles[tile][0] < probe]
            above = [tile for tile in order if tiles[tile][0] > probe]
            near |= {*below[-64:], *above[:64], *(t for t in order if tiles[t][0] == probe)}
        hits = [(tiles[t][2], int((tiles[t][1] != bits(vector)).sum())) for t in near]
        hits = [(slide, apart) for slide, apart in hits if apart <= limit]
        counts = [sum(slide == s for s, _ in hits) for slide in range(len(database))]
        entropy = -sum(n / len(hits) * math.log(n / len(hits)) for n in counts if n)
        best = np.array(
            [max([1 - a / (DIMENSION - 1) for s, a in hits if s == slide], default=0) for slide in range(len(database))]
        )
        return 1 / (1 + entropy), best

    found = []
    for q in queries:
        looked_up = [likeness(vector) for vector in mosaic_features(cohort, q)]
        found.append(1 - sum(w * best for w, best in looked_up) / sum(w for w, _ in looked_up))
    return np.array(found)


def naive_tile_code(tiles: np.ndarray) -> Callable[[np.ndarray], int]:
    """Codes by singular value decomposition, the largest entry of each component positive."""
    mean = tiles.mean(axis=0)
    components = np.linalg.svd((tiles - mean).astype(np.float64), full_matrices=False)[2][:3]
    components = [c * np.sign(c[np.abs(c).argmax()]) for c in components]
    edges = [np.quantile((tiles - mean) @ c, np.arange(1, 128) / 128) for c in components]

    def code(tile: np.ndarray) -> int:
        places = [(tile - mean) @ c for c in components]
        digits = [int(sum(edge < place for edge in own)) for place, own in zip(places, edges, strict=True)]
        return (digits[0] * 128 + digits[1]) * 128 + digits[2]

    return code


def naive_hshr(cohort: Cohort, queries: Ints, database: Ints) -> np.ndarray:
    centre = np.concatenate([cohort.bag(c).features for c in database]).mean(axis=0)
    directions = np.random.default_rng(SEED).standard_normal((DIMENSION, 256), np.float32)

    def hashed(place: int) -> list[tuple[np.ndarray, float]]:
        groups = kmeans(cohort.bag(place).features, 16, SEED, iterations=10)
        counts = np.bincount(groups.labels) / len(groups.labels)
        return [((own - centre) @ directions < 0, share) for own, share in zip(groups.centres, counts, strict=True)]

    @cache
    def likeness(a: int, b: int) -> float:
        ways = [
            sum(w * max((u == v).mean() for v, _ in other) for u, w in own)
            for own, other in ((slides[a], slides[b]), (slides[b], slides[a]))
        ]
        return sum(ways) / 2

    slides = {place: hashed(place) for place in {*queries, *database}}
    found = []
    for q in queries:
        vertices = [*database] if q in database else [*database, q]
        alike = np.array([[likeness(a, b) for b in vertices] for a in vertices])
        belongs = np.zeros_like(alike)
        for edge, row in enumerate(alike):
            # Edges of the database stay as they are; the query joins those whose least member is no more alike.
            known = len(database) if edge < len(database) else len(vertices)
            members = np.argsort(-row[:known], kind="stable")[:11]
            least = row[members].min()
            belongs[members, edge] = row[members]
            if edge < len(database) < len(vertices) and row[-1] >= least - 1e-6:
                belongs[-1, edge] = row[-1]
        own = vertices.index(q)
        lengths = np.sqrt((belongs**2).sum(axis=1))
        related = belongs @ belongs[own] / lengths / lengths[own]
        found.append((1 - (alike[own] + related) / 2)[: len(database)])
    return np.array(found)


def each_pair(naive: Callable[[Cohort, int, int], float]) -> Callable[[Cohort, Ints, Ints], np.ndarray]:
    return lambda cohort, queries, database: np.array([[naive(cohort, q, c) for c in database] for q in queries])


NAIVE: dict[str, Callable[[Cohort, Ints, Ints], np.ndarray]] = {
    "symmetric": each_pair(naive_symmetric),
    "tuned": each_pair(naive_symmetric),  # plain: there is too little to tune by
    "closest": each_pair(partial(naive_total, naive_closest)),
    "rare": each_pair(partial(naive_total, naive_rare)),
    "pathsearch-paper": each_pair(naive_paper),
    "global": each_pair(naive_global),
    "local": each_pair(naive_local),
    "maxsim": each_pair(naive_maxsim),
    "mean-pooled": lambda cohort, queries, database: naive_pooled(cohort, queries, database, centred=True),
    "mean-pooled-raw": lambda cohort, queries, database: naive_pooled(cohort, queries, database, centred=False),
    "bovw": naive_words,
    "yottixel": naive_yottixel,
    "sish": naive_sish,
    "hshr": naive_hshr,
}


def test_every_system_that_looks_at_slides_has_a_naive_twin() -> None:
    assert set(NAIVE) == set(LOOKING)


@pytest.mark.parametrize("name", LOOKING)
def test_distances_equal_a_naive_computation(name: str, cohort: Cohort) -> None:
    database = np.array([0, 1, 2, 3, 5, 7, 8, 9, 11, 12, 13, 16, 17, 20, 25])
    queries = np.array([5, 24, 26, 0, 19])
    # sqrt of rounding, times 200, is what the paper's distance has between a slide and its copy.
    tolerance = 0.2 if name == "pathsearch-paper" else 2e-5
    found = fitted(name, cohort, queries, database)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, NAIVE[name](cohort, queries, database), atol=tolerance, rtol=1e-4)


@pytest.mark.parametrize("name", LOOKING)
def test_a_copy_is_the_nearest(name: str, cohort: Cohort) -> None:
    everyone = np.arange(len(cohort))
    others = everyone[everyone != COPY]
    for queries, database in ((np.array([COPY]), others), (np.array([ORIGINAL, COPY]), everyone)):
        for row in fitted(name, cohort, queries, database):
            assert set(database[np.argsort(row, kind="stable")][:2]) & {ORIGINAL, COPY}
            assert row[database == ORIGINAL] == pytest.approx(
                row.min(), abs=0.2 if name == "pathsearch-paper" else 1e-5
            )
            if name != "pathsearch-paper":
                assert row[database == ORIGINAL] == pytest.approx(0, abs=1e-5)
                assert (row >= 0).all()


@pytest.mark.parametrize("name", list_systems())
def test_same_input_same_distances_and_no_memory_of_another_fold(name: str, cohort: Cohort) -> None:
    first, second, queries = np.arange(12), np.arange(8, 24), np.arange(20, 27)
    system = made(name, cohort)
    system.fit(first)
    system.distances(queries, first)
    system.fit(second)
    found = system.distances(queries, second)
    np.testing.assert_array_equal(found, fitted(name, cohort, queries, second))
    np.testing.assert_allclose(system.distances(queries[2:3], second), found[2:3], atol=1e-5)


@pytest.mark.parametrize("name", list_systems())
def test_neither_labels_of_queries_nor_slides_outside_the_database_matter(name: str, cohort: Cohort) -> None:
    queries, database, outside = np.array([20, 22, 26]), np.arange(14), 17
    found = fitted(name, cohort, queries, database)
    relabelled = [
        record if place in database else replace(record, diagnosis="class 2")
        for place, record in enumerate(cohort.records)
    ]
    np.testing.assert_array_equal(fitted(name, replace(cohort, records=tuple(relabelled)), queries, database), found)
    fewer = replace(cohort, records=tuple(r for place, r in enumerate(cohort.records) if place != outside))
    np.testing.assert_array_equal(fitted(name, fewer, queries - (queries > outside), database), found)


@pytest.mark.parametrize("name", [name for name in LOOKING if name != "tuned"])
def test_labels_of_the_database_do_not_matter_where_slides_are_looked_at(name: str, cohort: Cohort) -> None:
    queries, database = np.array([20, 22]), np.arange(14)
    relabelled = tuple(replace(r, diagnosis=f"class {place % 2}") for place, r in enumerate(cohort.records))
    found = fitted(name, replace(cohort, records=relabelled), queries, database)
    np.testing.assert_array_equal(found, fitted(name, cohort, queries, database))


@pytest.mark.parametrize("name", LOOKING)
def test_classes_are_found_far_above_chance(name: str, cohort: Cohort) -> None:
    everyone = np.arange(24)
    found = rank(made(name, cohort), Fold(everyone, everyone, (cohort.patients,)), cohort.labels, 1)
    right = cohort.labels[found.slides[:, 0]] == cohort.labels[everyone]
    assert right.mean() >= 0.75


@pytest.mark.parametrize("name", list_systems())
def test_slides_of_one_tile_and_databases_of_one_slide(name: str, cohort: Cohort) -> None:
    everyone, single = np.arange(len(cohort)), np.array(ONE_TILE)
    for queries, database in ((single, everyone), (everyone, single), (everyone, single[:1]), (single, np.array([3]))):
        found = fitted(name, cohort, queries, database)
        assert found.shape == (len(queries), len(database))
        assert np.isfinite(found).all()


def test_random_order_is_uniform_and_depends_on_seed_and_pair_only(cohort: Cohort) -> None:
    everyone = np.arange(len(cohort))
    found = made("random", cohort).distances(everyone, everyone)
    assert (found >= 0).all()
    assert (found < 1).all()
    assert found.mean() == pytest.approx(0.5, abs=0.05)
    assert len(np.unique(found)) == found.size
    assert np.abs(np.corrcoef(found) - np.eye(len(cohort))).max() < 0.9
    np.testing.assert_array_equal(made("random", cohort).distances(everyone[4:6], everyone[7:]), found[4:6, 7:])
    assert not np.allclose(made("random", cohort, SEED + 1).distances(everyone, everyone), found)


def test_the_majority_of_the_database_comes_first(cohort: Cohort) -> None:
    database = np.array([0, 1, 2, 4, 5, 7, 10])
    assert np.bincount(cohort.labels[database]).tolist() == [1, 4, 2]
    system = made("majority", cohort)
    system.fit(database)
    for row in system.distances(np.array([12, 13, 14]), database):
        first = cohort.labels[database[np.argsort(row)]]
        assert (first[:4] == 1).all()
        assert (first[4:] != 1).all()


def test_systems_are_made_by_name(cohort: Cohort) -> None:
    assert [system.name for system in make_systems(["all"], cohort, 0)] == list(list_systems())
    assert [system.name for system in make_systems(["hshr", "global", "hshr"], cohort, 0)] == ["hshr", "global"]
    assert len(make_systems(["random", "all"], cohort, 0)) == len(list_systems())
    with pytest.raises(ConfigurationError, match=r"yotixel: there is no such system.*yottixel.*all"):
        make_systems(["global", "yotixel"], cohort, 0)


def test_bags_in_memory_are_bounded(cohort: Cohort) -> None:
    roomy, tight = BagReader(cohort), BagReader(cohort, memory_bytes=cohort.bag(0).features.nbytes)
    assert roomy[0] is roomy[0]
    assert tight[0] is tight[0]
    first = tight[0]
    assert len(tight[5]) == 160
    assert tight[0] is not first
    np.testing.assert_array_equal(tight[0].features, first.features)


@pytest.mark.parametrize("known", [True, False])
def test_a_tile_mosaic_takes_a_share_of_every_cluster(known: bool) -> None:
    rng = np.random.default_rng(1)
    sizes = [200, 100, 60, 40, 4, 30, 20, 10, 7]
    features = np.repeat(100 * np.eye(len(sizes), 12), sizes, axis=0) + rng.standard_normal((sum(sizes), 12))
    coords = rng.integers(0, 50_000, (len(features), 2)) if known else np.full((len(features), 2), UNKNOWN_POSITION)
    bag = Bag(
        features.astype(np.float32), coords.astype(np.int32), np.ones(len(features), np.float32), 448, 0.5, "test"
    )
    tiles = select_mosaic_tiles(bag, SEED)
    clusters = np.repeat(np.arange(len(sizes)), sizes)[tiles]
    assert np.bincount(clusters).tolist() == [30, 15, 9, 6, 4, 5, 5, 5, 5]
    assert len(np.unique(tiles)) == len(tiles)
    np.testing.assert_array_equal(tiles, select_mosaic_tiles(bag, SEED))


def test_a_tile_mosaic_is_spread_over_the_slide() -> None:
    """Ten tiles, 15 % of a cluster of 62 in ten far places, are one of each, however many lie there."""
    rng = np.random.default_rng(2)
    places = np.repeat(10_000 * np.arange(10), [3, 30, 7, 3, 3, 3, 3, 3, 4, 3])
    coords = np.stack([places, 0 * places], axis=1) + rng.integers(0, 50, (len(places), 2))
    features = np.zeros((len(places), 4), np.float32)
    bag = Bag(features, coords.astype(np.int32), np.ones(len(places), np.float32), 448, 0.5, "test")
    assert (coords[select_mosaic_tiles(bag, SEED), 0] // 10_000).tolist() == list(range(10))


@settings(max_examples=20)
@given(st.integers(1, 9), st.lists(st.integers(1, 90), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 99))
def test_medians_of_minima_equal_naive_ones(own: int, counts: list[int], words: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query = rng.integers(0, 2**64, (own, words), dtype=np.uint64)
    joined = rng.integers(0, 2**64, (sum(counts), words), dtype=np.uint64)
    offsets = np.cumsum([0, *counts])
    unpacked = [list(np.unpackbits(rows.view(np.uint8).reshape(len(rows), -1), axis=1)) for rows in (query, joined)]
    naive = [median_of_minima(unpacked[0], unpacked[1][a:b]) for a, b in pairwise(offsets)]
    assert medians_of_minima(query, joined, offsets).tolist() == naive
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("histoseek.evaluation.systems.hamming.has_numba", lambda: False)
        assert medians_of_minima(query, joined, offsets).tolist() == naive
