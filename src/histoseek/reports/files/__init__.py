"""Read reports from files: tables, documents, folders."""
