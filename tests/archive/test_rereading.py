"""Reports of archives of older versions are read anew, and boilerplate is known by its recurrence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.archive.report_index import make_analyser_mark
from histoseek.encoders.recipe import Recipe
from histoseek.progress import Reporter, SilentReporter
from tests.cli.process import histoseek

NOTICE = "The workshop does not keep paper copies for longer than {} months."
FINDING = "Invasive ductal carcinoma of the breast is present in all of the cores."
ORGANS = ("Colon", "Lung", "Liver", "Stomach", "Kidney", "Skin", "Breast", "Thyroid")


class _Interrupted(SilentReporter):
    """Is stopped when the first of the reports were read anew."""

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        yield self if title == "reading reports anew" else SilentReporter()

    def advance(self, items: int = 1) -> None:
        if items == 2:
            raise KeyboardInterrupt


def _make_text(number: int) -> str:
    organ = ORGANS[number % len(ORGANS)]
    return f"{organ}, biopsy {number}: Adenoma {number}.\n{FINDING}\n{NOTICE.format(number)}"


def _index(archive: Archive, folder: Path, count: int, reporter: Reporter | None = None) -> IndexReport:
    """Index the first slides of a folder with their reports."""
    features = folder / f"features-{count}"
    features.mkdir(exist_ok=True)
    for number in range(count):
        with h5py.File(features / f"s{number:02d}.h5", "w") as file:
            file["features"] = np.random.default_rng(number).standard_normal((5, 16)).astype(np.float32)
    rows = [{"slide_id": f"s{number:02d}", "report": _make_text(number)} for number in range(count)]
    return archive.index([features], reports=rows, reporter=reporter)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", Recipe(encoder="features:test"), text_encoder="none")


@pytest.fixture
def older(archive: Archive, tmp_path: Path) -> Archive:
    """An archive of five reports that another version read: none of their words is there, but "outworn" is."""
    _index(archive, tmp_path, 5)
    slides = archive.store.get(archive.store.slides())
    stale = [
        replace(slide, language=replace(slide.language, report_tokens=" outworn ", report_facts=())) for slide in slides
    ]
    archive.store.upsert(stale)
    archive.store.set_analyser("1-older")
    return archive


def _list_tokens(archive: Archive) -> dict[str, str | None]:
    return {slide.record.slide_id: slide.language.report_tokens for slide in archive.store.get(archive.store.slides())}


def test_an_archive_of_an_older_version_is_searched_as_it_is_and_read_anew_by_the_next_run(
    older: Archive, tmp_path: Path
) -> None:
    before = older.search(text="outworn")
    assert len(before) == 5
    assert any("older version" in warning for warning in before.warnings)
    vectors = [slide.signature.global_vector for slide in older.store.get(older.store.slides())]
    done = _index(older, tmp_path, 5)
    assert (done.reread, done.unchanged, done.updated) == (5, 5, 0)
    assert older.store.analyser == make_analyser_mark()
    after = older.search(text="adenoma", where="slide_id = 's01'")
    assert [result.slide_id for result in after] == ["s01"]
    assert not any("older version" in warning for warning in after.warnings)
    again = [slide.signature.global_vector for slide in older.store.get(older.store.slides())]
    assert np.array_equal(vectors, again)
    assert _index(older, tmp_path, 5).reread == 0


def test_reading_anew_is_continued_where_it_was_interrupted(
    older: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("histoseek.archive.indexing.rereading._BATCH", 2)
    with pytest.raises(KeyboardInterrupt):
        _index(older, tmp_path, 5, _Interrupted())
    read = [slide_id for slide_id, tokens in _list_tokens(older).items() if tokens != " outworn "]
    assert read == ["s00", "s01"]
    assert older.store.analyser == "1-older"
    assert Archive.open(older.path).upgrade() == 3
    assert " outworn " not in _list_tokens(older).values()
    assert older.store.analyser == make_analyser_mark()


def test_upgrade_needs_neither_slides_nor_reports(older: Archive) -> None:
    done = histoseek("upgrade", "--archive", older.path)
    assert done.stdout == "5 reports were read anew; metadata are up to date\n"
    assert histoseek("upgrade", "--archive", older.path, "--json").stdout == '{"reread": 0}\n'


def test_sentences_of_many_reports_are_kept_and_not_read_unless_they_state_something(
    archive: Archive, tmp_path: Path
) -> None:
    assert _index(archive, tmp_path, 24).reread == 0
    record = archive.get("s03").record
    assert record.report == _make_text(3)
    for tokens in _list_tokens(archive).values():
        assert "workshop" not in str(tokens)
        assert "diagnosis:invasive-carcinoma-nst" in str(tokens)
    assert len(archive.search(text="invasive ductal carcinoma", k=30)) == 24


def test_what_becomes_boilerplate_as_an_archive_grows_is_taken_out_of_older_reports(
    archive: Archive, tmp_path: Path
) -> None:
    _index(archive, tmp_path, 10)
    assert all("workshop" in str(tokens) for tokens in _list_tokens(archive).values())
    assert _index(archive, tmp_path, 24).reread == 10
    assert not any("workshop" in str(tokens) for tokens in _list_tokens(archive).values())
    at_once = Archive.create(tmp_path / "at-once", Recipe(encoder="features:test"), text_encoder="none")
    _index(at_once, tmp_path, 24)
    assert _list_tokens(at_once) == _list_tokens(archive)
    assert _index(archive, tmp_path, 24).reread == 0
