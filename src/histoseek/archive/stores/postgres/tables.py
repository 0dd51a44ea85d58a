"""The tables of a store in its archive's schema, their indexes, and the steps from older formats to this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from psycopg.sql import SQL, Composable, Composed, Identifier

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.stores.postgres.columns import NEAR, list_directions, name_column, name_columns, name_type
from histoseek.errors import ServerUnsuited

FORMAT = 1
"""Of these tables. With a higher one comes a step for it in _STEPS."""
_STEPS: Mapping[int, Sequence[str]] = {}
"""By the format that they lead to, statements about all stores of an archive; {schema} stands for its schema."""

_COMMON = (
    "CREATE TABLE IF NOT EXISTS {schema}.store_format (one boolean PRIMARY KEY DEFAULT true CHECK (one),"
    " format integer NOT NULL)",
    "CREATE TABLE IF NOT EXISTS {schema}.stores (number integer PRIMARY KEY, head bigint NOT NULL,"
    " oldest bigint NOT NULL, next_row bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS {schema}.versions (number integer, version bigint,"
    " id uuid NOT NULL DEFAULT gen_random_uuid(), committed timestamptz NOT NULL DEFAULT clock_timestamp(),"
    " rows bigint NOT NULL, worded bigint NOT NULL, words bigint NOT NULL, next_row bigint NOT NULL,"
    " described bigint NOT NULL, PRIMARY KEY (number, version))",
    "CREATE TABLE IF NOT EXISTS {schema}.columns (number integer, version bigint, fields bytea NOT NULL,"
    " PRIMARY KEY (number, version))",
)

_OWN = (
    "CREATE TABLE {ended} (_row bigint PRIMARY KEY, version bigint NOT NULL,"
    " is_removed boolean NOT NULL DEFAULT false)",
    "CREATE INDEX ON {ended} (version) WHERE NOT is_removed",
    'CREATE TABLE {words} (token text COLLATE "C", first_row bigint, postings bytea NOT NULL,'
    " PRIMARY KEY (token, first_row))",
    "ALTER TABLE {words} ALTER COLUMN token SET STATISTICS 0, ALTER COLUMN postings SET STATISTICS 0",
    "CREATE INDEX ON {slides} (_row)",
    "CREATE INDEX ON {slides} USING hash (patient_id)",
    "CREATE INDEX ON {slides} USING hash (case_id)",
    "CREATE INDEX ON {slides} USING gin (report_facts)",
)


@dataclass(frozen=True, slots=True)
class StoreTables:
    """The names of a store's tables; number: of its embedding space."""

    schema: str
    number: int

    @property
    def slides(self) -> Identifier:
        """Rows of slides, of all versions: each from the version that made it until one before that which ended it."""
        return Identifier(self.schema, f"slides_{self.number}")

    @property
    def ended(self) -> Identifier:
        """The rows that have ended, by what version; is_removed: they are not in the table of slides any more."""
        return Identifier(self.schema, f"ended_{self.number}")

    @property
    def words(self) -> Identifier:
        """Which rows have a token, and how often."""
        return Identifier(self.schema, f"words_{self.number}")

    def write(self, text: str, **parts: Composable) -> Composed:
        """A statement with the tables' names in it."""
        named = {name: Identifier(self.schema, name) for name in ("stores", "versions", "columns", "store_format")}
        own = {"slides": self.slides, "ended": self.ended, "words": self.words, "schema": Identifier(self.schema)}
        return SQL(text).format(**named, **own, **parts)


def create_tables(connection: Connection, tables: StoreTables, schema: pa.Schema) -> None:
    """Make a store's tables, in place of those that are there."""
    for statement in _COMMON:
        connection.execute(tables.write(statement))
    connection.execute(
        tables.write("INSERT INTO {store_format} (format) VALUES (%s) ON CONFLICT DO NOTHING"), (FORMAT,)
    )
    drop_tables(connection, tables)
    made = [
        SQL("_row bigint NOT NULL"),
        SQL("_from_version bigint NOT NULL"),
        SQL("_to_version bigint NOT NULL DEFAULT 9223372036854775807"),
        SQL("_words integer"),
        *_define_columns(schema),
        SQL("PRIMARY KEY (slide_id, _row)"),
    ]
    # Narrow rows are scanned quickly: what is long lies beside them. Room is left for noting where a row ends.
    options = SQL("WITH (fillfactor = 85, toast_tuple_target = 256)")
    connection.execute(
        tables.write("CREATE TABLE {slides} ({made}) {options}", made=SQL(", ").join(made), options=options)
    )
    _keep_no_samples(connection, tables, schema)
    for statement in _OWN:
        connection.execute(tables.write(statement))


def drop_tables(connection: Connection, tables: StoreTables) -> None:
    """Remove a store's tables and what is known of it."""
    connection.execute(tables.write("DROP TABLE IF EXISTS {slides}, {ended}, {words}"))
    for name in ("stores", "versions", "columns"):
        connection.execute(tables.write(f"DELETE FROM {{{name}}} WHERE number = %s"), (tables.number,))


def add_columns(connection: Connection, tables: StoreTables, fields: Sequence[pa.Field]) -> None:
    """Columns that are empty in all rows."""
    for column in _define_columns(pa.schema(fields)):
        connection.execute(tables.write("ALTER TABLE {slides} ADD COLUMN IF NOT EXISTS {column}", column=column))
    _keep_no_samples(connection, tables, pa.schema(fields))


def prefer_indexes(connection: Connection) -> None:
    """Let a transaction look rows up by indexes: without samples the database takes any list for a large part."""
    connection.execute("SELECT set_config('enable_seqscan', 'off', true)")


def index_directions(connection: Connection, tables: StoreTables, column: pa.Field) -> None:
    """Let a column of vectors have an index for nearest neighbours, where it has none yet."""
    name = Identifier(f"near_{tables.number}_{column.name}")
    near = Identifier(f"{NEAR}{column.name}")
    text = "CREATE INDEX IF NOT EXISTS {name} ON {slides} USING hnsw ({near} halfvec_cosine_ops)"
    connection.execute(tables.write(text, name=name, near=near))


def list_indexed(connection: Connection, tables: StoreTables) -> frozenset[str]:
    """The columns of vectors that have an index for nearest neighbours."""
    text = (
        "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND tablename = %s AND indexdef LIKE '%%USING hnsw%%'"
    )
    rows = connection.execute(text, (tables.schema, f"slides_{tables.number}")).fetchall()
    return frozenset(str(name).removeprefix(f"near_{tables.number}_") for (name,) in rows)


def check_format(connection: Connection, tables: StoreTables, address: str) -> None:
    """Raises ServerUnsuited for tables of a newer version of ours, and of an older one that was not upgraded."""
    row = connection.execute(tables.write("SELECT format FROM {store_format}")).fetchone()
    there = int(str(row[0])) if row else 0
    if there > FORMAT:
        what = f"the archive's tables are of format {there}, this version of histoseek knows up to {FORMAT}"
        raise ServerUnsuited(address, what, "Update histoseek")
    if there < FORMAT:
        what = f"the archive's tables are of format {there}, this version of histoseek needs {FORMAT}"
        raise ServerUnsuited(address, what, "Run: histoseek upgrade")


def upgrade_tables(connection: Connection, tables: StoreTables) -> bool:
    """Go from the format that is there to this one, step by step in one transaction; whether it was another."""
    row = connection.execute(tables.write("SELECT format FROM {store_format} FOR UPDATE")).fetchone()
    there = int(str(row[0])) if row else 0
    for step in sorted(_STEPS):
        for statement in _STEPS[step] if step > there else ():
            connection.execute(tables.write(statement))
    if there < FORMAT:
        connection.execute(tables.write("UPDATE {store_format} SET format = %s"), (FORMAT,))
    return there < FORMAT


def _keep_no_samples(connection: Connection, tables: StoreTables, schema: pa.Schema) -> None:
    """The database's statistics hold values of rows, also of those that were erased."""
    columns = [Identifier(name) for name in name_columns(schema)]
    changes = SQL(", ").join(SQL("ALTER COLUMN {} SET STATISTICS 0").format(column) for column in columns)
    connection.execute(tables.write("ALTER TABLE {slides} {changes}", changes=changes))


def _define_columns(schema: pa.Schema) -> list[Composable]:
    """The columns of a schema, and those of directions beside them."""
    columns: list[Composable] = [_define(name_column(column.name), name_type(column.type)) for column in schema]
    return columns + [
        _define(f"{NEAR}{column.name}", f"halfvec({column.type.list_size})") for column in list_directions(schema)
    ]


def _define(name: str, kind: str) -> Composable:
    return SQL("{} {}").format(Identifier(name), SQL(kind))
