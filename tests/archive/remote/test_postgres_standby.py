"""Reads from standbys, and a standby that takes over."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest

from histoseek.archive.remote.postgres.connection import Database
from histoseek.archive.remote.postgres.files import PostgresFiles
from histoseek.archive.remote.postgres.place import PostgresPlace
from histoseek.errors import ServerUnsuited
from tests.servers.postgres import DATABASE, PASSWORD, USER, PostgresServer, start_postgres
from tests.servers.standby import promote, start_standby
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    with start_postgres() as primary, start_standby(primary, synchronous=True) as standby:
        yield primary, standby


def make_address(*servers: PostgresServer, **parameters: str) -> str:
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    asked = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://{USER}:{PASSWORD}@{hosts}/{DATABASE}/a{uuid.uuid4().hex[:8]}?{asked}"


def open_files(address: str) -> tuple[Database, PostgresFiles]:
    database = Database(PostgresPlace.parse(address))
    return database, PostgresFiles(database)


def test_reads_go_to_standbys_and_never_back(pair: tuple[PostgresServer, PostgresServer]) -> None:
    primary, standby = pair
    database, files = open_files(make_address(primary, standby))
    files.write("a", b"0")
    wait_for(lambda: _reads_from_standby(database))
    standby.execute("SELECT pg_wal_replay_pause()")
    try:
        for number in range(1, 4):
            files.write("a", str(number).encode())
            assert files.read("a") == str(number).encode()
            assert not _reads_from_standby(database)
    finally:
        standby.execute("SELECT pg_wal_replay_resume()")
    wait_for(lambda: _reads_from_standby(database))
    assert files.read("a") == b"3"
    database.drop()
    database.close()


def test_what_another_process_was_told_it_reads(pair: tuple[PostgresServer, PostgresServer]) -> None:
    primary, standby = pair
    address = make_address(primary, standby)
    (writer, written), (reader, read) = open_files(address), open_files(address)
    written.write("a", b"0")
    wait_for(lambda: read.revision() == written.revision())
    standby.execute("SELECT pg_wal_replay_pause()")
    try:
        written.write("a", b"1")
        wait_for(lambda: read.revision() == written.revision())
        assert read.read("a") == b"1"
    finally:
        standby.execute("SELECT pg_wal_replay_resume()")
    writer.drop()
    writer.close()
    reader.close()


def test_a_standby_alone_can_only_be_read(pair: tuple[PostgresServer, PostgresServer]) -> None:
    primary, standby = pair
    address = make_address(primary)
    database, files = open_files(address)
    files.write("a", b"1")
    alone, read = open_files(address.replace(str(primary.port), str(standby.port)))
    wait_for(read.exists)
    assert read.read("a") == b"1"
    assert read.revision() == files.revision()
    with pytest.raises(ServerUnsuited, match="standby"):
        read.write("a", b"2")
    database.drop()
    database.close()
    alone.close()


def test_a_promoted_standby_goes_on_with_all_that_was_acknowledged(pair: tuple[PostgresServer, PostgresServer]) -> None:
    """Last in this file: the primary is gone afterwards."""
    primary, standby = pair
    database, files = open_files(make_address(primary, standby))
    files.write("begun", b"")
    acknowledged: list[str] = []
    ending = threading.Event()

    def write() -> None:
        with files.locked():
            while not ending.is_set():
                name = f"f{len(acknowledged):05d}"
                files.write(name, name.encode())
                acknowledged.append(name)

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: len(acknowledged) > 5)
    primary.kill()
    assert files.read(acknowledged[-1]) == acknowledged[-1].encode()
    assert files.revision()
    promote(standby)
    before = len(acknowledged)
    wait_for(lambda: len(acknowledged) > before + 5)
    ending.set()
    writer.join()
    assert set(files.list_files("f")) == set(acknowledged)
    database.drop()
    database.close()


def _reads_from_standby(database: Database) -> bool:
    return database.read(lambda connection: connection.execute("SELECT pg_is_in_recovery()").fetchone()) == (True,)
