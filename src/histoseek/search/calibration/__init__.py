"""Probabilities of results: fitted on an archive's labels, applied to a search."""
