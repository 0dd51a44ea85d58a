"""The tables of the pages about encoders say what the cards say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from histoseek.encoders.cards.card import TileModelCard
from histoseek.encoders.cards.catalogue import read_cards
from histoseek.encoders.tile.registry import require_buildable

ROOT = Path(__file__).resolve().parents[2]


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("encoder_tables", ROOT / "tools" / "encoder_tables.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["encoders.md", "encoder-cards.md"])
def test_tables_are_those_of_the_cards(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert text == load_tool().write_tables(text), "run python tools/encoder_tables.py"
    assert "| --- |" in text


def test_the_card_of_the_page_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "encoders.md").read_text(encoding="utf-8")
    card = tmp_path / "card.toml"
    card.write_text(page.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    (model,) = read_cards(card)
    assert isinstance(model, TileModelCard)
    require_buildable(model)
    assert (model.name, model.variants[0].dimension) == ("our-vit", 384)
