"""Take identifiers of persons out of reports."""
