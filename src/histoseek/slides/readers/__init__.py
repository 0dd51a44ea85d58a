"""Readers of pixels: one for each kind of file, all with the same face."""
