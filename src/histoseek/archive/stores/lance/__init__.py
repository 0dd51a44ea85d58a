"""The embedded store: a LanceDB table in the archive's folder."""
