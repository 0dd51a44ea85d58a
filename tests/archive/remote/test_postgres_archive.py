"""All commands about an archive in PostgreSQL do what they do about one in a folder, each in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from histoseek.api import Archive
from histoseek.archive.remote.postgres.connection import connect
from histoseek.settings import get_settings
from tests.cli.process import histoseek, refused
from tests.servers.postgres import PostgresServer

NUMBERS = count(1)

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def address(postgres: PostgresServer, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A copy of the archive of the cohort."""
    monkeypatch.setenv("HISTOSEEK_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    address = postgres.address(f"cohort{next(NUMBERS)}")
    Archive.open(indexed).copy_to(address)
    yield address
    connect(address).close()


@pytest.fixture
def run(address: str) -> Run:
    """A command about it that must succeed."""

    def run(*arguments: object) -> CompletedProcess[str]:
        done = histoseek(*arguments, "--archive", address)
        assert done.returncode == 0, done
        assert "for-tests-only" not in done.stdout + done.stderr
        return done

    return run


def test_what_only_reads(run: Run, indexed: Path, cohort: Path, tmp_path: Path) -> None:
    for command in (
        ("list", "--where", "organ = 'lung' OR age > 60"),
        ("show", "SIM-0001-00"),
        ("facets", "--json"),
        ("verify", "--deep"),
        ("search", "--exact", "--slide", cohort / "SIM-0002-00.tiff", "--where", "organ IS NOT NULL"),
        ("search", "--text", "carcinoma of the kidney"),
        ("search", "--like", "SIM-0001-00", "--to", "cases"),
    ):
        mine, other = run(*command).stdout, histoseek(*command, "--archive", indexed).stdout
        assert _without_times(mine) == _without_times(other), command
    run("export", tmp_path / "features")
    assert len(list((tmp_path / "features").glob("*.h5"))) == 10
    assert json.loads(run("stats", "--json").stdout)["slides"] == 10
    run("evaluate", "--label", "diagnosis", "--systems", "global")


def test_slides_come_change_and_go(run: Run, address: str, cohort: Path) -> None:
    run("remove", "SIM-0000-00", "--now")
    assert "no slide with this id" in refused("show", "SIM-0000-00", "--archive", address)
    done = json.loads(run("index", cohort, "--json").stdout)
    assert (done["added"], done["unchanged"], done["refused"]) == (0, 9, [])
    done = json.loads(run("index", cohort / "SIM-0000-00.tiff", "--json").stdout)
    assert (done["added"], done["refused"]) == (1, [])
    run("update", "SIM-0000-00", "organ=spleen", "--now")
    assert "organ: spleen" in run("show", "SIM-0000-00").stdout
    assert run("verify", "--deep").returncode == 0


def test_it_moves_to_another_space(run: Run, address: str) -> None:
    run("reencode", "--untrained")
    run("verify", "--deep")
    run("upgrade")
    assert "too few" in refused("calibrate", "--archive", address)
    assert Archive.open(address).manifest.number == 2


def test_a_repair_finds_nothing_to_do(run: Run) -> None:
    assert "10 slides" in run("verify", "--repair").stdout


def test_addresses_that_lead_nowhere(postgres: PostgresServer, cohort: Path) -> None:
    nothing = postgres.address("nothing")
    assert "no histoseek archive here" in refused("list", "--archive", nothing)
    line = refused("list", "--archive", postgres.address("nothing", password="wrong"))
    assert "wrong" not in line.partition("(")[0]
    line = refused("list", "--archive", "postgresql://me:secret@127.0.0.1:1/a/b", HISTOSEEK_SERVER_SECONDS="0.1")
    assert "secret" not in line
    assert "cannot be reached" in line


def _without_times(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "ms" not in line and " s" not in line)
