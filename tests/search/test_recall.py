"""The recall of the fast search against exact ranking, measured by searching both ways."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.errors import ArchiveError, BadFilter, ConfigurationError
from histoseek.search.retrieve import image as by_image
from histoseek.statistics.intervals import wilson_interval
from tests.cli.process import histoseek, refused
from tests.evaluation.archives import labelled_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("recall")
    return labelled_archive(folder, [i % 3 for i in range(24)], [i // 2 for i in range(24)], class_effect=0.3)


def test_with_fewer_slides_than_candidates_nothing_is_missed(archive: Archive) -> None:
    found = archive.recall(queries=15, k=5)
    assert (found.value, found.high, found.queries, found.k, found.slides) == (1.0, 1.0, 15, 5, 24)
    assert 0.7 < found.low < 1
    assert found.is_exact
    assert found.default_ms > 0
    assert archive.recall(queries=10**6, where="diagnosis = 'class 1'").queries == 24


def test_it_equals_counting_by_hand_where_candidates_are_few(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_image, "candidate_count", lambda distance, options: None if options.exact else 4)
    shares = []
    for slide_id in archive.store.slides():
        fast, exact = (archive.search(like=slide_id, k=8, exact=exact) for exact in (False, True))
        shares.append(len({one.slide_id for one in fast} & {one.slide_id for one in exact}) / 8)
    found = archive.recall(k=8)
    assert found.value == pytest.approx(sum(shares) / 24)
    assert 0.2 < found.low < found.value < found.high < 0.8


def test_mistakes_are_said(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too few"):
        archive.recall(queries=0)
    with pytest.raises(BadFilter):
        archive.recall(where="nothing = 1")
    with pytest.raises(ArchiveError, match="no query finds"):
        archive.recall(where="diagnosis = 'none'", queries=3)
    with pytest.raises(ArchiveError, match="empty"):
        Archive.create(tmp_path / "empty").recall()


def test_stats_show_it(archive: Archive) -> None:
    shown = histoseek("stats", "--archive", archive.path, "--recall", "--queries", 7)
    assert shown.returncode == 0, shown.stderr
    assert "recall@10: nothing to measure, as the default search ranks all slides exactly here" in shown.stdout
    given = json.loads(
        histoseek("stats", "--archive", archive.path, "--recall", "--queries", 7, "--where", "true", "--json").stdout
    )
    assert (given["slides"], given["recall"]["queries"], given["recall"]["where"]) == (24, 7, "true")
    assert "recall" not in json.loads(histoseek("stats", "--archive", archive.path, "--json").stdout)
    assert "only applies with --recall" in refused("stats", "--archive", archive.path, "--where", "true")


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_the_interval_holds_the_share_and_stays_in_bounds(share: float, count: int) -> None:
    low, high = wilson_interval(share, count)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_the_interval_of_a_known_case() -> None:
    assert wilson_interval(0.9, 100) == pytest.approx((0.82563, 0.94477), abs=1e-5)
