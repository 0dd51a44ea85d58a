"""Who may read and write an archive on PostgreSQL: each has a schema of its own, which roles are let into."""

from __future__ import annotations

from typing import Literal

from psycopg import sql

from histoseek.archive.remote.postgres.connection import connect
from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.remote.postgres.schema import name_group, read_state
from histoseek.errors import ArchiveNotFound, ConfigurationError

Right = Literal["read", "write", "none"]


def grant(address: str, role: str, right: Right) -> None:
    """Let a role of the database read an archive, or write it, too, or neither.

    Who writes is a member of the archive's own group of roles, which owns its tables and is made with the first one.
    Raises ArchiveNotFound, ConfigurationError for a role that is not there, AccessDenied for who may not do it.
    """
    database = connect(address)
    if not database.exists():
        raise ArchiveNotFound(database.address)
    schema = database.schema

    def change(connection: Connection) -> None:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
            raise ConfigurationError(f"role {role}", "the database has no such role", "Make it with: createuser")
        _take_away(connection, schema, role)
        if right == "read":
            _let_read(connection, schema, role)
        if right == "write":
            _own_by_group(connection, schema)
            _run(connection, "GRANT {group} TO {role}", schema, role)

    database.write(change, None)


def _let_read(connection: Connection, schema: str, role: str) -> None:
    _run(connection, "GRANT USAGE ON SCHEMA {schema} TO {role}", schema, role)
    _run(connection, "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}", schema, role)
    later = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}"
    _run(connection, later, schema, role)


def _take_away(connection: Connection, schema: str, role: str) -> None:
    later = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} REVOKE ALL ON TABLES FROM {role}"
    _run(connection, later, schema, role)
    _run(connection, "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}", schema, role)
    _run(connection, "REVOKE ALL ON SCHEMA {schema} FROM {role}", schema, role)
    if _has_group(connection, schema):
        _run(connection, "REVOKE {group} FROM {role}", schema, role)


def _own_by_group(connection: Connection, schema: str) -> None:
    """Make the group, if there is none, and let it own the archive; those who could read it still can."""
    group = _name_group(connection, schema)
    if _find_owner(connection, schema) == group:
        return
    readers = connection.execute(
        "SELECT DISTINCT grantee FROM (SELECT (aclexplode(nspacl)).grantee FROM pg_namespace WHERE nspname = %s) AS a"
        " JOIN pg_roles ON oid = grantee WHERE rolname NOT IN (%s, %s)",
        (schema, group, _find_owner(connection, schema)),
    ).fetchall()
    if not _has_group(connection, schema):
        _run(connection, "CREATE ROLE {group} NOLOGIN", schema)
    _run(connection, "GRANT {group} TO CURRENT_USER", schema)
    before = _find_owner(connection, schema)
    if before:
        _run(connection, "GRANT {group} TO {role}", schema, before)
    _run(connection, "GRANT CREATE ON DATABASE {database} TO {group}", schema)
    relations = connection.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace"
        " WHERE nspname = %s AND relkind IN ('r', 'p')",
        (schema,),
    ).fetchall()
    for (relation,) in relations:
        table = sql.Identifier(schema, str(relation))
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, sql.Identifier(group)))
    _run(connection, "ALTER SCHEMA {schema} OWNER TO {group}", schema)
    for (oid,) in readers:
        name = connection.execute("SELECT rolname FROM pg_roles WHERE oid = %s", (oid,)).fetchone()
        if name is not None:
            _let_read(connection, schema, str(name[0]))


def _find_owner(connection: Connection, schema: str) -> str:
    row = connection.execute(
        "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %s", (schema,)
    ).fetchone()
    return str(row[0]) if row else ""


def _has_group(connection: Connection, schema: str) -> bool:
    group = _name_group(connection, schema)
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (group,)).fetchone() is not None


def _name_group(connection: Connection, schema: str) -> str:
    return name_group(schema, read_state(connection, schema).archive)


def _run(connection: Connection, text: str, schema: str, role: str = "") -> None:
    names = {
        "schema": sql.Identifier(schema),
        "group": sql.Identifier(_name_group(connection, schema)),
        "role": sql.Identifier(role or schema),
        "owner": sql.Identifier(_find_owner(connection, schema)),
        "database": sql.Identifier(connection.info.dbname),
    }
    connection.execute(sql.SQL(text).format(**names))
