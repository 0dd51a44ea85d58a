"""Weights of a distance's parts, kept with an archive."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.archive_fusion import FUSED, load_distance, measure_fusion
from histoseek.archive.fusion_file import read_fusion
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import Affine, Alignment
from histoseek.errors import ConfigurationError
from histoseek.files import read_checked_json, write_checked_json
from histoseek.mosaics.distances import RareParts, get_distance
from histoseek.mosaics.part_weights import DEFAULT_SHARE, STATED
from tests.evaluation.archives import labelled_archive
from tests.mosaics.signatures import NAIVE, list_common, naive_rare
from tests.weights import write_table

SLIDES, PATIENTS = 32, 16


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, and with the features and the table that it was made of."""
    folder, numbers = tmp_path_factory.mktemp("original"), range(SLIDES)
    labelled_archive(folder, [i // 2 % 2 for i in numbers], [i // 2 for i in numbers], tiles=8)
    return folder


@pytest.fixture
def archive(original: Path, tmp_path: Path) -> Archive:
    return Archive.open(shutil.copytree(original / "archive", tmp_path / "archive"))


def test_indexing_measures_the_parts_between_patients(archive: Archive) -> None:
    slides = archive.store.get(list(archive.store.slides()))
    known = archive.fusion
    assert known
    assert (known.slides, [one.distance for one in known.distances]) == (SLIDES, list(FUSED))
    for one in known.distances:
        signatures = [slide.signature for slide in slides]
        common = {id(each): list_common(each, signatures) for each in signatures} if one.distance == "rare" else {}
        found = [
            naive_rare(a.signature, b.signature, common[id(a.signature)])
            if common
            else NAIVE[one.distance](a.signature, b.signature)
            for a in slides
            for b in slides
            if a.record.patient_id != b.record.patient_id
        ]
        for part, values in zip((one.local, one.global_), zip(*found, strict=True), strict=True):
            median = np.median(values)
            assert part.median == pytest.approx(median, abs=1e-5)
            assert part.spread == pytest.approx(1.4826 * np.median(np.abs(np.array(values) - median)), abs=1e-5)
        fusion = load_distance(archive, one.distance).fusion
        assert (one.choice, one.column) == (None, None)
        assert fusion == one.fusion != STATED
        assert fusion.local_weight * one.local.spread == pytest.approx(
            get_share(one.distance) / (1 - get_share(one.distance)) * fusion.global_weight * one.global_.spread
        )


def get_share(name: str) -> float:
    return 0.5 if name == "rare" else DEFAULT_SHARE


def test_what_is_common_is_read_from_the_slides_that_there_are(archive: Archive) -> None:
    removed = sorted(archive.store.slides())[0]
    mosaic = archive.store.get([removed])[0].signature.mosaic

    def known() -> list[bytes]:
        parts = load_distance(archive, "rare").parts
        assert isinstance(parts, RareParts)
        assert parts.matches.background
        return [row.tobytes() for row in parts.matches.background.mosaics]

    assert {row.tobytes() for row in mosaic} <= set(known())
    archive.remove([removed])
    assert not {row.tobytes() for row in mosaic} & set(known())
    archive.remove(sorted(archive.store.slides())[:2])
    assert load_distance(archive, "rare").parts == get_distance("rare").parts


def test_scores_of_a_search_are_of_these_weights(archive: Archive) -> None:
    fusion = load_distance(archive, "symmetric").fusion
    for result in archive.search(like="slide-000", k=10):
        assert result.local is not None
        assert result.global_ is not None
        total = fusion.local_weight * result.local + fusion.global_weight * result.global_
        assert result.score == pytest.approx(1 - total, abs=1e-6)


def test_distances_of_fixed_weights_keep_them_and_unknown_ones_are_refused(archive: Archive) -> None:
    for name in ("global", "contained", "pathsearch-paper"):
        assert load_distance(archive, name) == get_distance(name)
    with pytest.raises(ConfigurationError, match="maxsim"):
        load_distance(archive, "euclid")


@pytest.mark.parametrize(("slides", "patients"), [(29, 29), (36, 9)])
def test_too_few_slides_or_patients_keep_the_stated_weights(tmp_path: Path, slides: int, patients: int) -> None:
    archive = labelled_archive(tmp_path, [0] * slides, [i % patients for i in range(slides)], tiles=4)
    assert not archive.layout.fusion.exists()
    assert measure_fusion(archive) is None
    assert load_distance(archive, "symmetric").fusion == STATED
    assert load_distance(Archive.create(tmp_path / "empty"), "symmetric").fusion == STATED


def test_it_is_measured_anew_when_the_archive_has_changed_by_half(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [0] * 64, list(range(64)), tiles=4)
    folder, table = tmp_path / "features", tmp_path / "slides.csv"
    assert measure_fusion(archive) is not None
    before = archive.layout.fusion.read_bytes()
    archive.remove([f"slide-{i:03d}" for i in range(32)])
    (folder / "slide-000.h5").rename(tmp_path / "kept.h5")
    archive.index([tmp_path / "kept.h5"], write_table(tmp_path / "one.csv", [{"slide_id": "kept", "patient_id": "x"}]))
    assert (len(archive), archive.layout.fusion.read_bytes()) == (33, before)
    archive.remove(["kept", "slide-063"])
    archive.index([folder / "slide-062.h5"], table)
    known = archive.fusion
    assert known
    assert (len(archive), known.slides) == (31, 31)


def test_it_goes_with_the_signatures(archive: Archive) -> None:
    known = archive.fusion
    maps = Alignment("ridge", Affine(np.eye(24, dtype=np.float32), np.zeros(24, np.float32)), None)
    reencode(archive, SpaceChange(alignment=maps))
    assert read_fusion(archive.layout, archive.require_space()) == known
    others = read_checked_json(archive.layout.fusion) | {"space": "of other vectors"}
    write_checked_json(archive.layout.fusion, others)
    assert read_fusion(archive.layout, archive.require_space()) is None
    assert load_distance(archive, "symmetric").fusion == STATED


def test_a_damaged_file_is_named_and_made_anew(archive: Archive, original: Path) -> None:
    known = load_distance(archive, "symmetric")
    whole = read_checked_json(archive.layout.fusion)
    for broken in ("{", json.dumps({**whole, "distances": [{}]}), json.dumps({"format": 1}), "[]"):
        archive.layout.fusion.write_text(broken)
        assert load_distance(archive, "symmetric").fusion == STATED
        assert "fusion.json is damaged" in archive.warnings[0]
        archive.index([original / "features"], original / "slides.csv")
        assert load_distance(archive, "symmetric") == known
    archive.layout.fusion.write_text(json.dumps({**whole, "format": 99}))
    assert load_distance(archive, "symmetric").fusion == STATED
    archive.calibrate(label=None)
    assert load_distance(archive, "symmetric") == known


def test_labels_choose_a_share_that_later_runs_keep(archive: Archive, tmp_path: Path) -> None:
    archive.calibrate()
    known = archive.fusion
    assert known
    chosen, *others = (known.find(name) for name in FUSED)
    assert chosen
    assert chosen.choice
    assert (chosen.column, chosen.choice.queries, chosen.choice.patients) == ("diagnosis", SLIDES, PATIENTS)
    assert [other and (other.column, other.choice) for other in others] == [(None, None)] * len(others)
    assert 0 <= chosen.choice.stated <= 1
    archive.calibrate(label=None)
    archive.calibrate("diagnosis", "maxsim")
    later = archive.fusion
    assert later
    assert later.find("symmetric") == chosen
    assert later.distances[1].choice is not None
