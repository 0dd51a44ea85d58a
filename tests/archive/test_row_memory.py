"""What was read of single slides is kept: the same values, read once, in bounds, of one version alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from histoseek.archive.schema import StoredSlide
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
