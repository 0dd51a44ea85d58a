"""Roles see the archives that they were let into, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from histoseek.archive.remote.postgres.connection import Database, connect
from histoseek.archive.remote.postgres.files import PostgresFiles
from histoseek.archive.remote.postgres.grants import grant
from histoseek.archive.remote.postgres.place import PostgresPlace
from histoseek.cli.app import app
from histoseek.errors import AccessDenied, ArchiveNotFound, ConfigurationError
from tests.servers.postgres import DATABASE, PostgresServer

ROLES = ("ann", "bob")


@pytest.fixture
def archives(postgres: PostgresServer) -> Iterator[tuple[str, str]]:
    """Two archives, and two roles that may do nothing yet."""
    for role in ROLES:
        postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
    addresses = postgres.address("kidney"), postgres.address("lung")
    for address in addresses:
        PostgresFiles.open(address).write("archive.json", b"1")
    yield addresses
    for address in addresses:
        connect(address).drop()
    groups = [row[0] for row in postgres.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'histoseek_%'")]
    for role in (*ROLES, *groups):
        if postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            postgres.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def of(role: str, postgres: PostgresServer, archive: str) -> PostgresFiles:
    address = f"postgresql://{role}:{role}@127.0.0.1:{postgres.port}/{DATABASE}/{archive}"
    return PostgresFiles(Database(PostgresPlace.parse(address)))


def test_each_role_sees_what_it_was_granted(archives: tuple[str, str], postgres: PostgresServer) -> None:
    kidney, lung = archives
    grant(kidney, "ann", "write")
    grant(lung, "ann", "read")
    grant(kidney, "bob", "read")
    with of("ann", postgres, "kidney").locked():
        of("ann", postgres, "kidney").write("a", b"by ann")
    assert of("bob", postgres, "kidney").read("a") == b"by ann"
    assert of("ann", postgres, "lung").read("archive.json") == b"1"
    for denied in (
        lambda: of("bob", postgres, "kidney").write("a", b"by bob"),
        lambda: of("ann", postgres, "lung").write("a", b"by ann"),
        lambda: of("ann", postgres, "lung").delete(["archive.json"]),
        lambda: of("bob", postgres, "lung").read("archive.json"),
        lambda: of("bob", postgres, "lung").exists(),
    ):
        with pytest.raises(AccessDenied, match="permission denied"):
            denied()
    assert PostgresFiles.open(kidney).read("a") == b"by ann"


def test_members_change_tables_of_each_other(archives: tuple[str, str], postgres: PostgresServer) -> None:
    kidney, _ = archives
    for role in ROLES:
        grant(kidney, role, "write")
    schema = '"histoseek_kidney"'
    of("ann", postgres, "kidney")._database.write(lambda one: one.execute(f"CREATE TABLE {schema}.more (a int)"))
    of("bob", postgres, "kidney")._database.write(lambda one: one.execute(f"ALTER TABLE {schema}.more ADD b int"))
    grant(kidney, "bob", "read")
    assert of("bob", postgres, "kidney").read("archive.json") == b"1"
    with pytest.raises(AccessDenied):
        of("bob", postgres, "kidney").write("a", b"1")
    grant(kidney, "bob", "none")
    with pytest.raises(AccessDenied):
        of("bob", postgres, "kidney").read("archive.json")
    PostgresFiles(Database(PostgresPlace.parse(kidney))).write("a", b"2")


def test_a_grant_is_of_one_archive_alone(archives: tuple[str, str], postgres: PostgresServer) -> None:
    """Of roles, a server has one set for all its databases; and they outlive archives."""
    kidney, _ = archives
    grant(kidney, "ann", "write")
    connect(kidney).drop()
    PostgresFiles.open(kidney).write("archive.json", b"another of the same name")
    grant(kidney, "bob", "write")
    with pytest.raises(AccessDenied):
        of("ann", postgres, "kidney").read("archive.json")
    assert of("bob", postgres, "kidney").read("archive.json") == b"another of the same name"


def test_what_can_not_be_granted(archives: tuple[str, str], postgres: PostgresServer) -> None:
    kidney, _ = archives
    with pytest.raises(ConfigurationError, match="no such role"):
        grant(kidney, "nobody-here", "read")
    with pytest.raises(ArchiveNotFound):
        grant(postgres.address("nowhere"), "ann", "read")
    mine = f"postgresql://ann:ann@127.0.0.1:{postgres.port}/{DATABASE}/kidney"
    with pytest.raises(AccessDenied):
        grant(mine, "ann", "write")


def test_the_command(archives: tuple[str, str], postgres: PostgresServer) -> None:
    kidney, _ = archives
    done = CliRunner().invoke(app, ["archive", "grant", kidney, "bob", "read"])
    assert done.exit_code == 0, done.output
    assert "bob may read" in done.output
    assert json.dumps(kidney) not in done.output
    assert of("bob", postgres, "kidney").read("archive.json") == b"1"
