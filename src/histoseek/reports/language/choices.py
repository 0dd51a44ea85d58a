"""Options of a form to choose from: tick boxes ("[ ] present [x] absent") and plain lists ("present / absent")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from histoseek.reports.language.cues import match_answer
from histoseek.reports.language.words import Span, lower_in_place

_TICK = "[xX\u2713\u2714\u2717\u2718\u00d7]"
_BOX = re.compile(
    rf"(?P<ticked>[\[({{]\s?{_TICK}\s?[\])}}]|[\u2611\u2612\u25a0\u2713\u2714\u25c9\u25cd\u29bf\u2705\u22a0\U0001f5f9\U0001f5f7]|(?<!\w)_{{1,6}}{_TICK}_{{1,6}}(?!\w))|"
    r"(?P<empty>[\[{]\s{0,3}_?\s{0,3}[\])}]|\[\sJ|\(\s{0,3}[\])]|[\u2610\u25a1\u2b1c\u25a2\u274f\u2751\u2752]|"
    r"(?<![^\s(:])_{1,8}(?=[ \t]{1,3}[A-Za-z]|[ \t]*$))"
)
_LINE = re.compile(r"[^\n]+")
_SEPARATOR = re.compile(r"\s*(?:/|,|;|\||\bor\b)\s*")
_HINT = re.compile(
    r"\(\s*(?:please\s+)?(?:select|check|choose|circle|mark|tick|specify)\b[^)\n]{0,60}\)\s*:?\s*", re.IGNORECASE
)
_LABEL_MARK = re.compile(r"[:?]")
_WORD_START = re.compile(r"(?<=\s)\w")
_LIST_LABEL_END = re.compile(r":|\?|\(|\s{2,}|\t")
_BRACKET_END = re.compile(r"\s?\)\s?[:=]\s*")
_LIST_END = re.compile(r"[.;)](?=\s|$)")
_CODED = re.compile(
    r"^[ \t]*(?P<label>[A-Za-z][^:\n]{2,70}):[ \t]*(?P<codes>\d(?:[ \t]*[,&-][ \t]*\d){0,4})"
    r"(?=[ \t]*\n|[ \t]+1[ \t]*\.)",
    re.MULTILINE,
)
_NUMBERED = re.compile(r"(?<![\w.])(\d)[ \t]*\.\s*(?=[A-Za-z])")
_LONGEST_CODED, _NEAREST_ITEM, _LONGEST_ITEM = 700, 40, 60
_FIRST = re.compile(r"[\w(]")
_BEFORE_ALL = Span(0, 0)
# An X without its box, beside boxes that are empty ("X absent   _ present").
_BARE_TICK = re.compile(r"(?<=[ \t:])(?P<ticked>[xX])(?P<empty>(?!))?(?=[ \t]{1,3}[A-Za-z])")
# Round boxes, which alone are bullets.
_ROUND = re.compile(r"(?P<ticked>[\u25cf\u2b24\u25c9])|(?P<empty>[\u25cb\u25ef])")
_LONGEST_LABEL = 120
_LONGEST_LIST = 300


@dataclass(frozen=True, slots=True)
class Option:
    """One of the things to choose from, without its box."""

    place: Span
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked ("Carcinoma") and the options, all of them without a tick in a list that nobody filled in.

    The label is empty where the options stand alone.
    """

    label: Span
    options: tuple[Option, ...]


@lru_cache(maxsize=32)
def find_choices(text: str) -> tuple[Choice, ...]:
    """The tick boxes of a text, options chosen by number, and lists that are not chosen from, in order."""
    return tuple(sorted((*_find_choices(text), *_find_coded(text)), key=lambda choice: choice.label.start))


def skip_hint(text: str, start: int, end: int) -> int:
    """Where an answer begins behind "(select one)"."""
    match = _HINT.match(text, start, end)
    return match.end() if match else start


def _find_choices(text: str) -> Iterator[Choice]:
    label: Span | None = None
    options: list[Option] = []
    before: Span | None = None
    for line in _LINE.finditer(text):
        boxes = _find_boxes(text, line.start(), line.end())
        if not boxes:
            if options:
                yield Choice(label or _BEFORE_ALL, tuple(options))
            label, options = None, []
            before = _strip(text, line.start(), line.end()) or before
            yield from _find_list(text, line.start(), line.end())
            continue
        lead = _strip(text, line.start(), boxes[0].start())
        own = _read_options(text, boxes, line.start(), line.end())
        if lead is not None and _splits_lead(text, lead, boxes, line.end()):
            lead, own = _read_trailing(text, lead, boxes)
        if lead is not None:
            if label is not None and options:
                yield Choice(label, tuple(options))
            label, options = lead, own
        else:
            label = label or before
            options += own
    if options:
        yield Choice(label or _BEFORE_ALL, tuple(options))


def _find_coded(text: str) -> Iterator[Choice]:
    """Fields answered by the number of an option ("Differentiation: 2" over "1. Well 2. Moderate 3. Poor")."""
    fields = list(_CODED.finditer(text))
    ends = [*(field.start() for field in fields[1:]), len(text)]
    for field, end in zip(fields, ends, strict=False):
        items = list(_NUMBERED.finditer(text, field.end(), min(end, field.end() + _LONGEST_CODED)))
        if len(items) < 2 or items[0].start() - field.end() > _NEAREST_ITEM or "1" not in {item[1] for item in items}:
            continue
        chosen = _parse_codes(field["codes"])
        starts = [item.start() for item in items[1:]] + [min(end, items[-1].end() + _LONGEST_ITEM)]
        places = [_strip(text, item.end(), last) for item, last in zip(items, starts, strict=True)]
        label = _strip(text, field.start("label"), field.end("label"))
        options = [Option(place, int(item[1]) in chosen) for item, place in zip(items, places, strict=True) if place]
        if label is not None:
            yield Choice(label, tuple(options))


def _parse_codes(codes: str) -> set[int]:
    """The numbers of "1,4" or of a range, "2-3"."""
    numbers = [int(number) for number in re.findall(r"\d", codes)]
    return set(range(numbers[0], numbers[-1] + 1)) if "-" in codes else set(numbers)


def _find_boxes(text: str, start: int, end: int) -> list[re.Match[str]]:
    """The boxes of a line; what may also be a gap in a text counts at the line's start or beside other boxes only."""
    boxes = list(_BOX.finditer(text, start, end))
    if not boxes:
        boxes = list(_ROUND.finditer(text, start, end))
        return boxes if any(box["ticked"] for box in boxes) and any(box["empty"] for box in boxes) else []
    if boxes and not any(box["ticked"] for box in boxes):
        boxes = sorted([*boxes, *_BARE_TICK.finditer(text, start, end)], key=lambda box: box.start())
    is_form = len(boxes) > 1 or any(box["ticked"] for box in boxes)
    return boxes if is_form or (boxes and not text[start : boxes[0].start()].strip(" \t-*\u2022")) else []


def _read_options(text: str, boxes: list[re.Match[str]], start: int, end: int) -> list[Option]:
    """What stands behind each box."""
    ends = [box.start() for box in boxes[1:]] + [end]
    places = [(_strip(text, box.end(), last), box) for box, last in zip(boxes, ends, strict=True)]
    return [Option(place, box["ticked"] is not None) for place, box in places if place is not None]


def _splits_lead(text: str, lead: Span, boxes: list[re.Match[str]], end: int) -> bool:
    """Whether boxes stand behind their options: "Necrosis: present [x] absent [ ]"."""
    if _strip(text, boxes[-1].end(), end) is not None:
        return False
    return _LABEL_MARK.search(text, lead.start, lead.end) is not None or _find_last_answer(text, lead) > lead.start


def _find_last_answer(text: str, lead: Span) -> int:
    """Where the last words of a stretch are an answer ("necrosis yes"); its start where they are none."""
    lower = lower_in_place(text[lead.start : lead.end])
    for match in _WORD_START.finditer(lower):
        answer = match_answer(lower, match.start(), len(lower))
        if answer is not None and answer[0].end == len(lower):
            return lead.start + match.start()
    return lead.start


def _read_trailing(text: str, lead: Span, boxes: list[re.Match[str]]) -> tuple[Span | None, list[Option]]:
    cut = max(text.rfind(mark, lead.start, lead.end) for mark in ":?") + 1 or _find_last_answer(text, lead)
    starts = [cut, *(box.end() for box in boxes[:-1])]
    places = [(_strip(text, start, box.start()), box) for start, box in zip(starts, boxes, strict=True)]
    options = [Option(place, box["ticked"] is not None) for place, box in places if place is not None]
    return _strip(text, lead.start, cut), options


def _find_list(text: str, start: int, end: int) -> Iterator[Choice]:
    """ "Necrosis: present / absent", "Type (select one): A / B / Other": what is asked, and that nothing is chosen."""
    separator = _LIST_LABEL_END.search(text, start, end)
    end = min(end, start + _LONGEST_LABEL + _LONGEST_LIST)
    while separator is not None and separator.start() <= start + _LONGEST_LABEL:
        label = _strip(text, start, separator.start())
        first = separator.end() - (1 if separator.group() == "(" else 0)
        body = skip_hint(text, first, end)
        options = _split_list(text, body + (text[body : body + 1] == "("), end)
        if separator.group() == "(" and _is_answered_behind(text, options, end):
            return
        if label is not None and options and _is_unchosen(text, options, body > first):
            yield Choice(label, tuple(Option(place, False) for place in options))
            return
        separator = _LIST_LABEL_END.search(text, separator.end(), end)


def _is_answered_behind(text: str, options: list[Span], end: int) -> bool:
    """Whether an answer follows options in brackets ("Necrosis (yes/no): no")."""
    mark = _BRACKET_END.match(text, options[-1].end, end) if options else None
    return mark is not None and match_answer(lower_in_place(text), mark.end(), end) is not None


def _split_list(text: str, start: int, end: int) -> list[Span]:
    stop = _LIST_END.search(text, start, end)
    last = stop.start() if stop and text[stop.start()] != ")" else end
    closing = text.find(")", start, last)
    if closing >= 0 and "(" not in text[start:closing]:
        last = closing
    places, begin = [], start
    for separator in _SEPARATOR.finditer(text, start, last):
        places.append(_strip(text, begin, separator.start()))
        begin = separator.end()
    places.append(_strip(text, begin, last))
    return [place for place in places if place is not None] if len(places) > 1 else []


def _is_unchosen(text: str, options: list[Span], has_hint: bool) -> bool:
    """Whether some options are yes and no at once, or are those of a form ("... / other (specify)")."""
    lower = lower_in_place(text)
    answers = [match_answer(lower, place.start, place.end) for place in options]
    whole = [answer[1] for answer, place in zip(answers, options, strict=True) if answer and answer[0].end == place.end]
    if len(whole) == len(options) and "yes" in whole and "no" in whole:
        return True
    return len(options) > 1 and (has_hint or any(answer and answer[1] == "choose" for answer in answers))


def _strip(text: str, start: int, end: int) -> Span | None:
    """A stretch without blanks, bullets and the marks at its ends; None where it holds no letter or digit."""
    first = _FIRST.search(text, start, end)
    if first is None:
        return None
    last = end
    while last > first.start() and not (text[last - 1].isalnum() or text[last - 1] in ")%?+"):
        last -= 1
    return Span(first.start(), last) if last > first.start() else None
