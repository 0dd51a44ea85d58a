"""Slide encoders, one file per model family."""
