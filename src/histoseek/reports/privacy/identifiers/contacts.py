"""E-mail and web addresses, IP addresses, telephone and fax numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.languages import list_phrases
from histoseek.reports.privacy.identifiers.lexicon import fold
from histoseek.reports.privacy.identifiers.name_tokens import NameToken

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+\s?@\s?[^\W_](?:[\w-]{0,62}\.){1,6}[^\W\d_]{2,24}(?![\w@])")
_BARE_AT = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_URL = re.compile(r"(?:\b(?:https?|ftp|file)://|(?<![\w@.])www\.)[^\s<>\"'\[\]]++", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])", re.IGNORECASE)
_MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", re.IGNORECASE)
_PHONES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![\w.+-])(?:\+?1[-. ]?)?(?:\(\d{3}\)[ -]?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-]|\.\d)(?:,?\s?(?:x|"
        r"ext\.?)\s?\d{1,6})?",
        r"[+0](?<!\w[+0])(?:(?<=\+)|0)[1-9]\d{0,2}[ ./-]?(?:\(0\)[ ]?)?\d{1,5}(?:[ ./-]{1,3}\d{2,8}){1,5}(?!\w)",
        r"(?<![\w.,-])0\d(?:[ .]\d{2}){4}(?![\w]|[.,]\d)",
        r"(?<![\w.,-])0\d{1,4}[ ]?[/-][ ]?\d{5,9}(?![\w-]|[.,]\d)",
        r"(?<![\w.,-])(?:0\d{1,4}[ ]|\(0\d{1,4}\)[ ]?|1[38]00[ ](?=\d{3}[ ]))\d{3,4}[ ]\d{3,4}(?![\w-]|[.,]\d)",
        r"(?<![\w.])[xX](?=\d{1,5}-?\d)(?!\d*00(?!\d))(?:\d{4,5}|\d-\d{4})(?![\w.-])",
        r"(?<![\w.,-])0\d{2}(?:\.\d{2}){4}(?!\w|[.,]\d)|(?<![\w.,-])0\d(?:\.\d{2}){4}(?!\w|[.,]\d)",
        r"(?<![\w.,-])07\d{3}[ ]\d{6}(?![\w-]|[.,]\d)",
    )
)
_SENTENCE_MARKS = ".,;:!?)"
_AFTER_LABEL = re.compile(
    r"(?:[ ]?n[r°ºo]?\.)?[ :.|#=(]{0,6}(-?\(?\+?\d(?:[ ()./-]{0,3}\d){3,19}|(?<=\s)\d{4,6})"
    r"(?!\w|[.,]\d|[ ]?(?:per|mm|cm|cells?|/)\b)"
)
_BARE = re.compile(r"[ ](?:\d{3,5})(?![.,;)\n]|$|\d|[ -]\d)")
"""A short number without a colon, which "cell" and "portable" as words may stand before."""
_EVERYDAY = frozenset(map(fold, list_phrases("labels", "everyday"))) | {"cell", "portable", "call", "mobile", "interno"}


def find_contacts(text: str) -> Iterator[Identifier]:
    """Contact data that are recognised by their own shape."""
    shapes = (
        (_EMAIL, IdentifierKind.EMAIL),
        (_BARE_AT, IdentifierKind.EMAIL),
        (_URL, IdentifierKind.URL),
        (_IPV4, IdentifierKind.IP),
        (_IPV6, IdentifierKind.IP),
    )
    for pattern, kind in (*shapes, (_MAC, IdentifierKind.IP), *((phone, IdentifierKind.PHONE) for phone in _PHONES)):
        for match in pattern.finditer(text):
            yield Identifier(match.start(), match.start() + len(match.group().rstrip(_SENTENCE_MARKS)), kind)


def find_labelled_phone(text: str, tokens: list[NameToken], label: Label) -> Iterator[Identifier]:
    """The number after "Tel:", "Fax" and the like, four digits or more."""
    start = tokens[label.end - 1].end
    match = _AFTER_LABEL.match(text, start)
    if match and not (fold(label.phrase) in _EVERYDAY and _BARE.match(text, start)):
        yield Identifier(match.start(1), match.end(1), IdentifierKind.PHONE)
