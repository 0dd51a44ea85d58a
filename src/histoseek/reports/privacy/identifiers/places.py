"""Addresses and the names of hospitals and laboratories."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.addresses import CAP, find_addresses
from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.lexicon import fold, load_lexicon
from histoseek.reports.privacy.identifiers.medical_words import looks_medical
from histoseek.reports.privacy.identifiers.name_tokens import NameToken

_BEFORE = re.compile(
    r"(?<!\w)(?i:hospitals?|medical cent(?:er|re)|health(?:care)? (?:system|cent(?:er|re))|clinics?|infirmary|"
    r"cancer (?:center|institute)|"
    r"pathology (?:associates|group|services|laboratories|laboratory|consultants|partners)|laboratories|labs|memorial|"
    r"sygehus|sykehus|sjukhus(?:et)?|sairaala|sjúkrahús|lasarett|hospitalet|"
    r"krankenhaus|klinikum|klinik|spital|ziekenhuis|medisch centrum|university medical cent(?:er|re)|umc|nhs "
    r"(?:foundation )?trust)\b"
)
_PRECEDING = re.compile(rf"(?:(?:(?:of|the|de|for|and|&|von|zu)[ ])?{CAP}[ ]){{1,5}}$")
_AFTER = re.compile(
    r"(?<!\w)(?i:(?:university |general |community |children's )?hospital|"
    r"universitätsklinikum|universitaetsklinikum|klinikum|krankenhaus|"
    r"hospital (?:universitario|clínico|general)|clínica|ospedale|policlinico|hôpital|"
    r"centre hospitalier(?: universitaire)?|chu|chru|clinique|"
    r"universitair ziekenhuis|ziekenhuis|umc|university|institut[eo]?|universität)"
    rf"[ ](?:(?:of|de la|de los|de|des|del|du|di|der|für|at|in)[ ])?"
    rf"(?P<words>{CAP}(?:[ -](?:(?:de|del|la|of)[ ])?{CAP}){{0,3}})"
)
_CELL_GAP = re.compile(r":|[ ][|]|=")
_CELL = re.compile(r"[ :|=]{1,4}(\S(?:[^\n|]{0,120}?))(?=[ ]{2,}|\s*\||\n|\t|$)")


def find_places(text: str) -> Iterator[Identifier]:
    """Addresses and institutions that are recognised by their own shape."""
    for match in find_addresses(text):
        words = match.groupdict().get("words")
        if not words or _is_proper(words):
            yield Identifier(match.start(), match.end(), IdentifierKind.ADDRESS)
    yield from _find_names_before(text)
    yield from _find_names_after(text)


def find_labelled_place(text: str, tokens: list[NameToken], label: Label) -> Iterator[Identifier]:
    """The rest of the line or cell after "Address:" or "Facility:"."""
    start = tokens[label.end - 1].end
    match = _CELL.match(text, start)
    if match and _CELL_GAP.search(text[start : match.start(1)]) and (_is_proper(match.group(1)[:60])):
        kind = IdentifierKind.ADDRESS if label.kind == "address" else IdentifierKind.INSTITUTION
        yield Identifier(match.start(1), match.end(1), kind)


def _find_names_before(text: str) -> Iterator[Identifier]:
    for keyword in _BEFORE.finditer(text):
        window_start = max(0, keyword.start() - 80)
        before = _PRECEDING.search(text[window_start : keyword.start()])
        if before and _is_proper(before.group()):
            start = window_start + before.start() + _measure_generic(before.group())
            yield Identifier(start, keyword.end(), IdentifierKind.INSTITUTION)


def _find_names_after(text: str) -> Iterator[Identifier]:
    for match in _AFTER.finditer(text):
        words = match.group("words")
        if not _is_generic(words.split()[0]):
            length = _measure_proper(words)
            yield Identifier(match.start(), match.start("words") + length, IdentifierKind.INSTITUTION)


def _is_generic(word: str) -> bool:
    plain = fold(word.strip(".,'\u2019-"))
    return load_lexicon().is_ordinary(plain) or looks_medical(plain)


def _is_proper(words: str) -> bool:
    return any(word[0].isupper() and not _is_generic(word) for word in re.findall(r"[^\W\d_][\w'\u2019-]*", words))


def _measure_generic(words: str) -> int:
    """Length of the ordinary words at the start ("Received from Outside Mercy" keeps "Mercy")."""
    length = 0
    for match in re.finditer(r"\S+\s*", words):
        if not _is_generic(match.group().strip()):
            return length
        length = match.end()
    return length


def _measure_proper(words: str) -> int:
    """Length of the words up to the first ordinary one."""
    for match in re.finditer(r"\S+", words):
        if match.start() and match.group()[0].isupper() and _is_generic(match.group()):
            return len(words[: match.start()].rstrip())
    return len(words.rstrip(".,"))
