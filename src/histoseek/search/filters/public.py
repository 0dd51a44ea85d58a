"""What a filter from the network may say: a small part of SQL over columns that anybody may see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from histoseek.archive.schema import RECORD_COLUMNS, VECTOR_COLUMNS
from histoseek.errors import BadFilter

MOST_CHARACTERS = 2000
MOST_NESTED = 10
MOST_COMPARED = 64
"""Comparisons and words that join them: an engine that takes them apart by recursion ends where its stack does."""

MOST_WILDCARDS = 20
"""Signs % of all texts: each is another loop over every character of every report."""

PRIVATE_COLUMNS = ("uri", "file_fingerprint", *VECTOR_COLUMNS)
"""Where files lie, and what is derived from slides and reports."""

PUBLIC_COLUMNS = tuple(name for name in RECORD_COLUMNS if name not in PRIVATE_COLUMNS)

FUNCTIONS = ("lower", "upper", "length", "contains", "starts_with", "ends_with", "coalesce")

_JOINING = ("and", "or", "not")
_COMPARING = (*_JOINING, "in", "is", "like", "ilike", "between", "escape")
_NEVER = (
    *("select", "from", "with", "values", "union", "exists", "any", "all", "some", "case", "when", "cast", "try_cast"),
    *("array", "struct", "interval", "lateral", "table", "unnest"),
)
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"\w+"|`\w+`)
    | (?P<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.'"`]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*+(?!['"`]))
    | (?P<operator><=|>=|<>|!=|[=<>(),])""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    @property
    def name(self) -> str:
        """As the engine looks it up, which does not tell upper and lower case apart outside of quotes."""
        return self.text.strip('"`').lower()

    @property
    def is_value(self) -> bool:
        """Whether a sign behind it would be a subtraction."""
        if self.kind == "word":
            return self.name not in _COMPARING
        return self.kind in ("text", "quoted", "number") or self.text == ")"

    @property
    def compares(self) -> bool:
        """Whether it makes the expression deeper."""
        return self.text not in ("(", ")", ",") if self.kind == "operator" else self.text.lower() in _COMPARING


def public_where(where: str) -> str:
    """A filter as it is, if it may come from anybody.

    Comparisons, LIKE, IN, BETWEEN, IS NULL, AND, OR and NOT over public columns, numbers, texts, dates and FUNCTIONS;
    no arithmetic, no subqueries, no private columns in any spelling. Whether columns are there, and types fit, is for
    the store to say. Raises BadFilter.
    """
    fault = _fault(where)
    if fault is not None:
        raise BadFilter(where, fault, PUBLIC_COLUMNS)
    return where


def _fault(where: str) -> str | None:
    if len(where) > MOST_CHARACTERS:
        return f"is longer than {MOST_CHARACTERS:,} characters"
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in where):
        return "holds characters that are no text"
    tokens = list(_tokens(where))
    if not tokens:
        return "is empty"
    around = zip([_Token("start", ""), *tokens], tokens, [*tokens[1:], _Token("end", "")], strict=False)
    return next(filter(None, (_fault_of(*three) for three in around)), None) or _too_much(tokens)


def _tokens(where: str) -> Iterator[_Token]:
    """What the filter is made of, without spaces; what can't be part of one as of the kind "wrong"."""
    place = 0
    while place < len(where):
        match = _TOKEN.match(where, place)
        if match is None:
            yield _Token("wrong", where[place])
            return
        place = match.end()
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match.group())


def _fault_of(before: _Token, token: _Token, behind: _Token) -> str | None:
    if token.kind == "wrong":
        return f"may not hold {token.text!r} here"
    if token.text.startswith("-") and before.is_value:
        return "may not calculate"
    return _fault_of_name(token, behind) if token.kind in ("word", "quoted") else None


def _fault_of_name(token: _Token, behind: _Token) -> str | None:
    if token.name in PRIVATE_COLUMNS or token.name.startswith("_"):
        return f"names {token.name}, which is not public"
    if token.kind == "word" and token.name in _NEVER:
        return f"may not use {token.name.upper()}"
    if token.kind == "word" and token.name in ("like", "ilike") and behind.kind != "text":
        return "compares with LIKE what is no text"
    called = behind.text == "(" and not (token.kind == "word" and token.name in _COMPARING)
    if called and not (token.kind == "word" and token.name in FUNCTIONS):
        return f"may not call {token.name}; functions are: {', '.join(FUNCTIONS)}"
    return None


def _too_much(tokens: list[_Token]) -> str | None:
    depths = list(accumulate((token.text == "(") - (token.text == ")") for token in tokens))
    if min(depths) < 0 or depths[-1] != 0:
        return "its parentheses do not match"
    if max(depths) > MOST_NESTED:
        return f"has more than {MOST_NESTED} parentheses in each other"
    if sum(token.compares for token in tokens) > MOST_COMPARED:
        return "has too many conditions"
    if sum(token.text.count("%") for token in tokens) > MOST_WILDCARDS:
        return f"has more than {MOST_WILDCARDS} signs %"
    return None
