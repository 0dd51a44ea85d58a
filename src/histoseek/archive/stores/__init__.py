"""Stores behind one narrow interface."""
