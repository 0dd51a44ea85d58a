"""Ids of slides that were given none: the names of their files, where those are unique and tell nobody's name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from histoseek.reports.privacy.person_names import is_person_name

LONGEST_ID = 200
"""Characters; what the REST API takes."""

LONGEST_GIVEN_ID = 1000
"""Characters of an id that a table gives."""

_LONGEST_NAME = 150
_SUFFIXES = (8, 16, 64)
"""Hex digits of the content's fingerprint behind a name that is not unique."""

_UNNAMED = "slide"
_SEPARATORS = re.compile(r"[\W_]+")
_WORDS = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class UnnamedSlide:
    """A slide without an id: the stem of its file's name, its content's fingerprint, whether the name is private."""

    stem: str
    file_fingerprint: str
    is_private: bool = False


def assign_ids(slides: Collection[UnnamedSlide], taken: Collection[str]) -> dict[UnnamedSlide, str]:
    """An id for each slide, unlike all others and those taken, whatever the order; slides of one content share one.

    The id is the file's stem. Where stems of different contents differ at most in case or in how characters are
    composed, and where one is taken, digits of the fingerprint are added; a private name gives its place to 16 of them.
    """
    contents: dict[str, set[str]] = defaultdict(set)
    for slide in slides:
        contents[_make_key(make_base(slide))].add(slide.file_fingerprint)
    used = {_make_key(slide_id) for slide_id in taken}
    reserved = used | contents.keys()
    ids: dict[UnnamedSlide, str] = {}
    for slide in sorted(slides, key=lambda slide: (slide.file_fingerprint, slide.stem)):
        base = make_base(slide)
        key = _make_key(base)
        if len(contents[key]) > 1 or key in used:
            base = next(name for name in _add_digits(base, slide.file_fingerprint) if _make_key(name) not in reserved)
            reserved.add(_make_key(base))
        ids[slide] = base
    return ids


def make_base(slide: UnnamedSlide) -> str:
    """What a slide is called if nothing else is called so: storable, one line, and one segment of an address."""
    if slide.is_private:
        return derive_id(slide.file_fingerprint)
    plain = (letter if letter.isprintable() and letter not in "/\\" else "_" for letter in slide.stem)
    name = " ".join(unicodedata.normalize("NFC", "".join(plain)).split()).lstrip("- ")
    return name[:_LONGEST_NAME].strip() if name.strip(". ") else _UNNAMED


def derive_id(file_fingerprint: str) -> str:
    """The first 16 hex digits of a content's fingerprint."""
    return _read_digits(file_fingerprint)[:16]


def holds_person_name(stem: str, names: Collection[str] = ()) -> bool:
    """Whether a file's name tells who the patient is: listed names side by side, or the names that a table gives."""
    stem = unicodedata.normalize("NFC", stem)
    # Letters between digits are no words: the hex digits of a UUID hold many a short name.
    parts = [part if _WORDS.fullmatch(part) else "" for part in _SEPARATORS.split(stem.casefold())]
    if any(first and second and is_person_name(f"{first}_{second}") for first, second in pairwise(parts)):
        return True
    if any(sign in stem for sign in ",^") and is_person_name(stem):
        return True
    given = (set(_WORDS.findall(name.casefold())) for name in names)
    words = set(_WORDS.findall(stem.casefold()))
    return any(own and own <= words for own in given)


def _add_digits(base: str, file_fingerprint: str) -> Iterator[str]:
    digits = _read_digits(file_fingerprint)
    for count in _SUFFIXES:
        yield f"{base[: LONGEST_ID - 1 - count]}-{digits[:count]}"
    number = 1
    while True:
        number += 1
        yield f"{base[: LONGEST_ID // 2]}-{digits[:64]}-{number}"


def _read_digits(file_fingerprint: str) -> str:
    return file_fingerprint.rpartition("-")[2]


def _make_key(slide_id: str) -> str:
    """Equal for ids that look alike, or that a file system may take for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", slide_id).casefold())
