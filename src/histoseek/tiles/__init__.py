"""Tiles: the grid, the streaming reader, and representatives within a budget."""
