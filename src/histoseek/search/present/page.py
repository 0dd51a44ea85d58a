"""The result page: one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jinja2 import Environment, PackageLoader, select_autoescape

from histoseek._version import __version__
from histoseek.search.explanation import Contribution, Phrase, TextRegion
from histoseek.search.figures import format_figure, format_probability
from histoseek.search.pictures import COLOURS, TEXT_COLOURS, Frame, MapPicture, SlidePictures, draw_slide
from histoseek.search.results import (
    Match,
    QueryInfo,
    SearchResult,
    SearchResults,
    describe_channels,
    describe_conditions,
    describe_fit,
    describe_misfit,
    describe_spelling,
)
from histoseek.slides.sources.registry import source_name


@dataclass(frozen=True, slots=True)
class PageMatch:
    """A match on the page: its colour and both regions' pictures."""

    match: Match
    colour: str
    query_picture: str | None
    result_picture: str | None


@dataclass(frozen=True, slots=True)
class PageTextRegion:
    """A region near the text on the page: its colour and picture."""

    region: TextRegion
    colour: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class PageMap:
    """A map on the page, and what it is of."""

    caption: str
    picture: MapPicture


@dataclass(frozen=True, slots=True)
class PagePair:
    """A pair of vectors on the page: its names, the colour of its frames if it has some, and how long its bar is, in
    percent of the longest."""

    pair: Contribution
    name: str
    colour: str | None
    percent: float


@dataclass(frozen=True, slots=True)
class PageText:
    """A piece of a report, and the kinds of the phrases that it is part of."""

    text: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageResult:
    """A result on the page; channels: how it was reached, in words; thumbnail is None when the slide's file can't be
    read."""

    result: SearchResult
    name: str
    channels: str
    query_thumbnail: str | None
    thumbnail: str | None
    matches: tuple[PageMatch, ...]
    text_regions: tuple[PageTextRegion, ...]
    maps: tuple[PageMap, ...]
    pairs: tuple[PagePair, ...]
    report: tuple[PageText, ...]
    facts: tuple[tuple[str, str], ...]


def render_page(results: SearchResults, title: str) -> str:
    """The page as HTML; slides are opened to take their pictures."""
    environment = Environment(
        loader=PackageLoader("histoseek.search.present", "templates"), autoescape=select_autoescape(("html", "j2"))
    )
    environment.filters |= {"figure": format_figure, "probability": format_probability}
    cards = [_page_result(results, result) for result in results]
    return environment.get_template("results.html.j2").render(
        results=results,
        cards=cards,
        title=title,
        query_name=_query_name(results.query),
        misfit=describe_misfit(results),
        notes=(
            *describe_spelling(results.query),
            *describe_fit(results),
            *describe_conditions(results),
            *results.warnings,
        ),
        version=__version__,
    )


def _page_result(results: SearchResults, result: SearchResult) -> PageResult:
    query_pictures, result_pictures = _query_pictures(results.query, result), _result_pictures(result)
    record = result.record
    return PageResult(
        result=result,
        name=source_name(record.uri),
        channels=describe_channels(result),
        query_thumbnail=query_pictures.thumbnail if query_pictures else None,
        thumbnail=result_pictures.thumbnail if result_pictures else None,
        matches=tuple(
            PageMatch(match, colour, _picture(query_pictures, number), _picture(result_pictures, number))
            for number, (match, colour) in enumerate(zip(result.matches, COLOURS, strict=False))
        ),
        text_regions=tuple(
            PageTextRegion(region, colour, _picture(result_pictures, number))
            for number, (region, colour) in enumerate(
                zip(result.text_regions, TEXT_COLOURS, strict=False), start=len(result.matches)
            )
        ),
        maps=_maps(query_pictures, result_pictures),
        pairs=_pairs(result),
        report=cut_at_phrases(record.report or "", result.phrases),
        facts=_facts(result),
    )


def _query_pictures(query: QueryInfo, result: SearchResult) -> SlidePictures | None:
    if not query.slides:
        return None
    slide = query.slides[result.query_slide]
    frames = [Frame(match.query_region, colour) for match, colour in zip(result.matches, COLOURS, strict=False)]
    attention = result.attention.query if result.attention else None
    return draw_slide(slide.uri, slide.spacing_um_per_px, frames, attention)


def _result_pictures(result: SearchResult) -> SlidePictures | None:
    frames = [Frame(match.result_region, colour) for match, colour in zip(result.matches, COLOURS, strict=False)]
    frames += [Frame(near.region, colour) for near, colour in zip(result.text_regions, TEXT_COLOURS, strict=False)]
    attention = result.attention.result if result.attention else None
    return draw_slide(result.record.uri, result.record.spacing_um_per_px, frames, attention)


def _query_name(query: QueryInfo) -> str:
    return source_name(query.uri) if query.uri else query.text or ""


def _picture(pictures: SlidePictures | None, number: int) -> str | None:
    return pictures.regions[number] if pictures else None


def _maps(query_pictures: SlidePictures | None, result_pictures: SlidePictures | None) -> tuple[PageMap, ...]:
    captions = (
        ("What the query's vectors look at", query_pictures.attention if query_pictures else None),
        ("What the result's vectors look at", result_pictures.attention if result_pictures else None),
        ("What of the query made the score", query_pictures.contribution if query_pictures else None),
        ("What of the result made the score", result_pictures.contribution if result_pictures else None),
    )
    return tuple(PageMap(caption, picture) for caption, picture in captions if picture)


def _pairs(result: SearchResult) -> tuple[PagePair, ...]:
    if result.explanation is None or not result.explanation.pairs:
        return ()
    framed: dict[tuple[int | None, int | None], str] = {
        (match.query_mosaic, match.result_mosaic): colour
        for match, colour in zip(result.matches, COLOURS, strict=False)
    }
    most = max(abs(pair.share) for pair in result.explanation.pairs) or 1.0
    return tuple(
        PagePair(
            pair=pair,
            name=f"{_vector(pair.query_mosaic)} and {_vector(pair.result_mosaic)}",
            colour=framed.get((pair.query_mosaic, pair.result_mosaic)),
            percent=round(100 * abs(pair.share) / most, 1),
        )
        for pair in result.explanation.pairs
    )


def _vector(mosaic: int | None) -> str:
    return "whole slide" if mosaic is None else str(mosaic)


def cut_at_phrases(report: str, phrases: Sequence[Phrase]) -> tuple[PageText, ...]:
    """A report cut at the ends of its phrases, which may overlap."""
    cuts = sorted({0, len(report), *(end for phrase in phrases for end in (phrase.start, phrase.end))})
    return tuple(
        PageText(
            report[start:end], tuple(sorted({phrase.kind for phrase in phrases if phrase.start <= start < phrase.end}))
        )
        for start, end in pairwise(cuts)
    )


def _facts(result: SearchResult) -> tuple[tuple[str, str], ...]:
    record = result.record
    facts = (
        ("Diagnosis", record.diagnosis),
        ("Organ", record.organ),
        ("Case", record.case_id),
        ("Site", record.site),
        ("Stain", record.stain),
        ("Report", record.report),
    )
    extra = ((name.replace("_", " "), value) for name, value in record.extra.items())
    return tuple((name, str(value)) for name, value in (*facts, *extra) if value is not None)
