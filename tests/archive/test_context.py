"""Archives with a coarser spacing beside the usual one: what is kept of it, how it counts, and that all of it goes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.verification.verify import verify
from histoseek.encoders.bag import is_absent, load_bag
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ConfigurationError, EncoderError, SpaceMismatch
from histoseek.geometry import Rect
from histoseek.mosaics.distances import CONTEXT_SHARE
from histoseek.search.queries import ArchivedSlide, Region, SlideFile

RECIPE = Recipe(context_spacing_um_per_px=1.0, tile_budget=32)


@pytest.fixture(scope="module")
def archive(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The cohort at 0.5 and 1 µm/px. Not to be changed."""
    made = Archive.create(tmp_path_factory.mktemp("context") / "archive", RECIPE)
    report = made.index([cohort], cohort / "metadata.csv")
    assert (report.added, report.refused) == (10, ())
    return made


def files(archive: Archive) -> set[str]:
    return {path.name for path in archive.layout.bags.rglob("*") if path.is_file()}


def test_recipes_and_spaces_without_a_context_are_what_they_were(archive: Archive) -> None:
    plain = replace(RECIPE, context_spacing_um_per_px=None)
    assert plain.fingerprint(None) == RECIPE.fingerprint(None), "a bag does not depend on another spacing"
    assert RECIPE.context == replace(plain, spacing_um_per_px=1.0)
    space = archive.require_space()
    without = replace(space, context_spacing_um_per_px=0.0, context_centre="none")
    assert space.fingerprint != without.fingerprint
    assert space.slides_fingerprint != without.slides_fingerprint
    assert Recipe().fingerprint(None) == "254948fb103ac645"


def test_contexts_that_cannot_be(archive: Archive, tmp_path: Path) -> None:
    for wrong in (0.5, 0.25, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="coarser"):
            Recipe(context_spacing_um_per_px=wrong)
    with pytest.raises(ConfigurationError, match="feature files"):
        Recipe(encoder="features:uni", context_spacing_um_per_px=2.0)
    with pytest.raises(EncoderError, match="not made for"):
        Archive.create(tmp_path / "far", Recipe(context_spacing_um_per_px=64.0))
    with pytest.raises(SpaceMismatch, match="context"):
        archive.use_recipe(replace(archive.recipe, context_spacing_um_per_px=None))


def test_slides_have_a_vector_at_both_spacings_and_scores_are_the_weighted_mean(archive: Archive) -> None:
    ids = [record.slide_id for record in archive.records()]
    stored = {slide_id: archive.get(slide_id) for slide_id in ids}
    bag = load_bag(archive.layout.context_bag(ids[0]))
    assert bag.spacing_um_per_px == 1.0
    assert bag.tile_size_level0 == 2 * load_bag(archive.layout.bag(ids[0])).tile_size_level0
    for result in archive.search(like=ids[0], k=9, same_patient=True, distance="global", exact=True):
        one, other = stored[ids[0]].signature, stored[result.slide_id].signature
        assert one.context is not None
        assert other.context is not None
        fine, coarse = float(one.global_vector @ other.global_vector), float(one.context @ other.context)
        assert result.score == pytest.approx((1 - CONTEXT_SHARE) * fine + CONTEXT_SHARE * coarse, abs=1e-5)


@pytest.mark.parametrize("distance", ["symmetric", "global", "maxsim", "contained", "pathsearch-paper"])
def test_explanations_add_up_and_say_what_the_context_gave(archive: Archive, distance: str) -> None:
    results = archive.search(like=archive.records()[0].slide_id, k=9, distance=distance)
    for result in results:
        assert result.explanation is not None
        assert result.explanation.score == pytest.approx(result.score, abs=1e-5)
        assert (result.explanation.context != 0) == (distance in ("symmetric", "global", "maxsim"))


def test_a_file_and_its_copy_in_the_archive_are_the_same_query(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    record = archive.records()[0]
    other = Archive.create(tmp_path / "other", RECIPE)
    others = [path for path in sorted(cohort.glob("*.tif*")) if str(path) != record.uri]
    other.index(others[:4])
    by_file = other.search(SlideFile(record.uri), k=4)
    assert len(by_file) == 4
    assert not any("too small" in warning for warning in by_file.warnings)
    again = archive.search(SlideFile(record.uri), k=3)
    stored = archive.search(ArchivedSlide(record.slide_id), k=3)
    assert [(r.slide_id, r.score) for r in again] == [(r.slide_id, r.score) for r in stored]


def test_a_region_too_small_is_compared_at_the_finer_spacing_and_says_so(archive: Archive) -> None:
    slide = SlideFile(archive.records()[0].uri)
    small = archive.search(Region(slide, (Rect(100, 100, 250, 250),)), k=3, distance="global")
    assert any("too small for 1 µm/px" in warning for warning in small.warnings)
    assert all(result.explanation and result.explanation.context == 0 for result in small)
    large = archive.search(Region(slide, (Rect(50, 50, 600, 600),)), k=3, distance="global")
    assert not any("too small" in warning for warning in large.warnings)
    assert all(result.explanation and result.explanation.context != 0 for result in large)


def test_a_slide_too_small_for_the_context_is_kept_without_one(cohort: Path, tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", Recipe(context_spacing_um_per_px=2.0, tile_budget=8))
    slides = sorted(cohort.glob("*.tif*"))[:3]
    assert archive.index(slides).added == 3
    ids = [record.slide_id for record in archive.records()]
    assert all(is_absent(archive.layout.context_bag(slide_id)) for slide_id in ids)
    assert archive.get(ids[0]).signature.context is None
    assert any("too small for 2 µm/px" in warning for warning in archive.search(like=ids[0], k=1).warnings)
    assert archive.index(slides).unchanged == 3
    assert verify(archive, deep=True).problems == ()


def test_bags_at_every_spacing_go_with_their_slide(cohort: Path, tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "archive", RECIPE)
    slides = sorted(cohort.glob("*.tif*"))[:3]
    archive.index(slides)
    ids = [record.slide_id for record in archive.records()]
    assert verify(archive, deep=True).problems == ()
    assert verify(archive).orphans == verify(archive).foreign == ()
    assert len(files(archive)) == 12
    archive.remove([ids[0]], now=True)
    assert len(files(archive)) == 8
    context = archive.layout.context_bag(ids[1])
    context.with_suffix(".json").unlink()
    assert any(problem.slide_id == ids[1] for problem in verify(archive).problems)
    report = archive.index(slides[1:])
    assert (report.updated, report.unchanged) == (1, 1)
    assert verify(archive, deep=True).problems == ()


def test_reencoding_keeps_the_context(archive: Archive, tmp_path: Path) -> None:
    from histoseek.archive.reencode import reencode
    from histoseek.archive.space_folders import SpaceChange

    own = Archive.open(shutil.copytree(archive.path, tmp_path / "archive"))
    before = [own.get(record.slide_id).signature.context for record in own.records()]
    reencode(own, SpaceChange(untrained=True))
    after = [own.get(record.slide_id).signature.context for record in own.records()]
    assert all(one is not None and np.allclose(one, two) for one, two in zip(before, after, strict=True))
    assert verify(own, deep=True).problems == ()
