"""Embedding spaces of an archive: centre, signatures, texts."""
