"""What an archive has in its schema beside rows: its state, the commits that were made last, and files in pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from psycopg import errors, sql

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.errors import ServerUnsuited

Change = Literal["files", "rows"]

LEAST_VECTOR = (0, 8)
LEAST_SERVER = 14
FORMAT = 1
"""Of these tables."""

_KEPT_COMMITS = 256
_GROUP_CHARACTERS, _GROUP_DIGITS = 50, 12
"""Names of roles have at most 63 bytes."""

_TABLES = (
    """CREATE TABLE {schema}.state (
        one boolean PRIMARY KEY DEFAULT true CHECK (one), format integer NOT NULL,
        archive uuid NOT NULL DEFAULT gen_random_uuid(),
        files bigint NOT NULL DEFAULT 0, rows bigint NOT NULL DEFAULT 0, epoch bigint NOT NULL DEFAULT 0)
        WITH (fillfactor = 10)""",
    "CREATE TABLE {schema}.commits (id uuid PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY)",
    """CREATE TABLE {schema}.files (
        name text COLLATE "C" PRIMARY KEY, revision text NOT NULL, bytes bigint NOT NULL)""",
    """CREATE TABLE {schema}.pieces (
        name text COLLATE "C" NOT NULL REFERENCES {schema}.files ON DELETE CASCADE, number integer NOT NULL,
        data bytea STORAGE EXTERNAL NOT NULL, PRIMARY KEY (name, number))""",
)


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """archive: which one it is, "" for none; files, rows: they go up with each change; epoch: with each writer."""

    archive: str = ""
    files: int = 0
    rows: int = 0
    epoch: int = 0

    def revision(self, change: Change) -> str:
        """Another one after each change of this kind."""
        # Rows with their writer: a standby that takes over without the last commits gives their numbers again.
        return f"{self.archive}:{self.files}" if change == "files" else f"{self.archive}:{self.epoch}:{self.rows}"


def make_lock_key(name: str) -> int:
    """For the database's advisory locks."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def make_schema(connection: Connection, schema: str) -> None:
    """Make what an archive needs beside its rows, where it is not there; in one transaction."""
    name = sql.Identifier(schema)
    with _lock_making(connection, schema), connection.transaction():
        if connection.execute("SELECT to_regclass(%s)", (f'"{schema}".state',)).fetchone() != (None,):
            return
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        for statement in _TABLES:
            connection.execute(sql.SQL(statement).format(schema=name))
        connection.execute(sql.SQL("INSERT INTO {}.state (format) VALUES (%s)").format(name), (FORMAT,))


def name_group(schema: str, archive: str) -> str:
    """The group of roles that may own an archive; roles are of all databases of a server, and outlive archives."""
    return f"{schema[:_GROUP_CHARACTERS]}_{archive.replace('-', '')[:_GROUP_DIGITS]}"


def become_owner(connection: Connection, schema: str) -> None:
    """Act as the group of roles that owns an archive, where there is one, so that all its members can go on."""
    statement = (
        "SELECT rolname FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner WHERE nspname = %(schema)s"
        " AND NOT rolcanlogin AND starts_with(rolname, %(group)s) AND pg_has_role(current_user, nspowner, 'MEMBER')"
    )
    row = connection.execute(statement, {"schema": schema, "group": name_group(schema, "")}).fetchone()
    if row is not None:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(row[0]))))


def drop_schema(connection: Connection, schema: str) -> None:
    """Remove all of an archive, and tell those who listen."""
    with _lock_making(connection, schema), connection.transaction():
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        connection.execute("SELECT pg_notify(%s, '')", (schema,))


def read_state(connection: Connection, schema: str) -> ArchiveState:
    """As it is now; an empty one where there is no archive."""
    statement = sql.SQL("SELECT archive, files, rows, epoch FROM {}.state").format(sql.Identifier(schema))
    try:
        with connection.transaction():
            row = connection.execute(statement).fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return ArchiveState()
    return _parse_state(row) if row else ArchiveState()


def begin_commit(connection: Connection, schema: str, commit: UUID, change: Change | None) -> ArchiveState:
    """Note a commit, and that something changes, as the first thing in its transaction; the state with the change.

    Raises UniqueViolation when the same commit was made before, once it is known whether it was.
    """
    name = sql.Identifier(schema)
    insert = sql.SQL("INSERT INTO {}.commits (id) VALUES (%s) RETURNING number").format(name)
    row = connection.execute(insert, (commit,)).fetchone()
    number = _to_int(row[0]) if row else 0
    if number % _KEPT_COMMITS == 0:
        old = sql.SQL("DELETE FROM {}.commits WHERE number < %s").format(name)
        connection.execute(old, (number - _KEPT_COMMITS,))
    if change is None:
        text = "SELECT archive, files, rows, epoch FROM {}.state FOR SHARE"
    else:
        text = f"UPDATE {{}}.state SET {change} = {change} + 1 RETURNING archive, files, rows, epoch"
        connection.execute("SELECT pg_notify(%s, '')", (schema,))
    state = connection.execute(sql.SQL(text).format(name)).fetchone()
    return _parse_state(state) if state else ArchiveState()


def begin_epoch(connection: Connection, schema: str) -> int:
    """The number of a new writer: after that, commits of earlier ones fail."""
    statement = sql.SQL("UPDATE {}.state SET epoch = epoch + 1 RETURNING epoch").format(sql.Identifier(schema))
    row = connection.execute(statement).fetchone()
    return _to_int(row[0]) if row else 0


def check_format(connection: Connection, schema: str, address: str) -> None:
    """Raises ServerUnsuited where a newer version of ours has made the tables of an archive."""
    if connection.execute("SELECT to_regclass(%s)", (f'"{schema}".state',)).fetchone() == (None,):
        return
    row = connection.execute(sql.SQL("SELECT format FROM {}.state").format(sql.Identifier(schema))).fetchone()
    there = _to_int(row[0]) if row else FORMAT
    if there > FORMAT:
        what = f"made by a newer histoseek (tables of format {there}, this one reads {FORMAT})"
        raise ServerUnsuited(address, what, "Update histoseek")


def check_server(connection: Connection, address: str) -> None:
    """Raises ServerUnsuited for an old server, a database not in UTF-8, or one without pgvector or with an old one."""
    number = connection.info.server_version
    if number < LEAST_SERVER * 10_000:
        what = f"the server is PostgreSQL {number // 10_000}, {LEAST_SERVER} or newer is needed"
        raise ServerUnsuited(address, what, "Update the server")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        what = f"the database is in {encoding}, which can't hold all texts"
        raise ServerUnsuited(address, what, "Make one in UTF-8: createdb --encoding=UTF8 --template=template0")
    least = ".".join(map(str, LEAST_VECTOR))
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row is None:
        advice = f"Install pgvector {least} or newer there, and let an administrator run: CREATE EXTENSION vector"
        raise ServerUnsuited(address, "the database lacks the extension vector", advice)
    version = str(row[0])
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_VECTOR:
        what = f"the database's extension vector is {version}, {least} or newer is needed"
        raise ServerUnsuited(address, what, "Update pgvector, then run: ALTER EXTENSION vector UPDATE")


@contextmanager
def _lock_making(connection: Connection, schema: str) -> Iterator[None]:
    """Hold off others who make or drop a schema; before a transaction begins, which else may not see what they made."""
    key = make_lock_key(f"{schema}/make")
    connection.execute("SELECT pg_advisory_lock(%s)", (key,))
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", (key,))


def _parse_state(row: tuple[object, ...]) -> ArchiveState:
    archive, files, rows, epoch = row
    return ArchiveState(str(archive), _to_int(files), _to_int(rows), _to_int(epoch))


def _to_int(value: object) -> int:
    assert isinstance(value, int)
    return value
