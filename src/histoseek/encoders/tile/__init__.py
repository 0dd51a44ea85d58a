"""Tile encoders, one file per model family."""
