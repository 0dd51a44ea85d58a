"""Files of torch and pickles of arrays: how much they would take, what they may build, and what they hold; no torch."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Mapping
from errno import EINVAL
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import MOST_NAMED_PARTS, is_zip, require_file_bytes, require_memory
from histoseek.encoders.pickled_values import RefusedPickle, StoredNumbers, read_pickle
from histoseek.errors import TooLarge
from histoseek.settings import get_settings

Array = NDArray[Any]

_MOST_PICKLE_BYTES = 8 * 2**20
"""A step a byte at worst, which take seconds; places and names of all tiles of a slide are half of it."""

_ALLOCATING = b"bytearray"
"""A call that torch allows in a pickle, and that takes as much memory as a number in it says."""

_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file of torch before 1.6, or saved as such."""

_PROTOCOL = 1001
_LOCAL_HEADER_BYTES = 30
_NUMBERS: Mapping[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
"""How the numbers of a storage lie in its bytes; bfloat16 is the upper half of a float32."""


def read_pickled(path: Path, kind: type[TooLarge] = TooLarge, *, mapped: bool = False) -> object:
    """What a file of torch (of today or before 1.6) or a plain pickle holds: values, lists, tuples, dicts and arrays,
    which tensors become; bfloat16 becomes float32. Nothing in it is run, and torch is not needed.

    mapped: tensors stay in the file until they are used, where it allows that. Raises RefusedPickle for what is damaged
    or asks for anything else, `kind` for what is too large, OSError.
    """
    require_tensor_bytes(path, kind)
    if is_zip(path):
        return _read_zip(path, mapped)
    with path.open("rb") as file:
        content = read_pickle(file, _most_bytes())
        if type(content) is int and content == _MAGIC:
            return _read_legacy(file)
        return content


def load_tensors(path: Path, kind: type[TooLarge] = TooLarge) -> dict[str, Array]:
    """The tensors of a file by their names, as `state_dict` gives them; errors as for read_pickled."""
    content = read_pickled(path, kind)
    if not isinstance(content, dict) or not all(isinstance(value, np.ndarray) for value in content.values()):
        raise RefusedPickle("it is not a table of tensors")
    return {str(name): value for name, value in content.items()}


def require_tensor_bytes(path: Path, kind: type[TooLarge] = TooLarge) -> None:
    """Raise `kind` for a file whose tensors would take more than one file may; what is no file of torch passes, and
    OSError is raised as `stat` does."""
    size_bytes = require_file_bytes(path, kind=kind)
    if not size_bytes:
        return
    if not is_zip(path):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _require_no_allocation(path, data.find(_ALLOCATING) >= 0, kind)
        return
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_NAMED_PARTS:
                raise kind(path, f"{len(entries):,} tensors", f"{MOST_NAMED_PARTS:,}")
            require_memory(path, "its tensors", sum(entry.file_size for entry in entries), size_bytes, kind)
            for entry in entries:
                if not entry.filename.endswith(".pkl"):
                    continue
                if entry.file_size > _MOST_PICKLE_BYTES:
                    raise kind(path, f"a pickle of {entry.file_size:,} bytes", f"{_MOST_PICKLE_BYTES:,}")
                _require_no_allocation(path, _ALLOCATING in archive.read(entry), kind)
    except (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError):
        return  # torch says what is wrong with it


def _require_no_allocation(path: Path, allocates: bool, kind: type[TooLarge]) -> None:
    if allocates:
        raise kind(path, "a pickle that allocates as much as a number in it says", "what is stored")


def _read_zip(path: Path, mapped: bool) -> object:
    try:
        with ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
            if len(pickles) != 1:
                raise RefusedPickle("it is a zip file, but not one of torch")
            folder = pickles[0].removesuffix("data.pkl")
            if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
                raise RefusedPickle("it was saved on a machine of another byte order")
            found: dict[str, Array] = {}

            def find_numbers(stored: StoredNumbers) -> Array:
                if stored.key not in found:
                    entry = archive.getinfo(f"{folder}data/{stored.key}")
                    is_plain = mapped and entry.compress_type == ZIP_STORED and entry.file_size > 0
                    data = _map_entry(path, entry) if is_plain else archive.read(entry)
                    found[stored.key] = _numbers(data, stored)
                return _same_numbers(found[stored.key], stored)

            with archive.open(pickles[0]) as file:
                return read_pickle(file, _most_bytes(), find_numbers)  # type: ignore[arg-type]
    except RefusedPickle:
        raise
    except (BadZipFile, EOFError, LookupError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        # A damaged directory may point before the file's beginning.
        if isinstance(error, OSError) and error.errno != EINVAL:
            raise
        raise RefusedPickle("it is damaged") from error


def _read_legacy(file: BinaryIO) -> object:
    """The rest of a file behind its first pickle: three more, and the storages that the second of them points to."""
    if read_pickle(file, 0) != _PROTOCOL or not _is_little_endian(read_pickle(file, 0)):
        raise RefusedPickle("it was saved on another kind of machine")
    start, asked = file.tell(), dict[str, StoredNumbers]()

    def note_numbers(stored: StoredNumbers) -> Array:
        asked[stored.key] = stored
        return np.broadcast_to(np.zeros(1, _NUMBERS[stored.kind]), stored.count)

    read_pickle(file, sys.maxsize, note_numbers)
    keys = read_pickle(file, 0)
    if not isinstance(keys, list) or set(map(str, keys)) != set(asked):
        raise RefusedPickle("it is damaged")
    found = {str(key): _next_numbers(file, asked[str(key)]) for key in keys}
    file.seek(start)
    return read_pickle(file, _most_bytes(), lambda stored: _same_numbers(found[stored.key], stored))


def _is_little_endian(machine: object) -> bool:
    return isinstance(machine, dict) and machine.get("little_endian") is True


def _next_numbers(file: BinaryIO, stored: StoredNumbers) -> Array:
    if int.from_bytes(file.read(8), "little") != stored.count:
        raise RefusedPickle("it is damaged")
    return _numbers(file.read(stored.count * np.dtype(_NUMBERS[stored.kind]).itemsize), stored)


def _map_entry(path: Path, entry: ZipInfo) -> memoryview:
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    place = entry.header_offset + _LOCAL_HEADER_BYTES + names
    return np.memmap(path, np.uint8, "r", place, (entry.file_size,)).data


def _numbers(data: bytes | memoryview, stored: StoredNumbers) -> Array:
    if len(data) != stored.count * np.dtype(_NUMBERS[stored.kind]).itemsize:
        raise RefusedPickle("it ends early")
    numbers: Array = np.frombuffer(data, _NUMBERS[stored.kind])
    return (numbers.astype(np.uint32) << 16).view(np.float32) if stored.kind == "BFloat16Storage" else numbers


def _same_numbers(numbers: Array, stored: StoredNumbers) -> Array:
    """A storage that was read once, when it is asked for again; raises RefusedPickle when as another kind."""
    kind = np.dtype(np.float32 if stored.kind == "BFloat16Storage" else _NUMBERS[stored.kind])
    if len(numbers) != stored.count or numbers.dtype != kind:
        raise RefusedPickle("it is damaged")
    return numbers


def _most_bytes() -> int:
    return get_settings().read_memory_mb * 2**20
