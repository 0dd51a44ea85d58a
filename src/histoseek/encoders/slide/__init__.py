"""Slide encoders: one file or folder for each family of models, and their registry."""
