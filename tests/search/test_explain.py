"""Why a result was found: what slides share, where, and what of one slide and a report fits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.archive_fusion import load_distance
from histoseek.archive.ranking_method import RankingMethod
from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.errors import InputError, UnknownSlide
from histoseek.mosaics.contributions import compute_contributions
from histoseek.mosaics.distances import DISTANCES, get_distance
from histoseek.mosaics.signature import MosaicTiles, Signature
from histoseek.search.attention_maps import SlideAttention
from histoseek.search.explain.matches import PAIRS_LISTED, explain_match
from histoseek.search.explanation import OtherPairs
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedCase, ArchivedSlide, Composed, Query, TextQuery
from histoseek.search.results import SearchResult
from histoseek.search.search import explain_pair, search
from tests.evaluation.archives import labelled_archive
from tests.mosaics.signatures import cosine, make_signature


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive with weights of its own."""
    return labelled_archive(tmp_path_factory.mktemp("weighed"), [i % 2 for i in range(40)], list(range(40)), tiles=20)


@pytest.mark.parametrize("distance", list(DISTANCES))
@pytest.mark.parametrize("query", [ArchivedSlide("SIM-0001-00"), ArchivedCase("SIM-0001")])
def test_every_result_is_explained_to_its_score(archive: Archive, distance: str, query: Query) -> None:
    for result in search(archive, query, SearchOptions(k=8, distance=distance)):
        assert result.explanation
        assert result.explanation.score == pytest.approx(result.score, abs=1e-6)
        shares = [pair.share for pair in result.explanation.pairs]
        assert shares == sorted(shares, reverse=True)
        assert result.explanation.base == (1 if distance == "pathsearch-paper" else 0)


@pytest.mark.parametrize("distance", ["symmetric", "maxsim"])
def test_an_archive_s_own_weights_are_explained(weighed: Archive, distance: str) -> None:
    assert load_distance(weighed, distance).fusion != get_distance(distance).fusion
    results = weighed.search(like="slide-000", k=39, distance=distance)
    assert len(results) == 39
    for result in results:
        assert result.explanation
        assert result.explanation.score == pytest.approx(result.score, abs=1e-6)
        assert result.explanation.base == pytest.approx(0, abs=1e-9)


def test_matches_are_the_pairs_that_gave_most(archive: Archive) -> None:
    for result in archive.search(like="SIM-0000-00", k=8):
        assert result.explanation
        regional = [p for p in result.explanation.pairs if None not in (p.query_mosaic, p.result_mosaic)]
        first = result.matches[0]
        assert (first.query_mosaic, first.result_mosaic) == (regional[0].query_mosaic, regional[0].result_mosaic)
        assert (first.query_region, first.result_region) == (regional[0].query_region, regional[0].result_region)
        by_pair = {(p.query_mosaic, p.result_mosaic): p.share for p in regional}
        for match in result.matches:
            assert match.contribution == by_pair[match.query_mosaic, match.result_mosaic]
            own, found = (archive.get(one).signature for one in ("SIM-0000-00", result.slide_id))
            naive = cosine(own.mosaic[match.query_mosaic], found.mosaic[match.result_mosaic])
            assert match.similarity == pytest.approx(naive, abs=1e-6)
        assert len({m.query_mosaic for m in result.matches}) == len({m.result_mosaic for m in result.matches})


def test_a_distance_without_mosaics_shows_the_most_similar_regions(archive: Archive) -> None:
    for result in search(archive, ArchivedSlide("SIM-0000-00"), SearchOptions(k=3, distance="global")):
        assert result.explanation
        assert result.explanation.pairs == ()
        assert [match.contribution for match in result.matches] == [None] * 3
        similarities = [match.similarity for match in result.matches]
        assert similarities == sorted(similarities, reverse=True)


def test_whole_slides_have_no_number_and_no_region(archive: Archive) -> None:
    pairs = archive.search(like="SIM-0000-00", k=1).results[0].explanation.pairs  # type: ignore[union-attr]
    assert any(pair.query_mosaic is None for pair in pairs)
    assert any(pair.result_mosaic is None for pair in pairs)
    for pair in pairs:
        assert (pair.query_region is None) == (pair.query_mosaic is None)
        assert (pair.result_region is None) == (pair.result_mosaic is None)


def test_the_json_explains(archive: Archive) -> None:
    results = archive.search(like="SIM-0000-00", k=2)
    for result, told in zip(results, json.loads(results.to_json())["results"], strict=True):
        made_of = told["explanation"]
        assert set(made_of) == {"base", "global", "context", "neighbours", "pairs", "other_pairs"}
        fields = {"query_mosaic", "result_mosaic", "distance", "share", "query_region", "result_region"}
        assert all(set(pair) == fields for pair in made_of["pairs"])
        in_all = (
            made_of["base"]
            + made_of["global"]
            + made_of["context"]
            + made_of["neighbours"]
            + sum(pair["share"] for pair in made_of["pairs"])
            + made_of["other_pairs"]["share"]
        )
        assert in_all == pytest.approx(result.score, abs=1e-6)
        assert told["matches"][0]["contribution"] == result.matches[0].contribution
        assert (told["phrases"], told["text_regions"]) == ([], [])


def test_the_image_s_part_of_a_composed_query_is_explained(archive: Archive) -> None:
    query = Composed(ArchivedSlide("SIM-0000-00"), "invasive carcinoma")
    results = search(archive, query, SearchOptions(k=8))
    for result in results:
        by_image = next(way for way in result.channels if way.name == "similar slides")
        assert result.explanation
        assert result.explanation.score == pytest.approx(by_image.score, abs=1e-6)
    assert results.results[0].phrases


def test_attention_is_spread_over_the_tiles(archive: Archive) -> None:
    result = archive.search(like="SIM-0000-00", k=1).results[0]
    assert result.attention
    for side, slide_id in ((result.attention.query, "SIM-0000-00"), (result.attention.result, result.slide_id)):
        signature, shown = archive.get(slide_id).signature, side.attention()
        naive: dict[tuple[int, int], float] = {}
        for part, share in zip(signature.mosaic_tiles, signature.shares, strict=True):
            for (x, y), weight in zip(part.coords.tolist(), part.weights.tolist(), strict=True):
                naive[x, y] = naive.get((x, y), 0) + weight * float(share)
        assert {(x, y): w for (x, y), w in zip(shown.coords.tolist(), shown.weights, strict=True)} == pytest.approx(
            naive
        )
        assert shown.weights.sum() == pytest.approx(1, abs=1e-4)
        assert shown.edge_level0 == 224


def test_contributions_on_tiles_sum_to_those_of_the_regions(archive: Archive) -> None:
    result = archive.search(like="SIM-0000-00", k=1).results[0]
    assert result.attention
    assert result.explanation
    for side, name in ((result.attention.query, "query_mosaic"), (result.attention.result, "result_mosaic")):
        regional = sum(pair.share for pair in result.explanation.pairs if getattr(pair, name) is not None)
        assert side.contribution().weights.sum() == pytest.approx(regional, abs=1e-6)


def test_tiles_of_unknown_place_are_not_on_a_map() -> None:
    known = MosaicTiles(np.array([[10, 20], [30, 40]], np.int32), np.array([0.75, 0.25], np.float32))
    unknown = MosaicTiles(np.full((1, 2), UNKNOWN_POSITION, np.int32), np.ones(1, np.float32))
    shares = np.array([0.5, 0.5], np.float32)
    shown = SlideAttention((known, unknown), shares, np.array([1.0, -3.0]), 224)
    assert shown.attention().coords.tolist() == [[10, 20], [30, 40]]
    assert shown.attention().weights.tolist() == [0.375, 0.125]
    assert shown.contribution().weights.tolist() == [0.75, 0.25]
    assert len(SlideAttention((known, unknown), shares, np.zeros(2), 0).attention()) == 0


def test_a_tile_of_several_vectors_is_one_tile() -> None:
    part = MosaicTiles(np.array([[0, 0], [5, 5]], np.int32), np.array([0.5, 0.5], np.float32))
    shown = SlideAttention((part, part), np.array([0.25, 0.75], np.float32), np.array([2.0, -1.0]), 10)
    assert shown.attention().weights.tolist() == [0.5, 0.5]
    assert shown.contribution().weights.tolist() == [0.5, 0.5]


def test_vectors_without_a_place_match_without_regions() -> None:
    rng = np.random.default_rng(0)
    nowhere = MosaicTiles(np.full((1, 2), UNKNOWN_POSITION, np.int32), np.ones(1, np.float32))
    vectors = [rng.standard_normal((4, 60)).astype(np.float32) for _ in range(2)]
    shares = np.full(3, 1 / 3, np.float32)
    query, slide = (Signature.create(v[3], v[:3].astype(np.float16), shares, (nowhere,) * 3, 0) for v in vectors)
    blank = SearchResult(1, "a", None, 0, None, 0, 0.5, (), (), None)  # type: ignore[arg-type]
    found = explain_match(blank, query, slide, RankingMethod("symmetric", get_distance("symmetric")))
    assert found.matches
    assert all(match.query_region is None and match.result_region is None for match in found.matches)
    assert found.attention
    assert len(found.attention.query.contribution()) == 0


def test_of_many_pairs_those_that_weigh_most_are_listed_and_the_others_summed() -> None:
    rng = np.random.default_rng(1)
    few, many = make_signature(rng, 16, 60), [make_signature(rng, 64, 60) for _ in range(2)]
    blank = SearchResult(1, "a", None, 0, None, 0, 0.5, (), (), None)  # type: ignore[arg-type]
    method = RankingMethod("symmetric", get_distance("symmetric"))
    small = explain_match(blank, few, make_signature(rng, 16, 60), method).explanation
    assert small and 16 < len(small.pairs) <= PAIRS_LISTED and small.other_pairs == OtherPairs()
    large = explain_match(blank, *many, method).explanation
    whole = compute_contributions(*many, method.distance, 0.5)
    assert large and len(large.pairs) == PAIRS_LISTED and len(whole.pairs) > 2 * PAIRS_LISTED
    assert large.other_pairs.count == len(whole.pairs) - PAIRS_LISTED
    assert large.score == pytest.approx(whole.score, abs=1e-9)
    listed, shares = [pair.share for pair in large.pairs], sorted(map(abs, whole.pairs.shares), reverse=True)
    assert listed == sorted(listed, reverse=True)
    assert sorted(map(abs, listed), reverse=True) == pytest.approx(shares[:PAIRS_LISTED])


@pytest.mark.parametrize(
    "query",
    [ArchivedSlide("SIM-0001-00"), ArchivedCase("SIM-0001"), Composed(ArchivedSlide("SIM-0001-00"), "papillary")],
)
def test_any_slide_can_be_explained_as_search_would(archive: Archive, query: Query) -> None:
    found = archive.search(query, k=8)
    for result in found:
        alone = explain_pair(archive, query, result.slide_id, SearchOptions(k=3, offset=7, where="organ = 'moon'"))
        assert alone.slide_id == result.slide_id
        assert (alone.local, alone.global_) == pytest.approx((result.local, result.global_))
        assert alone.query_slide == result.query_slide
        assert alone.matches == result.matches
        assert alone.rank == 1


def test_a_slide_of_the_query_s_own_patient_can_be_explained(archive: Archive) -> None:
    assert "SIM-0002-01" not in {result.slide_id for result in archive.search(like="SIM-0002-00", k=10)}
    alone = archive.explain(ArchivedSlide("SIM-0002-00"), "SIM-0002-01")
    other = archive.explain(ArchivedSlide("SIM-0002-01"), "SIM-0002-00")
    assert alone.score == pytest.approx(other.score)
    assert alone.explanation
    assert alone.explanation.score == pytest.approx(alone.score, abs=1e-6)


def test_a_text_and_a_slide_are_explained(archive: Archive) -> None:
    record = archive.records()[4]
    alone = archive.explain(TextQuery(str(record.report)), record.slide_id, to="reports")
    by_vector = next(way for way in alone.channels if way.name == "report vectors")
    assert by_vector.score == pytest.approx(1, abs=1e-4)
    assert alone.phrases


def test_what_can_t_be_explained_is_told(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownSlide):
        archive.explain(ArchivedSlide("SIM-0000-00"), "nobody's")
    with pytest.raises(InputError, match="query's own slide"):
        archive.explain(ArchivedSlide("SIM-0000-00"), "SIM-0000-00")
    some = Archive.create(tmp_path / "some")
    some.index([cohort / f"SIM-000{i}-00.tiff" for i in range(2)], cohort / "metadata.csv", cohort / "reports.csv")
    some.update("SIM-0001-00", {"report": None})
    with pytest.raises(InputError, match="has no report"):
        some.explain(TextQuery("necrosis"), "SIM-0001-00")
