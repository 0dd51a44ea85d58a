"""Record, accession, insurance and other numbers that point to one person or case."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.languages import list_phrases
from histoseek.reports.privacy.identifiers.lexicon import fold
from histoseek.reports.privacy.identifiers.name_tokens import NameToken

_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        # S19-12345, BX-2019-001234, T 24-817623, E/2019/123456, with a part such as -A1
        r"(?<![\w/-])(?:[A-Z]{1,4}[-/]?(?:19|20)?\d{2}[-/]\d|[A-Z]{1,3}[ ]\d{2}-\d{2})\d{2,8}"
        r"(?:[-. ]?[A-Z]\d{0,2}(?:[-.]\d{1,2})?)?(?![\w]|[-/.]\d)",
        # 19-S-12345, 2019S12345
        r"(?<![\w/.-])(?:19|20)?\d{2}-?[A-Z]{1,3}-?\d{4,8}(?![\w]|[-/.]\d)",
        # S-2019-1234-5, SP-19-0012345
        r"(?<![\w/-])[A-Z]{1,4}-(?:\d{2}|\d{4})-\d{3,9}(?![\w]|[-/.]\d)",
        # United States social security number
        r"(?<![\w.-])\d{3}[- ]\d{2}[- ]\d{4}(?![\w-]|[.,]\d)",
        # Long runs of digits; positions in a genome stand after ":", "g." or "_"
        r"(?<![\w.,:+/^-])\*?\d{7,20}\*?(?![\w%]|[.,]\d|\s?(?:cells?|bp|copies|reads|m?g|kg|m[lm]|/)\b)",
        r"(?<=\|)\d{4,20}(?=\^{2})",
        # Letters and a long run of digits
        r"(?<![\w.,:_-])[A-Z]{1,3}\d{7,14}(?!\w|[.,]\d)",
    )
)
# NM_000546 and the like are of genes, rs121913529 of variants: neither starts at a word boundary with capitals only.
_REFERENCE_SEQUENCE = re.compile(r"(?:NM|NP|NC|NG|ENST|ENSG|ENSP|COSM|COSV|LRG)[_\d]")
_NUMBER_WORD = r"(?:\s?(?:n[or°º.]{0,2}|nº|num|nr|numero|number|id)(?!\w)\.?)?"
_VALUE = re.compile(
    rf"{_NUMBER_WORD}[\s:.#=|*(/-]{{0,8}}"
    r"((?:[A-Z]{1,3}[ ](?=\d{2}[-/]\d|\d{5})|\d{1,3}[ ][A-Z][a-z]{0,3}[ ](?=\d{2,6}/\d))?"
    r"(?=[^\W_]{0,24}[-./]?[^\W_]{0,24}\d)[^\W_]{1,24}(?:(?:[-./]|[ ]-[ ](?=\d))[^\W_]{1,24}){0,8}"
    r"(?:[ ]\d{2,4}(?=[ ]\d|\W|$)){0,4})",
    re.IGNORECASE,
)
# National numbers: groups of digits with blanks between, letters around them.
_SPACED = re.compile(
    rf"{_NUMBER_WORD}[ :.#=|*(]{{0,8}}"
    r"((?:[A-Z]{1,3}[ ]?)?\d{1,8}(?:[ ./-]{1,2}\d{1,8}){1,7}(?:[ -]?[A-Z](?!\w))?)"
    r"(?![\w]|[.,]\d|\s?(?:(?:mm|cm|x)\b|%))"
)
_PLATE = re.compile(
    r"(?:\s?(?:n[or°º]?|number|nr)(?!\w)\.?)?[\s:.#=|(]{0,6}"
    r"((?=[A-ZÄÖÜ \d-]{0,9}\d)[A-ZÄÖÜ\d]{1,8}(?:[ -][A-Z\d]{1,4}){0,2})(?![\w]|[.,]\d)"
)
_UNIT = re.compile(r"\s?(?:mm|cm|ml|mg|g|kg|grams?|x|%|years?|months?|days?)\b", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"[A-Z]{0,4}[-#]?\d[\dA-Z-]{3,}")
_YEAR = re.compile(r"(?:19|20)\d{2}")
_WEAK = frozenset(map(fold, list_phrases("labels", "everyday")))


def find_numbers(text: str) -> Iterator[Identifier]:
    """Numbers that are recognised by their own shape."""
    for pattern in _SHAPES:
        for match in pattern.finditer(text):
            if not _REFERENCE_SEQUENCE.match(match.group()):
                yield Identifier(match.start(), match.end(), IdentifierKind.ID)


def find_labelled_number(text: str, tokens: list[NameToken], label: Label) -> Iterator[Identifier]:
    """The value after "MRN:", "Accession #" and the like: three digits, after everyday words four that are no year."""
    if tokens[label.first].word in {"see", "id", "ins", "nie", "our", "your"}:
        return
    start = tokens[label.end - 1].end
    match = _VALUE.match(text, start)
    if not match or _stands_below(match) or _UNIT.match(text, match.end()):
        return
    digits = sum(mark.isdigit() for mark in match.group(1))
    is_weak = fold(label.phrase) in _WEAK
    if digits >= (4 if is_weak else 3) and not (is_weak and _YEAR.fullmatch(match.group(1))):
        yield Identifier(match.start(1), match.end(1), IdentifierKind.ID)


def find_labelled_groups(text: str, tokens: list[NameToken], label: Label) -> Iterator[Identifier]:
    """A national number in groups ("485 777 3456", "QQ 12 34 56 C") after its label, six digits or more."""
    match = _SPACED.match(text, tokens[label.end - 1].end)
    if match and sum(mark.isdigit() for mark in match.group(1)) >= 6:
        yield Identifier(match.start(1), match.end(1), IdentifierKind.ID)
    else:
        yield from find_labelled_number(text, tokens, label)


def find_labelled_plate(text: str, tokens: list[NameToken], label: Label) -> Iterator[Identifier]:
    """The plate of a vehicle: capitals and digits in one to three groups."""
    match = _PLATE.match(text, tokens[label.end - 1].end)
    if match and len(match.group(1)) >= 5 and any(mark.isalpha() for mark in match.group(1)):
        yield Identifier(match.start(1), match.end(1), IdentifierKind.ID)


def _stands_below(match: re.Match[str]) -> bool:
    """Whether a value is on a later line and no plain number ("MRN:" above "3.5 x 2 cm")."""
    before = match.group()[: match.start(1) - match.start()]
    return "\n\n" in before or ("\n" in before and not _PLAIN_NUMBER.fullmatch(match.group(1)))
