"""Addresses and the names of hospitals and laboratories."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.kinds import Found, Kind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.lexicon import fold, lexicon
from histoseek.reports.privacy.identifiers.tokens import Token

_UPPER = "A-ZÀ-ÖØ-Þ"
_CAP = rf"(?:(?i:ste?|mt|ft|[nsew])\.|[{_UPPER}][\w'\u2019-]{{0,30}})"
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|"
    "OH|OK|OR|PA|PR|"
    "RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)
_STREET_WORDS = (
    "Street|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Court|Ct|Place|Pl|Way|Terrace|Parkway|Pkwy|Highway|"
    "Hwy|Square|Sq|Circle|"
    r"Crescent|Close|St(?!\.?[ ]+[a-z])|Dr(?!\.?[ ])"
)
_ROOM = r"(?:,?[ ](?:Suite|Ste|Apt|Apartment|Unit|Room|Rm|Floor|Fl|Bldg|Building)\.?[ ]?#?\w{1,6}|,?[ ]#\d{1,5})?"
_ADDRESSES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<![\w.,/-])\d{{1,5}}[A-Z]?[ ](?P<words>(?:{_CAP}[ ]){{1,4}})(?i:{_STREET_WORDS})\b\.?{_ROOM}",
        rf"(?<!\w)(?P<words>(?:{_CAP}[ ]){{0,2}}{_CAP}),?[ ](?:{_STATES})\.?,?[ ]{{1,2}}\d{{5}}(?:-\d{{4}})?(?!\w)",
        r"(?<!\w)(?i:P\.?[ ]?O\.?[ ]?Box|Post Office Box|Postfach|Postbus|Apartado(?: de Correos)?|B\.P\.|"
        r"Casella Postale)[ ]?#?\d{1,6}\b",
        rf"(?<!\w)[{_UPPER}][\w.-]{{0,30}}(?:(?i:straße|strasse|straat|str\.|platz)|weg|"
        rf"allee|gasse|damm|ufer|laan|plein|gracht|kade|singel|dreef)"
        r"[ ]\d{1,4}[ ]?[a-zA-Z]?\b",
        rf"(?<!\w)\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ](?:[Rr]ue|[Aa]v(?:enue|\.)|"
        rf"[Bb](?:oulevard|d\.?)|[Pp]lace|[Cc]hemin|[Aa]llée|[Qq]uai|[Ii]mpasse)"
        rf"(?:[ ](?:de la|de l'|des|du|de|d')?[ ]?{_CAP}){{1,4}}",
        rf"(?<!\w)(?:Calle|C/|Avda\.?|Avenida|Plaza|Paseo|Via|Viale|Piazza|Rua)[ ](?:(?:de la|del|de los|de|da|"
        rf"do)[ ])?{_CAP}(?:[ ]{_CAP}){{0,3}},?[ ]"
        r"(?:n[.ºo°]?[ ]?)?\d{1,4}(?!\w)",
        # Dutch, then British postal codes; the latter as the whole of a cell
        rf"(?<![\w.,/-])[1-9]\d{{3}}[ ]?[A-Z]{{2}}[ ]{{1,2}}(?P<words>{_CAP})",
        r"(?<![\w-])[A-Z]{1,2}\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{2}(?![\w-])",
        rf"(?:(?<=, )|(?<=\n)|(?<=\bD-)|(?<=\bF-))\d{{5}}[ ](?P<words>{_CAP}(?:[ -]{_CAP}){{0,2}})",
        r"(?<=\^)\d{5}(?:-\d{4})?(?=[\^|]|$)",
        rf"(?<=\^)(?P<words>{_CAP}(?:[ ]{_CAP}){{0,2}})\^(?:{_STATES})(?=\^)",
    )
)
_BEFORE = re.compile(
    r"(?<!\w)(?i:hospitals?|medical cent(?:er|re)|health(?:care)? (?:system|cent(?:er|re))|clinics?|infirmary|"
    r"cancer (?:center|institute)|"
    r"pathology (?:associates|group|services|laboratories|laboratory|consultants|partners)|laboratories|labs|memorial|"
    r"krankenhaus|klinikum|klinik|spital|ziekenhuis|medisch centrum|university medical cent(?:er|re)|umc|nhs "
    r"(?:foundation )?trust)\b"
)
_PRECEDING = re.compile(rf"(?:(?:(?:of|the|de|for|and|&|von|zu)[ ])?{_CAP}[ ]){{1,5}}$")
_AFTER = re.compile(
    r"(?<!\w)(?i:(?:university |general |community |children's )?hospital|"
    r"universitätsklinikum|universitaetsklinikum|klinikum|krankenhaus|"
    r"hospital (?:universitario|clínico|general)|clínica|ospedale|hôpital|"
    r"centre hospitalier(?: universitaire)?|chu|chru|clinique|"
    r"universitair ziekenhuis|ziekenhuis|umc|university|institut[eo]?|universität)"
    rf"[ ](?:(?:of|de la|de los|de|des|del|du|di|der|für|at|in)[ ])?"
    rf"(?P<words>{_CAP}(?:[ -](?:(?:de|del|la|of)[ ])?{_CAP}){{0,3}})"
)
_CELL_GAP = re.compile(r":|[ ][|]|=")
_CELL = re.compile(r"[ :|=]{1,4}(\S(?:[^\n|]{0,120}?))(?=[ ]{2,}|\s*\||\n|\t|$)")


def find_places(text: str) -> Iterator[Found]:
    """Addresses and institutions that are recognised by their own shape."""
    for pattern in _ADDRESSES:
        for found in pattern.finditer(text):
            words = found.groupdict().get("words")
            if not words or _is_proper(words):
                yield Found(found.start(), found.end(), Kind.ADDRESS)
    yield from _named_before(text)
    yield from _named_after(text)


def labelled_place(text: str, tokens: list[Token], label: Label) -> Iterator[Found]:
    """The rest of the line or cell after "Address:" or "Facility:"."""
    at = tokens[label.end - 1].end
    found = _CELL.match(text, at)
    if found and _CELL_GAP.search(text[at : found.start(1)]) and (_is_proper(found.group(1)[:60])):
        kind = Kind.ADDRESS if label.announces == "address" else Kind.INSTITUTION
        yield Found(found.start(1), found.end(1), kind)


def _named_before(text: str) -> Iterator[Found]:
    for keyword in _BEFORE.finditer(text):
        from_at = max(0, keyword.start() - 80)
        before = _PRECEDING.search(text[from_at : keyword.start()])
        if before and _is_proper(before.group()):
            start = from_at + before.start() + _generic_length(before.group())
            yield Found(start, keyword.end(), Kind.INSTITUTION)


def _named_after(text: str) -> Iterator[Found]:
    for found in _AFTER.finditer(text):
        words = found.group("words")
        if not _is_generic(words.split()[0]):
            length = _proper_length(words)
            yield Found(found.start(), found.start("words") + length, Kind.INSTITUTION)


def _is_generic(word: str) -> bool:
    return lexicon().is_ordinary(fold(word.strip(".,'\u2019-")))


def _is_proper(words: str) -> bool:
    return any(word[0].isupper() and not _is_generic(word) for word in re.findall(r"[^\W\d_][\w'\u2019-]*", words))


def _generic_length(words: str) -> int:
    """Length of the ordinary words at the start ("Received from Outside Mercy" keeps "Mercy")."""
    length = 0
    for found in re.finditer(r"\S+\s*", words):
        if not _is_generic(found.group().strip()):
            return length
        length = found.end()
    return length


def _proper_length(words: str) -> int:
    """Length of the words up to the first ordinary one."""
    for found in re.finditer(r"\S+", words):
        if found.start() and found.group()[0].isupper() and _is_generic(found.group()):
            return len(words[: found.start()].rstrip())
    return len(words.rstrip(".,"))
