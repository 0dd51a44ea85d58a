"""Encoders: registry, tile and slide models, bags of features and their files."""
