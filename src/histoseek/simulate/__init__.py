"""Synthetic tissue and cohorts, for demos without data and controlled experiments."""
