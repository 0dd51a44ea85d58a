"""Record, accession, insurance and other numbers that point to one person or case."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.lexicon import fold, read_words
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
        # Barcodes of The Cancer Genome Atlas, and universally unique identifiers
        r"\bTCGA-[A-Z0-9]{2}-[A-Z0-9]{4}(?:-[A-Z0-9]{2,4}){0,5}(?:\.[0-9A-Fa-f-]{36})?",
        r"(?<![\w-])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?:\.\w{1,5})?(?![\w-])",
        # Long runs of digits; positions in a genome stand after ":", "g." or "_"
        r"(?<![\w.,:+/^-])\*?\d{7,20}\*?(?![\w%]|[.,]\d|\s?(?:cells?|bp|copies|reads|/)\b)",
        r"(?<=\|)\d{4,20}(?=\^{2})",
        # Letters and a long run of digits
        r"(?<![\w.,:_-])[A-Z]{1,3}\d{7,14}(?!\w|[.,]\d)",
    )
)
# NM_000546 and the like are of genes, rs121913529 of variants: neither starts at a word boundary with capitals only.
_REFERENCE_SEQUENCE = re.compile(r"(?:NM|NP|NC|NG|ENST|ENSG|ENSP|COSM|COSV|LRG)[_\d]")
_VALUE = re.compile(
    r"(?:\s?(?:n[or°º]?|num|number|id)(?!\w)\.?)?[\s:.#=|*(/-]{0,8}"
    r"((?:[A-Z]{1,3}[ ](?=\d{2}-))?[^\W_]{1,24}(?:[-./][^\W_]{1,24}){0,8}(?:[ ]\d{2,4}(?=[ ]\d|\W|$)){0,4})",
    re.IGNORECASE,
)
_UNIT = re.compile(r"\s?(?:mm|cm|ml|mg|g|kg|x|%|years?|months?|days?)\b", re.IGNORECASE)
_WEAK = frozenset(read_words("everyday_labels.txt"))


def find_numbers(text: str) -> Iterator[Identifier]:
    """Numbers that are recognised by their own shape."""
    for pattern in _SHAPES:
        for match in pattern.finditer(text):
            if not _REFERENCE_SEQUENCE.match(match.group()):
                yield Identifier(match.start(), match.end(), IdentifierKind.ID)


def find_labelled_number(text: str, tokens: list[NameToken], label: Label) -> Iterator[Identifier]:
    """The value after "MRN:", "Accession #" and the like: three digits or more, after everyday words four."""
    if tokens[label.first].word in {"see", "id", "ins", "nie"}:
        return
    match = _VALUE.match(text, tokens[label.end - 1].end)
    if not match or "\n\n" in match.group() or _UNIT.match(text, match.end()):
        return
    digits = sum(mark.isdigit() for mark in match.group(1))
    if digits >= (4 if fold(label.phrase) in _WEAK else 3):
        yield Identifier(match.start(1), match.end(1), IdentifierKind.ID)
