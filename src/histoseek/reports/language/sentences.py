"""A sentence splitter for pathology reports that keeps every sentence's place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ABBREVIATIONS = frozenset(
    (
        *("approx", "appr", "dr", "drs", "prof", "mr", "mrs", "ms", "st", "no", "nos", "nr", "vs", "fig", "figs"),
        *("cf", "incl", "excl", "esp", "e.g", "i.e", "viz", "etc", "max", "min", "ca", "circa", "resp", "bzw", "z.b"),
        *("d.h", "u.a", "evtl", "ggf", "sog", "inkl", "ref", "sec", "spec", "dept", "tel", "dx", "hx", "bx", "s/p"),
        *("lt", "rt", "post", "ant", "sup", "inf", "lat", "med", "dist", "prox", "diam", "av", "avg", "temp", "vol"),
        *("t.i", "o.a", "m.n", "m.b.t", "i.v.m", "p.ex", "v.a", "z.n", "env", "spp", "sp", "var", "d.d", "dd"),
        *("jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "med", "phd", "m.d"),
    )
)
_UNITS = frozenset(("mm", "cm", "um", "g", "kg", "ml", "cc", "hpf", "in"))
_END = re.compile(r"""(?<![.!?])[.!?]++["')\]”’]*+(?=\s)|(?<=[a-z)])[.](?=[A-Z][a-z]{2})|[。！？]["')\]”’]*""")  # noqa: RUF001
_LAST_WORD = re.compile(r"[^\s(\[,;:]+$")
_LINE = re.compile(r"[^\n]*\n?")
_MARKER = re.compile(r"(?:[-*•–·▪◦+>]|\(?\d{1,2}[.)]|\(?[A-Za-z](?:[-–,&][A-Z])?[.)]|\(?[ivxIVX]{1,4}[.)])(?=\s|$)")  # noqa: RUF001
_BEFORE_INITIAL = re.compile(r"(?:^|:|\b(?:[Dd]rs?|[Pp]rof|[Mm]rs?|[Bb]y)\.?)\s*$")
_FIELD = re.compile(r"[A-ZÄÖÜ0-9][^:.;\n]{0,60}:(?=\s|$)")
_LINE_END = re.compile(r"""[.!?:;。！？]["')\]”’]*\s*$""")  # noqa: RUF001
_BRACKET = re.compile(r"[(\[]\s?[a-zäöü]{2}")
_CUT_WORD = re.compile(r"\w[-\u00ad\u2010]\s*$")
_STAGE = re.compile(r"[ycra]{0,2}p?[TNM][0-4Xi]")
_WRAP_CHARACTERS = 50
_WINDOW = 80
_LINE_END_HYPHEN = re.compile(r"(?<![^\W\d_])([^\W\d_]++)[-\u2010\u00ad]\s*\n\s*(?=([^\W_]))")
_KEEPS_HYPHEN = frozenset(
    (
        *("non", "well", "ill", "poorly", "moderately", "high", "low", "core", "needle", "post", "pre", "semi", "half"),
        *("mid", "self", "large", "small", "long", "short", "two", "three", "four", "signet", "full", "thin", "thick"),
        *("single", "multi", "punch", "shave"),
    )
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: text[start:end] of the text it was found in is as written; text is without its line breaks."""

    start: int
    end: int
    text: str


def split_sentences(text: str, start: int = 0, end: int | None = None) -> tuple[Sentence, ...]:
    """The sentences and list items of text[start:end], in order, with their places in the whole text.

    Between two of them, before the first and behind the last there is nothing but white space. A line break ends a
    sentence before a blank line, a list marker, a field ("Grade: 2"), and behind a line that is too short to have
    been wrapped; otherwise the line goes on. A full stop ends none in decimals, stages and known abbreviations.
    """
    sentences = []
    for block_start, block_end in _split_blocks(text, start, len(text) if end is None else end):
        for first, last in _split_block(text, block_start, block_end):
            bounds = _strip_span(text, first, last)
            if bounds:
                sentences.append(Sentence(*bounds, unwrap(text[slice(*bounds)])))
    return tuple(sentences)


def unwrap(raw: str) -> str:
    """Text on one line: words that a line end parted are mended, runs of white space become one space."""
    return " ".join(_LINE_END_HYPHEN.sub(_mend_hyphen, raw).split())


def _mend_hyphen(match: re.Match[str]) -> str:
    """Drop a hyphen at a line end, unless it belongs to the word: "well-|differentiated", "CK-|7"."""
    before, after = match.groups()
    belongs = before.lower() in _KEEPS_HYPHEN or not after.islower() or before.isupper()
    return f"{before}-" if belongs else before


def _split_blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Runs of lines that one sentence may go across."""
    block = start
    before = ""
    for match in _LINE.finditer(text, start, end):
        line = match.group()
        if before and _begins_anew(before, line) and match.start() > block:
            yield block, match.start()
            block = match.start()
        before = line or before
    if end > block:
        yield block, end


def _begins_anew(before: str, line: str) -> bool:
    line = line.strip()
    if not line or not before.strip():
        return True
    if _CUT_WORD.search(before) and (line[0].islower() or (line[0].isdigit() and not _MARKER.match(line))):
        return False
    if _MARKER.match(line + " ") or _FIELD.match(line) or line.startswith("#"):
        return True
    if _LINE_END.search(before):
        return not _ends_in_abbreviation(before.rstrip()) or not line[0].islower()
    if line[0].islower() or _BRACKET.match(line) or before.rstrip().endswith(","):
        return False
    return len(before.rstrip()) < _WRAP_CHARACTERS


def _split_block(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    first = start
    for match in _END.finditer(text, start, end):
        if match.end() < end and _ends_sentence(text, first, match, end):
            yield first, match.end()
            first = match.end()
    yield first, end


def _ends_sentence(text: str, first: int, match: re.Match[str], end: int) -> bool:
    rest = text[match.end() : min(end, match.end() + 40)].lstrip()
    if match.group()[0] in "。！？" or not rest:  # noqa: RUF001
        return True
    before = text[max(first, match.start() - _WINDOW) : match.start()]
    if not before.strip() or _MARKER.fullmatch(before.strip() + match.group()):
        return False
    if rest[0].islower() and not _STAGE.match(rest):
        return False
    return match.group()[0] != "." or not _ends_in_abbreviation(before + ".", next_is_digit=rest[0].isdigit())


def _ends_in_abbreviation(before: str, next_is_digit: bool = False) -> bool:
    """Whether the full stop at the end belongs to the last word: "Dr.", "No. 3", the initial of a name."""
    if not before.endswith("."):
        return False
    word = _LAST_WORD.search(before[:-1])
    last = word.group().lower() if word else ""
    if last in _UNITS:
        return False
    if last in ("no", "nos", "nr"):
        return next_is_digit
    initial = len(last) == 1 and last.isalpha() and bool(_BEFORE_INITIAL.search(before[:-2]))
    return last in _ABBREVIATIONS or initial


def _strip_span(text: str, first: int, last: int) -> tuple[int, int] | None:
    raw = text[first:last]
    start = first + len(raw) - len(raw.lstrip())
    return (start, first + len(raw.rstrip())) if raw.strip() else None
