"""Ages over 89, which the HIPAA Safe Harbor rule (45 CFR 164.514(b)(2)(i)(C)) asks to be pooled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind

_OLD = r"(?:9\d|1[01]\d)"
_WORDS = (
    r"(?:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|one hundred(?: and)?(?: (?:one|"
    r"two|three|four|five))?)"
)
_UNIT = (
    r"(?:year|yr|jahr|jähr|jaar|jarige|y\.?\s?/?\s?o\b|yo\b|ans\b|años|"
    r"anni\b|anos\b|岁|歳|y\b(?=\s+(?:old|male|female|man|woman)))"
)
_BEFORE_UNIT = re.compile(rf"(?<![\w.,/-])({_OLD}|{_WORDS})(?=\s?-?\s?{_UNIT})", re.IGNORECASE)
_AFTER_LABEL = re.compile(
    rf"(?<!\w)(?:aged?|alter|leeftijd|edad|[âa]ge|âgée?|age\s?/\s?sex|"
    rf"aged about)\s?(?:de\s|of\s|is\s)?[:=|]?\s{{0,3}}({_OLD}|{_WORDS})"
    r"(?![\w%/]*\d)(?!\s?(?:%|days?\b|weeks?\b|months?\b|hours?\b))",
    re.IGNORECASE,
)
_CHINESE = re.compile(rf"年\s?[龄齡]\s?[:\uff1a]?\s?({_OLD})(?!\d)")
_WITH_SEX = re.compile(rf"(?<![\w.,/-])({_OLD})(?=\s?[/-]?\s?(?:[MF]\b|male\b|female\b))")


def find_ages(text: str) -> Iterator[Identifier]:
    """Ages from 90 to 119, in digits or words; the number only, so that "-year-old" stays readable."""
    for pattern in (_BEFORE_UNIT, _AFTER_LABEL, _CHINESE, _WITH_SEX):
        for match in pattern.finditer(text):
            yield Identifier(match.start(1), match.end(1), IdentifierKind.AGE)
