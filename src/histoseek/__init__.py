"""histoseek: search your own archive of whole-slide images.

For research and education; not a medical device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from histoseek._version import __version__

if TYPE_CHECKING:
    from histoseek.api import Archive
    from histoseek.archive.ingest import IndexReport
    from histoseek.archive.schema import SlideRecord
    from histoseek.encoders.recipe import Recipe
    from histoseek.errors import HistoseekError
    from histoseek.search.query import ArchivedSlide, SlideFile
    from histoseek.search.results import Match, SearchResult, SearchResults

__all__ = [
    "Archive",
    "ArchivedSlide",
    "HistoseekError",
    "IndexReport",
    "Match",
    "Recipe",
    "SearchResult",
    "SearchResults",
    "SlideFile",
    "SlideRecord",
    "__version__",
]

_HOMES = {
    "Archive": "histoseek.api",
    "ArchivedSlide": "histoseek.search.query",
    "HistoseekError": "histoseek.errors",
    "IndexReport": "histoseek.archive.ingest",
    "Match": "histoseek.search.results",
    "Recipe": "histoseek.encoders.recipe",
    "SearchResult": "histoseek.search.results",
    "SearchResults": "histoseek.search.results",
    "SlideFile": "histoseek.search.query",
    "SlideRecord": "histoseek.archive.schema",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: `import histoseek` stays quick.
    if name not in _HOMES:
        raise AttributeError(f"module 'histoseek' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
