"""Tuning: what is fitted on whom, what is chosen, and that no figure is flattered."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.tuning_file import Tuning, write_tuning
from histoseek.errors import ArchiveBusy, ConfigurationError, InputError
from histoseek.evaluation.cohort import load_cohort
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.held_out import SeenSlides
from histoseek.evaluation.neighbours import Fold, rank
from histoseek.evaluation.per_query import compute_values
from histoseek.evaluation.settings import DEFAULT_SYSTEMS, EvaluationSpec
from histoseek.evaluation.systems.registry import make_systems
from histoseek.evaluation.tuning.candidates import GLOBAL, count_learned, list_stages
from histoseek.evaluation.tuning.cross_validation import JUDGED, CrossValidation
from histoseek.evaluation.tuning.fitted import FittedRanking, fit_ranking, fit_slides_metric, measure_distances
from histoseek.evaluation.tuning.folds import deal_folds, deal_sites, join_owners
from histoseek.evaluation.tuning.nested import choose_nested
from histoseek.evaluation.tuning.refitted import rank_refitted
from histoseek.evaluation.tuning.shortage import list_erasable
from histoseek.evaluation.tuning.slides import TuningSlides, draw_slides, read_slides
from histoseek.evaluation.tuning.tune import TuningSpec, tune
from histoseek.mosaics.distances import Fusion
from histoseek.ranking.metric import LinearMap, Metric
from histoseek.ranking.settings import PLAIN, DiffusionSettings, RankingSettings
from tests.evaluation.archives import labelled_archive

LEARNED = replace(GLOBAL, shrinkage=0.4, label_strength=0.1)
Ints = np.ndarray


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 slides of 24 patients, three classes, at six sites that look more different than the classes."""
    rng = np.random.default_rng(4)
    patients = [i // 2 for i in range(48)]
    labels, sites = rng.integers(3, size=24)[patients].tolist(), rng.integers(6, size=24)[patients].tolist()
    folder = tmp_path_factory.mktemp("tuning")
    return labelled_archive(folder, labels, patients, sites, class_effect=0.35, site_effect=0.8, tiles=6).path


@pytest.fixture(scope="module")
def slides(labelled: Path) -> TuningSlides:
    cohort = load_cohort(Archive.open(labelled), "diagnosis")
    return read_slides(cohort, np.arange(len(cohort)), ("site",))


def judge(settings: RankingSettings, slides: TuningSlides, fitted_on: Ints) -> float:
    """MAP@5 of all slides under what was fitted on some."""
    everyone = np.arange(len(slides))
    fitted = fit_ranking(settings, slides, fitted_on)

    class Fitted:
        name = "fitted"

        def fit(self, database: Ints) -> None: ...

        def distances(self, queries: Ints, database: Ints) -> Ints:
            return measure_distances(fitted, slides, queries, database).astype(np.float32)

    found = rank(Fitted(), Fold(everyone, everyone, slides.exclusions), slides.labels, 10)
    return float(np.nanmean(compute_values(found, slides.labels)[:, JUDGED]))


def test_owners_are_joined_by_what_they_share() -> None:
    patients, files = np.array([0, 0, 1, 2, 3, 4]), np.array([9, 8, 8, 7, 6, 7])
    assert join_owners(patients, files).tolist() == [0, 0, 0, 1, 2, 1]
    assert join_owners(np.arange(3)).tolist() == [0, 1, 2]


def test_folds_hold_out_whole_owners_and_whole_sites() -> None:
    owners = np.repeat(np.arange(17), 3)
    folds = deal_folds(owners, 0)
    assert np.bincount(folds[::3]).tolist() == [4, 4, 3, 3, 3]
    assert all(len(np.unique(folds[owners == owner])) == 1 for owner in range(17))
    assert len(np.unique(deal_folds(np.arange(3), 0))) == 3
    sites = np.repeat([0, 1, 2, 3, 0], [12, 9, 12, 9, 9])
    by_site = deal_sites(sites, owners, 0)
    assert by_site is not None
    assert [len(np.unique(by_site[sites == site])) for site in range(4)] == [1] * 4
    assert len(np.unique(by_site)) == 4
    # A patient who was at two sites makes one of them, and so there are too few.
    assert deal_sites(np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 2, 2, 3]), 0) is None


def test_whole_owners_are_drawn() -> None:
    owners = np.repeat(np.arange(10), 4)
    drawn = draw_slides(owners, 14, 0)
    assert len(drawn) == 12 and np.bincount(owners[drawn], minlength=10).tolist().count(4) == 3
    assert draw_slides(owners, 40, 0).tolist() == list(range(40))
    assert draw_slides(owners, 14, 1).tolist() != drawn.tolist()


def test_slides_in_memory_are_those_that_search_sees(labelled: Path, slides: TuningSlides) -> None:
    archive = Archive.open(labelled)
    rng = np.random.default_rng(0)
    offsets, inward, outward = (rng.standard_normal((rows, 24)).astype(np.float32) for rows in (1, 6, 6))
    one = LinearMap(offsets, inward, outward)
    metric = Metric(one, one, "site", ("site 2",))
    mapped = slides.under(metric)
    for place, record in enumerate(archive.records()):
        [group] = metric.find_groups([record.site], np.zeros((1, 24)))
        expected = metric.map_signature(archive.get(record.slide_id).signature, group)
        found = mapped.pick(place)
        np.testing.assert_allclose(found.global_vector, expected.global_vector, atol=1e-5)
        np.testing.assert_allclose(found.mosaic, expected.mosaic, atol=2e-3)
        assert np.bitwise_count(found.barcodes ^ expected.barcodes).sum() <= 1
    assert slides.under(Metric()) is slides


@pytest.mark.parametrize(
    "settings", [LEARNED, replace(PLAIN, erased="site", centred="site", shrinkage=0.8)], ids=["labels", "sites"]
)
def test_nothing_of_slides_held_out_is_fitted(slides: TuningSlides, settings: RankingSettings) -> None:
    training = np.flatnonzero(slides.owners < 18)
    rng = np.random.default_rng(1)
    held = np.setdiff1d(np.arange(len(slides)), training)
    vectors, means = slides.block.global_vectors.copy(), slides.mosaic_means.copy()
    vectors[held] = rng.standard_normal((len(held), 24))
    means[held] = rng.standard_normal((len(held), 24))
    others = replace(
        slides,
        block=replace(slides.block, global_vectors=vectors),
        mosaic_means=means,
        labels=np.where(np.isin(np.arange(len(slides)), held), 0, slides.labels),
        columns={"site": tuple(s if i in training else "site 0" for i, s in enumerate(slides.columns["site"]))},
    )
    assert fit_slides_metric(settings, slides, training) == fit_slides_metric(settings, others, training)
    assert fit_ranking(settings, slides, training).fusion == fit_ranking(settings, others, training).fusion


def test_the_outer_fold_is_neither_fitted_on_nor_asked_nor_found(slides: TuningSlides) -> None:
    folds = deal_folds(slides.owners, 0)
    validation = CrossValidation(slides, folds, 0)
    settings = replace(LEARNED, diffusion=DiffusionSettings(0.5, 5, 0.8))
    found = validation.rank_fold(settings, 1, 2)
    assert set(folds[found.queries]) == {1}
    assert 2 not in set(folds[found.slides.ravel()])
    scrambled = replace(slides, labels=np.where(folds == 2, 0, slides.labels))
    again = CrossValidation(scrambled, folds, 0).rank_fold(settings, 1, 2)
    np.testing.assert_array_equal(found.slides, again.slides)
    assert set(folds[validation.get_queries(2)]) == {0, 1, 3, 4}
    # Both directions of a pair of folds, and all folds, have results of their own.
    assert len({validation.measure(settings, outer)[:, JUDGED].tobytes() for outer in (None, 1, 2)}) == 3


def test_a_leak_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that are drawn for each patient: whoever judges on the patients that were fitted on finds them in the
    vectors, which tell patients apart; nobody else can."""
    rng = np.random.default_rng(0)
    patients = [i // 2 for i in range(40)]
    labels = rng.permutation([0, 1] * 10)[patients].tolist()
    archive = labelled_archive(tmp_path, labels, patients, patients, class_effect=0.0, site_effect=1.0, tiles=4)
    cohort = load_cohort(archive, "diagnosis")
    slides = read_slides(cohort, np.arange(40))
    chance = judge(PLAIN, slides, np.arange(40))
    assert judge(LEARNED, slides, np.arange(40)) > chance + 0.3
    nested = choose_nested(slides, deal_folds(slides.owners, 0), list_stages(())[1:3])
    gain = nested.gains[0]
    assert (gain.metric, gain.plain) == ("MAP@5", pytest.approx(chance, abs=0.02))
    assert abs(gain.tuned - chance) < 0.15 and gain.p > 0.05
    # So does the system that evaluations have, and tuning itself; one that is fitted on all would be far above.
    everyone = np.arange(40)
    monkeypatch.setattr("histoseek.evaluation.systems.tuned.list_stages", lambda *_: (lambda _: [LEARNED],))
    [system] = make_systems(["tuned"], cohort, 0)
    found = rank(system, Fold(everyone, everyone, slides.exclusions), slides.labels, 10)
    assert abs(np.nanmean(compute_values(found, slides.labels)[:, JUDGED]) - chance) < 0.15
    try_only(LEARNED, monkeypatch)
    outcome = tune(archive, TuningSpec())
    assert not outcome.is_adopted and archive.tuning is None


def test_of_settings_that_are_as_good_the_simplest_is_chosen(slides: TuningSlides) -> None:
    graph = DiffusionSettings(0.5, 5, 0.8)
    by_parts = [PLAIN, GLOBAL, replace(PLAIN, shrinkage=0.9), replace(PLAIN, shrinkage=0.4)]
    by_parts += [replace(PLAIN, shrinkage=0.9, diffusion=graph), replace(LEARNED, diffusion=graph)]
    assert sorted(by_parts, key=count_learned) == by_parts


def copied(labelled: Path, folder: Path) -> Archive:
    return Archive.open(shutil.copytree(labelled, folder / "archive"))


def try_only(settings: RankingSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.evaluation.tuning.tune.list_stages", lambda *_: (lambda _: [settings],))


def test_what_wins_is_adopted_and_search_ranks_by_it(
    labelled: Path, slides: TuningSlides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try_only(LEARNED, monkeypatch)
    archive = copied(labelled, tmp_path)
    tried = archive.tune(dry_run=True)
    assert tried.is_adopted and not tried.is_stored and archive.tuning is None
    outcome = archive.tune()
    tuning, gain = archive.tuning, outcome.card.gains[0]
    assert tuning is not None and outcome.is_stored and "adopted" in outcome.verdict
    assert archive.novelty is not None
    assert (tuning.settings, tuning.column, tuning.slides) == (LEARNED, "diagnosis", 48)
    assert tuning.card == tried.card and [t.settings for t in tuning.card.tried] == [PLAIN, LEARNED]
    assert gain.tuned > gain.plain and gain.p < 0.05 and gain.low > 0
    everyone = np.arange(48)
    fitted = FittedRanking(tuning.settings, tuning.metric, tuning.fusion)
    expected = 1 - measure_distances(fitted, slides, np.array([7]), everyone)[0]
    found = archive.search(like="slide-007", k=48).results
    assert [r.score for r in found] == pytest.approx([expected[int(r.slide_id[-3:])] for r in found], abs=1e-4)
    # What no longer wins is removed, and so is what is reset.
    try_only(PLAIN, monkeypatch)
    again = archive.tune()
    assert archive.tuning is None and again.has_replaced and "is removed" in again.verdict
    write_tuning(archive.layout, tuning)
    assert archive.reset_tuning() and not archive.reset_tuning() and archive.tuning is None


@pytest.mark.parametrize("settings", [LEARNED, PLAIN], ids=["learned", "plain"])
def test_neighbours_have_the_same_say_in_search(
    labelled: Path, slides: TuningSlides, settings: RankingSettings, tmp_path: Path
) -> None:
    archive, everyone = copied(labelled, tmp_path), np.arange(48)
    fitted = fit_ranking(replace(settings, diffusion=DiffusionSettings(0.5, 5, 0.8)), slides, everyone)
    space = archive.require_space().slides_fingerprint
    write_tuning(archive.layout, Tuning(space, 48, "", "diagnosis", fitted.settings, fitted.metric, fitted.fusion))
    expected = 1 - measure_distances(fitted, slides, np.array([7]), everyone)[0]
    found = archive.search(like="slide-007", k=48).results
    assert [r.score for r in found] == pytest.approx([expected[int(r.slide_id[-3:])] for r in found], abs=1e-4)


def test_patients_whom_the_encoder_was_trained_on_are_left_out(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try_only(LEARNED, monkeypatch)
    seen = SeenSlides("my-tiles", np.arange(48) % 48 < 16)
    monkeypatch.setattr("histoseek.evaluation.tuning.tune.find_seen_slides", lambda *_: seen)
    archive = copied(labelled, tmp_path)
    card = archive.tune(dry_run=True).card
    assert (card.left_out, card.slides) == (16, 32)
    monkeypatch.setattr(
        "histoseek.evaluation.tuning.tune.find_seen_slides", lambda *_: SeenSlides("my-tiles", np.ones(48, bool))
    )
    with pytest.raises(InputError, match="all labelled slides are of patients that my-tiles was trained on"):
        archive.tune()


def test_columns_that_cannot_be_erased_are_only_centred(labelled: Path) -> None:
    own = read_slides(load_cohort(Archive.open(labelled), "diagnosis"), np.arange(48))
    apart = replace(own, columns={"site": tuple(f"of {owner}" for owner in own.owners.tolist())})
    assert list_erasable(apart) == ()
    tried = [one for stage in list_stages(("site",), ()) for one in stage(PLAIN)]
    assert {one.erased for one in tried} == {None} and "site" in {one.centred for one in tried}
    halves = replace(own, columns={"site": tuple(f"half {owner % 2}" for owner in own.owners.tolist())})
    assert list_erasable(halves) == ("site",)


def test_what_a_calibration_of_a_tuning_by_sites_finds_is_of_the_own_site_too(labelled: Path) -> None:
    # As a search would: --site keeps queries from their own site while a tuning is chosen, and no longer.
    archive = Archive.open(labelled)
    space = archive.require_space().slides_fingerprint
    settings = replace(PLAIN, centred="site")
    nearest = rank_refitted(archive, Tuning(space, 48, "", "diagnosis", settings, Metric(), Fusion(0.5, 0.5)))
    assert nearest is not None
    site_of = {record.slide_id: record.site for record in archive.records()}
    patient_of = {record.slide_id: record.patient_id for record in archive.records()}
    for slide_id in site_of:
        others = [one for one, _ in nearest(slide_id)]
        assert patient_of[slide_id] not in {patient_of[one] for one in others}
    own_site = [site_of[one] in {site_of[other] for other, _ in nearest(one)} for one in site_of]
    assert np.mean(own_site) > 0.9


def test_searches_say_when_a_tuning_no_longer_fits(labelled: Path, tmp_path: Path) -> None:
    archive = copied(labelled, tmp_path)
    space = archive.require_space().slides_fingerprint
    tuning = Tuning(space, 48, "", "diagnosis", PLAIN, Metric(), Fusion(0.5, 0.5))
    write_tuning(archive.layout, tuning)
    assert not any("tuned" in warning for warning in archive.search(like="slide-007").warnings)
    write_tuning(archive.layout, replace(tuning, slides=20))
    outgrown = "the archive had 20 slides when it was tuned and has 48 now: run `histoseek tune` again"
    assert outgrown in archive.search(like="slide-007").warnings
    assert outgrown not in archive.search(like="slide-007", distance="global").warnings
    write_tuning(archive.layout, replace(tuning, space="gone"))
    results = archive.search(like="slide-007")
    assert results.query.distance == "symmetric"
    assert any("vectors that it no longer has" in warning for warning in results.warnings)
    assert archive.reset_tuning()
    assert not any("vectors that it no longer has" in w for w in archive.search(like="slide-007").warnings)


def test_a_tuned_archive_is_evaluated_as_it_ranks(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tuning.tune", "systems.tuned"):
        monkeypatch.setattr(f"histoseek.evaluation.{module}.list_stages", lambda *_: (lambda _: [LEARNED],))
    archive = copied(labelled, tmp_path)
    assert archive.tune().is_stored
    spec = EvaluationSpec(site_columns=())
    names = [result.name for result in evaluate(archive, spec).results]
    assert names == ["tuned", *DEFAULT_SYSTEMS]
    assert evaluate(archive, replace(spec, systems=("global",))).results[0].name == "global"


def test_what_cannot_be_tuned_by_is_refused(labelled: Path, tmp_path: Path) -> None:
    archive = copied(labelled, tmp_path)
    for number, record in enumerate(archive.records()):
        one = {"organ": "same", "stain": "a" if number < 3 else "", "site": record.diagnosis}
        archive.update(record.slide_id, one)
    refusals = {
        ("organ", ()): "all slides with a value in the column 'organ' have the same one",
        ("stain", ()): "too few to tune by: .* are needed|have the same one",
        ("site", ("diagnosis",)): "share their site are of one diagnosis",
        ("diagnosis", ("organ",)): "all slides have the same organ",
        ("diagnosis", ("stain",)): "45 of 48 labelled slides have no value in the column 'stain'",
        ("nothing", ()): "no such column",
        ("diagnosis", ("nothing",)): "no such column",
    }
    for (label, sites), message in refusals.items():
        with pytest.raises(InputError, match=message):
            archive.tune(label, sites)
    with pytest.raises(ConfigurationError, match="is the label"):
        archive.tune("diagnosis", ["diagnosis"])
    with archive.writing(), pytest.raises(ArchiveBusy):
        Archive.open(archive.path).tune()
    assert archive.tuning is None
