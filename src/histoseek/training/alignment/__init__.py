"""Alignment of slides and texts in closed form."""
