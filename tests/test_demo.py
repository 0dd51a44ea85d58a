"""The demo's archive can be made, searched and served; whether it can be calibrated does not matter for that."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo.py"


@pytest.fixture
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_demo_too_small_to_be_calibrated_still_shows_its_results(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PATIENTS", 3)
    monkeypatch.setattr(demo, "SIZE_PX", 768)
    monkeypatch.setattr("sys.argv", ["demo.py", "--out", str(tmp_path)])
    demo.main()
    told = capsys.readouterr().out
    assert "SIMULATED" in told
    assert "no probabilities: " in told
    assert (tmp_path / "results.html").is_file()
    assert f"serve {tmp_path / 'simulated.archive'}" in told


def test_the_demo_has_slides_to_spare_for_calibration(demo: ModuleType) -> None:
    from histoseek.search.calibrate import MIN_SLIDES

    assert demo.PATIENTS * demo.SLIDES_PER_PATIENT >= MIN_SLIDES + 4
