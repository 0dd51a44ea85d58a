"""Scores of words mean the same in every search, and say when nothing fits."""

from __future__ import annotations

import json
import os
import shutil
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.search.present.page import render_page
from histoseek.search.queries import ArchivedReport, ArchivedSlide, Composed, Refined, TextQuery
from histoseek.search.results import SearchResults, as_html
from histoseek.search.retrieve.channels import Channel, Scale
from histoseek.search.retrieve.measure_chance import get_chance
from histoseek.search.retrieve.score_fusion import fuse_scores
from tests.search.test_report_search import REPORTS, make_archive

REAL = (
    *("invasive ductal carcinoma grade III", "lobular carcinoma", "no necrosis", "necrosis", "gleason 3+4"),
    *("signet ring cell carcinoma", "invasive lobulr carcinoma", "small cell carcinoma of the lung", "lung", "breast1"),
    *("inflammation of the prostate", "organ:lung", "her2:2+", "amyloid around arteries"),
)
NONSENSE = (
    *("xyzzy banana bicycle", "asdf jklö", "how to bake a chocolate cake", "the tenant shall pay the rent"),
    *("morgen fahren wir ans Meer", "le chat dort sur le canapé", "no unicorns", "the of and", "9041 7733"),
    *("train station tickets to Lisbon", "malaria parasites", "football results of last weekend"),
)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive in which nothing was searched yet. Not to be changed."""
    return make_archive(tmp_path_factory.mktemp("scores"), "minilm").path


@pytest.fixture(scope="module")
def archive(new: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return copy(new, tmp_path_factory.mktemp("searched"))


def copy(path: Path, folder: Path) -> Archive:
    return Archive.open(shutil.copytree(path, folder / "copy"))


def scores(results: SearchResults) -> dict[str, float]:
    return {result.slide_id: result.score for result in results}


@pytest.mark.parametrize("text", REAL)
def test_what_is_there_fits(archive: Archive, text: str) -> None:
    for to in ("slides", "reports"):
        results = archive.search(text=text, k=20, to=to)  # type: ignore[arg-type]
        assert not results.nothing_fits
        assert results.results[0].fits


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_told_and_nothing_is_marked_as_near_it(archive: Archive, text: str) -> None:
    results = archive.search(text=text, k=20)
    assert results.nothing_fits
    assert not any(result.fits for result in results)
    assert not any(phrase.kind == "meaning" for result in results for phrase in result.phrases)
    assert str(results).startswith("nothing fits; the nearest are:\n" if len(results) else "nothing fits\n")
    assert "Nothing fits" in render_page(archive.search(text=text, k=1), "page")
    assert "nothing fits" in as_html(results)
    told = json.loads(results.to_json())
    assert told["nothing_fits"] is True
    assert {result["fits"] for result in told["results"]} <= {False}


@pytest.mark.parametrize("text", [*REAL, *NONSENSE])
def test_scores_fall_with_rank_and_are_shares(archive: Archive, text: str) -> None:
    listed = [result.score for result in archive.search(text=text, k=20)]
    assert all(0 <= score <= 1 for score in listed)
    assert listed == sorted(listed, reverse=True)
    fits = [result.fits for result in archive.search(text=text, k=20)]
    assert fits == sorted(fits, reverse=True)


@pytest.mark.parametrize("text", [*REAL[:6], *NONSENSE[:2]])
def test_a_slide_has_its_score_whatever_is_asked_for_beside_it(archive: Archive, text: str) -> None:
    """Neither the number of results, the page, a filter, a patient left out, nor a judgement changes it."""
    whole = scores(archive.search(text=text, k=20))
    ids = list(whole)
    searches = [
        archive.search(text=text, k=2),
        archive.search(text=text, k=2, offset=2),
        archive.search(text=text, k=20, where="age > 6"),
        archive.search(text=text, k=20, where="patient_id <> 'P1'"),
        archive.search(TextQuery(text, patient_id="P3"), k=20),
        archive.search(Refined(TextQuery(text), (ids[-1],)), k=20),
        archive.search(Refined(TextQuery(text), (), (ids[0],)), k=20),
    ]
    for results in searches:
        for slide_id, score in scores(results).items():
            if slide_id in whole:
                assert score == pytest.approx(whole[slide_id], abs=1e-6)
    assert archive.explain(TextQuery(text), ids[0]).score == pytest.approx(whole[ids[0]], abs=1e-6)


def test_a_slide_keeps_the_score_of_its_distance_when_results_are_judged(archive: Archive) -> None:
    plain = scores(archive.search(like="lung", k=20))
    judged = archive.search(Refined(ArchivedSlide("lung"), ("benign",), ("long",)), k=20)
    assert scores(judged) == pytest.approx({i: score for i, score in plain.items() if i != "long"})
    assert judged.results[0].slide_id == "benign"


def test_slides_that_have_none_of_the_words_change_no_score(archive: Archive, tmp_path: Path) -> None:
    before = scores(archive.search(text="signet ring cell carcinoma", k=20))
    archive = copy(archive.path, tmp_path)
    archive.update("hebrew", {"report": "Knee: cartilage with regular bone."})
    after = scores(archive.search(text="signet ring cell carcinoma", k=20))
    assert max(before, key=lambda one: before[one]) == "signet"
    assert after["signet"] == pytest.approx(before["signet"], abs=0.02)


def test_image_and_words_together_have_a_score_of_their_own(archive: Archive) -> None:
    results = archive.search(Composed(ArchivedSlide("lung"), "necrosis", None, 0.5), k=20)
    listed = [result.score for result in results]
    assert listed == sorted(listed, reverse=True)
    assert all(0 <= score <= 1 for score in listed)
    without = scores(archive.search(Composed(ArchivedSlide("lung"), "carcinoma", "necrosis", 0.5), k=20))
    plain = scores(archive.search(Composed(ArchivedSlide("lung"), "carcinoma", None, 0.5), k=20))
    assert all(without[slide_id] <= plain[slide_id] + 1e-9 for slide_id in without)


def test_reports_as_queries_are_judged_as_well(archive: Archive) -> None:
    assert not archive.search(ArchivedReport("breast3"), k=3).nothing_fits


def test_slides_are_not_judged_by_words(archive: Archive) -> None:
    results = archive.search(like="lung", k=3)
    assert (results.nothing_fits, {result.fits for result in results}) == (False, {None})


def test_chance_is_measured_once_and_kept_beside_the_archive(new: Path, tmp_path: Path) -> None:
    archive = copy(new, tmp_path)
    assert not archive.layout.chance.exists()
    archive.search(text="carcinoma", k=1)
    kept = archive.layout.chance.read_bytes()
    assert get_chance(archive, archive.store.snapshot()).reports == sum(1 for _, text in REPORTS.values() if text)
    archive.update("none", {"report": "Lung: emphysema."})
    archive.search(text="carcinoma", k=1)
    assert archive.layout.chance.read_bytes() == kept


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_an_archive_that_cannot_be_written_is_searched(new: Path, tmp_path: Path) -> None:
    archive = copy(new, tmp_path)
    archive.layout.space.chmod(0o500)
    try:
        assert archive.search(text="xyzzy banana bicycle", k=3).nothing_fits
    finally:
        archive.layout.space.chmod(0o700)


PHRASES = ("typical {}", "please show me all {}", "{}, elderly woman")
BESIDE_NOTHING = (
    "kidney beans",
    "skin care",
    "find slides of osteosarcoma",
    "a typical bicycle",
    "show me all bananas",
)


def test_without_a_text_encoder_words_decide(tmp_path: Path) -> None:
    archive = make_archive(tmp_path, "none")
    assert archive.search(text="xyzzy banana bicycle", k=3).nothing_fits
    found = archive.search(text="invasive lobular carcinoma", k=3)
    assert (found.nothing_fits, found.results[0].slide_id) == (False, "lobular")
    assert_phrases_are_told(archive)


def test_words_that_any_question_has_change_nothing(archive: Archive) -> None:
    assert_phrases_are_told(archive)


def assert_phrases_are_told(archive: Archive) -> None:
    for phrase in PHRASES:
        assert not archive.search(text=phrase.format("lobular carcinoma"), k=1).nothing_fits, phrase
    for text in BESIDE_NOTHING:
        assert archive.search(text=text, k=1).nothing_fits, text


def test_what_is_typed_at_random_fits_nothing(archive: Archive) -> None:
    rng = np.random.default_rng(18)
    letters, fitting = np.array([*string.ascii_lowercase, *string.digits]), []
    for _ in range(30):
        words = ["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(rng.integers(1, 5))]
        if not archive.search(text=" ".join(words), k=1).nothing_fits:
            fitting.append(words)
    assert len(fitting) <= 1


def test_what_a_record_says_word_by_word_is_looked_up(archive: Archive, tmp_path: Path) -> None:
    said = "oncocytic mucoepidermoid tumour beside the second molar of the upper jaw, curetted twice"
    archive = copy(archive.path, tmp_path)
    archive.update("lung", {"diagnosis": said})
    first, second = archive.search(text=said, k=2)
    assert (first.slide_id, first.fits) == ("lung", True)
    assert first.score > 0.7 > second.score + 0.3


def test_the_cut_off_is_told(archive: Archive) -> None:
    results = archive.search(text="lobular carcinoma", k=20)
    assert results.least_score is not None
    assert 0.2 <= results.least_score < results.results[0].score
    assert all(result.fits == (result.score >= results.least_score) for result in results)
    assert archive.search(text="organ:lung", k=3).least_score == 0
    assert archive.search(text="xyzzy banana bicycle", k=3).least_score is None
    assert archive.search(like="lung", k=3).least_score is None


CHANNELS = st.lists(
    st.tuples(
        st.sampled_from(("report words", "metadata words", "report vectors", "shared space", "similar slides")),
        st.dictionaries(st.sampled_from("abcdef"), st.floats(-1, 3), max_size=6),
        st.floats(-1, 1).filter(lambda weight: abs(weight) > 0.01),
    ),
    min_size=1,
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(lists=CHANNELS, gone=st.sets(st.sampled_from("abcdef"), max_size=4))
def test_a_fused_score_is_a_share_and_of_its_own_slide_alone(
    lists: list[tuple[str, dict[str, float], float]], gone: set[str]
) -> None:
    def make(leave_out: set[str]) -> list[Channel]:
        channels = []
        for name, own, weight in lists:
            ranked = sorted(own.items(), key=lambda pair: (-pair[1], pair[0]))
            kept = [pair for pair in ranked if pair[0] not in leave_out]
            ids, values = tuple(i for i, _ in kept), tuple(value for _, value in kept)
            channels.append(Channel(name, ids, values, weight, Scale(0.1, 2.0)))  # type: ignore[arg-type]
        return channels

    hits = fuse_scores(make(set()), {"a"})
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.score <= 1 for hit in hits)
    fewer = {hit.slide_id: hit.score for hit in fuse_scores(make(gone), {"a"})}
    assert fewer == pytest.approx({hit.slide_id: hit.score for hit in hits if hit.slide_id not in gone})


def test_no_words_are_counted_twice() -> None:
    words = Channel("report words", ("a", "b"), (1.0, 0.5))
    repeated = Channel("metadata words", ("b",), (1.0,))
    assert {hit.slide_id: hit.score for hit in fuse_scores([words, repeated])} == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2024-01-01",
            "12:30",
            "1 2 3 4 5",
            "hello world",
            "left turn at the next junction",
            "a benign dictator",
            "x",
        ),
        *("the front margin of the page", "malignant rumours on social media", "nuclear power plant", "case closed"),
        *("invasive species of crayfish", "hydatid cyst of the liver", "osteosarcoma of the femur", "gallstones"),
    ],
)
def test_homonyms_numbers_and_what_is_not_there_do_not_fit(archive: Archive, text: str) -> None:
    assert archive.search(text=text, k=20).nothing_fits
