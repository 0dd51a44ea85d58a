"""Sections, sentences, words and negation."""
