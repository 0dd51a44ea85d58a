"""Other ways to say the same: synonyms, abbreviations, spelling, numerals, the order of a diagnosis."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.vocabulary import Surface, Vocabulary
from histoseek.training.text.facts import list_facts

Rng = np.random.Generator
Rule = Callable[[str, Rng], str]

_REPLACED_SHARE = 0.6
_MARKER = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+")
_SPECIMEN = re.compile(r"(?P<where>[A-Z][^;:.\n]{2,80})[;:]\s+(?P<what>\S.*)", re.DOTALL)
_LEVEL = r"(?:well|moderately|poorly)(?:[ -]to[ -](?:moderately|poorly))?[ -]differentiated"
_LEVEL_FIRST = re.compile(
    rf"\b(?P<level>{_LEVEL}) (?P<what>(?:[a-z]+ ){{0,2}}[a-z]*(?:carcinoma|sarcoma))\b(?!,)", re.I
)
_LEVEL_LAST = re.compile(rf"\b(?P<what>(?:[a-z]+ ){{0,2}}[a-z]*(?:carcinoma|sarcoma)), (?P<level>{_LEVEL})\b", re.I)
_NUMERALS = (("III", "3"), ("II", "2"), ("I", "1"))
_GRADE = re.compile(r"\b(?P<word>[Gg]rade|[Ss]tage) (?P<value>III|II|I|[1-3])\b(?!\d|\.\d|\+)")
_SPELLINGS = (
    ("tumour", "tumor"), ("oedema", "edema"), ("haemorrh", "hemorrh"), ("haemat", "hemat"), ("haemangi", "hemangi"),
    ("oesoph", "esoph"), ("leucocyt", "leukocyt"), ("fibre", "fiber"), ("grey", "gray"), ("keratinis", "keratiniz"),
    ("anaemi", "anemi"), ("colour", "color"), ("centre", "center"), ("ischaemi", "ischemi"),
)  # fmt: skip


def paraphrase_sentences(sentences: Sequence[str], rng: Rng, vocabulary: Vocabulary) -> str:
    """The sentences in other words, with the same facts; a rule that would change them is left out."""
    return _with_rules("\n".join(sentences), _rules(vocabulary), rng, vocabulary)


def _with_rules(text: str, rules: Sequence[Rule], rng: Rng, vocabulary: Vocabulary) -> str:
    facts = list_facts(text, vocabulary)
    for rule in rules:
        changed = rule(text, rng)
        if changed != text and list_facts(changed, vocabulary) == facts:
            text = changed
    return text


def _rules(vocabulary: Vocabulary) -> tuple[Rule, ...]:
    def synonyms(text: str, rng: Rng) -> str:
        return with_synonyms(text, rng, vocabulary)

    return synonyms, respell, renumber, relevel, reorder


def with_synonyms(text: str, rng: Rng, vocabulary: Vocabulary) -> str:
    """Some of the terms in other ways of writing the same concept."""
    for mention in reversed(find_terms(text, vocabulary)):
        others = [
            surface
            for surface in vocabulary.list_surfaces(mention.concept_id)
            if surface.text.lower() != text[mention.start : mention.end].lower()
        ]
        if others and rng.random() < _REPLACED_SHARE:
            chosen = others[int(rng.integers(len(others)))]
            text = put_surface(text, mention.start, mention.end, chosen)
    return text


def put_surface(text: str, start: int, end: int, surface: Surface) -> str:
    """text[start:end] written otherwise, with a capital where it had one."""
    was_capital = text[start].isupper() and not surface.exact
    wording = surface.text[0].upper() + surface.text[1:] if was_capital else surface.text
    return text[:start] + wording + text[end:]


def respell(text: str, rng: Rng) -> str:
    """All words in British or all in American spelling, half of the time each."""
    to_american = rng.random() < 0.5
    for pair in _SPELLINGS:
        old, new = pair if to_american else pair[::-1]
        text = re.sub(rf"\b{old}", new, re.sub(rf"\b{old.capitalize()}", new.capitalize(), text))
    return text


def renumber(text: str, rng: Rng) -> str:
    """Grades and stages in Roman or in Arabic numerals."""
    to_arabic = rng.random() < 0.5
    table = dict(_NUMERALS) if to_arabic else {arabic: roman for roman, arabic in _NUMERALS}
    return _GRADE.sub(lambda match: f"{match['word']} {table.get(match['value'], match['value'])}", text)


def relevel(text: str, rng: Rng) -> str:
    """ "Well differentiated adenocarcinoma" as "adenocarcinoma, well differentiated", and back."""
    if rng.random() < 0.5:
        return _LEVEL_FIRST.sub(r"\g<what>, \g<level>", text)
    return _LEVEL_LAST.sub(r"\g<level> \g<what>", text)


def reorder(text: str, rng: Rng) -> str:
    """List items in another order without their numbers; the specimen behind the diagnosis."""
    lines = [line for line in text.split("\n") if line.strip()]
    items = [place for place, line in enumerate(lines) if _MARKER.match(line)]
    if len(items) > 1 and rng.random() < 0.7:
        moved = [_MARKER.sub("", lines[place]) for place in items]
        for place, source in zip(items, rng.permutation(len(items)), strict=True):
            lines[place] = moved[int(source)]
    joined = "\n".join(lines)
    match = _SPECIMEN.fullmatch(joined)
    if match and rng.random() < 0.5:
        return f"{match['what'].rstrip(' .;')}. {match['where']}"
    return joined if rng.random() < 0.5 else joined.replace("\n", " ")
