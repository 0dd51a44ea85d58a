"""Code of the user's own: `module:attribute`, imported only where the user has named it, never because an archive does.

An archive is data that may come from others. What it names is imported if this process was given the same name by its
user: as an option, as an argument, or in HISTOSEEK_OWN_CODE, which the processes that it starts have as well.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from importlib import import_module
from typing import TypeVar

from histoseek.errors import ConfigurationError, EncoderError, HistoseekError
from histoseek.settings import change_settings, get_settings

PREFIX = "own:"
"""How specs begin of what was given from Python, and is known in that process alone."""

_FEATURES = "features:"
_SPEC = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]*(-[A-Za-z0-9._]+)*")

_Own = TypeVar("_Own")


def is_own(spec: str) -> bool:
    """Whether a spec is of the user's own code by its form: `own:name` or `module:attribute`."""
    is_name = spec.startswith(_FEATURES) or _SPEC.fullmatch(spec) is None
    return spec.startswith(PREFIX) or not is_name


def allow_own_code(*specs: str | None) -> None:
    """Take it that the user has named these, for this process and those that it starts; others than own code pass."""
    named = _list_named()
    new = [spec for spec in specs if spec and not spec.startswith(PREFIX) and is_own(spec) and spec not in named]
    if new:
        change_settings(own_code=",".join([*named, *new]))


def find_own(spec: str, kind: type[_Own], registered: Mapping[str, _Own]) -> _Own:
    """What the spec names: given from Python under this name, or an attribute, itself or what it gives when called.

    Raises ConfigurationError for what the user has not named, is not there, can't be imported, or is of another kind.
    """
    if not spec.startswith(PREFIX):
        return _load(spec, kind)
    name = spec.removeprefix(PREFIX)
    if name not in registered:
        advice = f"Register it here first, or write a module and name it as module:attribute (it is a {kind.__name__})"
        raise ConfigurationError(spec, "was given from Python, and this process does not have it", advice)
    return registered[name]


@contextmanager
def running_own_code(name: str) -> Iterator[None]:
    """Whatever code of the user's own raises meanwhile becomes an EncoderError of one line; errors of ours pass."""
    try:
        yield
    except HistoseekError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code does
        what = f"failed ({type(error).__name__}: {error})"
        raise EncoderError(name, what, "It is your own code: mend it there") from error


def require_own_name(name: str, taken: bool) -> str:
    """The name of something of the user's own; raises ConfigurationError for one that is taken, or no name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(f"the name {name!r}", "can't be a name", "Use letters, digits, '-', '_' and '.'")
    if taken:
        raise ConfigurationError(f"the name {name!r}", "is taken", "Give it another name")
    return name


def _load(spec: str, kind: type[_Own]) -> _Own:
    if spec not in _list_named():
        what = "is code that nobody has named here, so it is not imported"
        raise ConfigurationError(spec, what, f"If you trust it: HISTOSEEK_OWN_CODE={spec}")
    value = _import(spec)
    if not isinstance(value, kind) and callable(value):
        value = _make(spec)
    if not isinstance(value, kind):
        what = f"is an object of type {type(value).__name__}, not {kind.__name__}"
        raise ConfigurationError(spec, what, "See docs/own-encoders.md")
    return value


def _list_named() -> list[str]:
    return [spec.strip() for spec in get_settings().own_code.split(",") if spec.strip()]


@lru_cache(maxsize=64)
def _import(spec: str) -> object:
    """The attribute; the working directory is looked into last, so that it shadows no installed module."""
    module, _, path = spec.partition(":")
    here = os.getcwd()  # noqa: PTH109 - as text, as sys.path has it
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        with redirect_stdout(sys.stderr):  # what it prints is no part of a command's JSON
            value: object = import_module(module)
        for name in path.split("."):
            value = getattr(value, name)
    except HistoseekError:
        raise
    except ModuleNotFoundError as error:
        what = f"is neither known here nor found as code: there is no module {error.name!r}"
        raise ConfigurationError(spec, what, "Run in the folder that has it, or install it") from error
    except AttributeError as error:
        raise ConfigurationError(spec, f"can't be found ({error})", "Check the attribute's name") from error
    except (Exception, SystemExit) as error:  # whatever the user's code does
        raise ConfigurationError(spec, f"can't be imported ({type(error).__name__}: {error})", "Mend it") from error
    return value


@lru_cache(maxsize=64)
def _make(spec: str) -> object:
    factory = _import(spec)
    try:
        with redirect_stdout(sys.stderr):
            return factory()  # type: ignore[operator]
    except HistoseekError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code does
        what = f"can't be made by calling it ({type(error).__name__}: {error})"
        raise ConfigurationError(spec, what, "It is called without arguments") from error
