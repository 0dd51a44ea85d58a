"""The language of queries for reports: words, "exact phrases", field:value, and -what is excluded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from histoseek.errors import InputError
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.markers import MARKER, name_markers
from histoseek.reports.facts.report_facts import CONCEPT_FIELDS, STATUS_FIELDS, VALUE_FIELDS, name_marker_field
from histoseek.reports.language.words import Span

FACT_FIELDS = (*CONCEPT_FIELDS, *STATUS_FIELDS.values(), *VALUE_FIELDS)
"""Fields that every archive has from its reports; markers of stains are fields as well ("her2:2+")."""

_QUOTATION = r'"(?P<{}>[^"]{{0,1000}})"'
_PART = re.compile(
    rf"(?<!\S)(?P<minus>-)?(?:(?P<field>[^\W\d]\w{{0,62}}):(?:{_QUOTATION.format('quoted')}|(?P<value>(?!//)[^\s\"]+))|"
    rf"{_QUOTATION.format('phrase')}|(?P<word>(?<=-)[^\W_][^\s\":]*))(?=[\s,;.]|$)"
)
_WORD = re.compile(r"[^\W_]+")
_WITHOUT_VALUE = re.compile(r"(?<!\S)-?([^\W\d_]\w{0,62}):\s*\Z")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}
_STAGE = re.compile(r"(iv|i{1,3}|[0-4])([a-d]?\d?)")
_TNM = re.compile(r"[ycra]{0,3}p?[tnm](?=\w)")


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """A field that must, or (excluded) must not, have a value; the field in lower case."""

    field: str
    value: str
    excluded: bool


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """A query taken apart.

    text: words, and phrases without their quotes, in the order written; phrases: all must be in the report; excluded:
    words and phrases that must not.
    """

    text: str
    phrases: tuple[str, ...] = ()
    excluded_phrases: tuple[str, ...] = ()
    excluded_words: tuple[str, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    @property
    def plain_text(self) -> str:
        """What is wanted, as a text to be near to: the text, or else the values of the fields."""
        return self.text or " ".join(term.value for term in self.fields if not term.excluded)


def parse_query(query: str) -> ReportQuery:
    """Take a query apart; what is not a field, phrase or excluded word (such as a lone quote) is plain text.

    Raises InputError for a field without a value, and for a query without a letter or digit: it would ask for nothing,
    and every slide would match.
    """
    _require_words(query)
    phrases: list[str] = []
    excluded_phrases: list[str] = []
    excluded_words: list[str] = []
    fields: list[FieldTerm] = []
    text, end = [], 0
    for match in _PART.finditer(query):
        text.append(query[end : match.start()])
        end = match.end()
        excluded, phrase = match["minus"] is not None, match["phrase"]
        if match["field"] is not None:
            value = match["value"] if match["quoted"] is None else match["quoted"]
            fields.append(FieldTerm(match["field"].lower(), _require_value(match["field"], value), excluded))
        elif match["word"] is not None:
            excluded_words.append(match["word"])
        elif _WORD.search(phrase):
            (excluded_phrases if excluded else phrases).append(phrase)
            text.append("" if excluded else phrase)
    text.append(query[end:])
    plain = " ".join("".join(text).split())
    return ReportQuery(
        text=plain if _WORD.search(plain) else "",
        phrases=tuple(phrases),
        excluded_phrases=tuple(excluded_phrases),
        excluded_words=tuple(excluded_words),
        fields=tuple(fields),
    )


def list_plain_words(query: str) -> tuple[Span, ...]:
    """The words of a query outside phrases, fields and what is excluded, in order."""
    taken = [Span(*match.span()) for match in _PART.finditer(query)]
    words = (Span(*match.span()) for match in _WORD.finditer(query))
    return tuple(word for word in words if not any(word.overlaps(part) for part in taken))


def change_plain_text(query: str, change: Callable[[str], str]) -> str:
    """The query with all that stands outside phrases, fields and what is excluded changed."""
    parts, end = [], 0
    for match in _PART.finditer(query):
        parts += [change(query[end : match.start()]), match.group()]
        end = match.end()
    return "".join((*parts, change(query[end:])))


def _require_words(query: str) -> None:
    if not _WORD.search(query):
        raise InputError("text", "contains no letter or digit", 'Give some words, a "phrase", or FIELD:VALUE')
    without_value = _WITHOUT_VALUE.search(query)
    if without_value:
        _require_value(without_value[1], "")


def _require_value(field: str, text: str) -> str:
    value = text.rstrip(",;.").strip()
    if not value:
        raise InputError(f"{field}:", "a field without a value", f'Write {field}:VALUE, or "{field}" in quotes')
    return value


def is_fact_field(field: str) -> bool:
    """Whether reports can have such facts: a field of their own, or a marker of a stain."""
    return field in FACT_FIELDS or find_marker_field(field) is not None


def find_marker_field(field: str) -> str | None:
    """The field of a marker as facts name it ("mib1" is "ki67"); None where it is not a marker."""
    match = MARKER.fullmatch(field) or MARKER.fullmatch(field.upper())
    return name_marker_field(name_markers(match.group())[0]) if match else None


def make_fact(field: str, value: str, vocabulary: Vocabulary | None = None) -> str:
    """The fact that a field and a value name: ("grade", "III") is "grade:3", ("pt", "pT2a") is "pt:2a".

    Concepts may be named in any way that the vocabulary knows. What it does not know is a fact that no report has.
    """
    vocabulary = vocabulary or load_vocabulary()
    if field in CONCEPT_FIELDS or field in STATUS_FIELDS.values():
        return f"{field}:{_find_concept(field, value, vocabulary)}"
    plain = "".join(value.lower().split())
    if field not in VALUE_FIELDS:
        return f"{find_marker_field(field) or field}:{plain}"
    if field[-1] in "tnm" and len(field) <= 2:
        return f"{field}:{_TNM.sub('', plain)}"
    return f"{field}:{_parse_number(field, plain)}"


def _parse_number(field: str, value: str) -> str:
    stage = _STAGE.fullmatch(value) if field == "stage" else None
    if stage is not None:
        return _ROMAN.get(stage[1], stage[1]) + stage[2]
    return _ROMAN.get(value, value)


def _find_concept(field: str, value: str, vocabulary: Vocabulary) -> str:
    """The concept of the right kind that a value names; else the value as an id."""
    kind = "organ" if field == "anatomy" else field
    slug = "-".join(_WORD.findall(value.lower()))
    mentions = find_terms(value, vocabulary) or find_terms(value.upper(), vocabulary)
    concept_ids = [mention.concept_id for mention in mentions if kind == vocabulary[mention.concept_id].kind]
    if field in STATUS_FIELDS.values():
        concept_ids = [mention.concept_id for mention in mentions]
    if slug in vocabulary.concepts:
        return slug
    return vocabulary.keep_most_specific(concept_ids)[0] if concept_ids else slug
