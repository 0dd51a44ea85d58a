"""Uploaded slides: kept for a while within limits, and opened only in a process of their own."""
