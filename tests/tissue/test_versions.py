"""Features of another way of finding tissue are not taken for today's."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from histoseek.api import Archive
from histoseek.encoders.bag import sidecar_path
from histoseek.encoders.recipe import Recipe
from histoseek.tissue.settings import MASK_VERSION
from tests.tissue.pictures import draw_disc, paint_section


def fingerprint_without_version(recipe: Recipe, spacing: float | None) -> str:
    """As recipes were hashed before masks had versions, and before there could be a second spacing."""
    choices = asdict(recipe)
    del choices["keep_pen"], choices["context_spacing_um_per_px"]
    return sha256(json.dumps([choices, spacing], sort_keys=True).encode()).hexdigest()[:16]


def test_the_recipe_tells_masks_and_pen_apart() -> None:
    prints = {recipe.fingerprint(None) for recipe in (Recipe(), Recipe(keep_pen=True), Recipe(tissue_threshold=0.1))}
    assert len(prints | {fingerprint_without_version(Recipe(), None)}) == 4
    assert Recipe().fingerprint(0.5, 1) == fingerprint_without_version(Recipe(), 0.5)
    assert Recipe(keep_pen=True).tissue.keep_pen
    imported = Recipe(encoder="features:test")
    assert imported.fingerprint(None) == fingerprint_without_version(imported, None), "no mask has a part in them"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """An archive of two slides as an older version left it: no version in its manifest, hashes without one."""
    for number in range(2):
        picture = paint_section(draw_disc(600, 600, (300, 250 + 40 * number), 220))
        Image.fromarray(picture).save(tmp_path / f"slide{number}.png")
    archive = Archive.create(tmp_path / "archive", text_encoder="none")
    archive.index(sorted(tmp_path.glob("*.png")), spacing_of={"*.png": 0.5})
    manifest = json.loads(archive.layout.manifest.read_text())
    assert manifest.pop("mask_version") == MASK_VERSION
    del manifest["recipe"]["keep_pen"], manifest["checksum"]
    archive.layout.manifest.write_text(json.dumps(manifest))
    for record in archive.records():
        path = sidecar_path(archive.layout.bag(record.slide_id))
        sidecar = json.loads(path.read_text())
        sidecar["origin"]["recipe"] = fingerprint_without_version(Recipe(), 0.5)
        sidecar["origin"]["given_spacing_um_per_px"] = None
        del sidecar["checksum"]
        path.write_text(json.dumps(sidecar))
    return tmp_path


def test_an_older_archive_is_encoded_again_and_says_what_is_left(older: Path) -> None:
    archive = Archive.open(older / "archive")
    first = archive.index([older / "slide0.png"])
    assert (first.updated, first.refused) == (1, ()), "with the spacing that was given then"
    assert any("the tissue of 1 slides was found by an older version" in warning for warning in first.warnings)
    second = archive.index([older / "slide0.png", older / "slide1.png"])
    assert (second.updated, second.unchanged) == (1, 1)
    assert not any("older version" in warning for warning in second.warnings)
    assert json.loads(archive.layout.manifest.read_text())["mask_version"] == MASK_VERSION
