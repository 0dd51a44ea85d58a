"""The directories of a TIFF, walked before any library is given the file: what they declare must fit the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import MOST_NAMED_PARTS, format_bytes
from histoseek.errors import SlideTooLarge, UnreadableSlide

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF and BigTIFF begin."""

MOST_TILE_PIXELS = 2**26
"""Of one tile; no scanner writes larger ones, and some libraries end the whole process when they find no memory."""

MOST_SIDE_PX = 2**21
"""Of a slide: half a metre of glass at 0.25 µm/px."""

MOST_PIXELS = 2**38
"""Of a slide: 520 thousand pixels squared."""

_MOST_DIRECTORIES = 4096
_MOST_DESCRIPTION_BYTES = 64 * 2**20
_LARGE_NDPI_BYTES = 2**32
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE_NUMBERS = (3, 4, 13, 16, 18)
_WIDTH, _HEIGHT, _DESCRIPTION, _SAMPLES, _PLANES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 270, 277, 284, 322, 323
_TILE_OFFSETS, _SUB_DIRECTORIES = 324, 330
_LENGTHS = (279, 325)
"""Tags with the bytes of each strip and tile."""

_LARGEST_PLACE = 2**40
_SEPARATE = 2


@dataclass(frozen=True, slots=True)
class _Form:
    """How numbers are written in a file: their order, and the bytes of a count of tags, of a tag, of a place."""

    order: Literal["little", "big"]
    count_bytes: int
    tag_bytes: int
    place_bytes: int


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag: the type, how many values it declares, where they lie or, when they are short, the bytes themselves."""

    kind: int
    count: int
    value: bytes


def check_directories(path: Path) -> None:
    """Raise SlideTooLarge or UnreadableSlide when a TIFF declares what its file can't hold: directories without end,
    values larger than the file, pictures and tiles of sizes that no scanner makes, more tiles than have a place.

    What is damaged in other ways passes: the readers say what is wrong with it.
    """
    size_bytes = path.stat().st_size
    if path.suffix.lower() == ".ndpi" and size_bytes >= _LARGE_NDPI_BYTES:
        return  # Hamamatsu's own form of such large files
    with path.open("rb") as file:
        form, first = _read_header(file)
        waiting, chained, walked = [(first, True)], set[int](), set[int]()
        while waiting:
            place, in_chain = waiting.pop()
            if in_chain and place in chained:
                raise UnreadableSlide(path, "damaged TIFF (its directories lead back to themselves)")
            if not 0 < place < size_bytes or place in walked:
                continue
            walked.add(place)
            if in_chain:
                chained.add(place)
            if len(walked) > _MOST_DIRECTORIES:
                raise SlideTooLarge(path, "a TIFF of more pages", f"{_MOST_DIRECTORIES:,}")
            tags, following = _read_directory(file, path, form, place)
            _check_tags(path, tags, size_bytes, form)
            _check_segments(path, [_read_all(file, tags.get(number), form) for number in _LENGTHS], size_bytes)
            waiting += [(sub, False) for sub in _read_numbers(file, tags.get(_SUB_DIRECTORIES), form)]
            if in_chain:
                waiting.append((following, True))


def _read_header(file: BinaryIO) -> tuple[_Form, int]:
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    is_big = int.from_bytes(head[2:4], order) == 43
    form = _Form(order, 8, 20, 8) if is_big else _Form(order, 2, 12, 4)
    return form, int.from_bytes(head[8:16] if is_big else head[4:8], order)


def _read_directory(file: BinaryIO, path: Path, form: _Form, place: int) -> tuple[Mapping[int, _Tag], int]:
    """Its tags by number, the first of each, and the place of the next directory, 0 for none."""
    file.seek(place)
    count = int.from_bytes(file.read(form.count_bytes), form.order)
    if count > MOST_NAMED_PARTS:
        raise SlideTooLarge(path, f"a TIFF page of {count:,} tags", f"{MOST_NAMED_PARTS:,}")
    data = file.read(count * form.tag_bytes)
    tags: dict[int, _Tag] = {}
    for start in range(0, len(data) - form.tag_bytes + 1, form.tag_bytes):
        entry = data[start : start + form.tag_bytes]
        value = entry[-form.place_bytes :]
        number, kind = (int.from_bytes(entry[at : at + 2], form.order) for at in (0, 2))
        tags.setdefault(number, _Tag(kind, int.from_bytes(entry[4 : -form.place_bytes], form.order), value))
    return tags, int.from_bytes(file.read(form.place_bytes), form.order)


def _check_tags(path: Path, tags: Mapping[int, _Tag], size_bytes: int, form: _Form) -> None:
    for number, tag in tags.items():
        length = tag.count * _TYPE_BYTES.get(tag.kind, 1)
        limit = min(size_bytes, _MOST_DESCRIPTION_BYTES) if number == _DESCRIPTION else size_bytes
        if length > max(limit, form.place_bytes):
            raise SlideTooLarge(path, f"a TIFF tag of {format_bytes(length)}", format_bytes(limit))
    width, height = (_read_number(tags.get(number), form) for number in (_WIDTH, _HEIGHT))
    if max(width, height) > MOST_SIDE_PX:
        raise SlideTooLarge(path, f"a picture of {width:,} x {height:,} px", f"{MOST_SIDE_PX:,} px")
    across, down = (_read_number(tags.get(number), form) for number in (_TILE_WIDTH, _TILE_HEIGHT))
    if across * down > MOST_TILE_PIXELS:
        raise SlideTooLarge(path, f"tiles of {across:,} x {down:,} px", f"{MOST_TILE_PIXELS:,} px")
    if not (width and height and across and down and _TILE_OFFSETS in tags):
        return
    tiles = -(-width // across) * -(-height // down)
    if _read_number(tags.get(_PLANES), form) == _SEPARATE:
        tiles *= max(1, _read_number(tags.get(_SAMPLES), form))
    if tiles > tags[_TILE_OFFSETS].count:
        declared = f"{tiles:,} tiles in a picture of {width:,} x {height:,} px"
        raise SlideTooLarge(path, declared, f"{tags[_TILE_OFFSETS].count:,}, of which it gives the places,")


def _check_segments(path: Path, lengths: Sequence[NDArray[np.unsignedinteger]], size_bytes: int) -> None:
    """Refuse tiles and strips that are said to be longer than the file: OpenSlide allocates by what is said."""
    longest = max((int(numbers.max()) for numbers in lengths if len(numbers)), default=0)
    if longest > size_bytes:
        raise SlideTooLarge(path, f"a coded tile of {format_bytes(longest)}", format_bytes(size_bytes))


def _read_number(tag: _Tag | None, form: _Form) -> int:
    """The number of a tag of one; 0 where it has none."""
    if tag is None or tag.kind not in _WHOLE_NUMBERS or tag.count < 1:
        return 0
    return int.from_bytes(tag.value[: _TYPE_BYTES[tag.kind]], form.order)


def _read_numbers(file: BinaryIO, tag: _Tag | None, form: _Form) -> Sequence[int]:
    """The numbers of a tag, no more than directories are walked."""
    return [int(number) for number in _read_all(file, tag, form)[:_MOST_DIRECTORIES]]


def _read_all(file: BinaryIO, tag: _Tag | None, form: _Form) -> NDArray[np.unsignedinteger]:
    """All numbers of a tag, as far as the file goes."""
    if tag is None or tag.kind not in _WHOLE_NUMBERS:
        return np.zeros(0, np.uint64)
    width = _TYPE_BYTES[tag.kind]
    length = tag.count * width
    data = tag.value[:length]
    if length > form.place_bytes:
        place = int.from_bytes(tag.value, form.order)
        file.seek(min(place, _LARGEST_PLACE))
        data = file.read(length)
    order = "<" if form.order == "little" else ">"
    return np.frombuffer(data[: len(data) // width * width], f"{order}u{width}")
