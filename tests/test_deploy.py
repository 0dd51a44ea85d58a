"""What the files for operations name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from histoseek.cli.app import app
from histoseek.server.app import create_bare_app

ROOT = Path(__file__).resolve().parents[1]
FILES = ("deploy/histoseek.service", "deploy/Containerfile", "deploy/nginx.conf", "docs/server.md")
OTHERS = {
    "--name",
    "--uid",
    "--create-home",
    "--no-cache-dir",
    "--no-deps",
    "--require-hashes",
    "--requirement",
    "--file",
    "--tag",
    "--read-only",
    "--tmpfs",
    "--env",
}
OTHERS |= {"--volume", "--publish", "--from", "--now", "--system", "--home-dir", "--role", "--help"}


@pytest.fixture(scope="module")
def options() -> set[str]:
    told = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    return set(re.findall(r"--[a-z][a-z-]+", told))


@pytest.mark.parametrize("name", FILES)
def test_options_of_the_server_that_are_named_exist(name: str, options: set[str]) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (ROOT / name).read_text()))
    assert named - OTHERS <= options


@pytest.mark.parametrize("name", FILES)
def test_addresses_of_the_api_that_are_named_exist(name: str) -> None:
    paths = [re.sub(r"\{[^}]+\}", "x", path) for path in create_bare_app().openapi()["paths"]]
    named = re.findall(r"/api/v1/[a-z]+(?:\.json)?", (ROOT / name).read_text())
    for one in named:
        assert one == "/api/v1/openapi.json" or any(path.startswith(one) for path in paths), one
