"""Results of a search: typed, printable, and as the documented JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from histoseek.archive.schema import SlideRecord, name_owner, read_value
from histoseek.geometry import Rect
from histoseek.jsonable import NOT_IN_JSON, json_name, plain
from histoseek.ranking.novelty import Novelty
from histoseek.search.attention_maps import Attention
from histoseek.search.closeness import Closeness
from histoseek.search.explanation import CasePart, Explanation, Phrase, TextRegion
from histoseek.search.figures import format_figure, format_probability
from histoseek.search.notebook import PicturedSlide, render_table
from histoseek.search.vote import Ballot, LabelDistribution, Vote, take_vote
from histoseek.slides.sources.registry import is_named_by_file, source_name
from histoseek.terminal import TableColumn, format_table, get_terminal_width


@dataclass(frozen=True, slots=True)
class Match:
    """Two regions that meet: mosaic vectors by number, the cosine between them, and the tile that carries each most,
    in level-0 px of its slide (None where the place is not known).

    contribution: what the pair gave the score, as in the result's explanation; None where the distance does not look
    at mosaics.
    """

    query_mosaic: int
    result_mosaic: int
    similarity: float
    query_region: Rect | None
    result_region: Rect | None
    contribution: float | None = None


@dataclass(frozen=True, slots=True)
class MatchingField:
    """A square of a result's slide that shows what it has in common with the query, in level-0 px, which may reach
    beyond a small slide; query_region: the same of the query's slide (`query_slide`), None where the query has none."""

    region: Rect
    query_region: Rect | None


ChannelName = Literal[
    "similar slides",
    "shared space",
    "tile words",
    "report vectors",
    "report words",
    "metadata words",
    "marked slides",
    "anchors",
    "aligned tiles",
]
"""How a result was reached: by mosaics and global vectors; by vectors in the space that slides and texts share; by its
tiles, in the space of their encoder's words; by vectors of texts; by the words of the report (BM25); by the words of
metadata and names (the share of the query's that they have); by its distance to slides that were marked as relevant;
regions by those that the slide encoder was trained on, or by tiles in the space that slides and texts share."""


@dataclass(frozen=True, slots=True)
class ChannelRank:
    """A result's place in one channel that led to it: its rank, from 1, and its score (cosine, BM25, or 1 - distance).

    weight: its part in the fused score, below 0 for what was not wanted.
    """

    name: ChannelName
    rank: int
    score: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One slide, or the report of one slide, found.

    score: larger is more alike (docs/searching.md): 1 - distance between slides, else from 0 to 1 by all channels that
    led here; local and global_: the distance's two parts, None unless slides were compared; neighbours: what the
    query's neighbours say, from 0 where they agree most to 1, None where they have no say; probability: that the query
    has the result's label (`calibrated_for`), the same for all results of a label, None where not calibrated, where the
    two labels are known to differ, and where one is missing; label_unknown: whether that is for want of a label of the
    result; matches: best first; channels: how it was reached, `ways` in the JSON; query_slide: which of the query's
    slides it is nearest to, from 0; also: the other slides of its case, where cases are results; explanation: of what
    the score between slides is made, None unless slides were compared; phrases and text_regions: what of its report and
    of the slide is nearest to a text that was asked with, of the first results only; fits: whether it is nearer to the
    query's words than the archive is to random sentences, None where that is not judged, as between slides;
    matched_fields: the columns that have words of a text that was asked with, "file" for its name; region: what was
    found of the slide, in level-0 px, None unless regions were looked for; outline: corners of a convex polygon, where
    what was found is no rectangle but lies in `region`; case_parts: where cases were looked for,
    what each stain gave the score, of which the nearest slide is shown, with its own matches and explanation;
    closeness: how near it is in a word, None where chance is not known;
    fields: what to show of it at one scale, best first, none where places or the spacing are not known;
    attention: where its vectors lie on the query and on the slide, None unless slides were compared; not in the JSON.
    """

    rank: int
    slide_id: str
    case_id: str | None
    score: float
    probability: float | None
    local: float | None
    global_: float | None
    matches: tuple[Match, ...]
    channels: tuple[ChannelRank, ...] = field(metadata=json_name("ways"))
    record: SlideRecord
    query_slide: int = 0
    also: tuple[str, ...] = ()
    neighbours: float | None = None
    explanation: Explanation | None = None
    phrases: tuple[Phrase, ...] = ()
    text_regions: tuple[TextRegion, ...] = ()
    fits: bool | None = None
    matched_fields: tuple[str, ...] = ()
    region: Rect | None = None
    case_parts: tuple[CasePart, ...] = ()
    label_unknown: bool = False
    outline: tuple[tuple[int, int], ...] | None = None
    fields: tuple[MatchingField, ...] = ()
    closeness: Closeness | None = None
    attention: Attention | None = field(default=None, compare=False, repr=False, metadata=NOT_IN_JSON)


QueryKind = Literal["slide", "region", "tile", "case", "text", "report", "composed"]


@dataclass(frozen=True, slots=True)
class QuerySlide:
    """A slide asked with: its id when it is the archive's; uri: its file; spacing_um_per_px: of its level 0; stain: as
    stated or detected, None where not known."""

    slide_id: str | None
    uri: str
    spacing_um_per_px: float
    stain: str | None = None


@dataclass(frozen=True, slots=True)
class QueryInfo:
    """What was asked, with what is not of its kind None or empty.

    slide_id: of an archived slide; uri: the file; spacing_um_per_px: the slide's; slides: all that were asked with,
    several for a case; regions: of the slide, in level-0 px; text and without: as typed; weight: of the words beside
    an image; to: what was looked for; where: the filter; distance: between slides; offset: better results passed over;
    searched_for: the text with its misspelt words corrected, None where it was searched as it is.
    """

    kind: QueryKind
    to: Literal["slides", "reports", "regions", "cases", "phrases"]
    slide_id: str | None = None
    uri: str | None = None
    spacing_um_per_px: float | None = None
    slides: tuple[QuerySlide, ...] = ()
    regions: tuple[Rect, ...] = ()
    text: str | None = None
    without: str | None = None
    weight: float | None = None
    where: str | None = None
    distance: str | None = None
    offset: int = 0
    relevant: tuple[str, ...] = ()
    irrelevant: tuple[str, ...] = ()
    searched_for: str | None = None


@dataclass(frozen=True, slots=True)
class SearchResults:
    """All that a search gave.

    mode: "exact" or "two-stage" (candidates picked first) between slides, else "fused"; calibrated_for: the metadata
    column that probabilities are of, None without any; labels: how probable each label of that column is to be the
    query's, whatever the page and the filter, None without probabilities; novelty: the share of the archive's slides
    whose tiles are as unlike the others' as the query's are, None where that is not known; false_alarms: the share of
    queries of the archive's own kind that are said to be unlike it, which those are whose novelty is no larger; vote_:
    the vote that was asked for with the search; left_out: how many slides the conditions in the query's own words left
    out, None without such conditions; nothing_fits: not even the best of all results, of whatever page, fits the words;
    least_score: from which on a result fits them, None where that is not judged or where no score would do; field_um:
    the edge of all results' fields in um, None where none has any.
    """

    query: QueryInfo
    mode: str
    elapsed_ms: float
    results: tuple[SearchResult, ...]
    warnings: tuple[str, ...] = ()
    calibrated_for: str | None = None
    labels: LabelDistribution | None = None
    novelty: float | None = None
    false_alarms: float | None = None
    vote_: Vote | None = None
    left_out: int | None = None
    nothing_fits: bool = False
    least_score: float | None = None
    field_um: float | None = None

    def __iter__(self) -> Iterator[SearchResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def is_novel(self) -> bool:
        """Whether the query is said to be unlike anything in the archive."""
        return self.novelty is not None and Novelty(self.novelty, self.false_alarms or 0).is_flagged

    def vote(self, label_column: str) -> Vote:
        """What the results' patients vote for in a metadata column; raises InputError for one that is not there."""
        labels = [(name_owner(result.record), read_value(result.record, label_column)) for result in self.results]
        ballots = [Ballot(owner, label) for owner, label in labels if label]
        unlabelled = len({owner for owner, _ in labels} - {ballot.owner for ballot in ballots})
        return take_vote(label_column, ballots, unlabelled, self.is_novel, self.labels)

    def to_json(self) -> str:
        """The documented object (docs/json.md)."""
        return json.dumps(plain(self), indent=1, allow_nan=False)


@dataclass(frozen=True, slots=True)
class _Sheet:
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def as_text(results: SearchResults) -> str:
    """A table that fits the terminal, with the vote and the warnings below."""
    sheet = _sheet(results)
    table = format_table(sheet.columns, sheet.rows, get_terminal_width())
    return "\n".join((*describe_misfit(results), table, *sheet.notes))


def as_html(results: SearchResults) -> str:
    """An HTML table with pictures of the first slides, the vote and the warnings below."""
    sheet = _sheet(results)
    slides = [
        PicturedSlide(
            result.record.uri,
            result.record.spacing_um_per_px,
            tuple(match.result_region for match in result.matches) or tuple(r.region for r in result.text_regions),
        )
        for result in results
    ]
    head = "".join(f"<p><strong>{line}</strong></p>" for line in describe_misfit(results))
    return head + render_table([column.heading for column in sheet.columns], sheet.rows, sheet.notes, slides)


def _sheet(results: SearchResults) -> _Sheet:
    to_reports, to_regions = results.query.to == "reports", results.query.to == "regions"
    likely = results.labels is not None
    return _Sheet(
        columns=(
            TableColumn("rank"),
            TableColumn("file", "name"),
            TableColumn("slide", "name", drop=1 if _are_named_by_files(results) else 0),
            TableColumn("score"),
            *((TableColumn(f"same {results.calibrated_for}", drop=5),) if likely else ()),
            TableColumn("how", "text", drop=3),
            TableColumn("case", "name", drop=2),
            TableColumn("diagnosis", "text", drop=6),
            *((TableColumn("report", "text"),) if to_reports else ()),
            *((TableColumn("region"),) if to_regions else ()),
        ),
        rows=tuple(
            (*_row(result, to_reports, likely), *((_name_region(result.region),) if to_regions else ()))
            for result in results
        ),
        notes=(
            *_votes(results),
            *describe_labels(results),
            *describe_spelling(results.query),
            *(f"note: {note}" for note in (*describe_fit(results), *describe_conditions(results), *results.warnings)),
        ),
    )


def _row(result: SearchResult, to_reports: bool, with_probability: bool) -> tuple[str, ...]:
    record = result.record
    slide = f"{result.slide_id} (+{len(result.also)})" if result.also else result.slide_id
    report = (_quote_report(result),) if to_reports else ()
    said = "no label" if result.label_unknown else format_probability(result.probability)
    likely = (said,) if with_probability else ()
    facts = (*likely, describe_channels(result), record.case_id or "", record.diagnosis or "", *report)
    return (str(result.rank), source_name(record.uri), slide, format_figure(result.score), *facts)


def _name_region(region: Rect | None) -> str:
    """As --region takes it."""
    return f"{region.x},{region.y},{region.width},{region.height}" if region else "place not known"


def _are_named_by_files(results: SearchResults) -> bool:
    """Whether each id says no more than the name of its file."""
    return all(not result.also and is_named_by_file(result.slide_id, result.record.uri) for result in results)


def _quote_report(result: SearchResult) -> str:
    """The report from its sentence that is nearest to the query on; scans begin with bar codes and forms."""
    report = result.record.report or ""
    nearest = max(result.phrases, key=lambda phrase: (phrase.kind == "meaning", phrase.score), default=None)
    return f"… {report[nearest.start :]}" if nearest and nearest.start else report


def describe_channels(result: SearchResult) -> str:
    """The distance's parts between slides, else the channels that led to the result with the rank in each."""
    if result.case_parts:
        return ", ".join(f"{part.stain} {format_figure(1 - part.distance)}" for part in result.case_parts)
    if len(result.channels) == 1 and result.local is not None and result.global_ is not None:
        said = "" if result.neighbours is None else f", neighbours {format_figure(result.neighbours)}"
        return f"local {format_figure(result.local)}, global {format_figure(result.global_)}{said}"
    fields = f" ({', '.join(result.matched_fields)})" if result.matched_fields else ""
    return ", ".join(
        f"{place.name} {place.rank}{fields if place.name == 'metadata words' else ''}"
        for place in result.channels
        if place.weight > 0
    )


def describe_misfit(results: SearchResults) -> Sequence[str]:
    """That nothing fits the words, to stand above what is nearest."""
    if not results.nothing_fits:
        return ()
    return ("nothing fits; the nearest are:" if results.results else "nothing fits",)


def describe_fit(results: SearchResults) -> Sequence[str]:
    """From which result on nothing fits, where some results do."""
    below = next((result.rank for result in results if result.fits is False), None)
    if results.nothing_fits or below is None:
        return ()
    marked = results.query.relevant or results.query.irrelevant
    if marked:
        return ("some of the results do not fit the words; judged slides led to them",)
    return (f"from rank {below} on they fit the words no better than random sentences would",)


def describe_conditions(results: SearchResults) -> Sequence[str]:
    """How many slides the conditions in the query left out."""
    if not results.left_out:
        return ()
    slides = "1 slide was" if results.left_out == 1 else f"{results.left_out:,} slides were"
    return (f"{slides} left out: they do not have what the query requires, or have what it rules out",)


def describe_spelling(query: QueryInfo) -> Sequence[str]:
    """What was searched for in place of misspelt words, and how to search for those."""
    if query.searched_for is None:
        return ()
    return (f"searched for: {query.searched_for} (instead of: {query.text}; as it was typed with --verbatim)",)


def describe_labels(results: SearchResults) -> Sequence[str]:
    """How probable labels are to be the query's."""
    labels = results.labels
    if labels is None:
        return ()
    return (f"the query's {labels.column}, by the {labels.patients} patients nearest to it: {labels}",)


def _votes(results: SearchResults) -> Sequence[str]:
    vote = results.vote_
    if vote is None:
        return ()
    return [
        f"{vote.label_column}: {vote.sentence}",
        *(f"vote of {vote.patients} patients on {vote.label_column}, {name}: {tally}" for name, tally in vote.tallies),
    ]
