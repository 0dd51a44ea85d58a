"""Which spacing a file gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from histoseek.api import Archive


@pytest.mark.parametrize(
    ("spacing_of", "table", "expected"),
    [
        ({"f.png": 0.3}, "0.4", 0.3),
        ({"*/f.png": 0.3}, "0.4", 0.4),
        ({"*/f.png": 0.3}, "", 0.3),
        ({"*.svs": 0.3, "*.png": 0.35}, "", 0.35),
        ({"f*": 0.35}, "", 0.35),
        ({"[a-f].png": 0.35}, "", 0.35),
    ],
)
def test_file_then_table_then_pattern(
    tmp_path: Path, spacing_of: dict[str, float], table: str, expected: float
) -> None:
    Image.effect_noise((500, 500), 90).convert("RGB").save(tmp_path / "noise.png")
    noise = Image.open(tmp_path / "noise.png")
    Image.merge("RGB", [noise.getchannel(0).point(lambda v, k=k: int(v * k)) for k in (0.9, 0.4, 0.7)]).save(
        tmp_path / "f.png"
    )
    (tmp_path / "m.csv").write_text(f"file,mpp\nf.png,{table}\n")
    archive = Archive.create(tmp_path / "archive")
    report = archive.index([tmp_path / "f.png"], tmp_path / "m.csv", spacing_of=spacing_of)
    assert report.refused == ()
    assert archive.records()[0].spacing_um_per_px == expected
    unused = [warning for warning in report.warnings if "--spacing-of" in warning]
    assert unused == [f"--spacing-of {key}: no such file is among the slides" for key in spacing_of if "svs" in key]
