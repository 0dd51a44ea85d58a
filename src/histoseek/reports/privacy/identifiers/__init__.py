"""Rules that find identifiers in report text, one module per kind."""
