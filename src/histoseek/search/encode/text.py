"""From the words of a query to what the archive is asked for: tokens with weights, conditions, statements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from histoseek.archive.filters.expression import (
    Call,
    Column,
    Comparison,
    Expression,
    HasAny,
    HasPhrase,
    Literal,
    all_of,
    any_of,
    not_true,
    one_of,
)
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.report_index import make_analyser_mark, make_record_mark
from histoseek.archive.schema import cast_value, field_columns
from histoseek.archive.stores.slides import SlideTable
from histoseek.bounds import require_file_bytes
from histoseek.errors import InputError
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.report_facts import CONCEPT_FIELDS, STATUS_FIELDS, VALUE_FIELDS
from histoseek.reports.index.analyser import analyse
from histoseek.reports.index.query import FieldTerm, ReportQuery, is_fact_field, make_fact, parse_query
from histoseek.reports.index.query_words import QueryWord, list_query_words
from histoseek.reports.index.record_words import PART, WHOLE, fold_name
from histoseek.reports.index.statements import Statement, is_bare, list_statements
from histoseek.reports.index.weighting import WORDS_ONLY, Weighting, weigh_tokens
from histoseek.reports.language.negation import Status
from histoseek.search.queries import ArchivedReport, ReportText, TextQuery, WordQuery
from histoseek.search.scope.exclusion import Owner, find_stored_patients

VALUE_OF_QUERY = 3.0
"""How much a grade, stage or stain that is typed counts beside a word: it is written so as to be met."""

_TEXT_COPIES = 8
"""How many times its own size a report takes in memory while it is read."""

_OPPOSED = ("diagnosis", "finding")
_HOLDS = {
    "int64": "whole numbers",
    "double": "numbers",
    "bool": "true or false",
    "date32[day]": "dates such as 2024-02-29",
}
_LETTERS = re.compile(r"[^\W_]+")
_NAME = re.compile(r"\d|[^\W_][\W_]+[^\W_]")


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A text as it is searched for: what its vector is made of, the tokens to look for, and what results must satisfy.

    conditions_alone: whether nothing but conditions was given, so that all that satisfies them is wanted; statements:
    what a query says, which lowers reports that contradict it; words: to be looked for in what is known of slides.
    """

    text: str
    tokens: Mapping[str, float]
    where: Expression | None = None
    conditions_alone: bool = False
    statements: tuple[Statement, ...] = ()
    words: tuple[QueryWord, ...] = ()

    @classmethod
    def from_report(cls, text: str, expand: bool) -> ParsedText:
        """A report, or other text to be taken as it is."""
        weighting = _choose_weighting(expand)
        return cls(text, weigh_tokens(text, weighting), words=list_query_words(text, weighting))

    @classmethod
    def from_query(cls, store: SlideTable, query: str, expand: bool) -> ParsedText:
        """A query in the language of `parse_query`; raises InputError for a field or a value that can't be."""
        parsed = parse_query(query)
        fields = [(term, *_resolve_field(store, term)) for term in parsed.fields]
        facts = {token: 1.0 for term, token, _ in fields if token and not term.excluded}
        conditions = [not_true(condition) if term.excluded else condition for term, _, condition in fields]
        where = all_of(*conditions, *_list_word_conditions(store, parsed), *_list_opposites(store, parsed.text))
        weighting = replace(_choose_weighting(expand), value=VALUE_OF_QUERY)
        return cls(
            text=parsed.plain_text or query,
            tokens={**weigh_tokens(parsed.text, weighting), **facts},
            where=where,
            conditions_alone=where is not None and not parsed.text,
            statements=list_statements(parsed.text, weighting),
            words=list_query_words(parsed.text, weighting),
        )


def list_analyser_warnings(store: SlideTable) -> tuple[str, ...]:
    """What to say of an archive whose reports or records were read by another version of the analyser."""
    advice = "the next `histoseek index` reads them anew, as does `histoseek upgrade`"
    warnings = []
    if store.analyser != make_analyser_mark():
        warnings.append(f"reports were read by an older version and may be found worse: {advice}")
    if not store.record_analyser:
        warnings.append(f"diagnoses, other metadata and file names are not searched yet: {advice}")
    elif store.record_analyser != make_record_mark():
        warnings.append(f"metadata were read by an older version and may be found worse: {advice}")
    return tuple(warnings)


def _choose_weighting(expand: bool) -> Weighting:
    return Weighting() if expand else WORDS_ONLY


def _resolve_field(store: SlideTable, term: FieldTerm) -> tuple[str | None, Expression]:
    """The fact that a field names, if any, and its condition: a metadata column, or what the report states."""
    types = store.metadata_types()
    columns = field_columns(types)
    column = next((name for name in columns if name.lower() == term.field), None)
    fact = make_fact(term.field, term.value) if is_fact_field(term.field) else None
    if column is None and fact is None:
        names = ", ".join(dict.fromkeys((*columns, *CONCEPT_FIELDS, *STATUS_FIELDS.values(), *VALUE_FIELDS)))
        advice = f"Fields are: {names}, and markers such as her2. Put text with a colon in quotes"
        raise InputError(f"{term.field}:{term.value}", "no such field", advice)
    in_column = _equals(store, column, term.value, types[column], fact is not None) if column else None
    return fact, any_of(in_column, _has(fact) if fact else None) or Literal(False)


def _equals(store: SlideTable, column: str, value: str, kind: pa.DataType, or_fact: bool) -> Expression | None:
    """A column's condition; None for a value that does not fit the column, where it may be a fact."""
    if pa.types.is_string(kind):
        patients = find_stored_patients(store, [value]) if column == "patient_id" else ()
        equal = Comparison(Call("lower", (Column(column),)), "=", Call("lower", (Literal(value),)))
        return any_of(equal, one_of(column, patients) if patients else None)
    try:
        fitting = cast_value(column, value, kind)
    except InputError as error:
        if or_fact:
            return None
        what = f"the column {column} holds {_HOLDS.get(str(kind), str(kind))}"
        raise InputError(f"{column}:{value}", what, "Correct the value, or put text with a colon in quotes") from error
    return one_of(column, [fitting]) if fitting is not None else None


def _has(*facts: str) -> Expression:
    """That a report states any of some facts, as the index looks it up."""
    return HasAny(Column("report_facts"), facts)


def _list_word_conditions(store: SlideTable, parsed: ReportQuery) -> Iterator[Expression | None]:
    """Phrases that must be in the report or metadata, and what must not: words count only where they are affirmed."""
    yield from (_match_phrase(store, phrase) for phrase in parsed.phrases)
    yield from (not_true(_match_phrase(store, phrase)) for phrase in parsed.excluded_phrases)
    for word in parsed.excluded_words:
        terms = [term for term in analyse(word) if term.kind != "broader"]
        concepts = [_has_token(store, term.token) for term in terms if term.kind == "concept"]
        words = [_has_token(store, term.token) for term in terms if term.kind == "word"]
        named = _has_name(store, word) if _NAME.search(word) else None
        yield not_true(any_of(*concepts, all_of(*words), named))


def _has_token(store: SlideTable, token: str) -> Expression | None:
    """That a report, or what else is known of a slide, has a token."""
    in_report = Call("contains", (Column("report_tokens"), Literal(f" {token} ")))
    return any_of(in_report, store.match_record([token]))


def _has_name(store: SlideTable, text: str) -> Expression | None:
    """That a slide, its file, case or patient is called so, or has these parts in its name one behind the other."""
    name = fold_name(text)
    runs = [f"{PART}{before}-{part}" for before, part in pairwise(name.split("-"))] or [PART + name]
    return any_of(store.match_record([WHOLE + name]), store.match_record(runs))


def _match_phrase(store: SlideTable, phrase: str) -> Expression | None:
    """That a report or a cell has some words one behind the other, in any case, with any spaces and hyphens between."""
    words = tuple(_LETTERS.findall(phrase))
    if not words:
        return None
    types = store.metadata_types()
    columns = (
        [name for name in field_columns(types) if pa.types.is_string(types[name])] if store.record_analyser else []
    )
    return any_of(*(HasPhrase(Column(column), words) for column in ("report", *columns)), _has_name(store, phrase))


def _list_opposites(store: SlideTable, text: str) -> Iterator[Expression | None]:
    """Leave out slides that are said to be the opposite of a bare denial, or that only deny the one thing named."""
    vocabulary = load_vocabulary()
    mentions = [term for term in find_terms(text, vocabulary) if vocabulary[term.concept_id].kind in _OPPOSED]
    if is_bare(text, Status.NEGATED, vocabulary):
        stated = [f"{vocabulary[mention.concept_id].kind}:{mention.concept_id}" for mention in mentions]
        yield from (not_true(_has(token)) for token in stated)
        yield from (not_true(store.match_record([token])) for token in stated)
    elif len({mention.concept_id for mention in mentions}) == 1 and is_bare(text, Status.AFFIRMED, vocabulary):
        concept_id = mentions[0].concept_id
        denied = (concept_id, *sorted(vocabulary.find_ancestors(concept_id)))
        yield not_true(_has(*(f"absent:{other}" for other in denied)))
        yield not_true(any_of(*(store.match_record([f"absent:{other}"]) for other in denied)))


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A text to ask with, the file or slide of the archive it is from, and whose it is as far as known.

    is_report: the text is a report, to be taken as it is; vector: as the archive keeps it of a report, float32 [T].
    """

    text: str
    uri: str | None
    owner: Owner
    without: str | None = None
    slide_id: str | None = None
    is_report: bool = True
    vector: np.ndarray | None = None


def prepare_text(archive: ArchiveFolder, query: WordQuery) -> PreparedText:
    """The text of a query; raises InputError when there is none, or the file is no readable text; UnknownSlide."""
    if isinstance(query, ArchivedReport):
        stored = archive.get(query.slide_id)
        record, vector = stored.record, stored.language.report_vector
        if not record.report:
            raise InputError(record.slide_id, "has no report", "Ask with a slide whose report was indexed (--reports)")
        text = _clean(record.report)
        return PreparedText(text, None, Owner.from_query(None, record), slide_id=record.slide_id, vector=vector)
    if isinstance(query, TextQuery):
        without = _clean(query.without) if query.without else None
        return PreparedText(_clean(query.text), None, Owner.from_query(query.patient_id), without, is_report=False)
    if isinstance(query, ReportText):
        return PreparedText(_clean(query.text), None, Owner.from_query(query.patient_id))
    text = _clean(_read_report(query.path))
    if not text:
        raise InputError(str(query.path), "is empty", "Give a report with some words")
    return PreparedText(text, str(query.path), Owner.from_query(query.patient_id))


def _clean(text: str) -> str:
    return text.replace("\0", " ").strip()


def _read_report(path: Path) -> str:
    try:
        require_file_bytes(path, _TEXT_COPIES)
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), "is not text in UTF-8", "Save the report as plain text in UTF-8") from error
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "Check the path") from error
