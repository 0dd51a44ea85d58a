"""PostgreSQL as a server of archives: connections, an archive's files, its write lock, and news of changes."""
