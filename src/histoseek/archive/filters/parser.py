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
        expression = self._either()
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

    def _deeper(self, parse: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > self._most_nested:
            raise _Fault(f"has more than {self._most_nested} parentheses, functions and NOTs in each other")
        expression = parse()
        self._depth -= 1
        return expression

    def _either(self) -> Expression:
        conditions = [self._both()]
        while self._passes("or"):
            conditions.append(self._both())
        return _present(any_of(*conditions))

    def _both(self) -> Expression:
        conditions = [self._negation()]
        while self._passes("and"):
            conditions.append(self._negation())
        return _present(all_of(*conditions))

    def _negation(self) -> Expression:
        return Not(self._deeper(self._negation)) if self._passes("not") else self._condition()

    def _condition(self) -> Expression:
        left = self._value()
        if self._next.text in _OPERATORS:
            return _compared(left, self._take().text, self._value())
        if self._passes("is"):
            negated = self._passes("not")
            return _negated(self._state(left), negated)
        negated = self._next.word == "not" and self._behind.word in ("in", "like", "ilike", "between")
        self._place += negated
        if self._passes("in"):
            return _negated(_listed(left, self._list("(", ")")), negated)
        if self._passes("between"):
            low = self._value()
            self._require("and")
            return _negated(_present(all_of(_compared(left, ">=", low), _compared(left, "<=", self._value()))), negated)
        if self._next.word in ("like", "ilike"):
            return _negated(self._pattern(left), negated)
        return left

    def _state(self, operand: Expression) -> Expression:
        """What may stand behind IS."""
        if self._passes("null") or self._passes("unknown"):
            return IsNull(operand)
        if self._passes("true"):
            return IsTrue(operand)
        if self._passes("false"):
            return IsTrue(Not(operand))
        raise _Fault("has IS without NULL, TRUE, FALSE or UNKNOWN behind it")

    def _pattern(self, operand: Expression) -> Expression:
        word = self._take()
        if self._next.kind != "text":
            raise _Fault("compares with LIKE what is no text that is written out")
        pattern = _unquoted(self._take())
        if self._next.word == "escape":
            raise _Fault("may not use ESCAPE: \\ takes the meaning from % and _")
        return Like(operand, pattern, ignore_case=word.word == "ilike")

    def _value(self) -> Expression:
        token = self._take()
        if token.kind == "text":
            return Literal(_unquoted(token))
        if token.kind == "quoted":
            return Column(token.text[1:-1])
        if token.kind == "number" or (token.text == "-" and self._next.kind == "number"):
            return Literal(_number(token.text if token.kind == "number" else f"-{self._take().text}"))
        if token.text == "(":
            inner = self._deeper(self._either)
            self._require(")")
            return inner
        if token.word:
            return self._named(token.word)
        raise _Fault(f"has {token.text or 'its end'} where a column or a value should be: {_LANGUAGE}")

    def _named(self, word: str) -> Expression:
        """What a word outside of quotes stands for."""
        if word in ("null", "true", "false"):
            return Literal({"true": True, "false": False}.get(word))
        if word in RESERVED:
            raise _Fault(f"has {word.upper()} where a column or a value should be")
        if word in ("date", "timestamp") and self._next.kind == "text":
            return Literal(_cast(_unquoted(self._take()), word))
        if self._next.text != "(":
            return Column(word)
        if word == "cast":
            return self._converted()
        if word not in FUNCTIONS:
            raise _Fault(f"may not call {word}; functions are: {', '.join(FUNCTIONS)}")
        return self._called(word)

    def _converted(self) -> Expression:
        """A value that is written out as a text: cast('2024-01-01' as date)."""
        self._require("(")
        value, word, kind = self._take(), self._take().word, self._take().word
        if value.kind != "text" or word != "as" or kind not in _CASTS:
            raise _Fault(f"may only use cast('...' as TYPE), with one of {', '.join(_CASTS)}")
        self._require(")")
        return Literal(_cast(_unquoted(value), kind))

    def _called(self, word: str) -> Expression:
        if word == "array_has_any":
            return self._has_any()
        arguments = self._list("(", ")")
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

    def _has_any(self) -> Expression:
        self._require("(")
        column = self._deeper(self._value)
        self._require(",")
        values = tuple(_text("array_has_any", value) for value in self._list("[", "]"))
        self._require(")")
        if not isinstance(column, Column):
            raise _Fault("array_has_any needs a column and texts")
        return HasAny(column, values)

    def _list(self, opening: str, closing: str) -> list[Expression]:
        """At least one value, between signs."""
        self._require(opening)
        values = [self._deeper(self._either)]
        while self._passes(","):
            values.append(self._deeper(self._either))
        self._require(closing)
        return values


def _present(expression: Expression | None) -> Expression:
    assert expression is not None
    return expression


def _negated(expression: Expression, negated: bool) -> Expression:
    return Not(expression) if negated else expression


def _compared(left: Expression, operator: str, right: Expression) -> Expression:
    return Comparison(left, _OPERATORS[operator], right)  # type: ignore[arg-type]


def _listed(operand: Expression, values: Sequence[Expression]) -> Expression:
    """IN: the values that are written out together, any others one by one."""
    given = tuple(one.value for one in values if isinstance(one, Literal) and one.value is not None)
    others = [one for one in values if not isinstance(one, Literal) or one.value is None]
    named = In(operand, given) if given else None
    return _present(any_of(named, *(Comparison(operand, "=", one) for one in others)))


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


def _unquoted(token: _Token) -> str:
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
