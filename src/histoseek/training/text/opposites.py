"""Texts that look alike and say something else: a finding denied, a grade or a diagnosis changed."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from histoseek.reports.concepts.terms import Mention, find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.language.negation import Status
from histoseek.training.text.facts import Passage, opposes, passage
from histoseek.training.text.paraphrase import replaced

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


def opposite(whole: Passage, rng: Rng, vocabulary: Vocabulary) -> Passage | None:
    """A text like this one that opposes it, None where no rule yields any."""
    rules: tuple[Change, ...] = (denied, affirmed, other_grade, other_diagnosis)
    for _ in range(_CHANGES_TRIED):
        rule = rules[int(rng.integers(len(rules)))]
        made = passage(rule(whole.text, rng, vocabulary), vocabulary)
        if opposes(made, whole):
            return made
    return None


def denied(text: str, rng: Rng, vocabulary: Vocabulary) -> str:
    """One affirmed finding or diagnosis denied; the text itself where there is none."""
    mention = _one_of(text, rng, vocabulary, Status.AFFIRMED)
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
    written = form.format(lowered)
    written = written[0].upper() + written[1:] if term[0].isupper() else written
    return text[: mention.start] + written + behind


def affirmed(text: str, rng: Rng, vocabulary: Vocabulary) -> str:
    """One denied finding or diagnosis affirmed; the text itself where there is none."""
    mention = _one_of(text, rng, vocabulary, Status.NEGATED)
    if mention is None or mention.cue is None:
        return text
    cue, behind = mention.cue, text[mention.end :]
    if cue.end <= mention.start:
        return text[: cue.start] + text[cue.end :].lstrip()
    if _ABSENT.match(behind):
        return text[: mention.end] + _ABSENT.sub(r"\1present", behind, count=1)
    return text[: mention.end] + _NEGATED_AFTER.sub(" is present", behind, count=1)


def other_grade(text: str, rng: Rng, _: Vocabulary) -> str:
    """All mentions of one way of grading moved to another grade."""
    rules = (_grade_number, _level, _gleason, _height)
    for place in rng.permutation(len(rules)):
        changed = rules[int(place)](text, rng)
        if changed != text:
            return changed
    return text


def other_diagnosis(text: str, rng: Rng, vocabulary: Vocabulary) -> str:
    """One diagnosis replaced by a sibling of its organ; the text itself where there is none."""
    found = [one for one in find_terms(text, vocabulary) if vocabulary[one.concept_id].kind == "diagnosis"]
    if not found:
        return text
    mention = found[int(rng.integers(len(found)))]
    others = siblings(mention.concept_id, vocabulary)
    if not others:
        return text
    surfaces = vocabulary.list_surfaces(others[int(rng.integers(len(others)))])
    return replaced(text, mention.start, mention.end, surfaces[int(rng.integers(len(surfaces)))])


def siblings(concept_id: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Concepts that share a parent with this one, or else its organ, and are neither above nor below it."""
    concept = vocabulary[concept_id]
    near = [child for parent in concept.parents for child in vocabulary.children[parent]]
    same = [one for one in near if vocabulary[one].organ in ("", concept.organ) or not concept.organ]
    if not same and concept.organ:
        same = [
            one.id for one in vocabulary.concepts.values() if (one.organ, one.kind) == (concept.organ, concept.kind)
        ]
    related = vocabulary.find_ancestors(concept_id) | {concept_id}
    return tuple(
        one for one in dict.fromkeys(same) if one not in related and concept_id not in vocabulary.find_ancestors(one)
    )


def _one_of(text: str, rng: Rng, vocabulary: Vocabulary, status: Status) -> Mention | None:
    kinds = ("finding", "diagnosis")
    found = [
        mention
        for mention in find_terms(text, vocabulary)
        if mention.status == status and vocabulary[mention.concept_id].kind in kinds
    ]
    return found[int(rng.integers(len(found)))] if found else None


def _grade_number(text: str, rng: Rng) -> str:
    step = 1 + int(rng.integers(2))

    def moved(match: re.Match[str]) -> str:
        value = match["value"].upper()
        if value in _ROMAN:
            return f"{match['word']} {_ROMAN[(_ROMAN.index(value) + step) % 3]}"
        highest = 5 if "group" in match["word"].lower() else 3
        return f"{match['word']} {(int(value) - 1 + step) % highest + 1}"

    return _GRADE.sub(moved, text)


def _level(text: str, rng: Rng) -> str:
    step = 1 + int(rng.integers(2))

    def moved(match: re.Match[str]) -> str:
        word = _LEVELS[(_LEVELS.index(match["value"].lower()) + step) % 3]
        return word.capitalize() if match["value"][0].isupper() else word

    return _LEVEL.sub(moved, text)


def _gleason(text: str, rng: Rng) -> str:
    step = 1 + int(rng.integers(2))

    def moved(match: re.Match[str]) -> str:
        first = (int(match["first"]) - 3 + step) % 3 + 3
        second = int(match["second"])
        total = str(first + second) if match["sum"] else ""
        return f"{total}{match['gap']}{first}+{second}"

    return _GLEASON.sub(moved, text)


def _height(text: str, _: Rng) -> str:
    def moved(match: re.Match[str]) -> str:
        word = "low" if match["value"].lower() == "high" else "high"
        return word.capitalize() if match["value"][0].isupper() else word

    return _HEIGHT.sub(moved, text)
