"""Answers behind labels, as forms and synoptic reports have them: on the same line, on the next, or by a tick."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from histoseek.reports.language.choices import Choice, find_choices, skip_hint
from histoseek.reports.language.cues import AnswerMeaning, find_cues, load_reach, match_answer
from histoseek.reports.language.words import Span, lower_in_place


class AnswerKind(StrEnum):
    """What an answer says of its label."""

    YES = "yes"
    NO = "no"
    UNSTATED = "unstated"
    DOUBT = "doubt"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Answer:
    """A label, what stands behind it, and what that says; an answer of yes or no may go on ("No (0/12)")."""

    label: Span
    value: Span
    kind: AnswerKind


_LINE = re.compile(r"[^\n]+")
_LEAD = re.compile(r"[\s\-*\u2022\u00b7>|\u2013\u2014+#]*(?:\(?(?:\d{1,2}|[A-Za-z])[.)]\s+)?[\s\-*\u2022\u00b7]*")
_COLON = re.compile(r"\s*:(?!\d|//)[\s\-\u2013|]*")
_WEAK = re.compile(
    r"\s*(?:(?=\((?:please\s)?(?:select|check|choose|circle|mark|tick)\s)|"
    r";|=|\?|\||\.{3,}|(?:\.\s){3,40}|\u2026|\t|\s{2,}|(?<=\s)[-\u2013\u2014](?=\s)|,(?=\s))[\s\-\u2013.|=:]*"
)
_SIGN = re.compile(
    r"\(?\s?(?:(?P<no>-ve|\([-\u2013\u2212]\)|0+(?:[.,]0+)?\s?%?(?!\s*(?:of|out|to)\b|\s?[/\d%x-])|\[-\]|\u00f8|\u2205|-(?=\s*\)))|"
    r"(?P<yes>\+ve|\(\+\)|\+{1,3})|(?P<open>\?))(?=[\s.,;)|]|$)"
)
_REST = re.compile(r"\s*(?:\d{1,2}[.)]\s|[.,;|)*_>\]]|$|\(|\[|-{1,2}\s|\u2013)")
_NEXT_LABEL = re.compile(r"\s+(?P<label>[A-Z][^:\n.;,]{1,60}?)\s?:")
_PLACE_TAIL = re.compile(
    r"\s+(?:in|on|at|by|with(?=\s+(?:certainty|confidence))|from|due\s+to|because|owing|for\s+(?:this|these)|see|per|within|during|as\s+of|to\s+date|"
    r"(?:grossly|microscopically|histologically|definitively|here|elsewhere|submitted|focally|seen|identified|present)\b)\b"
)
_DASH = re.compile(r"(?<=[:\s])(?:[-\u2013\u2014]{1,3}|_{2,40}|\.{4,40})(?=\s*$)")
_COLUMN = re.compile(r"[ \t]*\|[ \t|]*|\t[ \t]*|[ ]{2,}")
_GAP = re.compile(r"\s{2,}|\t")
_SENTENCE = re.compile(r"(?<=[a-z\d)])[.;]\s+(?=\S)")
_WRAPPED = re.compile(r"[ \t]*\n\s*(?:for|of|by)\b")
_FINITE = re.compile(r"\b(?:is|are|was|were|has|have|had|shows?|reveals?|not|no)\b", re.IGNORECASE)
# Behind a comma these go on more often than they answer ("however, no|carcinoma").
_TOO_SHORT = frozenset({"no", "n", "y", "na", "not", "non", "kein", "keine", "geen", "aucun", "aucune"})
_WORD_ABOVE = re.compile(r"(?<![^\W\d_])(?P<word>[a-z-]{4,20})[ \t]*\n[ \t]*$")
_LINE_ABOVE = re.compile(
    r"(?:^|\n)[ \t\-*\u2022]*(?P<words>[a-z][a-z/-]{2,20}(?: [a-z/-]{2,20}){0,2})"
    r"(?<!oma)(?<!cancer)(?<!tumor)(?<!tumour)[ \t]*\n[ \t]*$"
)
_BARE = re.compile(r"(?:invasion|extension|involvement|infiltration|spread|permeation)(?:\s*\([a-z]{2,5}\))?")
_LONGEST_LABEL = 100
_MOST_WORDS = 14
_NEAR = 200


@lru_cache(maxsize=4)
def find_answers(text: str) -> tuple[Answer, ...]:
    """The labels of a text with their answers, in order: on the same line, on the next one, in columns, by a tick."""
    lower = lower_in_place(text)
    ticked = [answer for answer in (_read_choice(lower, choice) for choice in find_choices(text)) if answer is not None]
    taken = [(answer.label.start, max(answer.value.end, answer.label.end)) for answer in ticked]
    plain = (
        answer
        for answer in _find_plain(text, lower)
        if not any(start < answer.value.end and answer.label.start < end for start, end in taken)
    )
    return tuple(sorted((*ticked, *plain), key=lambda answer: (answer.label.start, answer.value.start)))


def _read_choice(lower: str, choice: Choice) -> Answer | None:
    options = [option.place for option in choice.options]
    whole = Span(options[0].start, options[-1].end)
    chosen = [option.place for option in choice.options if option.is_ticked]
    if not chosen:
        is_asked = any(match_answer(lower, option.start, option.end) for option in options)
        if not is_asked:  # kinds of a thing, or a gap in a text
            return None
        return Answer(choice.label, whole, AnswerKind.UNSTATED)
    if choice.label.start == choice.label.end:
        return None
    match = match_answer(lower, chosen[0].start, chosen[0].end)
    meaning = match[1] if match else "value"
    return Answer(choice.label, chosen[0], AnswerKind.VALUE if meaning == "choose" else AnswerKind(meaning))


def _find_plain(text: str, lower: str) -> Iterator[Answer]:
    """Answers line by line; labels without one wait for the lines that hold nothing but answers."""
    waiting: list[Span] = []
    is_open = False
    skipped = -1
    for line in _LINE.finditer(text):
        if line.start() == skipped:
            continue
        table = _read_table(text, lower, line.start(), line.end())
        if table:
            yield from table
            waiting, is_open, skipped = [], False, line.end() + 1
            continue
        start = _LEAD.match(text, line.start(), line.end()).end()  # type: ignore[union-attr]
        if start >= line.end() or not text[start : line.end()].strip():
            continue
        alone = _match_alone(lower, start, line.end())
        if alone is not None and waiting:
            yield Answer(waiting.pop(0), *alone)
            is_open = False
            continue
        if waiting and is_open and not _COLON.search(text, start, line.end()):
            yield Answer(waiting.pop(), Span(start, _strip_end(text, start, line.end())), AnswerKind.VALUE)
            waiting, is_open = [], False
            continue
        own = [_join_above(lower, answer) for answer in _read_line(text, lower, start, line.end())]
        yield from (answer for answer in own if answer.value.end > answer.value.start)
        empty = [answer.label for answer in own if answer.value.end == answer.value.start]
        if empty:
            waiting, is_open = (waiting if is_open else []) + empty, True
        elif not own and alone is None and _may_be_label(text, start, line.end()):
            waiting, is_open = [_extend_above(lower, Span(start, _strip_end(text, start, line.end())))], False
        else:
            waiting, is_open = [], False


def _read_table(text: str, lower: str, start: int, end: int) -> list[Answer]:
    """Labels side by side with their answers below them, in as many columns."""
    labels = _split_cells(text, start, end)
    if len(labels) < 2:
        return []
    below_end = text.find("\n", end + 1)
    values = _split_cells(text, end + 1, below_end if below_end >= 0 else len(text))
    if len(values) != len(labels) or any(_match_alone(lower, label.start, label.end) for label in labels):
        return []
    answers = [_match_alone(lower, value.start, value.end) for value in values]
    if None in answers:
        return []
    return [Answer(label, *answer) for label, answer in zip(labels, answers, strict=True) if answer]


def _split_cells(text: str, start: int, end: int) -> list[Span]:
    """The columns of a line, parted by bars or wide gaps."""
    places = [start, *(place for gap in _COLUMN.finditer(text, start, end) for place in gap.span()), end]
    cells = [Span(first, _strip_end(text, first, last)) for first, last in zip(places[::2], places[1::2], strict=True)]
    return [cell for cell in cells if cell.end > cell.start]


def _join_above(lower: str, answer: Answer) -> Answer:
    """An answer whose label has the words that a line end cuts off ("Venous|Invasion: absent")."""
    return Answer(_extend_above(lower, answer.label), answer.value, answer.kind)


def _extend_above(lower: str, label: Span) -> Span:
    """A label back to the line above that asks for it: a short one above a bare "Invasion", else its last word."""
    first = max(0, label.start - _LONGEST_LABEL)
    line = _LINE_ABOVE.search(lower, first, label.start) if _BARE.fullmatch(lower, label.start, label.end) else None
    if line is not None:
        return Span(line.start("words"), label.end)
    word = _WORD_ABOVE.search(lower, first, label.start)
    if word is None or load_reach().open_end.search(lower, word.start("word"), word.end("word")) is None:
        return label
    return Span(word.start("word"), label.end)


def _read_line(text: str, lower: str, start: int, end: int) -> Iterator[Answer]:
    """Labels of one line with their answers; an empty place for a value that the line lacks."""
    begin = start
    while begin < end:
        colon = _COLON.search(text, begin, end)
        weak = _find_weak(lower, begin, colon.start() if colon else end, end)
        separator = weak or colon
        if separator is None:
            return
        label = _trim_label(text, begin, separator.start())
        value = skip_hint(text, separator.end(), end)
        answer = _match_value(lower, text, value, end)
        if label is None:
            begin = separator.end()
        elif answer is not None:
            yield Answer(label, *answer)
            begin = _skip_marks(text, answer[0].end, end)
        elif value >= end or not text[value:end].strip(" \t_."):
            dash = _DASH.search(text, separator.start(), end)
            empty = Span(separator.end(), separator.end())
            yield (
                Answer(label, Span(*dash.span()), AnswerKind.UNSTATED)
                if dash
                else Answer(label, empty, AnswerKind.VALUE)
            )
            return
        else:
            begin = _find_value_end(text, value, end)
            yield Answer(label, Span(value, _strip_end(text, value, begin)), AnswerKind.VALUE)


def _find_weak(lower: str, start: int, stop: int, end: int) -> re.Match[str] | None:
    """A semicolon, dash or gap that parts a label from an answer, before the next colon."""
    for match in _WEAK.finditer(lower, start, stop):
        value = skip_hint(lower, match.end(), end)
        answer = _match_value(lower, lower, value, end)
        mark = match.group().strip()
        is_remark = answer is not None and lower.startswith("see ", answer[0].start)
        if (
            answer is None
            or is_remark
            or (mark in {",", "-"} and not (_ends(lower, answer[0].end, end) or lower.startswith(";", answer[0].end)))
        ):
            continue
        if mark != "," or lower[answer[0].start : answer[0].end] not in _TOO_SHORT:
            return match
    return None


def _match_value(lower: str, text: str, start: int, end: int) -> tuple[Span, AnswerKind] | None:
    """The answer at a place, where nothing follows that would make it more than an answer."""
    sign = _SIGN.match(lower, start, end)
    if sign is not None:
        return Span(start, sign.end()), _read_sign(sign)
    match = match_answer(lower, start, end)
    if match is None or match[1] == "choose" or _WRAPPED.match(lower, match[0].end):
        return None
    return _judge_answer(lower, text, *match, end)


def _judge_answer(
    lower: str, text: str, place: Span, meaning: AnswerMeaning, end: int
) -> tuple[Span, AnswerKind] | None:
    """What an answer says by what follows it; None where it goes on to something else."""
    longer = find_cues(lower, place.start, min(end, place.end + 40))
    if (
        longer
        and longer[0].place.start == place.start
        and longer[0].side == "before"
        and longer[0].place.end > place.end
    ):
        return None  # "negative for", "uninvolved by"
    second = match_answer(lower, place.end, end)
    if second is not None and {meaning, second[1]} == {"yes", "no"} and _ends(lower, second[0].end, end):
        return Span(place.start, second[0].end), AnswerKind.UNSTATED  # "Yes No", none of them chosen
    goes_on = _PLACE_TAIL.match(lower, place.end, end) is not None and (
        meaning != "no" or not lower.startswith(" for", place.end)
    )
    is_whole = bool(goes_on or _REST.match(text, place.end, end) or _GAP.match(text, place.end, end))
    if not is_whole:
        follows = _NEXT_LABEL.match(text, place.end, end)
        is_whole = follows is not None and _is_answered(lower, text, _skip_blanks(text, follows.end()), end)
    return (place, AnswerKind(meaning)) if is_whole else None


def _is_answered(lower: str, text: str, start: int, end: int) -> bool:
    return _match_value(lower, text, start, min(end, start + _NEAR)) is not None


def _read_sign(sign: re.Match[str]) -> AnswerKind:
    if sign["open"]:
        return AnswerKind.UNSTATED
    return AnswerKind.NO if sign["no"] else AnswerKind.YES


def _skip_blanks(text: str, start: int) -> int:
    return re.compile(r"\s*").match(text, start).end()  # type: ignore[union-attr]


def _match_alone(lower: str, start: int, end: int) -> tuple[Span, AnswerKind] | None:
    """An answer that has a line for itself, but for a remark in brackets."""
    start = skip_hint(lower, start, end)
    sign = _SIGN.match(lower, start, end)
    if sign is not None and _ends(lower, sign.end(), end):
        return Span(start, sign.end()), _read_sign(sign)
    match = match_answer(lower, start, end)
    if (
        match is None
        or match[1] == "choose"
        or not _ends(lower, match[0].end, end)
        or _WRAPPED.match(lower, match[0].end)
    ):
        return None
    return match[0], AnswerKind(match[1])


def _ends(text: str, start: int, end: int) -> bool:
    return re.compile(r"\s*[.,;*]*\s*(?:\([^)\n]{0,80}\)?)?\s*[.,;*]*\s*").fullmatch(text, start, end) is not None


def _trim_label(text: str, start: int, end: int) -> Span | None:
    """The label before a separator, from the last sentence end on."""
    ends = [match.end() for match in _SENTENCE.finditer(text, start, end)]
    first = _skip_marks(text, ends[-1] if ends else start, end)
    last = _strip_end(text, first, end)
    label = text[first:last]
    if not re.search(r"[^\W\d_]", label) or len(label) > _LONGEST_LABEL or len(label.split()) > _MOST_WORDS:
        return None
    return Span(first, last)


def _find_value_end(text: str, start: int, end: int) -> int:
    """Where a free value ends: at the next label of the line, or with the line."""
    colon = _COLON.search(text, start, end)
    if colon is None:
        return end
    cuts = [match.end() for match in re.finditer(r"[.;,]\s|\s{2,}", text[start : colon.start()])]
    if cuts:
        return start + cuts[-1]
    words = list(re.compile(r"(?<=\s)[A-Z]").finditer(text, start, colon.start()))
    return words[0].start() if words else colon.end()


def _may_be_label(text: str, start: int, end: int) -> bool:
    """A short line without an end mark, which the next line may answer."""
    line = text[start:end].rstrip()
    is_short = len(line) <= 70 and len(line.split()) <= 9 and line[0].isupper()
    return is_short and not line.endswith((".", ",", ";", "!")) and not _FINITE.search(line)


def _skip_marks(text: str, start: int, end: int) -> int:
    return re.compile(r"[\s.,;|)\-*\u2013\u2022]*").match(text, start, end).end()  # type: ignore[union-attr]


def _strip_end(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip(" \t\r:;-*|\u2013=?.,"))
