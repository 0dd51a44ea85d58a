"""Power cuts in the midst of commands, by the benchmark that tries many more of them (benchmarks/attacks)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

ATTACKS = Path(__file__).resolve().parents[2] / "benchmarks" / "attacks"


def test_no_power_cut_loses_what_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ATTACKS), *sys.path])
    states, attack = importlib.import_module("crash_states"), importlib.import_module("torn_states")
    if states.build_recorder(tmp_path) is None:
        pytest.skip("recording writes takes a C compiler, on Linux on x86-64")
    for outcome in attack.run(tmp_path, ["update", "remove"], 24, seed=1):
        assert outcome.states == 24
        assert outcome.different > 10
        assert outcome.left_out
        assert (outcome.refused, outcome.lost, outcome.wrong, outcome.unrepaired) == (0, 0, 0, 0), outcome.reasons
