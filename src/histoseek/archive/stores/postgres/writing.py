"""Writing rows of slides: each as a row of its own from a version on, the ones before it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from psycopg.sql import SQL, Composable, Identifier

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.stores.postgres.columns import (
    Direction,
    DirectionDumper,
    dump_columns,
    list_directions,
    name_column,
    name_columns,
    name_type,
    unpack_text,
)
from histoseek.archive.stores.postgres.tables import StoreTables
from histoseek.archive.stores.postgres.versions import Commit, end_rows
from histoseek.archive.stores.postgres.words import add_words, count_tokens
from histoseek.errors import InputError

TOKENS = "report_tokens"

_MOST_BYTES_OF_ID = 2000
"""An index takes no longer ones."""


def insert_rows(connection: Connection, tables: StoreTables, commit: Commit, rows: pa.Table) -> None:
    """Rows in place of those of the same slides."""
    slide_ids = rows["slide_id"].to_pylist()
    require_ids(slide_ids)
    end_rows(connection, tables, commit, slide_ids)
    tokens = rows[TOKENS].to_pylist() if TOKENS in rows.schema.names else [None] * len(slide_ids)
    counts = [count_tokens(one) for one in tokens]
    numbers = range(commit.next_row, commit.next_row + len(slide_ids))
    own: list[Sequence[object]] = [numbers, [commit.version] * len(numbers), counts]
    names = ["_row", "_from_version", "_words", *name_columns(rows.schema)]
    kinds = ["int8", "int8", "int4", *_list_kinds(connection, rows.schema)]
    _copy(connection, tables.slides, names, kinds, [*own, *dump_columns(rows)])
    add_words(connection, tables, list(zip(numbers, tokens, strict=True)))
    _count(commit, counts)


def fill_rows(connection: Connection, tables: StoreTables, commit: Commit, rows: pa.Table) -> None:
    """Rows as those before them but for some columns."""
    filled = Identifier("pg_temp", "filled")
    rest = rows.drop_columns(["slide_id"])
    names = name_columns(rest.schema)
    if TOKENS in rest.schema.names:
        names.append("_words")
    _stage(connection, filled, rows)
    others = [name for name in [*name_columns(commit.schema), "_words"] if name not in ("slide_id", *names)]
    parts: list[Composable] = [SQL("f.{}").format(Identifier(name)) for name in names]
    parts += [SQL("s.{}").format(Identifier(name)) for name in others]
    first = commit.next_row
    written = connection.execute(
        tables.write(
            "INSERT INTO {slides} (slide_id, _row, _from_version, {names})"
            " SELECT s.slide_id, %(first)s - 1 + row_number() OVER (ORDER BY s._row), %(version)s, {parts}"
            " FROM {slides} AS s JOIN {filled} AS f ON f.slide_id = s.slide_id"
            " WHERE s._to_version = 9223372036854775807",
            filled=filled,
            names=SQL(", ").join(map(Identifier, (*names, *others))),
            parts=SQL(", ").join(parts),
        ),
        {"first": first, "version": commit.version},
    ).rowcount
    end_rows(connection, tables, commit, rows["slide_id"].to_pylist())
    connection.execute(SQL("DROP TABLE {}").format(filled))
    read = tables.write("SELECT _row, {tokens} FROM {slides} WHERE _row >= %s ORDER BY 1", tokens=Identifier(TOKENS))
    tokens = [(int(str(row)), _as_text(own)) for row, own in connection.execute(read, (first,)).fetchall()]
    add_words(connection, tables, tokens)
    assert len(tokens) == written
    _count(commit, [count_tokens(own) for _, own in tokens])


def require_ids(slide_ids: Sequence[str]) -> None:
    """Raise InputError for an id that the database can't look up."""
    for slide_id in slide_ids:
        if len(slide_id.encode()) > _MOST_BYTES_OF_ID:
            what = f"is longer than the {_MOST_BYTES_OF_ID} bytes that an archive on PostgreSQL can look up"
            raise InputError(f"slide id {slide_id[:40]}...", what, "Give a shorter one")


def _stage(connection: Connection, filled: Identifier, rows: pa.Table) -> None:
    """The new values in a table of this transaction."""
    kinds = [name_type(column.type).partition(" STORAGE")[0] for column in rows.schema]
    defined = [
        *zip(map(name_column, rows.schema.names), kinds, strict=True),
        *((f"_near_{one.name}", f"halfvec({one.type.list_size})") for one in list_directions(rows.schema)),
        ("_words", "integer"),
    ]
    columns = SQL(", ").join(SQL("{} {}").format(Identifier(name), SQL(kind)) for name, kind in defined)
    connection.execute(SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(filled, columns))
    tokens = rows[TOKENS].to_pylist() if TOKENS in rows.schema.names else [None] * rows.num_rows
    values: list[Sequence[object]] = [*dump_columns(rows), [count_tokens(one) for one in tokens]]
    names = [*name_columns(rows.schema), "_words"]
    _copy(connection, filled, names, [*_list_kinds(connection, rows.schema), "int4"], values)


def _copy(
    connection: Connection,
    table: Identifier,
    names: Sequence[str],
    kinds: Sequence[str | int],
    columns: Sequence[Sequence[object]],
) -> None:
    statement = SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(table, SQL(", ").join(map(Identifier, names)))
    with connection.cursor() as cursor:
        for kind in kinds:
            if isinstance(kind, int):
                dumper: Any = type("_OwnDumper", (DirectionDumper,), {"oid": kind})
                cursor.adapters.register_dumper(Direction, dumper)
        with cursor.copy(statement) as copy:
            copy.set_types(kinds)
            for row in zip(*columns, strict=True):
                copy.write_row(row)


def _list_kinds(connection: Connection, schema: pa.Schema) -> list[str | int]:
    """The database's types of `name_columns`."""
    names = {
        'text COLLATE "C"': "text",
        "boolean": "bool",
        "bigint": "int8",
        "double precision": "float8",
        'text[] COLLATE "C"': "text[]",
        "bytea STORAGE EXTERNAL": "bytea",
    }
    kinds: list[str | int] = [names.get(name_type(column.type), name_type(column.type)) for column in schema]
    directions = list_directions(schema)
    if directions:
        row = connection.execute("SELECT 'halfvec'::regtype::oid::bigint").fetchone()
        kinds += [int(str(row[0])) if row else 0] * len(directions)
    return kinds


def _count(commit: Commit, counts: Sequence[int | None]) -> None:
    """Add rows with these numbers of tokens."""
    known = [count for count in counts if count is not None]
    commit.rows += len(counts)
    commit.worded += len(known)
    commit.words += sum(known)
    commit.next_row += len(counts)


def _as_text(value: object) -> str | None:
    return unpack_text(value) if isinstance(value, str) else None
