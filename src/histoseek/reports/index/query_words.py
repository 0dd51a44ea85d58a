"""The words of a query one by one, each with all that says the same, as they are sought in what is known of slides."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from histoseek.reports.concepts.terms import Mention, find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.report_facts import make_concept_token
from histoseek.reports.index.analyser import Term, analyse_query
from histoseek.reports.index.record_words import (
    PART,
    RULED_OUT,
    WHOLE,
    find_code,
    fold_name,
    list_everyday,
    spell_codes,
    spells_code,
)
from histoseek.reports.index.weighting import Weighting, weigh_broader, weigh_term
from histoseek.reports.language.negation import Status
from histoseek.reports.language.word_forms import list_word_forms
from histoseek.reports.language.words import Span

MOST_WORDS = 64
"""Words of a text that are sought one by one: the first."""

_MEANT = 0.9
"""How much pathology's word counts for the everyday one that was typed."""

_PART_OF_NAME = 0.95
_LITTLE_OF_NAME = 0.4
"""How much a part of a name counts beside the whole one, and a short part that stands elsewhere in another name."""

_LONGEST_TERM = 8
_SHORTEST_PART = 3
_SHORTEST_TELLING = 4
_CHUNK = re.compile(r"\S+")
_PART = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of a query; tokens: what it is found by, and how much of it that is, 1 for the whole."""

    text: str
    tokens: Mapping[str, float]


@lru_cache(maxsize=64)
def list_query_words(text: str, weighting: Weighting, vocabulary: Vocabulary | None = None) -> tuple[QueryWord, ...]:
    """The words of a text, each once, with the terms and names that they are part of.

    A word of a term is found where the term is, in whatever words, and a part of a name where the whole name is.
    """
    vocabulary = vocabulary or load_vocabulary()
    text = spell_codes(text, vocabulary)
    terms = analyse_query(text, vocabulary)
    words = _list_words(text, terms)[:MOST_WORDS]
    starts, ends = [word.start for word in words], [word.end for word in words]
    tokens: list[dict[str, float]] = [{} for _ in words]
    for span, own in (*_weigh_terms(text, terms, weighting, vocabulary), *_weigh_names(text)):
        for there in tokens[bisect_right(ends, span.start) : bisect_left(starts, span.end)]:
            for token, weight in own.items():
                there[token] = max(weight, there.get(token, 0.0))
    different = {
        tuple(own.items()): QueryWord(text[word.start : word.end], own)
        for word, own in zip(words, tokens, strict=True)
        if own
    }
    return tuple(different.values())


def _list_words(text: str, terms: Sequence[Term]) -> list[Span]:
    """The words that say something, by their places, none within another; of names with a digit, which reports are
    cleaned of, all."""
    spans = sorted({Span(term.start, term.end) for term in terms if term.kind == "word"}, key=lambda span: span.start)
    starts = [span.start for span in spans]
    reached = list(accumulate((span.end for span in spans), max, initial=0))
    named = [
        Span(chunk.start() + part.start(), chunk.start() + part.end())
        for chunk in _CHUNK.finditer(text)
        if _has_digit(chunk[0])
        for part in _PART.finditer(chunk[0])
    ]
    return _list_innermost([*spans, *(part for part in named if reached[bisect_left(starts, part.end)] <= part.start)])


def _list_innermost(spans: Iterable[Span]) -> list[Span]:
    """The spans that no other lies within, by their places."""
    innermost: list[Span] = []
    for span in sorted(spans, key=lambda span: (-span.start, span.end)):
        if not innermost or span.end < innermost[-1].end:
            innermost.append(span)
    return innermost[::-1]


def _weigh_terms(
    text: str, terms: Sequence[Term], weighting: Weighting, vocabulary: Vocabulary
) -> Iterator[tuple[Span, dict[str, float]]]:
    for term in terms:
        if term.kind == "word" or weighting.concept:
            whole = [(token, min(weight, 1.0)) for token, weight in weigh_term(term, weighting)]
            yield Span(term.start, term.end), dict(whole)
    for mention in find_terms(text, vocabulary) if weighting.concept else ():
        if mention.status == Status.NEGATED:
            concept_ids = {mention.concept_id, *vocabulary.find_ancestors(mention.concept_id)}
            denied = {field + concept_id: 1.0 for field in ("absent:", RULED_OUT) for concept_id in concept_ids}
            yield Span(mention.start, mention.end), denied
            continue
        yield Span(mention.start, mention.end), dict(weigh_broader(mention, weighting, vocabulary))
        yield from _weigh_within(mention, text, weighting, vocabulary)
    for part in _PART.finditer(text) if weighting.concept else ():
        code = find_code(part.group()) if spells_code(part.group()) else None
        meanings = [*list_everyday(part.group()), *([code] if code else [])]
        for meaning in meanings:
            yield Span(*part.span()), {term.token: _MEANT for term in analyse_query(meaning, vocabulary)}


def _weigh_within(
    mention: Mention, text: str, weighting: Weighting, vocabulary: Vocabulary
) -> Iterator[tuple[Span, dict[str, float]]]:
    """The terms that a longer one begins or ends with: "lung" and "squamous cell carcinoma"."""
    words = list(_PART.finditer(text, mention.start, mention.end))
    if mention.status != Status.AFFIRMED or len(words) > _LONGEST_TERM:
        return
    parts = [(mention.start, word.start()) for word in words[1:]] + [(word.start(), mention.end) for word in words[1:]]
    for start, end in parts:
        for inner in find_terms(text[start:end], vocabulary):
            token = make_concept_token(inner, inner.concept_id, vocabulary)
            yield Span(start + inner.start, start + inner.end), {token: min(weighting.concept, 1.0)}


def _weigh_names(text: str) -> Iterator[tuple[Span, dict[str, float]]]:
    """What the whole text, what stands between blanks, and its parts may be the name of, or a run of parts of one."""
    chunks, parts = list(_CHUNK.finditer(text)), list(_PART.finditer(text))
    if len(chunks) > 1:
        yield Span(0, len(text)), {WHOLE + fold_name(text): 1.0}
    for before, part in pairwise(parts):
        if _has_digit(before.group() + part.group()):
            yield (
                Span(before.start(), part.end()),
                {f"{PART}{fold_name(before[0])}-{fold_name(part[0])}": _PART_OF_NAME},
            )
    for chunk in chunks:
        if len(chunks) == 1 or not _has_digit(chunk[0]) or len(chunk[0]) >= _SHORTEST_PART:
            yield Span(*chunk.span()), {WHOLE + fold_name(chunk[0]): 1.0}
        for part in filter(lambda part: _has_digit(part[0]), _PART.finditer(chunk[0])):
            start = chunk.start() + part.start()
            is_telling = part[0] == chunk[0] or len(part[0]) >= _SHORTEST_TELLING
            forms = {form: 1.0 for _, form in list_word_forms(part[0])}
            if len(part[0]) < len(chunk[0]) or len(part[0]) >= _SHORTEST_PART:
                forms[PART + fold_name(part[0])] = _PART_OF_NAME if is_telling else _LITTLE_OF_NAME
            yield Span(start, start + len(part[0])), forms


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)
