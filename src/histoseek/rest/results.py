"""Results of a search; fields are those of docs/json.md, less what names files."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field

from histoseek.rest.archives import Slide
from histoseek.rest.base import Answer, Region


class Match(Answer):
    """Two regions that meet: mosaic vectors by number, their cosine, and what the pair gave the score."""

    query_mosaic: int
    result_mosaic: int
    similarity: float
    query_region: Region | None
    result_region: Region | None
    contribution: float | None


class Way(Answer):
    """One way that led to a result: its rank and score there, and its weight, below 0 for what was not wanted."""

    name: str
    rank: int
    score: float
    weight: float


class PairShare(Answer):
    """What one pair of vectors gave the score; null numbers stand for the vector of the whole slide."""

    query_mosaic: int | None
    result_mosaic: int | None
    distance: float
    share: float
    query_region: Region | None
    result_region: Region | None


class Explanation(Answer):
    """Of what the score between two slides is made: base + global + the shares of all pairs."""

    base: float
    global_: float = Field(validation_alias=AliasChoices("global_", "global"), serialization_alias="global")
    pairs: tuple[PairShare, ...]


class Phrase(Answer):
    """A part of the report that the text speaks of, report_text[start:end]."""

    start: int
    end: int
    score: float
    kind: Literal["meaning", "words"]


class TextRegion(Answer):
    """A part of the slide that is near the text, by its mosaic vector."""

    mosaic: int
    similarity: float
    region: Region | None


class Result(Answer):
    """One slide, or the report of one slide, found; report_text: null where it has none."""

    rank: int
    slide_id: str
    case_id: str | None
    score: float
    probability: float | None
    local: float | None
    global_: float | None = Field(validation_alias=AliasChoices("global_", "global"), serialization_alias="global")
    matches: tuple[Match, ...]
    ways: tuple[Way, ...]
    query_slide: int
    also: tuple[str, ...]
    explanation: Explanation | None
    phrases: tuple[Phrase, ...]
    text_regions: tuple[TextRegion, ...]
    slide: Slide
    report_text: str | None


class QuerySlide(Answer):
    """A slide asked with: of the archive, or uploaded (then by its display name)."""

    slide_id: str | None
    upload_id: str | None
    name: str
    spacing_um_per_px: float


class QueryEcho(Answer):
    """What was asked, with what is not of its kind null or empty."""

    kind: str
    to: Literal["slides", "reports"]
    slides: tuple[QuerySlide, ...]
    regions: tuple[Region, ...]
    text: str | None
    without: str | None
    weight: float | None
    distance: str | None


class LabelShare(Answer):
    """A label and its share of a vote."""

    label: str
    share: float


class Tally(Answer):
    """The outcome of one way to count; label: null when it abstains, and `abstains` says why."""

    label: str | None
    share: float
    abstains: str | None
    shares: tuple[LabelShare, ...]


class Vote(Answer):
    """What the results' patients vote for; the last two are null without distances or probabilities."""

    label_column: str
    patients: int
    unlabelled: int
    majority: Tally
    distance_weighted: Tally | None
    calibrated: Tally | None


class SearchResponse(Answer):
    """All that a search gave.

    query_key: under which feedback on it is kept; next_offset: of the next page, null when there is none; unlike: the
    query is unlike anything in the archive.
    """

    query: QueryEcho
    query_key: str
    mode: str
    elapsed_ms: float
    results: tuple[Result, ...]
    next_offset: int | None
    warnings: tuple[str, ...]
    calibrated_for: str | None
    novelty: float | None
    unlike: bool
    vote: Vote | None


class AttentionMap(Answer):
    """Weights of tiles: top-left corners in level-0 px, the tiles' edge, and a weight each."""

    x: tuple[int, ...]
    y: tuple[int, ...]
    edge_level0: int
    weights: tuple[float, ...]


class SlideAttention(Answer):
    """What a slide's vectors look at, and what its tiles gave the score."""

    attention: AttentionMap
    contribution: AttentionMap


class ExplainResponse(Answer):
    """The result that a slide is for the query, and where both slides' vectors lie (null without compared slides)."""

    result: Result
    query_attention: SlideAttention | None
    result_attention: SlideAttention | None
