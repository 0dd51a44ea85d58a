"""The archive: schema, stores, ingest with journal and resume."""
