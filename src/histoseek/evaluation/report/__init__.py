"""The report of an evaluation: tables, charts, one page."""
