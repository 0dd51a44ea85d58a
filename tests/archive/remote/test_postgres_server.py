"""What can be wrong with a PostgreSQL server, and what an archive's files outlive."""

from __future__ import annotations

import os
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.remote.postgres.connection import Database, connect
from histoseek.archive.remote.postgres.files import PostgresFiles
from histoseek.archive.remote.postgres.place import PostgresPlace
from histoseek.errors import (
    AccessDenied,
    ArchiveBusy,
    ArchiveError,
    ConfigurationError,
    HistoseekError,
    ServerUnreachable,
    ServerUnsuited,
)
from tests.servers.postgres import DATABASE, PASSWORD, USER, PostgresServer, find_free_port
from tests.servers.proxy import make_certificate, start_proxy
from tests.waiting import wait_for


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    with opened(postgres.address(f"a{uuid.uuid4().hex[:12]}")) as made:
        yield made


@contextmanager
def opened(address: str) -> Iterator[Database]:
    """A database of its own, as another process has it."""
    made = Database(PostgresPlace.parse(address))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTOSEEK_SERVER_SECONDS", "0.3")


def one_line(error: Exception) -> str:
    text = str(error)
    assert "\n" not in text
    assert PASSWORD not in text
    return text


# What is wrong is said in one line.


def test_a_wrong_password(postgres: PostgresServer) -> None:
    with opened(postgres.address("a", password="s3cr3t-wrong")) as database, pytest.raises(AccessDenied) as caught:
        database.exists()
    assert "password" in one_line(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_no_such_database(postgres: PostgresServer) -> None:
    with opened(postgres.address("a", database="nowhere")) as database, pytest.raises(ServerUnsuited) as caught:
        database.exists()
    assert "createdb nowhere" in one_line(caught.value)


@pytest.mark.usefixtures("impatient")
def test_no_server() -> None:
    address = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{find_free_port()}/{DATABASE}/a"
    with opened(address) as database, pytest.raises(ServerUnreachable) as caught:
        database.write(lambda _: None)
    assert "***@127.0.0.1" in one_line(caught.value)


def test_no_extension_or_an_old_one(postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE bare")
    try:
        with opened(postgres.address("a", database="bare")) as database, pytest.raises(ServerUnsuited) as caught:
            database.exists()
        assert "CREATE EXTENSION vector" in one_line(caught.value)
        postgres.execute("CREATE EXTENSION vector", "bare")
        postgres.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'", "bare")
        with opened(postgres.address("a", database="bare")) as database, pytest.raises(ServerUnsuited) as caught:
            database.exists()
        assert "0.7.4, 0.8 or newer is needed" in one_line(caught.value)
    finally:
        postgres.execute("DROP DATABASE bare WITH (FORCE)")


def test_a_database_that_is_not_in_utf_8(postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with opened(postgres.address("a", database="latin")) as database, pytest.raises(ServerUnsuited) as caught:
            database.exists()
        assert "in LATIN1" in one_line(caught.value)
    finally:
        postgres.execute("DROP DATABASE latin WITH (FORCE)")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:a@geheim@host/database/archive",
        "postgresql://me:a/geheim@host/database/archive",
        "postgresql://me:a?geheim@host/database/archive",
        "postgresql://me:a geheim@host/database/archive",
        "postgresql:/me:geheim@host/archive",
        "postgres:/me:geheim@host/database/archive",
        "postgresql://host/database/archive?nothing=1&password=geheim",
    ],
)
def test_passwords_in_addresses_that_are_wrong_are_not_shown(address: str) -> None:
    with pytest.raises(HistoseekError) as caught:
        PostgresPlace.parse(ArchiveAddress.parse(address).text)
    assert "geheim" not in one_line(caught.value)


def test_a_role_that_may_make_nothing(postgres: PostgresServer) -> None:
    postgres.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    address = f"postgresql://guest:guest@127.0.0.1:{postgres.port}/{DATABASE}/theirs"
    try:
        with opened(address) as database:
            assert not database.exists()
            with pytest.raises(AccessDenied) as caught:
                database.write(lambda _: None)
        assert "permission denied" in one_line(caught.value)
    finally:
        postgres.execute("DROP ROLE guest")


@pytest.mark.parametrize(
    "rest", ["", "db", "db/", "db/a b", "db/a/b", f"db/{'x' * 51}", "db/-a", "db/a?sslmod=require"]
)
def test_addresses_that_name_no_archive(rest: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PostgresPlace.parse(f"postgresql://me:secret@host/{rest}")
    assert "secret" not in one_line(caught.value)


def test_parameters_of_addresses() -> None:
    place = PostgresPlace.parse("postgresql://me@one:5433,two/db/arch-1?sslmode=verify-full&sslrootcert=/x.crt")
    assert (place.schema, place.replicas) == ("histoseek_arch-1", True)
    reading, writing = place.make_conninfo("read"), place.make_conninfo("write")
    for part in ("sslmode=verify-full", "sslrootcert=/x.crt", "host=one,two", "port=5433,", "connect_timeout=5"):
        assert part in reading
        assert part in writing
    assert "target_session_attrs=prefer-standby" in reading
    assert "target_session_attrs=read-write" in writing
    alone = PostgresPlace.parse("postgresql://me@one/db/a?replicas=true")
    assert alone.replicas
    assert not PostgresPlace.parse("postgresql://me@one/db/a").replicas


def test_passwords_come_from_the_environment(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"postgresql://{USER}@127.0.0.1:{postgres.port}/{DATABASE}/a"
    with opened(address) as database, pytest.raises(AccessDenied, match="no password"):
        database.exists()
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with opened(address) as database:
        assert not database.exists()


def test_tls(postgres: PostgresServer, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    if made is None:
        pytest.skip("no certificate can be made: there is no openssl")
    certificate, key = made
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with start_proxy(postgres.port, context) as proxy:
        base = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}/{DATABASE}/a?sslmode=verify-full&channel_binding=disable"
        with opened(f"{base}&sslrootcert={certificate}") as database:
            assert not database.exists()
            with database.reading() as connection:
                assert connection.pgconn.ssl_in_use
        (tmp_path / "other").mkdir()
        other = make_certificate(tmp_path / "other")
        assert other is not None
        with opened(f"{base}&sslrootcert={other[0]}") as database, pytest.raises(AccessDenied) as caught:
            database.exists()
        assert "certificate" in one_line(caught.value)
    plain = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{postgres.port}/{DATABASE}/a?sslmode=require"
    with opened(plain) as database, pytest.raises(AccessDenied, match="SSL"):
        database.exists()


# What passes is outlived.


def test_a_commit_whose_answer_was_lost_is_made_once(postgres: PostgresServer, database: Database) -> None:
    database.prepare()
    tries: list[int] = []
    postgres.execute(f'CREATE TABLE "{database.schema}".counted (number int)')

    lost: list[int] = []

    class Lost(psycopg.Transaction):
        def __exit__(self, *args: object) -> bool:
            ended = super().__exit__(*args)  # type: ignore[arg-type]
            if tries and not lost:
                lost.append(1)
                raise psycopg.OperationalError("the connection is lost")
            return bool(ended)

    def add(connection: psycopg.Connection[tuple[object, ...]]) -> int:
        tries.append(1)
        connection.execute(f'INSERT INTO "{database.schema}".counted VALUES (1)')
        return 7

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Connection, "transaction", lambda self: _enter(Lost(self)))
        assert database.write(add) == 7
    assert postgres.execute(f'SELECT count(*) FROM "{database.schema}".counted') == [(1,)]
    assert lost
    database.drop()


@contextmanager
def _enter(transaction: psycopg.Transaction) -> Iterator[psycopg.Transaction]:
    with transaction:
        yield transaction


def test_a_cut_network_is_outlived(postgres: PostgresServer) -> None:
    with start_proxy(postgres.port) as proxy:
        name = f"a{uuid.uuid4().hex[:12]}"
        address = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}/{DATABASE}/{name}"
        with opened(address) as database:
            files = PostgresFiles(database)
            acknowledged = 0
            with files.locked():
                for number in range(30):
                    if number in (10, 20):
                        proxy.cut()
                        threading.Timer(0.5, proxy.mend).start()
                    files.write(f"f{number}", str(number).encode())
                    acknowledged += 1
                    assert files.read(f"f{number}") == str(number).encode()
            assert acknowledged == len(files.list_files()) == 30
            database.drop()


def test_a_holder_that_was_cut_off_writes_no_more(postgres: PostgresServer) -> None:
    with start_proxy(postgres.port) as proxy:
        name = f"a{uuid.uuid4().hex[:12]}"
        cut_off = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}/{DATABASE}/{name}"
        with opened(cut_off) as one, opened(postgres.address(name)) as other:
            first, second = PostgresFiles(one), PostgresFiles(other)
            with first.locked():
                first.write("a", b"1")
                with pytest.raises(ArchiveBusy), second.locked():
                    raise AssertionError("two hold the lock")
                proxy.cut()
                wait_for(lambda: _can_lock(second))
                with second.locked():
                    second.write("a", b"2")
                    proxy.mend()
                    with pytest.raises(ArchiveError, match="another process writes"):
                        first.write("a", b"3")
                with pytest.raises(ArchiveError, match="another process writes"):
                    first.write("a", b"3")
            assert second.read("a") == b"2"
            other.drop()


def _can_lock(files: PostgresFiles) -> bool:
    try:
        with files.locked():
            return True
    except ArchiveBusy:
        return False


def test_a_killed_server_loses_nothing_acknowledged(postgres: PostgresServer, database: Database) -> None:
    files = PostgresFiles(database)
    files.write("begun", b"")
    acknowledged: list[str] = []
    read = 0
    ending = threading.Event()

    def write() -> None:
        with files.locked():
            while not ending.is_set() and len(acknowledged) < 2000:
                name = f"f{len(acknowledged):04d}"
                files.write(name, name.encode() * 1000)
                acknowledged.append(name)

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(2):
        before = len(acknowledged)
        wait_for(lambda before=before: len(acknowledged) > before + 3)  # type: ignore[misc]
        postgres.kill()
        postgres.start()
        read += len(files.read(acknowledged[-1]))
    before = len(acknowledged)
    wait_for(lambda: len(acknowledged) > before + 3)
    ending.set()
    writer.join()
    assert read
    found = files.list_files("f")
    assert set(acknowledged) == set(found)
    assert all(files.read(name) == name.encode() * 1000 for name in acknowledged)
    database.drop()


def test_nothing_depends_on_clocks(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    files = PostgresFiles(database)
    with files.locked():
        files.write("a", b"1")
        before = files.revision()
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 10 * 365 * 86_400)
        stamp = files.write("a", b"2")
        assert files.revision() != before
    assert files.list_files() == {"a": stamp}
    with files.locked():
        files.write("a", b"3")
    assert files.read("a") == b"3"
    database.drop()


def test_news_come_without_questions(postgres: PostgresServer, database: Database) -> None:
    files = PostgresFiles(database)
    files.write("a", b"1")
    wait_for(lambda: files.revision() and database._news.get() is not None)
    asked = _count_statements(database, lambda: [files.revision() for _ in range(1000)])
    assert asked == 0
    before = files.revision()
    with opened(postgres.address(database.schema.removeprefix("histoseek_"))) as other:
        PostgresFiles(other).write("a", b"2")
    wait_for(lambda: files.revision() != before)
    database.drop()


def _count_statements(database: Database, work: object) -> int:
    counted: list[int] = []
    original = database.read
    database.read = lambda *args: (counted.append(1), original(*args))[1]  # type: ignore[method-assign, func-returns-value]
    assert callable(work)
    work()
    database.read = original  # type: ignore[method-assign]
    return len(counted)


def test_a_forked_child_has_connections_of_its_own(postgres: PostgresServer, database: Database) -> None:
    address = postgres.address(database.schema.removeprefix("histoseek_"))
    parent = connect(address)
    PostgresFiles(parent).write("a", b"1")
    child = os.fork()
    if child == 0:
        try:
            ok = connect(address) is not parent and PostgresFiles.open(address).read("a") == b"1"
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert PostgresFiles(parent).read("a") == b"1"
    parent.drop()
