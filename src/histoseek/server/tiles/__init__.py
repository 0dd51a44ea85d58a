"""Slides as Deep Zoom tiles: geometry, JPEG, a bounded set of open slides."""
