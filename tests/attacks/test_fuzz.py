"""Altered files of every format are read or refused in one line; `benchmarks/attacks/fuzz.py` tries thousands more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.fuzzing import fuzz
from tests.attacks.hostile_readers import READERS, Fate, try_to_read
from tests.attacks.mutations import FORMATS, Format

_COUNT, _MEMORY_MB, _SECONDS = 40, 1500, 60.0


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_seeds_are_read(tmp_path: Path, kind: Format) -> None:
    (tmp_path / "made").mkdir()
    path = tmp_path / f"seed{kind.endings[0]}"
    path.write_bytes(kind.make(tmp_path / "made")[0])
    if kind.beside:
        path = path.with_suffix(kind.beside[0])
        path.write_bytes(kind.beside[1]())
    assert try_to_read(READERS[kind.reader], path) == ("read", "")


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_altered_files_are_read_or_refused(kind: Format) -> None:
    def list_bad() -> Iterator[tuple[Fate, str]]:
        for outcome, _ in fuzz(kind, _COUNT, 16, _MEMORY_MB, _SECONDS):
            if outcome.fate not in ("read", "refused"):
                yield outcome.fate, outcome.words

    assert not Counter(list_bad())
