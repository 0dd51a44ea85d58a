"""Patterns of filters as regular expressions that mean the same on every server, whatever its collations are."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

_ASCII = re.compile(r"[A-Za-z0-9]")


def make_phrase_pattern(words: Sequence[str]) -> str:
    """Words in any case, one behind the other, with no letter and no digit between them, at the ends of words that have
    such."""
    first, last = words[0][0], words[-1][-1]
    pattern = f"[^{_list_word_marks()}]+".join("".join(map(_any_case, word)) for word in words)
    before = f"(?<![_{_list_word_marks()}])" if _ASCII.match(first) else ""
    after = f"(?![_{_list_word_marks()}])" if _ASCII.match(last) else ""
    return f"{before}{pattern}{after}"


def make_like_pattern(pattern: str) -> str:
    """A whole text in any case, with the signs of LIKE."""
    pieces = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            pieces.append(_any_case(next(letters, "\\")))
        else:
            pieces.append({"%": ".*", "_": "."}.get(letter) or _any_case(letter))
    return f"^{''.join(pieces)}$"


def close_like(pattern: str) -> str:
    r"""A pattern of LIKE whose last sign does not take the meaning from what isn't there."""
    slashes = len(pattern) - len(pattern.rstrip("\\"))
    return pattern + "\\" if slashes % 2 else pattern


def _any_case(letter: str) -> str:
    """A letter in any case, a sign as itself."""
    alike = _list_alike().get(_fold(letter), letter)
    return f"[{alike}]" if len(alike) > 1 else _escape(letter)


def _escape(letter: str) -> str:
    return letter if letter.isalnum() or ord(letter) > 127 else f"\\u{ord(letter):04x}"


@lru_cache(maxsize=1)
def _list_alike() -> Mapping[str, str]:
    """The letters that differ by their case alone, where there are several, by what they are folded to."""
    groups: dict[str, list[str]] = defaultdict(list)
    for letter in _iterate_letters():
        groups[_fold(letter)].append(letter)
    return {folded: "".join(letters) for folded, letters in groups.items() if len(letters) > 1}


def _fold(letter: str) -> str:
    """The case that all of a letter's share, of folds to one letter."""
    return next((one for one in (letter.casefold(), letter.lower()) if len(one) == 1), letter)


@lru_cache(maxsize=1)
def _list_word_marks() -> str:
    """What words are made of besides the underscore, for between brackets: ranges of letters, marks and digits."""
    ranges: list[list[int]] = []
    for code in range(1, sys.maxunicode + 1):
        if _is_of_word(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(chr(first) if first == last else f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _is_of_word(letter: str) -> bool:
    return (unicodedata.category(letter) in _OF_WORDS and letter != "_") or letter in _JOINERS


def _iterate_letters() -> Iterator[str]:
    return (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Lu", "Ll", "Lt"))


_OF_WORDS = ("Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Nd", "Mn", "Mc", "Me", "Pc")
_JOINERS = "\u200c\u200d"
