"""Addresses and the names of hospitals and laboratories."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.lexicon import fold, load_lexicon
from histoseek.reports.privacy.identifiers.medical_words import looks_medical
from histoseek.reports.privacy.identifiers.name_tokens import NameToken

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
        rf"(?<!\w)(?:{_CAP}[ ])?[{_UPPER}][\w.-]{{0,30}}(?:(?i:straße|strasse|straat|str\.|platz|gatan|gata|gade|vägen|"
        rf"veien|vegen|katu)|weg|vej|"
        rf"allee|gasse|damm|ufer|laan|plein|gracht|kade|singel|dreef)"
        r"[ ]\d{1,4}(?:-[IVX]{1,4}|[ ]?[a-zA-Z])?\b",
        rf"(?<!\w)(?:(?:Am|An der|Im|In der|Zum|Zur|Auf der|Auf dem|Unter den)[ ])?(?:{_CAP}[ ]){{1,2}}"
        r"(?:Graben|Gasse|Weg|Straße|Strasse|Platz|Ring|Ufer|Allee|Markt|Hof|Berg|Tor|Anger)[ ]\d{1,4}[ ]?[a-z]?\b",
        rf"(?<!\w)\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ](?:[Rr]ue|[Aa]v(?:enue|\.)|"
        rf"[Bb](?:oulevard|d\.?)|[Pp]lace|[Cc]hemin|[Aa]llée|[Qq]uai|[Ii]mpasse)"
        rf"(?:[ ](?:de la|de l'|des|du|de|d')?[ ]?{_CAP}){{1,4}}",
        rf"(?<!\w)(?:Calle|C/|Avda\.?|Avenida|Plaza|Paseo|Rua|[Vv]ia|[Vv]iale|[Pp]iazza|[Cc]orso|[Vv]icolo)[ ]"
        rf"(?:(?:de la|del|de los|de|da|do|dei|delle|degli|della|dell')[ ]?)?{_CAP}(?:[ ]{_CAP}){{0,3}},?[ ]"
        r"(?:n[.ºo°]?[ ]?)?\d{1,4}(?!\w)",
        # Dutch, then British postal codes; the latter as the whole of a cell
        rf"(?<![\w.,/-])[1-9]\d{{3}}[ ]?[A-Z]{{2}}[ ]{{1,2}}(?P<words>{_CAP})",
        rf"(?:(?<=, ){_CAP}(?:[ -]{_CAP}){{0,2}},?[ ])?(?<![\w-])[A-Z]{{1,2}}\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{{2}}"
        r"(?![\w-])",
        rf"(?:(?<=, )|(?<=\n)|(?<=\bD-)|(?<=\bF-))\d{{5}}[ ](?P<words>(?=[\w-]{{3}}){_CAP}(?:[ -]{_CAP}){{0,2}})",
        # Australian states, Nordic towns behind their codes
        rf"(?<!\w)(?P<words>(?:{_CAP}[ ]){{0,2}}{_CAP}),?[ ](?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT)[ ]{{1,2}}\d{{4}}(?!\d)",
        rf"(?:(?<=, )|(?<=\n))(?:\d{{3}}[ ]\d{{2}}|\d{{3,4}})[ ](?P<words>[{_UPPER}][^\W\d_A-Z]{{3,30}})(?=[,.\n]|$)",
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


def find_places(text: str) -> Iterator[Identifier]:
    """Addresses and institutions that are recognised by their own shape."""
    for pattern in _ADDRESSES:
        for match in pattern.finditer(text):
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
