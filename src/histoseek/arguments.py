"""What people give as arguments: values as plain Python has them, or one clear line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from histoseek.errors import ConfigurationError, HistoseekError, InputError

_LONGEST_SHOWN = 60
_WORDS: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    Path: "a path",
    NoneType: "None",
}


class _Unfit(Exception):
    """A value is of another type."""


def settle_fields(
    instance: object, name: str, *, but: Set[str] = frozenset(), kind: type[HistoseekError] = InputError
) -> None:
    """Give the fields of a frozen dataclass the types of their hints: numpy's numbers become Python's, lists tuples.

    name: of the thing, for people; but: fields that are checked elsewhere. Raises `kind` for a value of another type.
    """
    kind_of: Any = type(instance)
    hints = _read_hints(kind_of)
    for field in fields(instance):  # type: ignore[arg-type]
        if field.name not in but:
            value = getattr(instance, field.name)
            settled = settle(value, hints[field.name], f"{name} {field.name}", kind=kind)
            if settled is not value:
                object.__setattr__(instance, field.name, settled)


def settle(value: object, hint: Any, where: str, *, kind: type[HistoseekError] = InputError) -> Any:
    """A value in the type of a hint; raises `kind`, which names where it was given and what to give."""
    try:
        return _fit(value, hint)
    except _Unfit:
        raise kind(where, f"{describe(value)} does not fit", f"Give {_word(hint)}") from None


def settle_count(value: object, where: str, least: int) -> int:
    """A whole number from `least` on; raises ConfigurationError."""
    count: int = settle(value, int, where, kind=ConfigurationError)
    if count < least:
        raise ConfigurationError(where, f"{count} is too few", f"Give a whole number from {least} on")
    return count


def describe(value: object) -> str:
    """A value in a message: as it is where that is short and one line, else by its type."""
    import numpy as np

    if isinstance(value, str | bytes | int | float | NoneType | Path | np.generic | tuple | list):
        text = repr(value.item() if isinstance(value, np.generic) else value)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"an object of type {type(value).__name__}"


@cache
def _read_hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _fit(value: object, hint: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _fit_any(value, get_args(hint))
    if origin is Literal:
        return _require(isinstance(value, str) and value in get_args(hint), value)
    if origin is tuple:
        return _fit_tuple(value, get_args(hint)[0])
    return _fit_plain(value, hint)


def _fit_plain(value: object, hint: Any) -> Any:
    if hint is bool:
        return _fit_bool(value)
    if hint in (int, float):
        _require(isinstance(value, Integral if hint is int else Real) and not isinstance(value, bool), value)
        return value if type(value) in (int, float) else hint(value)
    if hint is str:
        _require(isinstance(value, str), value)
        return value if type(value) is str else str(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    return _require(isinstance(value, hint), value)


def _fit_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    # Commands make their defaults of these: numpy is loaded where it may have been used.
    import numpy as np

    return bool(_require(isinstance(value, np.bool_), value))


def _fit_any(value: object, hints: Sequence[Any]) -> Any:
    """By the first hint that fits, what the value is already before what could be made of it."""
    for hint in sorted(hints, key=lambda one: type(value) is not one):
        try:
            return _fit(value, hint)
        except _Unfit:
            continue
    raise _Unfit


def _fit_tuple(value: object, hint: Any) -> tuple[Any, ...]:
    """Of what has an order: sets have none, and the letters of a text are no members of it."""
    if isinstance(value, str | bytes | Mapping | Set) or not isinstance(value, Iterable):
        raise _Unfit
    return tuple(_fit(each, hint) for each in value)


def _require(fits: bool, value: object) -> Any:
    if not fits:
        raise _Unfit
    return value


def _word(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_word, arguments)))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        return f"a list or tuple, each {_word(arguments[0])}"
    return _WORDS.get(hint) or str(getattr(hint, "__name__", hint))
