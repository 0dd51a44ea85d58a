"""Texts that look alike and say something else: a finding denied, a grade or a diagnosis changed."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from histoseek.reports.concepts.terms import Mention, find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.language.negation import Status
from histoseek.training.text.facts import Passage, opposes, read_passage
from histoseek.training.text.paraphrase import put_surface

Rng = np.random.Generator
Change = Callable[[str, Rng, Vocabulary], str]

_CHANGES_TRIED = 4
_PRESENT = re.compile(r"(:\s*)(?:present|positive|identified|yes)\b", re.I)
_ABSENT = re.compile(r"(:\s*)(?:absent|negative|not identified|none|no)\b", re.I)
_AFTER = re.compile(r"\s+(?:is|are|was|were)\s+(?:present|seen|identified|noted|observed|found)\b", re.I)
_NEGATED_AFTER = re.compile(
    r"\s+(?:(?:is|are|was|were)\s+)?(?:not\s+(?:present|seen|identified|noted|observed|found)|absent)"
)
_DENIALS = ("no {}", "no evidence of {}", "absence of {}", "negative for {}")
_ROMAN = ("I", "II", "III")
_GRADE = re.compile(r"\b(?P<word>grade|grade group) (?P<value>III|II|I|[1-5])\b(?!\d|\.\d|\+)", re.I)
_LEVEL = re.compile(r"\b(?P<value>well|moderately|poorly)(?=[ -](?:to|differentiated))", re.I)
_LEVELS = ("well", "moderately", "poorly")
_GLEASON = re.compile(r"\b(?P<sum>\d{1,2})?(?P<gap>\s*\(?)(?P<first>[3-5])\s*\+\s*(?P<second>[3-5])\b")
_HEIGHT = re.compile(r"\b(?P<value>high|low)(?=[ -]grade)", re.I)


def find_opposite(whole: Passage, rng: Rng, vocabulary: Vocabulary) -> Passage | None:
    """A text like this one that opposes it, None where no rule yields any."""
    rules: tuple[Change, ...] = (deny, affirm, change_grade, change_diagnosis)
    for _ in range(_CHANGES_TRIED):
        rule = rules[int(rng.integers(len(rules)))]
        opposite = read_passage(rule(whole.text, rng, vocabulary), vocabulary)
        if opposes(opposite, whole):
            return opposite
    return None


def deny(text: str, rng: Rng, vocabulary: Vocabulary) -> str:
    """One affirmed finding or diagnosis denied; the text itself where there is none."""
    mention = _draw_mention(text, rng, vocabulary, Status.AFFIRMED)
    if mention is None:
        return text
    behind, term = text[mention.end :], text[mention.start : mention.end]
    if _PRESENT.match(behind):
        return text[: mention.end] + _PRESENT.sub(r"\1absent", behind, count=1)
    stated = _AFTER.match(behind)
    if stated:
        verb = stated.group().split()
        return f"{text[: mention.end]} {verb[0]} not {verb[1]}{behind[stated.end() :]}"
    form = _DENIALS[int(rng.integers(len(_DENIALS)))]
    lowered = term[0].lower() + term[1:] if term[1:2].islower() else term
    denial = form.format(lowered)
    denial = denial[0].upper() + denial[1:] if term[0].isupper() else denial
    return text[: mention.start] + denial + behind


def affirm(text: str, rng: Rng, vocabulary: Vocabulary) -> str:
    """One denied finding or diagnosis affirmed; the text itself where there is none."""
    mention = _draw_mention(text, rng, vocabulary, Status.NEGATED)
    if mention is None or mention.cue is None:
        return text
    cue, behind = mention.cue, text[mention.end :]
    if cue.end <= mention.start:
        return text[: cue.start] + text[cue.end :].lstrip()
    if _ABSENT.match(behind):
        return text[: mention.end] + _ABSENT.sub(r"\1present", behind, count=1)
    return text[: mention.end] + _NEGATED_AFTER.sub(" is present", behind, count=1)


def change_grade(text: str, rng: Rng, _: Vocabulary) -> str:
    """All mentions of one way of grading moved to another grade."""
    rules = (_change_number, _change_level, _change_gleason, _change_height)
    for place in rng.permutation(len(rules)):
        changed = rules[int(place)](text, rng)
        if changed != text:
            return changed
    return text


def change_diagnosis(text: str, rng: Rng, vocabulary: Vocabulary) -> str:
    """One diagnosis replaced by a sibling of its organ; the text itself where there is none."""
    mentions = [term for term in find_terms(text, vocabulary) if vocabulary[term.concept_id].kind == "diagnosis"]
    if not mentions:
        return text
    mention = mentions[int(rng.integers(len(mentions)))]
    others = find_siblings(mention.concept_id, vocabulary)
    if not others:
        return text
    surfaces = vocabulary.list_surfaces(others[int(rng.integers(len(others)))])
    return put_surface(text, mention.start, mention.end, surfaces[int(rng.integers(len(surfaces)))])


def find_siblings(concept_id: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Concepts that share a parent with this one, or else its organ, and are neither above nor below it."""
    concept = vocabulary[concept_id]
    near = [child for parent in concept.parents for child in vocabulary.children[parent]]
    same = [other for other in near if vocabulary[other].organ in ("", concept.organ) or not concept.organ]
    if not same and concept.organ:
        same = [
            other.id
            for other in vocabulary.concepts.values()
            if (other.organ, other.kind) == (concept.organ, concept.kind)
        ]
    related = vocabulary.find_ancestors(concept_id) | {concept_id}
    return tuple(
        other
        for other in dict.fromkeys(same)
        if other not in related and concept_id not in vocabulary.find_ancestors(other)
    )


def _draw_mention(text: str, rng: Rng, vocabulary: Vocabulary, status: Status) -> Mention | None:
    kinds = ("finding", "diagnosis")
    mentions = [
        mention
        for mention in find_terms(text, vocabulary)
        if mention.status == status and vocabulary[mention.concept_id].kind in kinds
    ]
    return mentions[int(rng.integers(len(mentions)))] if mentions else None


def _change_number(text: str, rng: Rng) -> str:
    step = 1 + int(rng.integers(2))

    def shift(match: re.Match[str]) -> str:
        value = match["value"].upper()
        if value in _ROMAN:
            return f"{match['word']} {_ROMAN[(_ROMAN.index(value) + step) % 3]}"
        highest = 5 if "group" in match["word"].lower() else 3
        return f"{match['word']} {(int(value) - 1 + step) % highest + 1}"

    return _GRADE.sub(shift, text)


def _change_level(text: str, rng: Rng) -> str:
    step = 1 + int(rng.integers(2))

    def shift(match: re.Match[str]) -> str:
        word = _LEVELS[(_LEVELS.index(match["value"].lower()) + step) % 3]
        return word.capitalize() if match["value"][0].isupper() else word

    return _LEVEL.sub(shift, text)


def _change_gleason(text: str, rng: Rng) -> str:
    step = 1 + int(rng.integers(2))

    def shift(match: re.Match[str]) -> str:
        first = (int(match["first"]) - 3 + step) % 3 + 3
        second = int(match["second"])
        total = str(first + second) if match["sum"] else ""
        return f"{total}{match['gap']}{first}+{second}"

    return _GLEASON.sub(shift, text)


def _change_height(text: str, _: Rng) -> str:
    def shift(match: re.Match[str]) -> str:
        word = "low" if match["value"].lower() == "high" else "high"
        return word.capitalize() if match["value"][0].isupper() else word

    return _HEIGHT.sub(shift, text)
