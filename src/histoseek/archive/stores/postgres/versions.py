"""The versions of a store: what is known of each, and how the next one is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg.sql import SQL

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.stores.base import RowChanges
from histoseek.archive.stores.postgres.tables import StoreTables

_SELECT = (
    "SELECT s.head, s.oldest, v.id, v.rows, v.worded, v.words, v.next_row, c.fields FROM {stores} AS s"
    " JOIN {versions} AS v ON v.number = s.number AND v.version = {version}"
    " JOIN {columns} AS c ON c.number = s.number AND c.version = v.described WHERE s.number = %(number)s"
)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a store.

    oldest: the first version that still could be read when this was looked up; id: no other commit has it; rows,
    worded, words: how many there are, how many of them have tokens, and how many tokens; next_row: greater than the
    numbers of all rows.
    """

    number: int
    oldest: int
    id: str
    rows: int
    worded: int
    words: int
    next_row: int
    schema: pa.Schema


@dataclass
class Commit:
    """The next version while it is made; numbers are what they change to."""

    version: int
    rows: int
    worded: int
    words: int
    next_row: int
    schema: pa.Schema
    is_described: bool = False


def read_version(connection: Connection, tables: StoreTables, version: int | None = None) -> Version | None:
    """A version, None for the last one; None where it isn't there."""
    which = SQL("s.head" if version is None else "%(version)s")
    row = connection.execute(
        tables.write(_SELECT, version=which), {"number": tables.number, "version": version}, binary=True
    ).fetchone()
    if row is None:
        return None
    head, oldest, mark, rows, worded, words, next_row = row[:7]
    return Version(
        number=int(str(head)) if version is None else version,
        oldest=int(str(oldest)),
        id=str(mark),
        rows=int(str(rows)),
        worded=int(str(worded)),
        words=int(str(words)),
        next_row=int(str(next_row)),
        schema=_load_schema(row[7]),
    )


def has_version(connection: Connection, tables: StoreTables, version: Version) -> bool:
    """Whether a version still can be read, and is the one of that number: a standby may have gone on without it."""
    found = connection.execute(
        tables.write(
            "SELECT FROM {stores} AS s JOIN {versions} AS v ON v.number = s.number AND v.version = %(version)s"
            " AND v.id = %(id)s::uuid WHERE s.number = %(number)s AND s.oldest <= %(version)s"
        ),
        {"number": tables.number, "version": version.number, "id": version.id},
    )
    return found.fetchone() is not None


def read_changes(
    connection: Connection, tables: StoreTables, version: Version, other: int, mark: str
) -> RowChanges | None:
    """How a version's rows differ from those of another, which has an id; None where there is no such version."""
    found = connection.execute(
        tables.write("SELECT next_row FROM {versions} WHERE number = %s AND version = %s AND id::text = %s"),
        (tables.number, other, mark),
    ).fetchone()
    if found is None:
        return None
    next_row = int(str(found[0]))
    values = {"version": version.number, "old": min(other, version.number), "new": max(other, version.number)}
    values["next_row"] = min(next_row, version.next_row)
    ended = "SELECT _row FROM {ended} WHERE version > %(old)s AND version <= %(new)s"
    if other > version.number:
        again = _list(connection, tables, f"{ended} AND _row < %(next_row)s", values)
        return RowChanges(again, np.arange(version.next_row, next_row, dtype=np.uint64))
    made = (
        "SELECT _row FROM {slides} WHERE _row >= %(next_row)s"
        " AND _from_version <= %(version)s AND _to_version > %(version)s"
    )
    return RowChanges(_list(connection, tables, made, values), _list(connection, tables, ended, values))


def begin_version(connection: Connection, tables: StoreTables) -> Commit | None:
    """The next version, in a transaction that no other makes one beside; None where there is no store."""
    locked = tables.write("SELECT FROM {stores} WHERE number = %s FOR UPDATE")
    connection.execute(locked, (tables.number,))
    last = read_version(connection, tables)
    if last is None:
        return None
    return Commit(last.number + 1, last.rows, last.worded, last.words, last.next_row, last.schema)


def end_version(connection: Connection, tables: StoreTables, commit: Commit) -> None:
    """Note a version as the last one."""
    number, version = tables.number, commit.version
    if commit.is_described:
        fields = commit.schema.serialize().to_pybytes()
        connection.execute(tables.write("INSERT INTO {columns} VALUES (%s, %s, %s)"), (number, version, fields))
    connection.execute(
        tables.write(
            "INSERT INTO {versions} (number, version, rows, worded, words, next_row, described)"
            " SELECT %(number)s, %(version)s, %(rows)s, %(worded)s, %(words)s, %(next_row)s,"
            " max(version) FROM {columns} WHERE number = %(number)s"
        ),
        {**_counts(commit), "number": number, "version": version},
    )
    connection.execute(
        tables.write("UPDATE {stores} SET head = %s, next_row = %s WHERE number = %s"),
        (version, commit.next_row, number),
    )


def begin_store(connection: Connection, tables: StoreTables, schema: pa.Schema) -> None:
    """Note an empty store with its first version."""
    connection.execute(tables.write("INSERT INTO {stores} VALUES (%s, 0, 1, 1)"), (tables.number,))
    end_version(connection, tables, Commit(1, 0, 0, 0, 1, schema, is_described=True))


def end_rows(connection: Connection, tables: StoreTables, commit: Commit, slide_ids: Sequence[str]) -> int:
    """Let the rows of some slides end with a version; how many there were."""
    counted = connection.execute(
        tables.write(
            "WITH old AS (UPDATE {slides} SET _to_version = %(version)s WHERE slide_id = ANY(%(ids)s::text[])"
            " AND _to_version = 9223372036854775807 AND _from_version < %(version)s RETURNING _row, _words),"
            " noted AS (INSERT INTO {ended} (_row, version) SELECT _row, %(version)s FROM old)"
            " SELECT count(*), count(_words), coalesce(sum(_words), 0)::bigint FROM old"
        ),
        {"version": commit.version, "ids": list(slide_ids)},
    ).fetchone()
    rows, worded, words = (int(str(one)) for one in counted or (0, 0, 0))
    commit.rows -= rows
    commit.worded -= worded
    commit.words -= words
    return rows


def forget_versions(connection: Connection, tables: StoreTables, minutes: int | None) -> list[int]:
    """Let versions be read no longer that were replaced longer than some minutes ago, None for all but the last, and
    remove the rows that ended until then; their numbers."""
    kept = (
        "SELECT coalesce(max(v.version), s.oldest) FROM {stores} AS s LEFT JOIN {versions} AS v ON v.number = s.number"
        " AND v.committed <= clock_timestamp() - make_interval(mins => %(minutes)s::int)"
        " WHERE s.number = %(number)s GROUP BY s.oldest"
        if minutes is not None
        else "SELECT head FROM {stores} WHERE number = %(number)s"
    )
    values = {"number": tables.number, "minutes": minutes}
    connection.execute(tables.write("SELECT FROM {stores} WHERE number = %(number)s FOR UPDATE"), values)
    row = connection.execute(tables.write(kept), values).fetchone()
    oldest = {"number": tables.number, "oldest": row[0] if row else 0}
    removed = connection.execute(
        tables.write(
            "WITH old AS (UPDATE {ended} SET is_removed = true WHERE version <= %(oldest)s AND NOT is_removed"
            " RETURNING _row) DELETE FROM {slides} AS s USING old WHERE s._row = old._row RETURNING s._row"
        ),
        oldest,
    ).fetchall()
    connection.execute(
        tables.write("UPDATE {stores} SET oldest = greatest(oldest, %(oldest)s) WHERE number = %(number)s"), oldest
    )
    return [int(str(number)) for (number,) in removed]


def _list(connection: Connection, tables: StoreTables, text: str, values: Mapping[str, int]) -> NDArray[np.uint64]:
    rows = connection.execute(tables.write(text), values, binary=True).fetchall()
    return np.array([row for (row,) in rows], np.uint64)


def _counts(commit: Commit) -> dict[str, object]:
    return {name: getattr(commit, name) for name in ("rows", "worded", "words", "next_row")}


def _load_schema(fields: object) -> pa.Schema:
    assert isinstance(fields, bytes)
    return pa.ipc.read_schema(pa.BufferReader(fields))
