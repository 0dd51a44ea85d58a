"""Retrieval systems: our modes and published baselines, one small module each."""
