"""Removal that leaves nothing: what waits to be erased, the erasing, and what is remembered of removed slides."""
