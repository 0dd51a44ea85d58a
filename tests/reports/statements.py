"""Made sentences of every kind of denial and doubt, and what they say of the concepts they name.

statements.tsv: when a sentence was written (before or after the rules; with a fault that it showed: mended; after all
that without a look at them: blind), its kind, what is expected, the text. Expected is a concept and a sign (+ affirmed,
- denied, ? uncertain, < of the past, 0 not stated, ~ said of others); "=word" is a word that is no concept.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.index.analyser import list_tokens
from histoseek.reports.language.word_forms import stem

SIGNS = {"affirmed": "+", "negated": "-", "uncertain": "?", "historical": "<", "unstated": "0", "elsewhere": "~"}
_WORD_SIGNS = {"": "+", "not": "-", "maybe": "?", "past": "<"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A made text and the sign that is expected of each concept or word."""

    written: str
    kind: str
    expected: Mapping[str, str]
    text: str


def read_statements(written: str | None = None) -> list[Statement]:
    """All statements, or those written at one time."""
    with (Path(__file__).parent / "statements.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    statements = (
        Statement(
            row["written"],
            row["kind"],
            {token[:-1]: token[-1] for token in row["expected"].split()},
            row["text"].replace("\\n", "\n").replace("\\t", "\t"),
        )
        for row in rows
    )
    return [statement for statement in statements if written in {None, statement.written}]


def read_signs(statement: Statement) -> dict[str, str]:
    """What the text says of each thing that is expected: one sign for each way it is spoken of, in order."""
    signs: dict[str, set[str]] = {name: set() for name in statement.expected}
    for mention in extract_facts(statement.text).mentions:
        if mention.concept_id in signs:
            signs[mention.concept_id].add(SIGNS[mention.status.value])
    for name in (name for name in signs if name.startswith("=")):
        form = stem(name[1:])
        for token in list_tokens(statement.text):
            before, _, word = token.rpartition("~")
            if word == form:
                signs[name].add(_WORD_SIGNS[before])
    return {name: "".join(sorted(own)) for name, own in signs.items()}


def is_right(statement: Statement, signs: Mapping[str, str]) -> bool:
    """Whether a text was read as it should be; what is not stated or said of others may not be read at all."""
    return all(signs[name] in ({sign, ""} if sign in "0~" else {sign}) for name, sign in statement.expected.items())
