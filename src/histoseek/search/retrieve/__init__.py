"""Candidates, ranking, fusion and paging."""
