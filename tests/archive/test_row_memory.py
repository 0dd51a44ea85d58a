"""What was read of single slides is kept: the same values, read once, in bounds, of one version alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.archive.filters.expression import HAS_REPORT
from histoseek.archive.schema import StoredSlide
from histoseek.archive.stores.lance.engine import lancedb
from histoseek.archive.stores.lance.store import LanceStore
from histoseek.archive.stores.row_memory import RowMemory
from tests.archive.remote.answers import make_archive

IDS = st.sampled_from("abcdefgh")


@given(
    st.lists(st.tuples(st.sampled_from(("tokens", "facts")), st.lists(IDS, max_size=5)), max_size=20),
    st.integers(0, 3000),
)
def test_values_are_those_that_would_be_read(asked: list[tuple[str, list[str]]], most_bytes: int) -> None:
    """Whatever was asked before, and however little is kept; "h" is not there."""
    memory = RowMemory(most_bytes)
    for kind, slide_ids in asked:

        def read(missing: Sequence[str], kind: str = kind) -> Mapping[str, frozenset[str]]:
            return {one: frozenset({kind, one}) for one in missing if one != "h"}

        expected = {one: frozenset({kind, one}) for one in slide_ids if one != "h"}
        assert memory.recall(kind, slide_ids, read) == expected
        assert memory.size_bytes <= most_bytes


def test_values_are_read_once() -> None:
    memory, read = RowMemory(), []

    def note(missing: Sequence[str]) -> dict[str, np.ndarray]:
        read.extend(missing)
        return {one: np.zeros(4) for one in missing}

    memory.recall("vectors", ["a", "b", "a"], note)
    memory.recall("vectors", ["b", "c"], note)
    assert read == ["a", "b", "c"]


def test_an_archive_says_what_it_has_now(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    first, second, third = archive.store.slides()[:3]
    for _ in range(2):
        for slides in ([first, second], [second, third]):
            shown = archive.store.get_without_language(slides)
            assert [one.record.slide_id for one in shown] == slides
            assert shown == [StoredSlide(one.record, one.signature) for one in archive.store.get(slides)]
    assert archive.get(second) == archive.store.get([second], checked=False)[0]
    archive.update(first, {"organ": "elsewhere"})
    archive.remove([second])
    assert archive.store.get_without_language([first])[0].record.organ == "elsewhere"
    assert archive.store.list_report_tokens([second]) == []


def test_what_words_find_is_read_once_and_anew_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_archive(tmp_path)
    slide_id = archive.store.slides(HAS_REPORT)[0]
    [tokens] = archive.store.list_report_tokens([slide_id])
    weights = dict.fromkeys(sorted(tokens), 1.0)
    asked: list[object] = []
    original = LanceStore.text
    monkeypatch.setattr(LanceStore, "text", lambda self, *given: asked.append(given) or original(self, *given))
    first = archive.store.text(weights, 5, None)
    assert slide_id in {hit.slide_id for hit in first}
    assert archive.store.text(weights, 5, None) == first
    assert len(asked) == 1
    assert archive.store.text(weights, 1, None) == first[:1]
    assert archive.store.text(weights, 5, f"slide_id != '{slide_id}'") == [
        hit for hit in archive.store.text(weights, 6, None) if hit.slide_id != slide_id
    ]
    archive.remove([slide_id])
    assert slide_id not in {hit.slide_id for hit in archive.store.text(weights, 5, None)}


def test_small_answers_of_the_engine_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hand-over to the engine's thread and back waits for all threads that compute."""
    archive = make_archive(tmp_path)
    store = archive.store.snapshot()
    [tokens] = store.list_report_tokens(store.slides(HAS_REPORT)[:1])
    handed: list[object] = []
    loop = lancedb.background_loop.LOOP
    run = type(loop).run
    monkeypatch.setattr(type(loop), "run", lambda self, work: handed.append(work) or run(self, work))
    store.text(dict.fromkeys(tokens, 1.0), 5, None)
    assert len(handed) == 1
    store.find_rows(store.filter("spacing_um_per_px > 0"))
    assert len(handed) == 2
