"""Mistakes in a command line, which typer reports in boxes of several lines, as errors of one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from histoseek.errors import InputError

if TYPE_CHECKING:
    import typer

_ENGLISH = (
    (r"No such option: .*", "no such option"),
    (r"No such command '(.*)'\.?", r"no such command: \1"),
    (r"Missing command\.", "a command is required"),
    (r"Got unexpected extra argument\(s\) \((.*)\)", r"unexpected argument: \1"),
    (r"Option .* does not take a value\.", "takes no value"),
    (r"Option .* requires an argument\.", "needs a value"),
    (r"Option .* requires (\d+) arguments\.", r"needs \1 values"),
)
"""What typer says of a command line, and how we say it after the option's or the command's name."""


def make_usage_error(error: typer.TyperException) -> InputError:
    """The option or command with a mistake, what is wrong with it, and what to give instead."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    command = context.command_path if context else "histoseek"
    # typer keeps the exceptions of its parser to itself: they are told apart by what they carry.
    details: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if parameter is not None:
        what, advice = _explain_value(details[0], parameter) if details else _explain_missing(parameter, command)
        return InputError(_get_name(parameter), what, advice)
    message, _, suggestions = error.message.partition(". Did you mean ")
    similar = sorted(getattr(error, "possibilities", None) or re.findall(r"'(.*?)'", suggestions))
    hint = f"Did you mean {_join(similar)}? " if similar else ""
    where = getattr(error, "option_name", command)
    return InputError(where, _translate(message), f"{hint}See `{command} --help`")


def _get_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name if parameter.param_type_name == "argument" else parameter.opts[0])


def _explain_missing(parameter: Any, command: str) -> tuple[str, str]:
    advice = f"Give it, or set {parameter.envvar}" if parameter.envvar else "Give it"
    return f"this {parameter.param_type_name} is required", f"{advice}; see `{command} --help`"


def _explain_value(details: dict[str, Any], parameter: Any) -> tuple[str, str]:
    """What is wrong with a value, and what to give, by the kinds of errors that pydantic tells apart."""
    value, kind, limits = repr(details["input"]), details["type"], details.get("ctx", {})
    choices = parameter.type_descriptor.choices
    if choices:
        return f"{value} is not a choice", f"Give {_join([str(choice) for choice in choices])}"
    if kind.startswith("int_"):
        return f"{value} is not a whole number", "Give one, such as 10"
    if kind.startswith("float_"):
        return f"{value} is not a number", "Give one, such as 0.5"
    if kind == "greater_than_equal":
        return f"{value} is too small", f"Give at least {limits['ge']:g}"
    if kind == "less_than_equal":
        return f"{value} is too large", f"Give at most {limits['le']:g}"
    return f"{value} cannot be used", str(details["msg"])


def _join(choices: list[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]]) if len(choices) > 1 else choices[0]


def _translate(message: str) -> str:
    texts = (re.sub(pattern, text, message) for pattern, text in _ENGLISH if re.fullmatch(pattern, message))
    return next(texts, message)
