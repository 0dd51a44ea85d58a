"""Search: from an image, words or both to slides or reports."""

from __future__ import annotations

from dataclasses import replace

from histoseek.archive.archive import Archive
from histoseek.errors import InputError
from histoseek.progress import Reporter
from histoseek.search.by_image import search_by_image
from histoseek.search.by_text import search_by_text
from histoseek.search.composed import search_composed
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Composed, Query, Refined, WordQuery
from histoseek.search.refined import search_refined
from histoseek.search.results import SearchResults


def search(
    archive: Archive, query: Query, options: SearchOptions | None = None, reporter: Reporter | None = None
) -> SearchResults:
    """What the archive has that is most like the query; the query's own slides are never among it.

    Raises InputError (of it: SlideError for a slide that can't be read, UnknownSlide, UnknownCase, MixedPatients,
    BadFilter), ConfigurationError, EncoderError for a text encoder that can't be loaded, ArchiveError.
    """
    options = options or SearchOptions()
    archive.refresh()
    _ = archive.settled_space
    if options.vote is not None and options.vote not in archive.store.metadata_types():
        raise InputError(f"--vote {options.vote}", "the archive has no such column", "`histoseek show ID` names them")
    results = _search(archive, query, options, reporter)
    return replace(results, vote_=results.vote(options.vote)) if options.vote else results


def _search(archive: Archive, query: Query, options: SearchOptions, reporter: Reporter | None) -> SearchResults:
    if isinstance(query, Refined):
        return search_refined(archive, query, options, reporter)
    if isinstance(query, Composed):
        return search_composed(archive, query, options, reporter)
    if isinstance(query, WordQuery):
        return search_by_text(archive, query, options)
    return search_by_image(archive, query, options, reporter)
