"""Archives of other versions of histoseek, in every engine: newer ones are refused in a line, older ones upgraded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.archive.moving.files import open_files
from histoseek.archive.remote.postgres import connection
from histoseek.archive.stores.postgres import tables
from histoseek.errors import ArchiveError, ServerUnsuited
from histoseek.files import format_checked_json, parse_checked_json
from histoseek.settings import get_settings
from tests.archive.test_moving import archive, features, require_same  # noqa: F401
from tests.servers.postgres import PostgresServer
from tests.servers.seaweedfs import ObjectBucket


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTOSEEK_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()


@pytest.fixture
def in_folder(archive: Archive) -> str:  # noqa: F811
    return str(archive.path)


@pytest.fixture
def in_postgres(archive: Archive, postgres: PostgresServer) -> Iterator[str]:  # noqa: F811
    address = postgres.address("versions")
    archive.copy_to(address)
    yield address
    connection.connect(address).drop()


@pytest.fixture
def in_bucket(archive: Archive, bucket: ObjectBucket) -> str:  # noqa: F811
    address = bucket.address("versions")
    archive.copy_to(address)
    return address


@pytest.mark.parametrize("place", ["in_folder", "in_postgres", "in_bucket"])
def test_a_newer_archive_is_refused(place: str, request: pytest.FixtureRequest) -> None:
    address: str = request.getfixturevalue(place)
    files = open_files(Archive.open(address).layout)
    manifest = parse_checked_json(files.read("archive.json"))
    files.write("archive.json", format_checked_json(manifest | {"format": 99}))
    with pytest.raises(
        ArchiveError, match=r"newer histoseek \(format 99, this one reads \d+\)\. Update histoseek"
    ) as refused:
        Archive.open(address)
    assert "for-tests-only" not in str(refused.value)


def forget_connections() -> None:
    """As another process, which asks the server anew what it is."""
    connection._databases.clear()


@pytest.mark.parametrize("table", ["state", "store_format"])
def test_tables_of_a_newer_version_are_refused(in_postgres: str, postgres: PostgresServer, table: str) -> None:
    postgres.execute(f"UPDATE histoseek_versions.{table} SET format = 99")
    forget_connections()
    with pytest.raises(ServerUnsuited, match=r"99.*Update histoseek") as refused:
        list(Archive.open(in_postgres))
    assert "\n" not in str(refused.value)
    postgres.execute(f"UPDATE histoseek_versions.{table} SET format = 1")


def test_tables_of_an_older_version_are_upgraded(
    archive: Archive,  # noqa: F811
    in_postgres: str,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "FORMAT", 2)
    monkeypatch.setattr(tables, "_STEPS", {2: ["CREATE TABLE {schema}.new_in_two (one integer)"]})
    forget_connections()
    with pytest.raises(ServerUnsuited, match="Run: histoseek upgrade"):
        list(Archive.open(in_postgres))
    Archive.open(in_postgres).upgrade()
    require_same(archive, Archive.open(in_postgres))
    assert postgres.execute("SELECT count(*) FROM histoseek_versions.new_in_two") == [(0,)]
