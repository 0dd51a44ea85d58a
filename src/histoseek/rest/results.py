"""Results of a search; fields are those of docs/json.md, less what names files."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field

from histoseek.rest.archives import Slide
from histoseek.rest.base import Region, Response


class Match(Response):
    """Two matching regions: numbers of their mosaic vectors, cosine similarity, contribution to the score."""

    query_mosaic: int
    result_mosaic: int
    similarity: float
    query_region: Region | None
    result_region: Region | None
    contribution: float | None


class Channel(Response):
    """A channel that found a result: its rank and score there, and the channel's weight, negative for `without`."""

    name: str
    rank: int
    score: float
    weight: float


class PairContribution(Response):
    """The contribution of one pair of vectors to the score; null numbers stand for the vector of the whole slide."""

    query_mosaic: int | None
    result_mosaic: int | None
    distance: float
    share: float
    query_region: Region | None
    result_region: Region | None


class OtherPairs(Response):
    """Pairs that are not listed: how many there are, and their share of the score in all."""

    count: int
    share: float


class Explanation(Response):
    """The parts of the score of two slides: base + global + context + neighbours + the shares of all pairs.

    pairs: those that weigh most, at most 34, largest share first; other_pairs: the rest, of slides of many regions.

    context: of the whole slides at the archive's coarser spacing, 0 in an archive of one spacing; neighbours: of the
    agreement of the query's neighbours, 0 where they have no say.
    """

    base: float
    global_: float = Field(validation_alias=AliasChoices("global_", "global"), serialization_alias="global")
    pairs: tuple[PairContribution, ...]
    context: float
    neighbours: float
    other_pairs: OtherPairs


class CasePart(Response):
    """The contribution of one stain to the score of a case, and the nearest pair of slides of that stain."""

    stain: str
    share: float
    distance: float
    query_slide: int
    slide_id: str
    nearest: float


class Phrase(Response):
    """A phrase of the report that matches the query text, report_text[start:end]."""

    start: int
    end: int
    score: float
    kind: Literal["meaning", "words"]


class TextRegion(Response):
    """A region of the slide near the query text: of a mosaic vector, or, with mosaic null, a tile near some words.

    contribution: of the tile to the slide's score in the channel "tile words", negative for words that are unwanted.
    """

    mosaic: int | None
    similarity: float
    region: Region | None
    words: str | None = None
    contribution: float | None = None


class FieldPair(Response):
    """A square of a result's slide, and of the query's slide the one that it matches, null where the query has none."""

    field: Region
    query_field: Region | None


class Result(Response):
    """One result, a slide or its report.

    probability: that the query has the result's label; label_unknown: the result has no label that could be the
    query's; report_text: null if it has none; matched_fields: columns that have words of the query; fits: whether it is
    nearer to the query's words than the archive is to random sentences, null where that is not judged; region: the part
    of the slide that was found, null unless regions were searched for; outline: the corners [x, y] in level-0 px of a
    convex polygon that `region` is the box of, null where what was found is the box itself; field: the square to show
    of the slide, in its level-0 px, on tissue and as wide as `field_um` of the response says, null where places or the
    spacing are not known; it may reach beyond a small slide; query_field: its counterpart on the query's slide number
    `query_slide`, null where the query has none; further_fields: those that match next best; closeness: how
    near it is in a word, measured against chance, null where that is not known.
    """

    rank: int
    slide_id: str
    case_id: str | None
    score: float
    probability: float | None
    local: float | None
    global_: float | None = Field(validation_alias=AliasChoices("global_", "global"), serialization_alias="global")
    neighbours: float | None = None
    matches: tuple[Match, ...]
    ways: tuple[Channel, ...]
    query_slide: int
    also: tuple[str, ...]
    explanation: Explanation | None
    phrases: tuple[Phrase, ...]
    text_regions: tuple[TextRegion, ...]
    matched_fields: tuple[str, ...]
    region: Region | None = None
    outline: tuple[tuple[int, int], ...] | None = None
    field: Region | None = None
    query_field: Region | None = None
    further_fields: tuple[FieldPair, ...] = ()
    closeness: Literal["near", "somewhat near", "far"] | None = None
    case_parts: tuple[CasePart, ...] = ()
    label_unknown: bool = False
    fits: bool | None
    slide: Slide
    report_text: str | None


class QuerySlide(Response):
    """A slide of the query: of the archive, or uploaded (then by its display name)."""

    slide_id: str | None
    upload_id: str | None
    name: str
    spacing_um_per_px: float


class QueryEcho(Response):
    """The query as understood; fields that its kind does not have are null or empty.

    searched_for: the text with its misspelt words corrected, null where it was searched as it is.
    """

    kind: str
    to: Literal["slides", "reports", "regions", "cases", "phrases"]
    slides: tuple[QuerySlide, ...]
    regions: tuple[Region, ...]
    text: str | None
    without: str | None
    weight: float | None
    distance: str | None
    searched_for: str | None


class LabelShare(Response):
    """A label and its share of a vote, or its probability."""

    label: str
    share: float


class LabelDistribution(Response):
    """The probability of each label to be the query's, by the nearest patients of the whole archive.

    patients: how many of them; shares: the likeliest first; others: all other labels of the archive; none: none of
    these. The sum of all is 1.
    """

    column: str
    patients: int
    shares: tuple[LabelShare, ...]
    others: float
    none: float


class Tally(Response):
    """The outcome of one way of counting; label: null if it abstains, for the reason in `abstains`."""

    label: str | None
    share: float
    abstains: str | None
    shares: tuple[LabelShare, ...]


class Vote(Response):
    """How the results' patients vote; sentence: what it comes to; calibrated: by the probabilities of labels, null
    without any."""

    label_column: str
    sentence: str
    patients: int
    unlabelled: int
    majority: Tally
    calibrated: Tally | None


class SearchResponse(Response):
    """The response to a search.

    query_key: key under which feedback is stored; next_offset: offset of the next page, null on the last; unlike: the
    query is unlike anything in the archive; labels: null without probabilities; left_out: slides that conditions in the
    query's words left out, null without such conditions; nothing_fits: not even the best result fits the query's words;
    field_um: the edge of all results' fields in µm, null where none has any.
    """

    query: QueryEcho
    query_key: str
    mode: str
    elapsed_ms: float
    results: tuple[Result, ...]
    next_offset: int | None
    warnings: tuple[str, ...]
    left_out: int | None
    nothing_fits: bool
    field_um: float | None = None
    calibrated_for: str | None
    labels: LabelDistribution | None
    novelty: float | None
    false_alarms: float | None
    unlike: bool
    vote: Vote | None


class AttentionMap(Response):
    """Weights of tiles: top-left corners in level-0 px, the tiles' edge, and a weight each."""

    x: tuple[int, ...]
    y: tuple[int, ...]
    edge_level0: int
    weights: tuple[float, ...]


class SlideAttention(Response):
    """Attention of a slide's vectors, and contributions of its tiles to the score."""

    attention: AttentionMap
    contribution: AttentionMap


class ExplainResponse(Response):
    """The slide as a result of the query, and attention maps of both slides (null if no slides were compared)."""

    result: Result
    query_attention: SlideAttention | None
    result_attention: SlideAttention | None


class PhraseExample(Response):
    """A slide whose report states a phrase, and its region that fits the phrase best, null where places are unknown."""

    slide_id: str
    region: Region | None
    similarity: float


class PhraseResult(Response):
    """A phrase that a report may state: a concept of the vocabulary of reports by its preferred name.

    probability: that the report of a slide whose best region fits as well states it, null where not calibrated; prior:
    the share of patients whose reports state it, of those whose reports tell; lift: probability / prior; patients,
    judged: how many state it, and how many tell.
    """

    rank: int
    concept_id: str
    kind: str
    name: str
    probability: float | None
    prior: float
    lift: float | None
    similarity: float
    patients: int
    judged: int
    examples: tuple[PhraseExample, ...]


class PhrasesResponse(Response):
    """What a report would say of an image, likeliest first; without probabilities what stands out most.

    calibration_error: the gap between probability and frequency on patients held out, null without probabilities;
    patients: how many have reports that count; phrases: how many there were to choose from.
    """

    query: QueryEcho
    measured_by: Literal["anchors", "tile words", "aligned tiles"]
    elapsed_ms: float
    results: tuple[PhraseResult, ...]
    calibrated: bool
    calibration_error: float | None
    patients: int
    phrases: int
    warnings: tuple[str, ...]


class DistinguishingTerm(Response):
    """A term that one diagnosis' reports state more often than the others'.

    field, value: as filters have it; stated, judged: how many patients' reports state it, of how many that tell;
    chance: how probable such a difference is by chance alone, of some term of those compared.
    """

    kind: Literal["finding", "tissue", "marker"]
    name: str
    field: str
    value: str
    stated: int
    judged: int
    other_stated: int
    other_judged: int
    chance: float


class CounterExample(Response):
    """A slide that looks like another, `like`, the nearest of a diagnosis, and has another diagnosis, `label`."""

    label: str
    like: str
    result: Result


class DifferentialColumn(Response):
    """A diagnosis with its nearest cases, one result a patient.

    probability: that it is the query's, null where that is not calibrated; counter_example: what the diagnosis is
    mistaken for; reports: how many of the nearest patients have a report; terms: the most telling first.
    """

    label: str
    probability: float | None
    nearest: tuple[Result, ...]
    counter_example: CounterExample | None
    reports: int
    terms: tuple[DistinguishingTerm, ...]


class DifferentialResponse(Response):
    """Two to four diagnoses side by side; column: of the metadata that has them."""

    query: QueryEcho
    column: str
    elapsed_ms: float
    columns: tuple[DifferentialColumn, ...]
    warnings: tuple[str, ...]
