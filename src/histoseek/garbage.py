"""How often Python looks for garbage in a program of ours: seldom, as what it loads at its start is to stay."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 50_000
"""New ones before it looks at them: with Python's own 700, a fifth of the time until a first answer goes into looking
at modules, vocabularies and dictionaries again and again. Most garbage is freed without that."""


def collect_seldom() -> None:
    """To be called once at the start of a program; never by the library, whose host decides for itself."""
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])
