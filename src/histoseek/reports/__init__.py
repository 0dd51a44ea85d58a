"""Reports: read, sectioned, cleaned of what identifies, and put into terms. Pure text, no archive."""
