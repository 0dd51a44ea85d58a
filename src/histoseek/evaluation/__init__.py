"""Evaluation: protocols that can't cheat by default, metrics with intervals, baselines in the same harness, reports."""
