"""The result page: one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from histoseek._version import __version__
from histoseek.search.pictures import COLOURS, SlidePictures, slide_pictures
from histoseek.search.results import Match, QueryInfo, SearchResult, SearchResults


@dataclass(frozen=True, slots=True)
class PageMatch:
    """A match as shown: its colour and both regions' pictures."""

    match: Match
    colour: str
    query_picture: str | None
    result_picture: str | None


@dataclass(frozen=True, slots=True)
class PageResult:
    """A result as shown; thumbnail is None when the slide's file can't be read."""

    result: SearchResult
    name: str
    query_thumbnail: str | None
    thumbnail: str | None
    matches: tuple[PageMatch, ...]
    facts: tuple[tuple[str, str], ...]


def render_page(results: SearchResults, title: str) -> str:
    """The page as HTML; slides are opened to take their pictures."""
    environment = Environment(
        loader=PackageLoader("histoseek.search", "templates"), autoescape=select_autoescape(("html", "j2"))
    )
    shown = [_page_result(results, result) for result in results]
    return environment.get_template("results.html.j2").render(
        results=results, shown=shown, title=title, query_name=_query_name(results.query), version=__version__
    )


def _page_result(results: SearchResults, result: SearchResult) -> PageResult:
    query = results.query
    own = None
    if query.slides:
        regions = [match.query_region for match in result.matches]
        asked = query.slides[result.query_slide]
        own = slide_pictures(asked.uri, asked.spacing_um_per_px, regions)
    record = result.record
    found = slide_pictures(record.uri, record.spacing_um_per_px, [match.result_region for match in result.matches])
    return PageResult(
        result=result,
        name=Path(record.uri).name,
        query_thumbnail=own.thumbnail if own else None,
        thumbnail=found.thumbnail if found else None,
        matches=tuple(
            PageMatch(match, colour, _picture(own, number), _picture(found, number))
            for number, (match, colour) in enumerate(zip(result.matches, COLOURS, strict=False))
        ),
        facts=_facts(result),
    )


def _query_name(query: QueryInfo) -> str:
    return Path(query.uri).name if query.uri else query.text or ""


def _picture(pictures: SlidePictures | None, number: int) -> str | None:
    return pictures.regions[number] if pictures else None


def _facts(result: SearchResult) -> tuple[tuple[str, str], ...]:
    record = result.record
    named = (
        ("Diagnosis", record.diagnosis),
        ("Organ", record.organ),
        ("Case", record.case_id),
        ("Site", record.site),
        ("Stain", record.stain),
        ("Report", record.report),
    )
    extra = ((name.replace("_", " "), value) for name, value in record.extra.items())
    return tuple((name, str(value)) for name, value in (*named, *extra) if value is not None)
