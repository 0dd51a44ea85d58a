"""Checkpoints from elsewhere, as weights files."""
