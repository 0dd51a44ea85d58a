"""Two-dimensional maps of an archive."""
