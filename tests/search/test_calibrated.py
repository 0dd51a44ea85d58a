"""Calibration, novelty and votes of an archive's searches."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.calibration_file import Calibration, read_calibration
from histoseek.archive.novelty_file import ArchiveNovelty, write_novelty
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import Affine, Alignment
from histoseek.errors import ArchiveError, ConfigurationError, InputError
from histoseek.geometry import Rect
from histoseek.search.options import SearchOptions
from histoseek.search.present.page import render_page
from histoseek.search.queries import ArchivedSlide, Region, SlideFile
from histoseek.search.results import SearchResults
from histoseek.search.search import search
from histoseek.search.vote import Ballot, LabelDistribution, LabelShare, Tally, Vote, take_vote
from tests.evaluation.archives import labelled_archive
from tests.weights import write_table

CLASSES = 4
SLIDES = 160
PATIENTS = 80
HELD_OUT = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibrated")


@pytest.fixture(scope="module")
def archive(folder: Path) -> Archive:
    """Slides of sixty patients, two each, calibrated; the features of twenty more patients lie beside it."""
    labels = [i // 2 % CLASSES for i in range(SLIDES)]
    archive = labelled_archive(folder, labels, [i // 2 for i in range(SLIDES)], class_effect=0.25)
    archive.remove([f"slide-{i:03d}" for i in range(SLIDES - 2 * HELD_OUT, SLIDES)])
    archive.calibrate()
    return archive


def known(archive: Archive) -> Calibration:
    found = read_calibration(archive.layout, archive.require_space())
    assert found
    return found


def known_tiles(archive: Archive) -> ArchiveNovelty:
    found = archive.novelty
    assert found
    return found


def held_out(folder: Path) -> list[tuple[Path, str]]:
    """Feature files that the archive does not have, with their labels."""
    numbers = range(SLIDES - 2 * HELD_OUT, SLIDES)
    return [(folder / "features" / f"slide-{i:03d}.h5", f"class {i // 2 % CLASSES}") for i in numbers]


def noise(path: Path, shift: float, seed: int = 5) -> Path:
    """A feature file of another distribution."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        file["features"] = (rng.standard_normal((20, 24)) + shift * rng.standard_normal(24)).astype(np.float32)
        file["coords"] = np.array([(448 * (i % 5), 448 * (i // 5)) for i in range(20)])
        file["coords"].attrs["patch_size_level0"] = 448
    return path


def test_probabilities_are_right_on_average_for_patients_never_seen(archive: Archive, folder: Path) -> None:
    said, so = [], []
    for path, label in held_out(folder):
        for result in archive.search(path, k=50):
            said.append(result.probability)
            so.append(result.record.diagnosis == label)
    probabilities, same = np.array(said, float), np.array(so)
    assert np.mean(probabilities) == pytest.approx(np.mean(same), abs=0.06)
    bins = np.minimum((probabilities * 5).astype(int), 4)
    gap = sum(abs((probabilities - same)[bins == one].sum()) for one in range(5)) / len(same)
    assert gap < 0.1
    assert np.mean((probabilities - same) ** 2) < 0.9 * np.mean((np.mean(same) - same) ** 2)
    label = known(archive).label
    assert label is not None
    assert label.fitted.held_out.ece < 0.08
    assert label.fitted.held_out.brier < label.fitted.base.brier
    assert (label.column, label.slides, label.patients, label.classes) == ("diagnosis", 120, 60, CLASSES)


def test_labels_and_none_of_these_are_1_and_results_of_a_label_share_one_number(archive: Archive, folder: Path) -> None:
    for path, _ in held_out(folder)[::5]:
        results = archive.search(path, k=40)
        labels = results.labels
        assert labels is not None
        assert (labels.column, results.calibrated_for) == ("diagnosis", "diagnosis")
        assert sum(one.share for one in labels.shares) + labels.others + labels.none == pytest.approx(1, abs=1e-12)
        shares = {one.label: one.share for one in labels.shares}
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        for result in results:
            assert result.probability is not None
            assert result.probability == shares.get(str(result.record.diagnosis), result.probability)
            assert 0 < result.probability < 1
        assert not any("not calibrated" in warning for warning in results.warnings)


def test_pages_filters_and_own_slides_change_no_number(archive: Archive) -> None:
    plain = archive.search(like="slide-000", k=5).labels
    assert plain is not None
    for changes in (
        {"k": 100},
        {"offset": 7},
        {"where": "diagnosis = 'class 3'"},
        {"where": "diagnosis = 'class 9'"},
        {"same_patient": True},
        {"by_case": True},
        {"min_probability": 0.9},
        {"exact": True},
    ):
        assert archive.search(like="slide-000", **changes).labels == plain
    elsewhere = archive.search(like="slide-001", where="diagnosis = 'class 0'", k=50)
    everywhere = {one.slide_id: one.probability for one in archive.search(like="slide-001", k=200)}
    assert {one.slide_id: one.probability for one in elsewhere}.items() <= everywhere.items()


def test_the_query_s_patient_is_no_voice(archive: Archive, tmp_path: Path) -> None:
    """Slides 0 and 1 are of one patient: what the second one's label is says nothing to the first."""
    copy = Archive.open(shutil.copytree(archive.path, tmp_path / "archive"))
    before = copy.search(like="slide-000").labels
    copy.update("slide-001", {"diagnosis": "class 3"})
    after = copy.search(like="slide-000").labels
    assert before is not None
    assert after == before
    copy.update("slide-050", {"diagnosis": "class 3"})
    assert copy.search(like="slide-000", k=50).results[0].probability is not None


def test_no_probability_contradicts_what_is_known(archive: Archive, tmp_path: Path) -> None:
    """Neither where labels differ nor where one is missing is it said how likely they are the same."""
    label = {record.slide_id: record.diagnosis for record in archive.records()}
    for result in archive.search(like="slide-000", k=30):
        assert (result.probability is not None) == (result.record.diagnosis == label["slide-000"])
    folder, features = tmp_path / "some", tmp_path / "some" / "features"
    other = labelled_archive(folder, [i % 2 for i in range(40)], list(range(40)))
    other.calibrate()
    for slide_id in ("slide-000", "slide-003"):
        other.update(slide_id, {"diagnosis": None})
    assert all(result.probability is None for result in other.search(like="slide-000", k=39))
    from_a_case = {result.slide_id: result for result in other.search(like="slide-001", k=39)}
    assert from_a_case["slide-003"].probability is None
    assert any(result.probability is not None for result in from_a_case.values())
    unknown = noise(features / "unknown.h5", shift=0.1)
    found = {result.slide_id: result.probability for result in other.search(unknown, k=40)}
    assert {slide_id for slide_id, probability in found.items() if probability is None} == {"slide-000", "slide-003"}
    unlabelled = {one.slide_id for one in other.search(unknown, k=40) if one.label_unknown}
    assert unlabelled == {"slide-000", "slide-003"}
    assert "no label" in str(other.search(unknown, k=40))


def test_shuffled_labels_give_the_base_rate(folder: Path, archive: Archive, tmp_path: Path) -> None:
    other = labelled_archive(tmp_path, [0] * 120, list(range(120)), class_effect=0.5)
    rng = np.random.default_rng(0)
    rows = [
        {"slide_id": f"slide-{i:03d}", "diagnosis": f"class {label}"}
        for i, label in enumerate(rng.permutation(120) % 3)
    ]
    other.index([tmp_path / "features"], write_table(tmp_path / "shuffled.csv", rows))  # type: ignore[arg-type]
    label = other.calibrate().label
    assert label is not None
    assert label.fitted.base_rate == pytest.approx(1 / 3, abs=0.03)
    found = [other.search(like=f"slide-{i:03d}", k=20).labels for i in range(0, 120, 6)]
    shares = [one.share for labels in found if labels for one in labels.shares]
    assert len(shares) == 60
    assert np.mean(shares) == pytest.approx(label.fitted.base_rate, abs=0.05)
    assert np.std(shares) < 0.12
    assert label.fitted.held_out.brier > label.fitted.base.brier - 0.01


def test_a_query_of_another_kind_is_flagged_and_one_of_its_own_in_one_of_twenty(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    """Of patients whom the archive does not have; its own slides are a part of what is known, and fewer of them are."""
    strange = archive.search(noise(tmp_path / "strange.h5", shift=6.0), k=3, vote="diagnosis")
    assert strange.novelty is not None
    assert strange.novelty < 0.05
    assert any("unlike anything here" in warning for warning in strange.warnings)
    assert strange.vote_ is not None
    assert strange.vote_.majority.label is None
    assert strange.vote_.majority.abstains == "the query is unlike anything here"
    assert strange.labels is not None
    assert strange.labels.none > 0.5 > max(one.share for one in strange.labels.shares)
    assert strange.vote_.calibrated is not None
    assert strange.vote_.calibrated.label is None
    asked = [archive.search(path, k=1) for path, _ in held_out(folder)]
    flagged = [any("unlike" in warning for warning in results.warnings) for results in asked]
    assert np.mean(flagged) < 0.13
    assert flagged == [results.novelty is not None and results.novelty <= 0.05 for results in asked]
    assert 0.25 < np.mean([results.novelty or 0 for results in asked]) < 0.75
    own = [archive.search(like=record.slide_id, k=1).novelty or 0 for record in archive.records()[::4]]
    assert np.mean(np.array(own) <= 0.05) <= 0.05


def test_regions_are_compared_with_patches_and_the_share_of_false_alarms_can_be_chosen(
    archive: Archive, tmp_path: Path
) -> None:
    region = Region(ArchivedSlide("slide-000"), (Rect(0, 0, 900, 900),))
    strange = noise(tmp_path / "strange.h5", shift=6.0)
    assert (archive.search(region, k=1).novelty or 0) > 0.05
    own = known_tiles(archive)
    assert [one.tiles for one in own.model.own] == [1, 2, 4, 8, 16, None]
    assert (archive.search(Region(SlideFile(strange), region.regions), k=1).novelty or 0) < 0.05
    write_novelty(archive.layout, dataclasses.replace(own, false_alarms=0.5))
    try:
        flagged = [archive.search(like=record.slide_id, k=1) for record in archive.records()[::4]]
        assert {results.false_alarms for results in flagged} == {0.5}
        assert 0.2 < np.mean([results.is_novel for results in flagged]) < 0.6
        assert any("50% of queries" in warning for results in flagged for warning in results.warnings)
    finally:
        write_novelty(archive.layout, own)
    with pytest.raises(ArchiveError, match=r"0\.001 false alarms"):
        archive.calibrate(false_alarms=0.001)
    for wrong in (0, 1, float("nan")):
        with pytest.raises(ConfigurationError, match="false-alarms"):
            archive.calibrate(false_alarms=wrong)
    assert known_tiles(archive) == own


def test_novelty_is_of_the_whole_archive_whatever_the_filter(archive: Archive) -> None:
    plainly = archive.search(like="slide-000", k=1)
    elsewhere = archive.search(like="slide-000", k=1, where="diagnosis = 'class 3'")
    nothing = archive.search(like="slide-000", k=1, where="diagnosis = 'class 9'")
    assert plainly.novelty == elsewhere.novelty == nothing.novelty
    assert len(nothing) == 0


def test_results_below_a_probability_are_left_out(archive: Archive) -> None:
    everything = archive.search(like="slide-004", k=40)
    likely = [one for one in everything if (one.probability or 0) >= 0.4]
    assert 0 < len(likely) < 40
    cut = archive.search(like="slide-004", k=40, min_probability=0.4)
    assert [one.slide_id for one in cut] == [one.slide_id for one in likely]
    assert f"{len(likely)} of 40 have a probability of at least 0.4" in cut.warnings
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigurationError, match="min-probability"):
            SearchOptions(min_probability=wrong)


def test_a_calibration_is_of_its_distance_only(archive: Archive) -> None:
    options = SearchOptions(k=2, distance="pathsearch-paper")
    results = search(archive, ArchivedSlide("slide-000"), options)
    assert [result.probability for result in results] == [None, None]
    assert (results.novelty, results.calibrated_for) == (archive.search(like="slide-000", k=2).novelty, None)
    assert any("calibrated for the distance symmetric" in warning for warning in results.warnings)
    with pytest.raises(ConfigurationError, match="calibrate"):
        search(archive, ArchivedSlide("slide-000"), dataclasses.replace(options, min_probability=0.5))


def test_it_lives_with_the_slides_vectors(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [i % 2 for i in range(40)], list(range(40)), tiles=8)
    before = archive.search(like="slide-000", k=2)
    assert (before.novelty, before.results[0].probability) == (None, None)
    assert any("scores are not calibrated" in warning for warning in before.warnings)
    made = archive.calibrate()
    measured = archive.search(like="slide-000", k=2).novelty
    assert Archive.open(archive.path).search(like="slide-000", k=2).results[0].probability is not None
    assert known(archive) == made
    maps = Alignment("ridge", Affine(np.eye(24, dtype=np.float32), np.zeros(24, np.float32)), None)
    reencode(archive, SpaceChange(alignment=maps))
    assert known(archive) == made
    reencode(archive, SpaceChange(untrained=True))
    assert read_calibration(archive.layout, archive.require_space()) is None
    assert archive.search(like="slide-000", k=2).novelty == measured is not None, "tiles are what they were"
    assert archive.calibrate(label=None).label is None
    only_novelty = archive.search(like="slide-000", k=2)
    assert only_novelty.novelty is not None
    assert only_novelty.results[0].probability is None
    with pytest.raises(ConfigurationError, match="calibrated"):
        archive.search(like="slide-000", min_probability=0.1)


def test_an_archive_that_has_changed_says_so_and_a_damaged_file_names_the_way_out(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [i % 2 for i in range(50)], list(range(50)), tiles=8)
    archive.calibrate()
    archive.remove([f"slide-{i:03d}" for i in range(10)])
    assert not any("was calibrated" in warning for warning in archive.search(like="slide-020").warnings)
    archive.remove(["slide-010"])
    changed = [warning for warning in archive.search(like="slide-020").warnings if "was calibrated" in warning]
    assert changed == [
        "the archive had 50 slides when it was calibrated and has 39 now: run `histoseek calibrate` again"
    ]
    archive.layout.calibration.write_text("{")
    damaged = archive.search(like="slide-020")
    assert "calibration.json is damaged" in damaged.warnings[0]
    assert "histoseek calibrate" in damaged.warnings[0]
    assert damaged.novelty is not None
    archive.layout.novelty.write_bytes(archive.layout.novelty.read_bytes()[:-1] + b"?")
    damaged = archive.search(like="slide-020")
    assert any("novelty.safetensors is damaged" in warning for warning in damaged.warnings)
    assert damaged.novelty is None
    archive.calibrate()
    assert not any("damaged" in warning for warning in archive.search(like="slide-020").warnings)
    assert archive.search(like="slide-020").novelty is not None


@pytest.mark.parametrize(
    ("labels", "patients", "what"),
    [
        ([i % 2 for i in range(29)], list(range(29)), "29 slides of 29 patients"),
        ([i % 2 for i in range(36)], [i // 4 for i in range(36)], "36 slides of 9 patients"),
        ([1] * 30, list(range(30)), "with 1 different diagnosis"),
    ],
)
def test_too_few_labels_are_refused_and_leave_nothing(
    tmp_path: Path, labels: list[int], patients: list[int], what: str
) -> None:
    archive = labelled_archive(tmp_path, labels, patients, tiles=8)
    with pytest.raises(ArchiveError, match=what):
        archive.calibrate()
    with pytest.raises(InputError, match="no such column"):
        archive.calibrate("grade")
    assert not archive.layout.calibration.exists()
    assert archive.calibrate(label=None).slides == len(labels)


def test_too_few_slides_have_no_novelty(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [0] * 19, list(range(19)), tiles=8)
    with pytest.raises(ArchiveError, match="19 slides"):
        archive.calibrate(label=None)


def test_json_and_page_carry_what_is_documented(archive: Archive) -> None:
    results = archive.search(like="slide-008", k=6, vote="diagnosis")
    found = json.loads(results.to_json())
    assert found["calibrated_for"] == "diagnosis"
    assert 0 < found["novelty"] <= 1
    assert set(found["vote"]) == {
        *("label_column", "patients", "unlabelled", "majority", "calibrated"),
    }
    for way in ("majority", "calibrated"):
        assert set(found["vote"][way]) == {"label", "share", "abstains", "shares"}
    assert sum(one["share"] for one in found["vote"]["majority"]["shares"]) == pytest.approx(1)
    assert set(found["labels"]) == {"column", "patients", "shares", "others", "none"}
    assert found["labels"]["shares"] == found["vote"]["calibrated"]["shares"]
    assert all(result["label_unknown"] is False for result in found["results"])
    page = render_page(results, "votes")
    assert f"Vote of {found['vote']['patients']} patients on diagnosis" in page
    assert "the query&#39;s diagnosis with probability" in page or "the query's diagnosis with probability" in page
    assert "none of these" in page
    assert "none of these" in str(results)


def test_results_vote_as_the_naive_count_does(archive: Archive, folder: Path) -> None:
    for path, _ in held_out(folder)[::4]:
        results = archive.search(SlideFile(path), k=15)
        assert (
            results.vote("diagnosis") == search(archive, SlideFile(path), SearchOptions(k=15, vote="diagnosis")).vote_
        )
        nearest: dict[str, str] = {}
        for one in results:
            nearest.setdefault(str(one.record.patient_id), str(one.record.diagnosis))
        vote = results.vote("diagnosis")
        assert vote.patients == len(nearest) < 15
        counts = Counter(nearest.values())
        assert {one.label: one.share for one in vote.majority.shares} == pytest.approx(
            {label: count / len(nearest) for label, count in counts.items()}
        )
        assert vote.calibrated is not None
        assert results.labels is not None
        assert vote.calibrated.shares == results.labels.shares
        assert vote.calibrated.share == max(one.probability or 0 for one in results)
    with pytest.raises(InputError, match="no such column"):
        results.vote("grade")
    with pytest.raises(InputError, match="no such column"):
        archive.search(like="slide-000", vote="grade", where="diagnosis = 'class 9'")
    assert results.vote("site").calibrated is None


def counted(*ballots: tuple[str, str], novel: bool = False) -> Vote:
    return take_vote("diagnosis", [Ballot(*one) for one in ballots], 0, novel)


def test_ties_go_to_the_nearest_and_patients_count_once() -> None:
    tied = counted(("p1", "b"), ("p2", "a"), ("p3", "a"), ("p4", "b"))
    assert (tied.majority.label, tied.majority.share) == ("b", 0.5)
    flooded = counted(("p1", "a"), *[("p2", "b")] * 9, ("p3", "a"))
    assert flooded.patients == 3
    assert (flooded.majority.label, flooded.majority.share) == ("a", pytest.approx(2 / 3))
    by_its_nearest = counted(("p1", "a"), ("p2", "b"), ("p1", "b"))
    assert (by_its_nearest.majority.label, by_its_nearest.patients) == ("a", 2)


def test_votes_abstain_without_half_of_the_share_or_a_label() -> None:
    split = counted(("p1", "a"), ("p2", "b"), ("p3", "c"))
    assert split.majority.label is None
    assert split.majority.share == pytest.approx(1 / 3)
    assert split.majority.abstains == "no label reaches a share of 0.5"
    assert counted(("p1", "a"), novel=True).majority.label is None
    empty = take_vote("diagnosis", [], 3, novel=False)
    assert (empty.majority.label, empty.majority.abstains) == (None, "no result has a label")
    assert (empty.calibrated, empty.unlabelled) == (None, 3)


def weighed(*shares: tuple[str, float], novel: bool = False, column: str = "diagnosis") -> Tally | None:
    """The calibrated vote of a distribution of which the rest is none of these."""
    rest = 1 - sum(share for _, share in shares)
    labels = LabelDistribution(column, 9, tuple(LabelShare(*one) for one in shares), 0.0, rest)
    return take_vote("diagnosis", [Ballot("p1", "c")], 0, novel, labels).calibrated


def test_the_calibrated_vote_is_the_distribution_and_abstains_with_it() -> None:
    sure = weighed(("a", 0.7), ("b", 0.2))
    assert sure is not None
    assert (sure.label, sure.share, sure.abstains) == ("a", 0.7, None)
    unsure, foreign, strange = weighed(("a", 0.45), ("b", 0.4)), weighed(("a", 0.4)), weighed(("a", 0.9), novel=True)
    assert unsure is not None
    assert (unsure.label, unsure.abstains) == (None, "no label reaches a share of 0.5")
    assert foreign is not None
    assert (foreign.label, foreign.abstains) == (None, "it is most likely none of the archive's labels")
    assert strange is not None
    assert (strange.label, strange.abstains) == (None, "the query is unlike anything here")
    assert weighed(("a", 0.7), column="organ") is None


@given(st.lists(st.tuples(st.sampled_from("pqrstu"), st.sampled_from("abc")), min_size=1, max_size=12))
def test_the_majority_is_the_naive_one(drawn: list[tuple[str, str]]) -> None:
    vote = counted(*drawn)
    first = dict(reversed(drawn))
    order = [label for i, (owner, label) in enumerate(drawn) if owner not in {o for o, _ in drawn[:i]}]
    count = {label: list(first.values()).count(label) for label in order}
    best = max(count, key=lambda label: (count[label], -order.index(label)))
    assert vote.majority.share == pytest.approx(count[best] / len(first))
    assert vote.majority.label == (best if 2 * count[best] >= len(first) else None)


def test_slides_without_a_label_do_not_vote(archive: Archive) -> None:
    results = archive.search(like="slide-000", k=4)
    gone = [dataclasses.replace(one, record=dataclasses.replace(one.record, diagnosis=None)) for one in results]
    mixed = dataclasses.replace(results, results=(*gone[:1], *results.results[1:]))
    first = str(results.results[0].record.patient_id)
    others = {str(one.record.patient_id) for one in results.results[1:]}
    vote = mixed.vote("diagnosis")
    assert (vote.patients, vote.unlabelled) == (len(others), int(first not in others))
    nobody: SearchResults = dataclasses.replace(results, results=tuple(gone))
    assert nobody.vote("diagnosis").majority.abstains == "no result has a label"


def test_slides_without_a_label_are_asked_for_novelty_only(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [i % 2 for i in range(60)], list(range(60)), tiles=8)
    everything, tiles = archive.calibrate(), known_tiles(archive)
    rows: list[dict[str, object]] = [
        {"slide_id": f"slide-{i:03d}", "grade": "" if i < 20 else i % 2} for i in range(60)
    ]
    archive.index([tmp_path / "features"], write_table(tmp_path / "grades.csv", rows))
    some = archive.calibrate("grade")
    assert everything.label is not None
    assert some.label is not None
    assert (some.label.slides, some.label.patients, some.label.queries) == (40, 40, 40)
    assert (everything.label.slides, everything.label.queries) == (60, 60)
    assert known_tiles(archive).model == tiles.model
    results = archive.search(like="slide-000", k=3, vote="diagnosis")
    assert results.labels is not None
    assert results.labels.patients == 40
    assert (results.calibrated_for, results.vote_ and results.vote_.calibrated) == ("grade", None)
