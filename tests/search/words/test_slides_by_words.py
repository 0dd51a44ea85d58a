"""From words to slides through their tiles: scores, parts, filters, negation, and what happens without the words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from histoseek import Archive
from histoseek.encoders.bag import load_bag
from histoseek.errors import MissingExtra
from histoseek.search.queries import TextQuery
from histoseek.search.results import SearchResult, SearchResults
from histoseek.search.retrieve.channels import Channel
from histoseek.search.retrieve.score_fusion import fuse_scores
from histoseek.search.words.prompts import make_prompts
from tests.search.words.conftest import BLOCK, SLIDES
from tests.word_tower import EDGE, ColourWords, Installed


def channel_scores(results: SearchResults) -> dict[str, float]:
    return {
        result.slide_id: place.score
        for result in results
        for place in result.channels
        if place.name == "tile words" and place.weight > 0
    }


def find(archive: Archive, text: str, **options: object) -> SearchResults:
    return archive.search(text=text, k=20, **options)  # type: ignore[arg-type]


def score_naively(archive: Archive, slide_id: str, texts: tuple[str, ...]) -> float:
    """All tiles of a slide, sorted, and of the best the mean, tile by tile."""
    tower = ColourWords()
    prompt = tower.encode_texts(list(texts)).mean(axis=0)
    bag = load_bag(archive.layout.bag(slide_id))
    similarities = sorted((tower.project_tiles(bag.features) @ (prompt / np.linalg.norm(prompt))).tolist())[::-1]
    left, total = max(0.02, 3 / len(bag)) * len(bag), 0.0
    mass = left
    for similarity in similarities:
        total += min(1.0, left) * similarity
        left -= min(1.0, left)
    return total / mass


def test_the_planted_colour_is_found(archive: Archive) -> None:
    results = find(archive, "teal")
    assert {result.slide_id for result in results.results[:2]} == {"teal-1", "crimson-teal"}
    assert results.results[0].fits and not results.nothing_fits
    assert results.results[2].score < results.results[0].score / 2
    assert results.query.to == "slides"


def test_concepts_are_put_under_all_their_names(archive: Archive) -> None:
    assert {r.slide_id for r in find(archive, "haemorrhage").results[:3]} == {"crimson-1", "crimson-2", "crimson-teal"}
    [prompt] = make_prompts("haemorrhage")
    assert len(prompt.texts) > 5 and any("bleeding" in text for text in prompt.texts)
    [plain] = make_prompts("foamy something")
    assert plain.texts == ("foamy something",)


def test_scores_are_those_of_all_tiles_nearly(archive: Archive) -> None:
    [prompt] = make_prompts("necrosis")
    scores = channel_scores(find(archive, "necrosis"))
    assert scores.keys() == SLIDES.keys()
    for slide_id, score in scores.items():
        assert score == pytest.approx(score_naively(archive, slide_id, prompt.texts), abs=0.02)


def test_the_parts_add_up_to_the_score_and_lie_where_the_words_are(archive: Archive) -> None:
    planted = {(column * EDGE, row * EDGE) for column, row in BLOCK}
    result = find(archive, "teal", where="slide_id = 'teal-1'").results[0]
    check_parts(result)
    assert result.text_regions
    for region in result.text_regions:
        assert region.region is not None and (region.region.x, region.region.y) in planted
        assert region.words == "teal" and region.mosaic is None
    both = find(archive, "crimson, no necrosis", where="slide_id = 'crimson-teal'").results[0]
    check_parts(both)
    assert {region.words for region in both.text_regions} == {"crimson", "necrosis"}
    assert all((region.contribution or 0) < 0 for region in both.text_regions if region.words == "necrosis")


def test_the_parts_add_up_also_where_a_report_contradicts(own_archive: Archive) -> None:
    own_archive.update_many({name: {"report": "Haemorrhage. Necrosis is present."} for name in ("crimson-1", "teal-1")})
    results = find(own_archive, "crimson, no necrosis", where="slide_id IN ('crimson-1', 'teal-1', 'crimson-2')")
    for result in results:
        check_parts(result)
    whole = channel_scores(find(own_archive, "crimson"))
    assert channel_scores(results)["crimson-1"] < whole["crimson-1"] - 0.05


def check_parts(result: SearchResult) -> None:
    [place] = [place for place in result.channels if place.name == "tile words"]
    assert sum(region.contribution or 0 for region in result.text_regions) == pytest.approx(place.score, abs=1e-5)


def test_what_is_denied_takes_off(archive: Archive) -> None:
    plain, denied = channel_scores(find(archive, "crimson")), channel_scores(find(archive, "crimson, no necrosis"))
    assert denied["crimson-1"] == pytest.approx(plain["crimson-1"], abs=1e-3)
    assert denied["crimson-teal"] < plain["crimson-teal"] - 0.2
    alone = channel_scores(find(archive, "no necrosis"))
    assert max(alone["teal-1"], alone["crimson-teal"]) < min(alone["crimson-1"], alone["plain-1"]) - 0.2
    without = archive.search(TextQuery("crimson", without="teal"), k=3)
    assert {result.slide_id for result in without.results[:2]} == {"crimson-1", "crimson-2"}


def test_filters_pages_and_judgements_change_no_score(archive: Archive) -> None:
    scores = {result.slide_id: result.score for result in find(archive, "crimson")}
    for result in find(archive, "crimson", where="slide_id IN ('crimson-2', 'plain-1')"):
        assert result.score == scores[result.slide_id]
    for result in archive.search(text="crimson", k=2, offset=2):
        assert result.score == scores[result.slide_id]


def test_tiles_count_whole_for_slides_without_a_report() -> None:
    reports = Channel("report words", ("a",), (1.0,), 1.0)
    tiles = Channel("tile words", ("a", "b"), (0.4, 0.8), 0.25, further=4)
    scores = {hit.slide_id: hit.score for hit in fuse_scores([reports, tiles], {"b"})}
    assert scores["a"] == pytest.approx((1 + 0.25 * 0.4) / 1.25) and scores["b"] == pytest.approx(0.8)
    plain = {hit.slide_id: hit.score for hit in fuse_scores([reports, replace(tiles, further=1)], {"b"})}
    assert plain["b"] == pytest.approx(0.25 * 0.8 / 0.625)


def test_everyday_words_fit_nothing(archive: Archive) -> None:
    assert find(archive, "the bus to town is late again").nothing_fits


def test_searches_for_reports_and_images_know_nothing_of_it(own_archive: Archive) -> None:
    own_archive.update("crimson-1", {"report": "Haemorrhage."})
    results = own_archive.search(text="haemorrhage", to="reports")
    assert {place.name for result in results for place in result.channels} <= {
        "report words",
        "metadata words",
        "report vectors",
    }
    assert {p.name for r in own_archive.search(like="crimson-1", k=3) for p in r.channels} == {"similar slides"}


def test_without_the_words_on_this_machine_one_line_says_so(archive: Archive, installed: Installed) -> None:
    installed.available = False
    try:
        elsewhere = Archive.open(archive.path)
        results = find(elsewhere, "crimson")
        notes = [warning for warning in results.warnings if "words in the tile space" in warning]
        assert len(notes) == 1 and "colour-words" in notes[0] and "\n" not in notes[0]
        assert not channel_scores(results)
        assert elsewhere.words.fault is not None and isinstance(elsewhere.words.fault, MissingExtra)
    finally:
        installed.available = True
    assert channel_scores(find(Archive.open(archive.path), "crimson"))
