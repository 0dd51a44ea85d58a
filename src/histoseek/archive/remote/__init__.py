"""Archives on servers: addresses, connections, and the files that an archive keeps there beside its rows."""
