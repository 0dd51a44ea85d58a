"""Bring an archive up to date with files, tables and reports."""
