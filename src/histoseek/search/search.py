"""Search: from an image, words or both to slides or reports."""

from __future__ import annotations

from dataclasses import replace

from histoseek.archive.filters.expression import one_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.deadline import check_deadline
from histoseek.errors import InputError
from histoseek.progress import Reporter
from histoseek.search.calibration.apply import refuse_probabilities
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Composed, Query, Refined, WordQuery
from histoseek.search.results import SearchResult, SearchResults
from histoseek.search.retrieve.image import retrieve_by_image
from histoseek.search.retrieve.refined import read_marked, refine
from histoseek.search.retrieve.retrieval import Retrieval, present


def search(
    archive: ArchiveFolder, query: Query, options: SearchOptions | None = None, reporter: Reporter | None = None
) -> SearchResults:
    """What the archive has that is most like the query; the query's own slides are never among it.

    Raises InputError (of it: SlideError for a slide that can't be read, UnknownSlide, UnknownCase, MixedPatients,
    BadFilter), ConfigurationError, EncoderError for a text encoder that can't be loaded, ArchiveError.
    """
    chosen = options or SearchOptions()
    return archive.read(lambda view: _search(view, query, chosen, reporter))


def _search(archive: ArchiveFolder, query: Query, options: SearchOptions, reporter: Reporter | None) -> SearchResults:
    check_deadline()
    archive.require_space()
    if options.vote is not None and options.vote not in archive.store.metadata_types():
        raise InputError(f"--vote {options.vote}", "the archive has no such column", "`histoseek show ID` names them")
    if options.to == "regions":
        from histoseek.search.retrieve.regions import search_regions

        return search_regions(archive, query, options)
    if options.to == "cases":
        from histoseek.search.retrieve.cases import search_cases

        return search_cases(archive, query, options, reporter)
    return present(archive, retrieve(archive, query, options, reporter), options)


def retrieve(
    archive: ArchiveFolder, query: Query, options: SearchOptions, reporter: Reporter | None = None
) -> Retrieval:
    """The hits of a query of any kind, before a page of them is presented; raises what `search` raises."""
    if isinstance(query, Refined):
        marked = read_marked(archive, query)
        refuse_probabilities(options)
        return refine(archive, query, marked, retrieve(archive, query.query, options, reporter), options)
    if isinstance(query, Composed):
        from histoseek.search.retrieve.composed import retrieve_by_both

        return retrieve_by_both(archive, query, options, reporter)
    if isinstance(query, WordQuery):
        from histoseek.search.retrieve.text import retrieve_by_text

        return retrieve_by_text(archive, query, options)
    return retrieve_by_image(archive, query, options, reporter)


def explain_pair(
    archive: ArchiveFolder,
    query: Query,
    slide_id: str,
    options: SearchOptions | None = None,
    reporter: Reporter | None = None,
) -> SearchResult:
    """The result that a slide of the archive is for a query, with its explanation, whether search would show it or not.

    Of the options distance, to, workers and expand matter. Ranks are 1: the slide is alone; so is the fused score of
    words, where `channels` tell how near it is. Raises what `search` raises, UnknownSlide, and InputError for the
    query's own slide and for a slide that has nothing to be compared with the query.
    """
    archive.get(slide_id)
    query = query.unmark(slide_id) if isinstance(query, Refined) and slide_id in query.irrelevant else query
    options = options or SearchOptions()
    alone = replace(
        options,
        to="slides" if options.to == "cases" else options.to,
        k=1,
        offset=0,
        where=one_of("slide_id", [slide_id]),
        same_patient=True,
        by_case=False,
        exact=True,
        min_probability=None,
        vote=None,
    )
    results = search(archive, query, alone, reporter)
    if results.results:
        return results.results[0]
    if slide_id in {slide.slide_id for slide in results.query.slides}:
        raise InputError(slide_id, "is the query's own slide", "Compare it with another")
    raise InputError(slide_id, "has no report that could be compared with the query", "Index its report (--reports)")
