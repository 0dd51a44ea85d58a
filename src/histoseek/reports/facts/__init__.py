"""Structured facts that reports state: grades, stages, stains, markers, measures."""
