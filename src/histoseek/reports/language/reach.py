"""Where the reach of a cue ends, before it and behind it, in lower-case text."""

from __future__ import annotations

import re

from histoseek.reports.language.cues import Status, load_reach

SHORT_REMARK = 3
"""Remarks in brackets of more words are no part of what is spoken of."""

_COMMA = re.compile(r",")
_OWN_STATEMENT = re.compile(r"\d|\b(?:present|positive|grade|stage|identified|seen)\b")
_BRACKET = re.compile(r"[()]")
_LABEL_COLON = re.compile(r":(?=\s*\w)")


def find_forward_end(text: str, start: int, limit: int, status: Status) -> int:
    """The end of what a cue of some status reaches behind it, from start on and at most up to limit."""
    reach = load_reach()
    pattern = reach.forward if status in {Status.NEGATED, Status.ELSEWHERE} else reach.soft
    match = pattern.search(text, start, limit)
    while (
        match and match.group() == ")" and text.count("(", start, match.start()) > text.count(")", start, match.start())
    ):
        match = pattern.search(text, match.end(), limit)
    end = _find_bracket(text, start, match.start() if match else limit)
    return _find_list_end(text, start, end) if status == Status.NEGATED else end


def _find_list_end(text: str, start: int, end: int) -> int:
    """What is denied ends behind "no tumor seen", and at a comma before a statement with a figure or verb of its own.

    "No necrosis, LVI present"; but not where the list goes on to an "or".
    """
    reach = load_reach()
    last_either = max((match.start() for match in reach.either.finditer(text, start, end)), default=start)
    done = reach.done.search(text, start + 1, end)
    if done is not None and done.start() > last_either:
        comma = text.find(",", max(start, last_either), done.start())
        end = done.end() if comma < 0 else comma
    for match in _COMMA.finditer(text, last_either, end):
        segment = text[match.end() : end].partition(",")[0]
        if _OWN_STATEMENT.search(segment):
            return match.start()
    return end


def _find_bracket(text: str, start: int, end: int) -> int:
    """Up to a bracket that was opened before a stretch of text, or to a remark in brackets ("no tumor (see note)")."""
    depth = 0
    for match in _BRACKET.finditer(text, start, end):
        depth += 1 if match.group() == "(" else -1
        if depth < 0:
            return match.start()
        if (
            depth == 1
            and match.group() == "("
            and len(text[match.end() : end].partition(")")[0].split()) > SHORT_REMARK
        ):
            return match.start()
    return end


def find_backward_start(text: str, start: int, cue_start: int) -> int:
    """Back to a word that ends the reach, and over commas only where they part a list ("a, b and c are absent")."""
    ends = [match.end() for match in load_reach().backward.finditer(text, start, cue_start)]
    ends += [match.end() for match in _LABEL_COLON.finditer(text, start, cue_start)]
    start = max([start, *ends])
    comma = text.rfind(",", start, cue_start)
    if comma >= 0 and not load_reach().list_word.search(text, comma, cue_start):
        return comma + 1
    return start
