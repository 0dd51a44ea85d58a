"""The archive as Python users see it."""

from histoseek.api.archive import Archive

__all__ = ["Archive"]
