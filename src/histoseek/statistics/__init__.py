"""Clustering, intervals and resampling."""
