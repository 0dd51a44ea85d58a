"""The store on a PostgreSQL server with the extension pgvector."""
