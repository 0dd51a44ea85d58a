"""The tables of a server's state, step by step as versions made them: in SQL that both engines know."""

from __future__ import annotations

Migrations = tuple[tuple[str, ...], ...]

MIGRATIONS: Migrations = (
    (
        "CREATE TABLE keys (purpose TEXT PRIMARY KEY, value BLOB NOT NULL)",
        """CREATE TABLE tokens (
            token_id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, digest BLOB NOT NULL,
            created REAL NOT NULL, last_used REAL, revoked REAL)""",
        "CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked IS NULL",
        "CREATE TABLE ended_sessions (session_id TEXT PRIMARY KEY, expires REAL NOT NULL)",
        """CREATE TABLE judgements (
            archive TEXT NOT NULL, query_key TEXT NOT NULL, slide_id TEXT NOT NULL, judge TEXT NOT NULL,
            query TEXT NOT NULL, relevant INTEGER NOT NULL, at REAL NOT NULL,
            PRIMARY KEY (archive, query_key, slide_id, judge))""",
        """CREATE TABLE collections (
            collection_id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
            created REAL NOT NULL, updated REAL NOT NULL)""",
        "CREATE INDEX collections_by_owner ON collections (owner, created)",
        """CREATE TABLE collection_items (
            collection_id TEXT NOT NULL REFERENCES collections ON DELETE CASCADE, place INTEGER NOT NULL,
            archive TEXT NOT NULL, slide_id TEXT NOT NULL, note TEXT NOT NULL, added REAL NOT NULL,
            PRIMARY KEY (collection_id, place), UNIQUE (collection_id, archive, slide_id))""",
    ),
    (
        """CREATE TABLE jobs (
            job_id TEXT PRIMARY KEY, kind TEXT NOT NULL, archive TEXT NOT NULL, owner TEXT NOT NULL, upload_id TEXT,
            spec TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, started REAL, ended REAL, beat REAL,
            done INTEGER NOT NULL, total INTEGER, part TEXT, outcome TEXT, error TEXT,
            cancel INTEGER NOT NULL DEFAULT 0)""",
        "CREATE INDEX jobs_by_owner ON jobs (owner, created)",
    ),
    (
        "CREATE TABLE judged_queries (query_key TEXT PRIMARY KEY, query TEXT NOT NULL)",
        "INSERT INTO judged_queries SELECT query_key, query FROM judgements WHERE true ON CONFLICT DO NOTHING",
        "ALTER TABLE judgements DROP COLUMN query",
        "CREATE INDEX judgements_by_judge ON judgements (judge)",
        "CREATE INDEX judgements_by_query ON judgements (query_key)",
    ),
    (
        "UPDATE jobs SET spec = '{}' WHERE ended IS NOT NULL",
        """CREATE TABLE kept_slides (
            upload_id TEXT NOT NULL, archive TEXT NOT NULL, since REAL NOT NULL, pending INTEGER NOT NULL,
            PRIMARY KEY (upload_id, archive))""",
    ),
    (
        """CREATE TABLE collection_shares (
            collection_id TEXT NOT NULL REFERENCES collections ON DELETE CASCADE, grantee TEXT NOT NULL,
            access TEXT NOT NULL, PRIMARY KEY (collection_id, grantee))""",
        "CREATE INDEX collection_shares_by_grantee ON collection_shares (grantee)",
        """CREATE TABLE saved_searches (
            search_id TEXT PRIMARY KEY, owner TEXT NOT NULL, archive TEXT NOT NULL, name TEXT NOT NULL,
            question TEXT NOT NULL, created REAL NOT NULL, seen REAL NOT NULL, since REAL NOT NULL,
            shown TEXT NOT NULL)""",
        "CREATE INDEX saved_searches_by_owner ON saved_searches (owner, created)",
    ),
    (
        """CREATE TABLE worklists (
            worklist_id TEXT PRIMARY KEY, owner TEXT NOT NULL, archive TEXT NOT NULL, name TEXT NOT NULL,
            job_id TEXT NOT NULL, task TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL)""",
        "CREATE INDEX worklists_by_owner ON worklists (owner, created)",
        """CREATE TABLE worklist_slides (
            worklist_id TEXT NOT NULL REFERENCES worklists ON DELETE CASCADE, place INTEGER NOT NULL, slide_id TEXT,
            upload_id TEXT, found TEXT, PRIMARY KEY (worklist_id, place))""",
    ),
    (
        """CREATE TABLE judgements_with_places (
            archive TEXT NOT NULL, query_key TEXT NOT NULL, slide_id TEXT NOT NULL, judge TEXT NOT NULL,
            place TEXT NOT NULL, relevant INTEGER NOT NULL, at REAL NOT NULL,
            PRIMARY KEY (archive, query_key, slide_id, judge, place))""",
        "INSERT INTO judgements_with_places (archive, query_key, slide_id, judge, place, relevant, at)"
        " SELECT archive, query_key, slide_id, judge, '', relevant, at FROM judgements",
        "DROP TABLE judgements",
        "ALTER TABLE judgements_with_places RENAME TO judgements",
        "CREATE INDEX judgements_by_judge ON judgements (judge)",
        "CREATE INDEX judgements_by_query ON judgements (query_key)",
    ),
    (
        """CREATE TABLE annotations (
            annotation_id TEXT PRIMARY KEY, archive TEXT NOT NULL, slide_id TEXT NOT NULL, owner TEXT NOT NULL,
            feature TEXT NOT NULL, vertices INTEGER NOT NULL, shared INTEGER NOT NULL, version INTEGER NOT NULL,
            created REAL NOT NULL, updated REAL NOT NULL, expires REAL)""",
        "CREATE INDEX annotations_by_slide ON annotations (archive, slide_id)",
        "CREATE INDEX annotations_by_owner ON annotations (owner)",
    ),
)
