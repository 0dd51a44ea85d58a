"""The result page shows of what a score is made, where, and what of a report fits."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.geometry import Rect
from histoseek.search.attention_maps import AttentionMap
from histoseek.search.explanation import Phrase, TextRegion
from histoseek.search.options import SearchOptions
from histoseek.search.pictures import (
    ATTENTION_SCALE,
    CONTRIBUTION_SCALE,
    attention_overlay,
    contribution_overlay,
)
from histoseek.search.present.page import cut_at_phrases, render_page
from histoseek.search.queries import ArchivedSlide, Composed
from histoseek.search.results import SearchResults
from histoseek.search.search import search


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def by_slide(archive: Archive) -> SearchResults:
    return archive.search(like="SIM-0000-00", k=2)


def tiles(*corners: tuple[int, int], weights: list[float], edge: int = 100) -> AttentionMap:
    return AttentionMap(np.array(corners, np.int32).reshape(-1, 2), edge, np.array(weights))


WHITE = np.full((40, 60, 3), 255, np.uint8)


def test_pairs_maps_and_matches_are_on_the_page(by_slide: SearchResults) -> None:
    page = render_page(by_slide, "slides")
    for result in by_slide:
        assert result.explanation
        assert f'in all: 1 - distance</td><td></td><td></td><td class="number">{result.score:.4f}' in page
        for pair in result.explanation.pairs:
            assert f"{pair.share:+.4f}" in page
        for match in result.matches:
            assert f"{match.contribution:+.4f} of the score" in page
    assert page.count("<summary>Attention maps</summary>") == 2
    assert page.count("linear-gradient") == 2 * 4
    assert page.count("data:image/jpeg") == 2 * (2 + 4) + 2 * sum(len(result.matches) for result in by_slide)
    assert "<script" not in page
    assert not re.search(r"\son\w+=", page)
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", page)


def test_a_distance_of_another_base_says_so(archive: Archive) -> None:
    paper = search(archive, ArchivedSlide("SIM-0000-00"), SearchOptions(k=1, distance="pathsearch-paper"))
    page = render_page(paper, "paper")
    assert "<td>base</td>" in page
    assert "takes its distance from the base" in page
    plain = render_page(search(archive, ArchivedSlide("SIM-0000-00"), SearchOptions(k=1, distance="global")), "global")
    assert "Most similar regions" in plain
    assert "What the score is made of" not in plain


def test_a_page_without_files_has_no_maps(by_slide: SearchResults) -> None:
    gone = [replace(one, record=replace(one.record, uri="/nowhere.svs")) for one in by_slide]
    query = replace(by_slide.query, slides=(replace(by_slide.query.slides[0], uri="/nowhere.svs"),))
    page = render_page(replace(by_slide, results=tuple(gone), query=query), "gone")
    assert "data:image" not in page
    assert "Attention maps" not in page
    assert "What the score is made of" in page


def test_phrases_are_marked_and_all_of_the_report_is_shown(archive: Archive) -> None:
    for results in (
        archive.search(text="papillary carcinoma", k=2),
        archive.search(Composed(ArchivedSlide("SIM-0000-00"), "papillary carcinoma"), k=2),
    ):
        page = render_page(results, "words")
        reports = re.findall(r'<p class="report">(.*?)</p>', page, re.DOTALL)
        assert [html.unescape(re.sub("<[^>]*>", "", one)) for one in reports] == [r.record.report for r in results]
        for result, shown in zip(results, reports, strict=True):
            assert '<mark class="meaning' in shown
            words = [result.record.report[one.start : one.end] for one in result.phrases if one.kind == "words"]  # type: ignore[index]
            assert re.findall(r'<mark class="(?:meaning )?words">(.*?)</mark>', shown) == words


def test_marks_do_not_open_a_way_for_markup(archive: Archive) -> None:
    results = archive.search(text="carcinoma", k=1)
    report = "Carcinoma <script>alert(1)</script> & more"
    bad = replace(
        results.results[0],
        record=replace(results.results[0].record, report=report),
        phrases=(Phrase(0, 30, 0.5, "meaning"), Phrase(10, 18, 1, "words")),
    )
    page = render_page(replace(results, results=(bad,)), "bad")
    assert "<script" not in page
    assert "&lt;script" in page


def test_regions_near_a_text_are_framed(archive: Archive) -> None:
    results = archive.search(text="carcinoma", k=1)
    near = tuple(TextRegion(i, 0.5 - i / 10, region) for i, region in enumerate((Rect(0, 0, 224, 224), None)))
    page = render_page(replace(results, results=(replace(results.results[0], text_regions=near),)), "near")
    assert "Regions nearest to the text" in page
    assert page.count("data:image/jpeg") == 2
    assert "similarity 0.50" in page
    assert "similarity 0.40" in page


def test_reports_are_cut_where_phrases_begin_and_end() -> None:
    phrases = [Phrase(2, 8, 0.4, "meaning"), Phrase(4, 6, 1, "words"), Phrase(9, 10, 1, "words")]
    assert [(one.text, one.kinds) for one in cut_at_phrases("0123456789", phrases)] == [
        ("01", ()),
        ("23", ("meaning",)),
        ("45", ("meaning", "words")),
        ("67", ("meaning",)),
        ("8", ()),
        ("9", ("words",)),
    ]
    assert [(one.text, one.kinds) for one in cut_at_phrases("whole", ())] == [("whole", ())]
    assert cut_at_phrases("", ()) == ()


def test_a_map_colours_its_tiles_and_nothing_else() -> None:
    overlay = attention_overlay(WHITE, 0.1, tiles((0, 0), (200, 100), weights=[0.1, 0.4]))
    assert overlay
    assert (overlay.low, overlay.high) == (0, 0.4)
    assert (overlay.picture[30, 50] == 255).all()
    strongest = 0.25 * 255 + 0.75 * np.array([254, 232, 56])
    assert overlay.picture[15, 25] == pytest.approx(strongest, abs=1)
    assert overlay.picture[5, 5].sum() < overlay.picture[15, 25].sum()
    assert (overlay.picture[19, 29] != 255).any()
    assert (overlay.picture[20, 30] == 255).all()


def test_contributions_of_either_sign_have_their_own_colours() -> None:
    overlay = contribution_overlay(WHITE, 0.1, tiles((0, 0), (200, 0), (400, 0), weights=[-0.2, 0, 0.1]))
    assert overlay
    assert (overlay.low, overlay.high) == (-0.2, 0.2)
    apart, neutral, shared = (overlay.picture[5, x].astype(int) for x in (5, 25, 45))
    assert apart[2] > apart[0] + 50
    assert np.ptp(neutral) <= 2
    assert shared[0] > shared[2] + 50


def test_maps_without_weight_or_tiles() -> None:
    assert attention_overlay(WHITE, 0.1, tiles(weights=[])) is None
    assert contribution_overlay(WHITE, 0.1, tiles(weights=[])) is None
    assert contribution_overlay(WHITE, 0.1, tiles((0, 0), weights=[0.0])) is None
    nothing = attention_overlay(WHITE, 0.1, tiles((0, 0), weights=[0.0]))
    assert nothing
    assert nothing.high == 0
    tiny = attention_overlay(WHITE, 0.001, tiles((0, 0), weights=[1.0]))
    assert tiny
    assert (tiny.picture[:4, :4] != 255).any(axis=2).all()


def test_tiles_at_the_edge_stay_on_the_picture() -> None:
    overlay = attention_overlay(WHITE, 0.1, tiles((590, 390), (-50, 0), weights=[1.0, 1.0]))
    assert overlay
    assert overlay.picture.shape == WHITE.shape
    assert (overlay.picture[39, 59] != 255).any()


@pytest.mark.parametrize("scale", [ATTENTION_SCALE, CONTRIBUTION_SCALE])
def test_the_legend_shows_the_colours_that_are_drawn(scale: object) -> None:
    assert isinstance(scale, type(ATTENTION_SCALE))
    drawn = scale.paint(np.linspace(0, 1, len(scale.colours)))
    assert ["#" + bytes(row.tolist()).hex() for row in drawn] == list(scale.colours)
    assert scale.css == f"linear-gradient(to right, {', '.join(scale.colours)})"


def test_attention_is_told_by_lightness_alone() -> None:
    """So that it reads alike with any colour vision."""
    red, green, blue = (ATTENTION_SCALE.paint(np.linspace(0, 1, 50)).astype(float) / 255).T ** 2.2
    assert (np.diff(0.2126 * red + 0.7152 * green + 0.0722 * blue) > 0).all()
