from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from histoseek.cli.tokens import tokens
from histoseek.errors import ConfigurationError, InputError
from histoseek.server.security.tokens import TokenStore
from histoseek.server.state.database import State


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(tokens, [*arguments, "--state", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_token_that_was_added_opens_the_server(folder: Path) -> None:
    text = run(folder, "add", "ann").strip()
    found = TokenStore(State(folder)).verify(text)
    assert found is not None
    assert (found.name, found.role) == ("ann", "read")


def test_added_as_json(folder: Path) -> None:
    made = json.loads(run(folder, "add", "ci job", "--role", "write", "--json"))
    assert (made["name"], made["role"], made["revoked"]) == ("ci job", "write", None)
    assert TokenStore(State(folder)).verify(made["token"]) is not None


def test_listed_tokens_are_no_secrets(folder: Path) -> None:
    assert "No tokens" in run(folder, "list")
    text = run(folder, "add", "ann").strip()
    plain, listed = run(folder, "list"), json.loads(run(folder, "list", "--json"))
    assert plain.startswith("ann: read, id ")
    assert "never used" in plain
    assert [one["name"] for one in listed] == ["ann"]
    assert text not in plain + json.dumps(listed)


def test_a_revoked_token_is_refused_at_once(folder: Path) -> None:
    store = TokenStore(State(folder))
    text = run(folder, "add", "ann").strip()
    assert store.verify(text) is not None
    assert "revoked" in run(folder, "revoke", "ann")
    assert store.verify(text) is None
    with pytest.raises(InputError):
        run(folder, "revoke", "ann")


def test_an_open_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError):
        run(tmp_path, "add", "ann")
