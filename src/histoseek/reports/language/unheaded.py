"""Where a diagnosis begins that has no heading: behind lines of administration, or first thing in the report."""

from __future__ import annotations

import re

from histoseek.reports.language.headings import Headings

_LINE = re.compile(r"[^\n]+")
_FIELD = re.compile(r"[^\w\n]{0,6}(?P<title>[^:\n]{2,50}?)\s{0,3}:(?P<value>[^\n]*)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_NAMING = re.compile(r"(?P<line>[^:;\n]{3,160}[:;])")
_EARLIER = re.compile(
    r"\b(?:history|previous|prior|clinical|suspicion|suspected|rule out|r/o|pre-?op)\b", re.IGNORECASE
)
_FORM_ROW = re.compile(r"\W*(?:histolog\w*|tumou?r|final)\s(?:type|diagnosis|histology)\b[^:\n]{0,30}:", re.IGNORECASE)
_LOOKAHEAD = 400
_FEWEST_WORDS = 2


def find_unheaded_diagnosis(text: str, start: int, end: int, words: Headings, *, named: bool) -> int | None:
    """Where in text[start:end] a diagnosis begins, None if none does.

    That is the first line, other than lines of administration and what is known from before, that says how a specimen
    was taken ("Prostate, needle biopsy:") or gives the type of a tumour in a form; with `named` False also one that
    itself states a diagnosis ("Resected colon with an adenocarcinoma").
    """
    for line in _LINE.finditer(text, start, end):
        if _is_administrative(line.group(), words):
            continue
        head = _NAMING.match(line.group().lstrip())
        if _EARLIER.search(line.group()):
            continue
        if head and words.names_specimen(head["line"]):
            return line.start()
        if _FORM_ROW.match(line.group()) and words.statements.search(line.group()):
            return line.start()
        if not named and _states_diagnosis(line.group(), text[line.end() : min(end, line.end() + _LOOKAHEAD)], words):
            return line.start()
    return None


def _is_administrative(line: str, words: Headings) -> bool:
    """Whether a line is a bar code, a hospital's or laboratory's name, or a labelled number, name or date."""
    if len(_WORD.findall(line)) < _FEWEST_WORDS and ":" not in line and ";" not in line:
        return True
    field = _FIELD.match(line)
    return words.is_administrative(field["title"] if field else line)


def _states_diagnosis(line: str, below: str, words: Headings) -> bool:
    if words.statements.search(line):
        return True
    return bool(words.names_specimen(line) and words.statements.search(below))
