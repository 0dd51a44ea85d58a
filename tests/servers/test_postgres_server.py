"""The server that tests of PostgreSQL use."""

from __future__ import annotations

from tests.servers.postgres import PostgresServer


def test_it_is_a_postgresql_with_pgvector(postgres: PostgresServer) -> None:
    (version,) = postgres.execute("SELECT current_setting('server_version_num')::int")[0]
    assert version >= 180000
    assert postgres.execute("SELECT '[1,0]'::halfvec <=> '[0,1]'") == [(1.0,)]


def test_it_comes_back_after_being_killed_with_what_was_committed(postgres: PostgresServer) -> None:
    postgres.execute("CREATE TABLE kept (number int); INSERT INTO kept VALUES (7)")
    postgres.kill()
    postgres.start()
    assert postgres.execute("SELECT number FROM kept") == [(7,)]
    postgres.execute("DROP TABLE kept")
