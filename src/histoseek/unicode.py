"""What is text: names of files may be any bytes, and Python holds those that are no UTF-8 as halves of characters."""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]")
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF


def is_text(text: str) -> bool:
    """Whether it is Unicode text that can be written as UTF-8."""
    return _HALF.search(text) is None


def make_printable(text: str) -> str:
    """A text with an escape (`\\xe4`) in place of each byte that is none."""
    return _HALF.sub(_escape, text)


def make_line(text: str) -> str:
    """As `make_printable`, with escapes also for what a terminal would obey or what ends a line."""
    return _CONTROL.sub(lambda control: repr(control[0])[1:-1], make_printable(text))


def _escape(half: re.Match[str]) -> str:
    code = ord(half[0])
    return f"\\x{code - 0xDC00:02x}" if _FIRST_BYTE <= code <= _LAST_BYTE else f"\\u{code:04x}"
