"""From the text of a filter to its expression; docs/metadata.md describes the language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import get_args

from histoseek.archive.filters.expression import (
    RESERVED,
    Call,
    Column,
    Comparison,
    Expression,
    Function,
    HasAny,
    HasPhrase,
    In,
    IsNull,
    IsTrue,
    Like,
    Literal,
    Not,
    Value,
    all_of,
    any_of,
)
from histoseek.errors import BadFilter

FUNCTIONS = (*get_args(Function), "array_has", "array_has_any", "has_phrase")

MOST_NESTED = 20
"""Parentheses, functions and NOTs in each other: parsers work by recursion, and end where their stack does."""

_LANGUAGE = (
    "a filter has comparisons, IN, BETWEEN, LIKE, ILIKE, IS NULL, IS TRUE, AND, OR, NOT, and the functions "
    + ", ".join(FUNCTIONS)
)
_MOST_DIGITS = 30
_OPERATORS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"\w+"|`\w+`)
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.'"`]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*+(?!['"`]))
    | (?P<sign><=|>=|<>|!=|==|[=<>(),\[\]-])""",
    re.VERBOSE | re.ASCII,
)


def parse_filter(text: str, columns: Sequence[str], most_nested: int = MOST_NESTED) -> Expression:
    """The expression of a filter's text; raises BadFilter, which names these columns, for what the language lacks.

    Whether columns are there, and types fit, is not looked at.
    """
    try:
        return _Parser(tuple(_tokens(text)), most_nested).parse()
    except _Fault as fault:
        raise BadFilter(text, str(fault), columns) from None


class _Fault(Exception):
    """Why a text is no filter."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        """A word outside of quotes in lower case, "" for anything else."""
        return self.text.lower() if self.kind == "word" else ""


_END = _Token("end", "")


def _tokens(text: str) -> Iterator[_Token]:
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise _Fault("holds characters that are no text")
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _Fault(_unreadable(text, place))
        place = match.end()
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match.group())


def _unreadable(text: str, place: int) -> str:
    if text[place] in "'\"`" and text.count(text[place], place) == 1:
        return f"Unterminated string: {text[place]} at character {place + 1} is never closed"
    if text[place] == ";" or text.startswith(("--", "/*"), place):
        return "must be one condition, without ; and comments"
    return f"may not hold {text[place]!r} at character {place + 1}: {_LANGUAGE}"


class _Parser:
    """Takes tokens apart by recursion: OR, AND, NOT, conditions, values."""

    def __init__(self, tokens: Sequence[_Token], most_nested: int) -> None:
        self._tokens = tokens
        self._most_nested = most_nested
        self._place = 0
        self._depth = 0

    def parse(self) -> Expression:
        """All of the tokens as one condition."""
        if not self._tokens:
            raise _Fault("is empty")
        expression = self._parse_or()
        if self._next.text == ")":
            raise _Fault("has a closing parenthesis too many")
        if self._next is not _END:
            raise _Fault(f"may not go on with {self._next.text} behind {expression}: {_LANGUAGE}")
        return expression

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place] if self._place < len(self._tokens) else _END

    @property
    def _behind(self) -> _Token:
        return self._tokens[self._place + 1] if self._place + 1 < len(self._tokens) else _END

    def _take(self) -> _Token:
        token = self._next
        self._place += 1
        return token

    def _passes(self, *words: str) -> bool:
        """Go on behind some words or signs, if they are next."""
        texts = [token.word or token.text for token in self._tokens[self._place : self._place + len(words)]]
        if texts != list(words):
            return False
        self._place += len(words)
        return True

    def _require(self, sign: str) -> None:
        if not self._passes(sign):
            raise _Fault(f"has {self._next.text or 'its end'} where {sign} should be: {_LANGUAGE}")

    def _nest(self, parse: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > self._most_nested:
            raise _Fault(f"has more than {self._most_nested} parentheses, functions and NOTs in each other")
        expression = parse()
        self._depth -= 1
        return expression

    def _parse_or(self) -> Expression:
        conditions = [self._parse_and()]
        while self._passes("or"):
            conditions.append(self._parse_and())
        return _present(any_of(*conditions))

    def _parse_and(self) -> Expression:
        conditions = [self._parse_not()]
        while self._passes("and"):
            conditions.append(self._parse_not())
        return _present(all_of(*conditions))

    def _parse_not(self) -> Expression:
        return Not(self._nest(self._parse_not)) if self._passes("not") else self._parse_condition()

    def _parse_condition(self) -> Expression:
        left = self._parse_value()
        if self._next.text in _OPERATORS:
            return _compare(left, self._take().text, self._parse_value())
        if self._passes("is"):
            negated = self._passes("not")
            return _negate_if(self._parse_is(left), negated)
        negated = self._next.word == "not" and self._behind.word in ("in", "like", "ilike", "between")
        self._place += negated
        if self._passes("in"):
            return _negate_if(_make_in(left, self._parse_list("(", ")")), negated)
        if self._passes("between"):
            low = self._parse_value()
            self._require("and")
            return _negate_if(
                _present(all_of(_compare(left, ">=", low), _compare(left, "<=", self._parse_value()))),
                negated,
            )
        if self._next.word in ("like", "ilike"):
            return _negate_if(self._parse_like(left), negated)
        return left

    def _parse_is(self, operand: Expression) -> Expression:
        """What may stand behind IS."""
        if self._passes("null") or self._passes("unknown"):
            return IsNull(operand)
        if self._passes("true"):
            return IsTrue(operand)
        if self._passes("false"):
            return IsTrue(Not(operand))
        raise _Fault("has IS without NULL, TRUE, FALSE or UNKNOWN behind it")

    def _parse_like(self, operand: Expression) -> Expression:
        word = self._take()
        if self._next.kind != "text":
            raise _Fault("compares with LIKE what is no text that is written out")
        pattern = _unquote(self._take())
        if self._next.word == "escape":
            raise _Fault("may not use ESCAPE: \\ takes the meaning from % and _")
        return Like(operand, pattern, ignore_case=word.word == "ilike")

    def _parse_value(self) -> Expression:
        token = self._take()
        if token.kind == "text":
            return Literal(_unquote(token))
        if token.kind == "quoted":
            return Column(token.text[1:-1])
        if token.kind == "number" or (token.text == "-" and self._next.kind == "number"):
            return Literal(_number(token.text if token.kind == "number" else f"-{self._take().text}"))
        if token.text == "(":
            inner = self._nest(self._parse_or)
            self._require(")")
            return inner
        if token.word:
            return self._parse_name(token.word)
        raise _Fault(f"has {token.text or 'its end'} where a column or a value should be: {_LANGUAGE}")

    def _parse_name(self, word: str) -> Expression:
        """What a word outside of quotes stands for."""
        if word in ("null", "true", "false"):
            return Literal({"true": True, "false": False}.get(word))
        if word in RESERVED:
            raise _Fault(f"has {word.upper()} where a column or a value should be")
        if word in ("date", "timestamp") and self._next.kind == "text":
            return Literal(_cast(_unquote(self._take()), word))
        if self._next.text != "(":
            return Column(word)
        if word == "cast":
            return self._parse_cast()
        if word not in FUNCTIONS:
            raise _Fault(f"may not call {word}; functions are: {', '.join(FUNCTIONS)}")
        return self._parse_call(word)

    def _parse_cast(self) -> Expression:
        """A value that is written out as a text: cast('2024-01-01' as date)."""
        self._require("(")
        value, word, kind = self._take(), self._take().word, self._take().word
        if value.kind != "text" or word != "as" or kind not in _CASTS:
            raise _Fault(f"may only use cast('...' as TYPE), with one of {', '.join(_CASTS)}")
        self._require(")")
        return Literal(_cast(_unquote(value), kind))

    def _parse_call(self, word: str) -> Expression:
        if word == "array_has_any":
            return self._parse_has_any()
        arguments = self._parse_list("(", ")")
        if word == "array_has":
            column, value = _pair(word, arguments)
            if isinstance(column, Column):
                return HasAny(column, (_text(word, value),))
            raise _Fault("array_has needs a column and a text")
        if word == "has_phrase":
            operand, phrase = _pair(word, arguments)
            words = re.findall(r"[^\W_]+", _text(word, phrase))
            if not words:
                raise _Fault("has_phrase needs a phrase with at least one letter or digit")
            return HasPhrase(operand, tuple(words))
        if word == "coalesce":
            arguments = [inner for one in arguments for inner in (one.parts if _coalesces(one) else (one,))]
        return Call(word, tuple(arguments))  # type: ignore[arg-type]

    def _parse_has_any(self) -> Expression:
        self._require("(")
        column = self._nest(self._parse_value)
        self._require(",")
        values = tuple(_text("array_has_any", value) for value in self._parse_list("[", "]"))
        self._require(")")
        if not isinstance(column, Column):
            raise _Fault("array_has_any needs a column and texts")
        return HasAny(column, values)

    def _parse_list(self, opening: str, closing: str) -> list[Expression]:
        """At least one value, between signs."""
        self._require(opening)
        values = [self._nest(self._parse_or)]
        while self._passes(","):
            values.append(self._nest(self._parse_or))
        self._require(closing)
        return values


def _present(expression: Expression | None) -> Expression:
    assert expression is not None
    return expression


def _negate_if(expression: Expression, negated: bool) -> Expression:
    return Not(expression) if negated else expression


def _compare(left: Expression, operator: str, right: Expression) -> Expression:
    return Comparison(left, _OPERATORS[operator], right)  # type: ignore[arg-type]


def _make_in(operand: Expression, values: Sequence[Expression]) -> Expression:
    """IN: the values that are written out together, any others one by one."""
    literals = tuple(value.value for value in values if isinstance(value, Literal) and value.value is not None)
    others = [value for value in values if not isinstance(value, Literal) or value.value is None]
    among = In(operand, literals) if literals else None
    return _present(any_of(among, *(Comparison(operand, "=", value) for value in others)))


def _pair(function: str, arguments: Sequence[Expression]) -> tuple[Expression, Expression]:
    if len(arguments) != 2:
        raise _Fault(f"calls {function} with {len(arguments)} values, not 2")
    return arguments[0], arguments[1]


def _coalesces(expression: Expression) -> bool:
    return isinstance(expression, Call) and expression.function == "coalesce"


def _text(function: str, value: Expression) -> str:
    if isinstance(value, Literal) and isinstance(value.value, str):
        return value.value
    raise _Fault(f"calls {function} with {value}, which is no text that is written out")


def _unquote(token: _Token) -> str:
    return token.text[1:-1].replace("''", "'")


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdecimal() and len(text) < _MOST_DIGITS else float(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_CASTS: dict[str, Callable[[str], Value]] = {
    "date": date.fromisoformat,
    "timestamp": _moment,
    "double": float,
    "bigint": int,
    "boolean": _truth,
    "string": str,
}


def _cast(text: str, kind: str) -> Value:
    try:
        return _CASTS[kind](text)
    except (ValueError, KeyError):
        raise _Fault(f"has {text!r}, which is no {kind}") from None
