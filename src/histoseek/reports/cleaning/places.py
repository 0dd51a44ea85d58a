"""Places in a clean text, told as places in the text that it was made from."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

from histoseek.reports.cleaning.mends import CleanText
from histoseek.reports.language.sections import Section, Sections
from histoseek.reports.language.words import Span

T = TypeVar("T")


def restore_places(value: T, clean: CleanText) -> T:
    """The same with every place in it moved to the original: spans, and `start` with `end`, however deep they lie."""
    if not clean.mends:
        return value
    restored: T = _restore(value, clean)
    return restored


def _restore(value: Any, clean: CleanText) -> Any:
    if isinstance(value, Span):
        return clean.to_original(value)
    if isinstance(value, tuple):
        return tuple([_restore(item, clean) for item in value])
    if isinstance(value, Sections):
        return _restore_sections(value, clean)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    names = _list_fields(type(value))
    changes = {name: _restore(old, clean) for name in names if not isinstance(old := getattr(value, name), str | int)}
    if "start" in names and "end" in names:
        place = clean.to_original(Span(value.start, value.end))  # type: ignore[attr-defined]
        changes |= {"start": place.start, "end": place.end}
    return replace(value, **changes)


@lru_cache(maxsize=256)
def _list_fields(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _restore_sections(sections: Sections, clean: CleanText) -> Sections:
    """Sections of the original, which touch each other: what was taken out stays with the section before it."""
    starts = [0, *(clean.to_original(Span(part.start, part.end)).start for part in sections.sections[1:])]
    bounds = pairwise([*starts, len(clean.original)])
    restored = (
        replace(
            section,
            start=start,
            body=min(end, max(start, clean.to_original(Span(section.body, section.body)).start)),
            end=end,
            sentences=_restore(section.sentences, clean),
        )
        for section, (start, end) in zip(sections.sections, bounds, strict=True)
    )
    return Sections(clean.original, tuple[Section, ...](restored))
