"""Adaptation of text encoders."""
