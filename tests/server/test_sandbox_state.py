"""A server says how uploads are confined, and serves nothing where that is required and not so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from histoseek.rest.workspace import SandboxState
from histoseek.sandbox.probe import probe_confinement
from histoseek.server.uploads.errors import SandboxBusy
from histoseek.server.uploads.sandbox import Sandbox
from tests.cli.process import refused
from tests.sandbox.older_kernel import write_python_without_landlock
from tests.server.running import RunningServer, serving
from tests.waiting import HANG_S, wait_for

pytestmark = pytest.mark.skipif(not probe_confinement().is_complete, reason="the kernel lacks a part of the sandbox")


def find_state(server: RunningServer) -> SandboxState:
    with server.client() as client:
        wait_for(lambda: client.get_health().sandbox is not None)
        state = client.get_health().sandbox
    assert state is not None
    return state


def test_a_server_that_is_confined_says_so(indexed: Path, tmp_path: Path) -> None:
    with serving([indexed], tmp_path / "state", "--require-sandbox") as server:
        state = find_state(server)
        assert all(state.model_dump().values())
        headers = {"Authorization": f"Bearer {server.token}"}

        def get_counts() -> str:
            return httpx2.get(f"{server.url}metrics", headers=headers, timeout=HANG_S).text

        wait_for(lambda: 'histoseek_sandbox_holds{kind="files"} 1.0' in get_counts())


def test_a_server_that_is_not_says_so(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", write_python_without_landlock(tmp_path))
    with serving([indexed], tmp_path / "state") as server:
        state = find_state(server)
        assert not state.files
        assert state.calls
        wait_for(lambda: "the sandbox does not hold: files" in server.log.read_text())


@pytest.mark.parametrize("option", [True, False], ids=["option", "variable"])
def test_what_is_required_and_not_there_is_no_server(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: bool
) -> None:
    command = [write_python_without_landlock(tmp_path), "-m", "histoseek", "serve", str(indexed), "--port", "0"]
    if not option:
        monkeypatch.setenv("HISTOSEEK_REQUIRE_SANDBOX", "1")
    command += ["--state", str(tmp_path / "state"), *(["--require-sandbox"] if option else [])]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--require-sandbox" in done.stderr and "files" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_sandbox_that_is_switched_off_is_none(indexed: Path, tmp_path: Path) -> None:
    message = refused("serve", indexed, "--state", tmp_path / "state", "--require-sandbox", HISTOSEEK_TRUST="1")
    assert "HISTOSEEK_TRUST" in message


def test_uploads_are_not_opened_where_confinement_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", write_python_without_landlock(tmp_path))
    sandbox = Sandbox(tmp_path, is_required=True)
    try:
        with pytest.raises(SandboxBusy, match="safely"):
            sandbox.describe(tmp_path / "any.svs")
        assert sandbox.confinement is not None and sandbox.confinement.list_open() == ("files",)
    finally:
        sandbox.close()
