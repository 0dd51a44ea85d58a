"""Numbers as reports write them: figures, words ("twenty-one"), Roman numerals."""

from __future__ import annotations

import re

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: 10 * value for value, word in enumerate(_TENS, 2)},
    **{"a single": 1, "single": 1, "both": 2, "none": 0, "nil": 0, "neither": 0},
}
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_UNITS = "|".join(sorted(_ONES[1:10], key=len, reverse=True))

NUMBER = (
    rf"(?:\d{{1,3}}(?!\d)|(?:{'|'.join(_TENS)})(?:\s?[-\u2010~]?\s?(?:{_UNITS})\b)?|"
    rf"(?:{'|'.join(sorted(_ONES, key=len, reverse=True))}|a\s+single|single|both)\b)"
)
"""A whole number below a thousand in figures, or below a hundred in words, as a pattern for any case."""


def parse_number(text: str) -> int:
    """What a text that `NUMBER`, "none" or a Roman numeral up to V matched stands for."""
    plain = " ".join(re.sub(r"[-\u2010~]", " ", text.lower()).split())
    if plain.isdigit():
        return int(plain)
    if plain in _ROMAN:
        return _ROMAN[plain]
    return _VALUES[plain] if plain in _VALUES else sum(_VALUES[word] for word in plain.split())
