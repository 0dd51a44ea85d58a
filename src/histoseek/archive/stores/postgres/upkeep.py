"""Keeping a store's tables in shape: old rows out, indexes there, and what does not fit together found."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from psycopg.sql import SQL, Identifier

from histoseek.archive.remote.postgres.connection import Database
from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.stores.base import StoreStats
from histoseek.archive.stores.postgres.columns import MOST_INDEXED, NEAR, list_directions, name_column
from histoseek.archive.stores.postgres.nearest import LEAST_INDEXED
from histoseek.archive.stores.postgres.tables import StoreTables, index_directions, list_indexed
from histoseek.archive.stores.postgres.versions import forget_versions
from histoseek.archive.stores.postgres.words import join_words
from histoseek.errors import ArchiveError
from histoseek.settings import get_settings

_MOST_PIECES = 8
"""Of a token on average, from which on they are joined."""


def optimize_tables(database: Database, tables: StoreTables, schema: pa.Schema) -> None:
    """Remove old rows; give vectors an index once there are many; vacuum."""

    def work(connection: Connection) -> None:
        removed = forget_versions(connection, tables, get_settings().history_minutes)
        if removed or _count_pieces(connection, tables) > _MOST_PIECES:
            join_words(connection, tables, np.array(removed, np.int64))

    database.write(work, None)
    with database.maintaining() as connection:
        _index_vectors(connection, tables, schema)
        for table in (tables.slides, tables.ended, tables.words):
            connection.execute(SQL("VACUUM (ANALYZE) {}").format(table))


def erase_rows(database: Database, tables: StoreTables) -> None:
    """Remove all rows that ended, and write the tables anew, so that no byte of them is left in their files.

    Raises ArchiveError where a transaction that began before keeps them there.
    """

    def work(connection: Connection) -> None:
        connection.execute(tables.write("LOCK TABLE {slides}, {ended}, {words}, {stores} IN ACCESS EXCLUSIVE MODE"))
        removed = forget_versions(connection, tables, None)
        join_words(connection, tables, np.array(removed, np.int64))

    database.write(work, None)
    with database.maintaining() as connection:
        for table in (tables.slides, tables.words):
            connection.execute(SQL("VACUUM (FULL, ANALYZE) {}").format(table))
            connection.execute(SQL("VACUUM {}").format(table))
            # Its files are emptied now, and gone from the disk with the next checkpoint.
            row = connection.execute("SELECT pg_stat_get_dead_tuples(%s::regclass)", (table.as_string(),)).fetchone()
            if row and int(str(row[0])):
                what = "rows that were taken out are still there for somebody's transaction that began before"
                raise ArchiveError(database.address, what, "End it, and run the command again")


def measure(connection: Connection, tables: StoreTables, rows: int) -> StoreStats:
    """Rows, bytes of the tables with their indexes, and versions that can still be read."""
    sizes = "SELECT sum(pg_total_relation_size(one::regclass))::bigint FROM unnest(%s::text[]) AS one"
    names = [table.as_string() for table in (tables.slides, tables.ended, tables.words)]
    size = connection.execute(sizes, (names,)).fetchone()
    versions = connection.execute(
        tables.write(
            "SELECT count(*) FROM {versions} AS v JOIN {stores} AS s USING (number)"
            " WHERE number = %s AND v.version BETWEEN s.oldest AND s.head"
        ),
        (tables.number,),
    ).fetchone()
    return StoreStats(rows, int(str(size[0] if size else 0)), int(str(versions[0] if versions else 0)))


def list_faults(connection: Connection, tables: StoreTables, deep: bool) -> list[str]:
    """What tables say of each other that can't be; deep: read the vectors, too."""
    return [
        text.format(rows)
        for statement, text in (*_FAULTS, *(_DEEP_FAULTS if deep else ()))
        if (rows := _count(connection, tables, statement))
    ] + (list(_list_vector_faults(connection, tables)) if deep else [])


_LIVE = "_to_version = 9223372036854775807"
_FAULTS = (
    (
        f"SELECT abs(v.rows - (SELECT count(*) FROM {{slides}} WHERE {_LIVE})) FROM {{stores}} AS s"
        " JOIN {versions} AS v ON v.number = s.number AND v.version = s.head WHERE s.number = %(number)s",
        "the table of slides has {} rows more or less than were committed",
    ),
    (
        f"SELECT count(*) FROM (SELECT FROM {{slides}} WHERE {_LIVE} GROUP BY slide_id HAVING count(*) > 1) AS one",
        "{} slides have several rows",
    ),
    (
        "SELECT count(*) FROM {slides} AS s LEFT JOIN {ended} AS e USING (_row)"
        " WHERE coalesce(e.version, 9223372036854775807) <> s._to_version OR e.is_removed",
        "{} rows end at other versions than was noted",
    ),
    (
        "SELECT count(*) FROM {slides} AS r JOIN {stores} AS s ON s.number = %(number)s"
        " WHERE r._from_version > s.head OR r._row >= s.next_row OR r._to_version <= r._from_version",
        "{} rows are of versions that were never committed",
    ),
    (
        f"SELECT abs(v.words - (SELECT coalesce(sum(_words), 0) FROM {{slides}} WHERE {_LIVE})) FROM {{stores}} AS s"
        " JOIN {versions} AS v ON v.number = s.number AND v.version = s.head WHERE s.number = %(number)s",
        "the reports have {} words more or less than were committed",
    ),
)
_DEEP_FAULTS = (
    (
        "SELECT count(*) FROM {words} WHERE length(postings) = 0 OR length(postings) %% 12 <> 0",
        "{} entries of the index of words are cut off",
    ),
)


def _list_vector_faults(connection: Connection, tables: StoreTables) -> Iterator[str]:
    from histoseek.archive.stores.postgres.versions import read_version

    last = read_version(connection, tables)
    for column in list_directions(last.schema) if last is not None else ():
        statement = tables.write(
            "SELECT count(*) FROM {slides} WHERE length({vector}) <> %s OR ({vector} IS NULL) <> ({near} IS NULL)",
            vector=Identifier(name_column(column.name)),
            near=Identifier(f"{NEAR}{column.name}"),
        )
        row = connection.execute(statement, (4 * column.type.list_size,)).fetchone()
        if row and row[0]:
            yield f"{row[0]} rows have no vector in {column.name} as they should"


def _count(connection: Connection, tables: StoreTables, statement: str) -> int:
    row = connection.execute(tables.write(statement), {"number": tables.number}).fetchone()
    return int(row[0]) if row else 1  # type: ignore[call-overload]


def _count_pieces(connection: Connection, tables: StoreTables) -> float:
    row = connection.execute(
        tables.write("SELECT coalesce(count(*)::float / nullif(count(DISTINCT token), 0), 0) FROM {words}")
    ).fetchone()
    return float(str(row[0])) if row else 0.0


def _index_vectors(connection: Connection, tables: StoreTables, schema: pa.Schema) -> None:
    there = list_indexed(connection, tables)
    for column in list_directions(schema):
        if column.name in there or column.type.list_size > MOST_INDEXED:
            continue
        near = Identifier(f"{NEAR}{column.name}")
        row = connection.execute(tables.write("SELECT count({near}) FROM {slides}", near=near)).fetchone()
        if row and int(str(row[0])) >= LEAST_INDEXED:
            index_directions(connection, tables, column)
