"""From addresses to sources, by scheme: an address without one is a path."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from histoseek.errors import InputError, SlideError, UnknownScheme
from histoseek.slides.sources.base import Discovery, SlideSource
from histoseek.slides.sources.file import FileSource

SourceLike = SlideSource | Path | str
"""What users may give where a slide is wanted."""

_SCHEMES: dict[str, type[SlideSource]] = {FileSource.scheme: FileSource}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
"""Two letters at least: one and a colon are a drive."""


def register_scheme(kind: type[SlideSource]) -> None:
    """Let addresses of a scheme be opened."""
    _SCHEMES[kind.scheme] = kind


def parse_source(address: SourceLike) -> SlideSource:
    """The source at an address; nothing is opened. Raises UnknownScheme, and InputError for a malformed address."""
    return address if isinstance(address, SlideSource) else _kind_of(address).parse(str(address))


def discover(addresses: Sequence[SourceLike]) -> Discovery:
    """All slides that addresses name: slides as they are, folders and the like with all below them.

    Raises UnknownScheme before anything is looked at, and what the schemes' own `discover` raises.
    """
    texts: dict[type[SlideSource], list[str]] = {}
    for address in addresses:
        text = address.uri if isinstance(address, SlideSource) else str(address)
        texts.setdefault(_kind_of(address), []).append(text)
    parts = [kind.discover(of_kind) for kind, of_kind in texts.items()]
    passed_over: Counter[str] = Counter()
    for part in parts:
        passed_over.update(part.passed_over)
    return Discovery(
        tuple(source for part in parts for source in part.slides),
        dict(passed_over),
        tuple(note for part in parts for note in part.notes),
        frozenset(source for part in parts for source in part.named),
    )


def require_local(source: SlideSource) -> Path:
    """The source's file on this machine; raises SlideError where there is none."""
    path = source.local_path()
    if path is None:
        raise SlideError(source.uri, "is no file on this machine", "Copy it to a disk, and give its path")
    return path


def existing_source(uri: str) -> SlideSource | None:
    """The source of a record if it is there; None also for a scheme that is not known here."""
    try:
        source = parse_source(uri)
    except InputError:
        return None
    return source if source.exists() else None


def source_name(uri: str) -> str:
    """What people call the source of a record, also when its scheme is not known here."""
    try:
        return parse_source(uri).name
    except InputError:
        return PurePath(uri).name


def is_named_by_file(slide_id: str, uri: str) -> bool:
    """Whether an id is the name of the slide's file without its ending, so that whoever sees one knows the other."""
    return slide_id == PurePath(source_name(uri)).stem


def _kind_of(address: SourceLike) -> type[SlideSource]:
    if isinstance(address, SlideSource):
        return type(address)
    match = _SCHEME.match(address) if isinstance(address, str) else None
    if match is None:
        return FileSource
    try:
        return _SCHEMES[match[1].lower()]
    except KeyError:
        raise UnknownScheme(str(address), match[1].lower(), sorted(_SCHEMES)) from None
