"""Errors that users can meet, from a confined process to the one that asked: of the same class, in the asker's words
where the file is concerned."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from histoseek import errors
from histoseek.bounds import describe_exhaustion
from histoseek.errors import HistoseekError, InputError, MissingExtra, SlideError
from histoseek.unicode import make_line

UNFORESEEN = "unforeseen"
_LONGEST_TEXT = 1000
_EXTRAS = {"torch": "torch"}
"""Packages that reading files may take, and the extras they come with."""

_FACTS = ("reason", "declared", "limit", "setting", "package", "extra")


def dump_error(error: BaseException) -> bytes:
    """The header of a reply for an error; of one that is none of ours only its kind: its words may quote the file."""
    if not isinstance(error, HistoseekError):
        return json.dumps(
            {"error": UNFORESEEN, "what": describe_exhaustion(error) or describe_unforeseen(error)}
        ).encode()
    facts = {name: str(error.__dict__[name])[:_LONGEST_TEXT] for name in _FACTS if name in error.__dict__}
    texts = {"error": error.kind, "what": error.what[:_LONGEST_TEXT], "advice": error.advice[:_LONGEST_TEXT]}
    return json.dumps({**texts, "facts": facts}).encode()


def parse_error(header: bytes, where: str, blame: Callable[[str], HistoseekError]) -> HistoseekError:
    """The error in a reply about the file `where`; what is unforeseen, or no error of ours, `blame` makes one of.

    So it does of errors that are not the file's: a slide can't say that the archive is damaged or the run is over, nor
    a table that a slide can't be read.
    """
    try:
        parts = json.loads(header)
        name, what = str(parts["error"]), _clean(parts["what"])
        if name == UNFORESEEN:
            return blame(what)
        kind = getattr(errors, name, None)
        if not (isinstance(kind, type) and issubclass(kind, HistoseekError)):
            return blame("it could not be read")
        facts = {fact: _clean(parts["facts"][fact]) for fact in _FACTS if fact in parts["facts"]}
        if issubclass(kind, MissingExtra) and _is_missing(facts["package"]):
            return MissingExtra(facts["package"], _EXTRAS[facts["package"]])
        blamed = blame(what)
        if not issubclass(kind, SlideError if isinstance(blamed, SlideError) else InputError):
            return blamed
        return _rebuild(kind, where, what, _clean(parts["advice"]), facts)
    except (ValueError, KeyError, TypeError, RecursionError):
        return blame("it could not be read")


def _is_missing(package: str) -> bool:
    return package in _EXTRAS and find_spec(package) is None


def describe_unforeseen(error: BaseException) -> str:
    """What is known of an error that is none of ours, without its words: those may quote a report."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else None
    return reason or f"unexpected {type(error).__name__}"


def _rebuild(kind: type[HistoseekError], where: str, what: str, advice: str, facts: dict[str, str]) -> HistoseekError:
    """An error of a class, whatever it is usually made from."""
    error = kind.__new__(kind)
    place = {"uri": where} if issubclass(kind, SlideError) else {"path": Path(where)}
    error.__dict__.update(facts, **place)
    HistoseekError.__init__(error, where, what, advice)
    return error


def _clean(text: object) -> str:
    """A text of bounded length in one line, whoever wrote it."""
    return make_line(str(text)[:_LONGEST_TEXT])
