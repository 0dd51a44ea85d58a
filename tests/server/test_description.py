"""The OpenAPI description that the page's types are made of."""

from __future__ import annotations

from pathlib import Path

from histoseek.server.openapi import dump_description

STORED = Path(__file__).resolve().parents[2] / "web" / "openapi.json"


def test_the_stored_description_is_that_of_the_server() -> None:
    assert STORED.read_text(encoding="utf-8") == dump_description(), "run `make openapi`"
