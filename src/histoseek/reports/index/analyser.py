"""A text as the tokens that search for words compares: words, concepts and values, each as the text speaks of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from histoseek.reports.cleaning.mends import CleanText
from histoseek.reports.cleaning.places import restore_places
from histoseek.reports.concepts.cleaning import clean_report
from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.report_facts import UNSPOKEN, list_broader, list_values, make_concept_token
from histoseek.reports.facts.structured import StructuredReport, extract_facts
from histoseek.reports.language.negation import Scope, ScopeIndex, Status, find_scopes
from histoseek.reports.language.word_forms import list_word_forms
from histoseek.reports.language.words import Span

ANALYSER_VERSION = 2
"""Counts up, once a release, whenever a text may give other tokens than before; archives of older ones are re-read."""

WORD_PREFIX = {Status.AFFIRMED: "", Status.NEGATED: "not~", Status.UNCERTAIN: "maybe~", Status.HISTORICAL: "past~"}
"""What stands before a word; what is not stated or said of others gives none."""

TermKind = Literal["word", "concept", "broader", "value"]

_EMPTY_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "has", "have", "if", "in"),
        *("into", "is", "it", "its", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there"),
        *("these", "they", "this", "to", "was", "were", "will", "with", "without"),
    )
)


@dataclass(frozen=True, slots=True)
class Term:
    """A token and the place in the text that it comes from.

    kind: a word's form ("not~necrosis" where it is denied), a concept ("finding:necrosis", "absent:necrosis"), one
    that a named concept is a kind of, or a value ("grade:3").
    """

    token: str
    start: int
    end: int
    kind: TermKind
    status: Status


def analyse(
    text: str,
    report: StructuredReport | None = None,
    vocabulary: Vocabulary | None = None,
    boilerplate: frozenset[str] = frozenset(),
    is_query: bool = False,
) -> tuple[Term, ...]:
    """All terms of a text: first its words, then its concepts, then its values, each in the text's order.

    Words are those of the clean text (`clean_report`), places those of `text`. report: the text's fields, where they
    were read already; boilerplate: pieces that the archive's reports have in common, which give no terms; is_query:
    what a report would say of others or leave open ("patients with carcinoma") is what is looked for. Tokens hold no
    white space. Never raises for what a text says; equal texts give equal terms.
    """
    vocabulary = vocabulary or load_vocabulary()
    report = report or extract_facts(text, vocabulary, boilerplate)
    clean = clean_report(text, vocabulary, boilerplate)
    if is_query:
        mentions = (replace(mention, status=_open_status(mention.status)) for mention in report.mentions)
        report = replace(report, mentions=tuple(mentions))
    words = _list_words(clean, report.mentions, is_query)
    return (*words, *_list_concepts(report, vocabulary), *_list_values(report))


def _open_status(status: Status) -> Status:
    return Status.AFFIRMED if status in UNSPOKEN else status


@lru_cache(maxsize=64)
def analyse_query(text: str, vocabulary: Vocabulary) -> tuple[Term, ...]:
    """The terms of what is searched for; whoever weighs, judges or spells a query asks for them anew."""
    return analyse(text, _extract_query(text, vocabulary), vocabulary, is_query=True)


def analyse_as_reported(text: str) -> tuple[Term, ...]:
    """The terms that a report would have of what is searched for."""
    vocabulary = load_vocabulary()
    return analyse(text, _extract_query(text, vocabulary), vocabulary)


@lru_cache(maxsize=64)
def _extract_query(text: str, vocabulary: Vocabulary) -> StructuredReport:
    return extract_facts(text, vocabulary)


def list_tokens(text: str) -> tuple[str, ...]:
    """The tokens of a text, as an archive keeps them."""
    return tuple(term.token for term in analyse(text))


def find_spans(text: str, tokens: Collection[str]) -> tuple[Span, ...]:
    """Where a text holds any of some tokens (those of a query), in order, those within another left out."""
    wanted = frozenset(tokens)
    return join_places((term.start, term.end) for term in _analyse_cached(text) if term.token in wanted)


def join_places(places: Iterable[tuple[int, int]]) -> tuple[Span, ...]:
    """Places of terms in order, those within another left out."""
    spans: list[Span] = []
    for start, end in sorted({(start, -end) for start, end in places}):
        if not spans or -end > spans[-1].end:
            spans.append(Span(start, -end))
    return tuple(spans)


@lru_cache(maxsize=1024)
def _analyse_cached(text: str) -> tuple[Term, ...]:
    """The same reports come up in one search after the other."""
    return analyse(text)


def _list_words(clean: CleanText, mentions: tuple[Mention, ...], is_query: bool) -> Iterator[Term]:
    """Words with the status of the concept that they name, else of the scopes they are in; no words that deny."""
    places = [Span(mention.start, mention.end) for mention in mentions]
    scopes = [
        scope for scope in restore_places(find_scopes(clean.text), clean) if _find_covering(scope.cue, places) is None
    ]
    scope_index = ScopeIndex(scopes)
    denying_cues = _list_denying_cues(scopes)
    for clean_span, form in list_word_forms(clean.text):
        span = clean.to_original(clean_span)
        mention_index = _find_covering(span, places)
        if clean.text[clean_span.start : clean_span.end].casefold() in _EMPTY_WORDS or (
            mention_index is None and _find_covering(span, denying_cues) is not None
        ):
            continue
        status = scope_index.find_status(span)[0] if mention_index is None else mentions[mention_index].status
        status = _open_status(status) if is_query else status
        if status not in UNSPOKEN:
            yield Term(WORD_PREFIX[status] + form, span.start, span.end, "word", status)


def _list_denying_cues(scopes: list[Scope]) -> list[Span]:
    cues = {(scope.cue.start, scope.cue.end) for scope in scopes if scope.status == Status.NEGATED}
    return [Span(*cue) for cue in sorted(cues)]


def _find_covering(span: Span, places: list[Span]) -> int | None:
    """Which of some places in order, none overlapping, a span overlaps."""
    index = bisect_right(places, span.start, key=lambda place: place.start)
    around = range(max(0, index - 1), min(len(places), index + 1))
    return next((candidate for candidate in around if places[candidate].overlaps(span)), None)


def _list_concepts(report: StructuredReport, vocabulary: Vocabulary) -> Iterator[Term]:
    for mention in report.mentions:
        if mention.status in UNSPOKEN:
            continue
        place = mention.start, mention.end
        yield Term(make_concept_token(mention, mention.concept_id, vocabulary), *place, "concept", mention.status)
        for concept_id in list_broader(mention, vocabulary):
            yield Term(make_concept_token(mention, concept_id, vocabulary), *place, "broader", mention.status)


def _list_values(report: StructuredReport) -> Iterator[Term]:
    for fact in list_values(report):
        yield Term(fact.token, fact.span.start, fact.span.end, "value", Status.AFFIRMED)
    for size in report.sizes:
        for length_mm in size.dimensions_mm:
            yield Term(f"size:{length_mm:g}mm", size.span.start, size.span.end, "value", Status.AFFIRMED)
