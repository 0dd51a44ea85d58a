"""Adaptation of tile encoders."""
