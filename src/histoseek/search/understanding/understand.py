"""One field for everything: what a typed or pasted text is made of."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import takewhile

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import is_storable
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import InputError
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.index.record_words import find_code
from histoseek.reports.language.sections import split_sections
from histoseek.search.scope.exclusion import find_stored_patients
from histoseek.search.scope.facets import Facet
from histoseek.search.scope.fields import FieldFilter
from histoseek.search.scope.names import NAME_KINDS, NameIndex, NameKind, get_names
from histoseek.search.understanding.conditions import CONDITION, read_condition
from histoseek.search.understanding.readings import Part, Reading, Understanding
from histoseek.search.understanding.values import get_values

MOST_CHARACTERS = 200_000
MOST_WORDS_CHARACTERS = 4000
"""Of a text that can be searched as words."""

_LONG, _MANY_LINES, _SOME_LENGTH = 400, 4, 120
_TOKEN = re.compile(rf'-?(?:{CONDITION.pattern})(?=\s|$)|-?"[^"]{{1,1000}}"|\S+')
_WITHOUT = re.compile(r"(?i)without|ohne")
_NAMED = re.compile(r"\d|[-_/.]")
_SHORTEST_PART = 4
_MOST_NAME_CHARACTERS = 200


def understand(archive: ArchiveFolder, text: str) -> Understanding:
    """What a text is made of: names of slides, files, patients and cases, values and conditions of fields, words to
    search for, what is not wanted, or a whole report.

    Explicit conditions (organ:lung, age>60, age:60-70) and whole names become filters; values that are written as plain
    words stay words, with the filter as the other reading. What nothing is known of stays words. Raises InputError for
    more than 200,000 characters.
    """
    if len(text) > MOST_CHARACTERS or not is_storable(text):
        raise InputError("text", f"is no text of up to {MOST_CHARACTERS:,} characters", "Give a part of it")
    return archive.read(lambda view: _understand(view, text))


def _understand(archive: ArchiveFolder, text: str) -> Understanding:
    stripped = text.strip()
    if not stripped:
        return Understanding(text, ())
    start = text.index(stripped)
    end = start + len(stripped)
    if is_report(stripped):
        words = (Reading("words", stripped),) if len(stripped) <= MOST_WORDS_CHARACTERS else ()
        return Understanding(text, (Part(start, end, Reading("report", stripped), words),))
    if archive.space is None:
        return Understanding(text, (Part(start, end, Reading("words", stripped)),))
    store = archive.store.snapshot()
    named = _read_whole_name(store, stripped)
    if named:
        return Understanding(text, (Part(start, end, named[0], (*named[1:], Reading("words", stripped))),))
    return Understanding(text, _require_wanted(tuple(_read_tokens(store, text))))


def is_report(text: str) -> bool:
    """Whether a text is a whole report by its length, lines or sections, rather than a question."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(text) >= _LONG or len(lines) >= _MANY_LINES:
        return True
    return len(lines) > 1 or (len(text) >= _SOME_LENGTH and len(split_sections(text).sections) > 1)


def _read_whole_name(store: SlideTable, text: str) -> tuple[Reading, ...]:
    """What has exactly this name; also patients by a name that the archive keeps a pseudonym of."""
    if len(text) > _MOST_NAME_CHARACTERS:
        return ()
    named = _list_named(store, text)
    if not named and _NAMED.search(text) is None and " " in text:
        names = get_names(store)
        known = [one for one in find_stored_patients(store, [text]) if names.find_named(one, "patient")]
        return tuple(reading for one in known for reading in _list_named(store, one))
    # A word that is also a name is more likely meant as a word.
    return named if _NAMED.search(text) else ()


def _list_named(store: SlideTable, text: str) -> tuple[Reading, ...]:
    names = get_names(store)
    return tuple(reading for kind in NAME_KINDS for reading in _make_named(names, kind, text))


def _make_named(names: NameIndex, kind: NameKind, text: str) -> Iterator[Reading]:
    slide_ids = names.find_named(text, kind)
    if not slide_ids:
        return
    only = slide_ids[0] if len(slide_ids) == 1 else None
    if kind == "slide" and only is None:
        yield Reading("name", text, len(slide_ids), FieldFilter("name", "name", (text,)))
    elif kind == "slide":
        yield Reading("slide", text, 1, FieldFilter("metadata", "slide_id", (only,)), slide_id=only)
    else:
        spelled = names.find_spellings(text, kind)
        chosen = FieldFilter("metadata", f"{kind}_id", spelled)
        yield Reading(kind, spelled[0], len(slide_ids), chosen, slide_id=only)


def _read_tokens(store: SlideTable, text: str) -> Iterator[Part]:
    run: list[re.Match[str]] = []
    rest = deque(_TOKEN.finditer(text))
    while rest:
        token = rest.popleft()
        part = _take_unwanted(store, text, token, rest) or _read_token(store, token)
        if part is None:
            run.append(token)
            continue
        yield from _read_words(store, text, run)
        run = []
        yield part
    yield from _read_words(store, text, run)


def _take_unwanted(store: SlideTable, text: str, token: re.Match[str], rest: deque[re.Match[str]]) -> Part | None:
    """What stands behind "without", up to a condition, taken from the rest; None for other tokens."""
    if not _WITHOUT.fullmatch(token.group()):
        return None
    words = tuple(takewhile(lambda one: _read_condition(store, one) is None, rest))
    unwanted = text[words[0].start() : words[-1].end()].strip(" ,.;") if words else ""
    if not unwanted:
        return None
    for _ in words:
        rest.popleft()
    return _make_without(text, token.start(), unwanted, words[-1].end())


def _read_condition(store: SlideTable, token: re.Match[str]) -> Part | None:
    """An explicit condition of a field that the archive has; None for other tokens."""
    condition = CONDITION.fullmatch(token.group())
    readings = read_condition(store, condition) if condition else ()
    words = Reading("words", token.group())
    return Part(token.start(), token.end(), readings[0], (*readings[1:], words)) if readings else None


def _read_token(store: SlideTable, token: re.Match[str]) -> Part | None:
    """A token that is more than a word; None for a word."""
    written = token.group()
    start, end, words = token.start(), token.end(), Reading("words", written)
    if CONDITION.fullmatch(written):
        return _read_condition(store, token)
    if re.fullmatch(r"-[^\W\d_]\S*", written):
        return _make_without(written, start, written[1:].rstrip(",;"), end)
    readings = _read_name(store, written.strip(",;"))
    return Part(start, end, readings[0], (*readings[1:], words)) if readings else None


def _make_without(text: str, start: int, unwanted: str, end: int) -> Part:
    return Part(start, end, Reading("without", unwanted), (Reading("words", unwanted),))


def _read_name(store: SlideTable, token: str) -> tuple[Reading, ...]:
    """What a token names, wholly or in part; codes and words of pathology, such as HER2, name nothing."""
    if not _NAMED.search(token) or len(token) > _MOST_NAME_CHARACTERS:
        return ()
    named = _list_named(store, token)
    if named or len(token) < _SHORTEST_PART or not re.search(r"\d", token) or find_code(token) or find_terms(token):
        return named
    slide_ids = get_names(store).find_places(token)
    if not len(slide_ids):
        return ()
    only = get_names(store).slide_ids[int(slide_ids[0])].as_py() if len(slide_ids) == 1 else None
    return (Reading("name", token, len(slide_ids), FieldFilter("name", "name", (token,)), slide_id=only),)


def _read_words(store: SlideTable, text: str, run: Sequence[re.Match[str]]) -> Iterator[Part]:
    """Words in a row; those that are a value of a field are a part of their own."""
    words, done = [token.group().strip(",;.") for token in run], 0
    for start, stop, facets in get_values(store).find_longest(words):
        yield from _join_words(text, run[done:start])
        yield _make_part(text, run[start:stop], tuple(_read_value(facet) for facet in facets))
        done = stop
    yield from _join_words(text, run[done:])


def _join_words(text: str, run: Sequence[re.Match[str]]) -> Iterator[Part]:
    if run:
        yield _make_part(text, run, ())


def _make_part(text: str, run: Sequence[re.Match[str]], others: tuple[Reading, ...]) -> Part:
    start, end = run[0].start(), run[-1].end()
    return Part(start, end, Reading("words", " ".join(text[start:end].split())), others)


def _read_value(facet: Facet) -> Reading:
    return Reading("value", facet.value, facet.count, FieldFilter(facet.source, facet.field, (facet.value,)))


def _require_wanted(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts, unless all are what is not wanted: then it is searched for, as there is nothing else to search."""
    if any(part.reading.kind != "without" for part in parts):
        return parts
    return tuple(Part(part.start, part.end, part.others[0], (part.reading,)) for part in parts)
