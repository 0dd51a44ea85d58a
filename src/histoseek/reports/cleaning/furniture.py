"""What stands on a report's pages and is not of the report: marks of scanning, page numbers, headers, boilerplate."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from histoseek.reports.cleaning.mends import Mend, MendReason, make_mend
from histoseek.reports.language.words import Span

_ITEM = re.compile(r"\s*(?:[-*\u2022]|\(?(?:\d{1,2}|[A-Za-z])[.)])\s")
_LINE = re.compile(r"[^\n]+\n?")
_BARS = re.compile(r"(?<!\w)[Ili1|!][Ili1|!\[\]/\\.:'\u00a6 ]{5,}(?!\w)")
_BAR_LETTERS, _BAR_SIGNS = frozenset("Ili|!"), frozenset("Ili1|!")
_FEWEST_BARS, _LONGEST_NUMERAL, _MOSTLY = 7, 3, 0.75
_PIECE_END = re.compile(r"(?<=[.!?:])[ \t]*\n\s*|(?<=[.!?])\s+(?=[A-Z\"(])|\n\s*\n|\n(?=\s*[^a-z\s])")
_WRAPPED_AT = 50
_SENTENCE_MARKS = frozenset(".!?:")
_BARCODE = r"(?<![\w-])[A-Z]{2,8}(?:-[A-Z0-9]{1,8}){2,6}(?![\w-])"
_TOKEN = re.compile(r"[\w-]+")
_NO_WORD, _NUMBER = re.compile(r"[\W_]+"), re.compile(r"\d+")
_LONGEST_LINE, _LONGEST_PIECE = 160, 400


@dataclass(frozen=True)
class FurnitureRules:
    """How furniture looks (cleaning/cleaning.toml)."""

    stretches: re.Pattern[str]
    marks: re.Pattern[str]
    lines: re.Pattern[str]
    scanning: frozenset[str]
    sure: re.Pattern[str]
    labels: re.Pattern[str]
    phrases: tuple[str, ...]


@lru_cache(maxsize=1)
def load_furniture_rules() -> FurnitureRules:
    """The rules that come with the package."""
    data = tomllib.loads((resources.files("histoseek.reports.cleaning") / "cleaning.toml").read_text("utf-8"))
    furniture = data["furniture"]
    labels = "|".join(sorted(map(re.escape, furniture["labels"]), key=len, reverse=True))
    return FurnitureRules(
        stretches=re.compile("|".join(furniture["stretches"])),
        marks=re.compile("|".join(furniture["marks"])),
        lines=re.compile("|".join(f"(?:{pattern})" for pattern in furniture["lines"])),
        scanning=frozenset(furniture["scanning"]),
        sure=re.compile(rf"(?i:\b(?:{'|'.join(furniture['sure'])})\b)|{_BARCODE}"),
        labels=re.compile(rf"(?<!the )\b(?:{labels})\b"),
        phrases=tuple(data["boilerplate"]["phrases"]),
    )


def normalise_piece(text: str) -> str:
    """What sentences that differ in marks, case, line breaks and numbers alone have in common."""
    return _NUMBER.sub("0", _NO_WORD.sub(" ", text.lower())).strip()


def split_pieces(text: str) -> Iterator[tuple[Span, str]]:
    """Sentences, simply parted, each with its place and what it has in common with others (`normalise_piece`)."""
    start = 0
    for match in _PIECE_END.finditer(text):
        line = max(start, text.rfind("\n", start, match.start()) + 1)
        is_ended = text[match.start() - 1 : match.start()] in _SENTENCE_MARKS
        is_wrapped = match.group() == "\n" and not is_ended and match.start() - line >= _WRAPPED_AT
        if not is_wrapped:
            yield Span(start, match.end()), normalise_piece(text[start : match.end()])
            start = match.end()
    yield Span(start, len(text)), normalise_piece(text[start:])


def find_furniture(text: str, boilerplate: Collection[str] = frozenset()) -> list[Mend]:
    """All furniture of a text in order, none overlapping; boilerplate: the archive's own (`normalise_piece`)."""
    rules = load_furniture_rules()
    marks = [
        *_find_bars(text),
        *_find_lines_of_bars(text),
        *(Span(*match.span()) for match in rules.marks.finditer(text)),
    ]
    pages = [Span(*match.span()) for match in rules.stretches.finditer(text)]
    places = [(span, MendReason.SCANNING) for span in (*marks, *_find_lines_of_scanning(text, marks, rules))]
    places += [(span, MendReason.FURNITURE) for span in (*pages, *_find_lines(text, rules))]
    places += [(span, MendReason.BOILERPLATE) for span in _find_boilerplate(text, boilerplate, rules)]
    mends: list[Mend] = []
    for span, reason in sorted(places, key=lambda place: (place[0].start, -place[0].end)):
        place = _widen_to_line(text, span)
        if not mends or place.start >= mends[-1].span.end:
            mends.append(make_mend(text, place, "", reason))
    return mends


def _widen_to_line(text: str, span: Span) -> Span:
    """Whole lines, with their end, of a place with no word beside it; of others no line break at their end."""
    first = text.rfind("\n", 0, span.start) + 1
    last = text.find("\n", max(span.start, span.end - 1)) + 1 or len(text)
    if _TOKEN.search(text, first, span.start) or _TOKEN.search(text, span.end, last):
        end = span.start + len(text[span.start : span.end].rstrip())
        return Span(span.start, end) if "\n" in text[end : span.end] else span
    return Span(first, max(span.end, last))


def _find_bars(text: str) -> Iterator[Span]:
    """Runs of what a bar code is read as: too many bars for any numeral."""
    for match in _BARS.finditer(text):
        tokens = match.group().split()
        bars = sum(sign in _BAR_SIGNS for sign in match.group())
        letters = sum(sign in _BAR_LETTERS for sign in match.group())
        is_long = max(map(len, tokens), default=0) > _LONGEST_NUMERAL or len(tokens) >= 5 or "|" in match.group()
        if bars >= _FEWEST_BARS and 2 * letters >= bars and is_long:
            yield Span(match.start(), match.start() + len(match.group().rstrip()))


def _find_lines_of_bars(text: str) -> Iterator[Span]:
    """Lines of bars with some other signs among them."""
    for match in _LINE.finditer(text):
        signs = "".join(match.group().split())
        bars = sum(map(signs.count, _BAR_SIGNS))
        letters = bars - signs.count("1")
        if bars >= 2 * _FEWEST_BARS and bars > _MOSTLY * len(signs) and letters * 2 >= bars:
            yield Span(*match.span())


def _find_boilerplate(text: str, boilerplate: Collection[str], rules: FurnitureRules) -> Iterator[Span]:
    for span, key in split_pieces(text):
        if text[span.start : span.end].rstrip().endswith(":"):
            continue
        if key in boilerplate:
            yield span
        elif phrase := next((phrase for phrase in rules.phrases if phrase in key), ""):
            yield from _find_sentence(text, span, phrase)


def _find_sentence(text: str, piece: Span, phrase: str) -> Iterator[Span]:
    """The part of a piece that belongs to a phrase: no label before it, and not all of a text without stops."""
    match = _compile_phrase(phrase).search(text, piece.start, piece.end)
    if match is None:
        return
    start = max(piece.start, text.rfind(":", piece.start, match.start()) + 1)
    if match.start() - start > _LONGEST_PIECE:
        start = max(start, text.rfind("\n", start, match.start()) + 1)
    start = _skip_own_lines(text, start, match.start())
    if piece.end - match.end() <= _LONGEST_PIECE:
        yield Span(start, piece.end)
    else:
        line_end = text.find("\n", match.end(), piece.end)
        yield Span(start, line_end + 1 if line_end >= 0 else match.end())


def _skip_own_lines(text: str, start: int, end: int) -> int:
    """Past lines that begin a list item or stand in capitals: findings without a stop before boilerplate."""
    line_end = text.find("\n", start, end)
    while line_end >= 0:
        line = text[start:line_end]
        if line.strip() and not (_ITEM.match(line) or (line.isupper() and not text[line_end + 1 : end + 1].isupper())):
            break
        start, line_end = line_end + 1, text.find("\n", line_end + 1, end)
    return start


@lru_cache(maxsize=256)
def _compile_phrase(phrase: str) -> re.Pattern[str]:
    return re.compile(r"[\W_]+".join(map(re.escape, phrase.split())), re.IGNORECASE)


def _find_lines(text: str, rules: FurnitureRules) -> Iterator[Span]:
    """Whole lines of page numbers, and headers that were there before."""
    seen: set[str] = set()
    for match in _LINE.finditer(text):
        line = match.group().strip()
        if not line or len(line) > _LONGEST_LINE:
            continue
        if rules.lines.fullmatch(line):
            yield Span(*match.span())
        elif rules.labels.search(key := " ".join(line.lower().split())):
            if key in seen:
                yield Span(*match.span())
            seen.add(key)


def _find_lines_of_scanning(text: str, places: list[Span], rules: FurnitureRules) -> Iterator[Span]:
    """Lines of which every word is a mark of scanning, and one is surely."""
    sure = [*places, *(Span(*match.span()) for match in rules.sure.finditer(text))]
    for start in {text.rfind("\n", 0, place.start) + 1 for place in sure}:
        match = _LINE.match(text, start)
        if match is not None and _is_of_scanning(text, Span(*match.span()), sure, rules):
            yield Span(*match.span())


def _is_of_scanning(text: str, line: Span, sure: list[Span], rules: FurnitureRules) -> bool:
    within = [place for place in sure if place.overlaps(line)]
    for match in _TOKEN.finditer(text, line.start, line.end):
        is_mark = match.group().lower() in rules.scanning or len(match.group()) == 1
        if not is_mark and not any(place.overlaps(Span(*match.span())) for place in within):
            return False
    return True
