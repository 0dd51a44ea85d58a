"""Bounds on what a file may declare, held before anything is allocated: one rule for all readers.

A header that declares a terabyte costs its writer twenty bytes. Whatever a file declares (shapes, counts, sizes of
tiles, cells of a sheet) is measured here against the memory that one file may take, and against the file's own size.
"""

from __future__ import annotations

import errno
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo, is_zipfile

from histoseek.errors import HistoseekError, TooLarge
from histoseek.settings import get_settings

MOST_COLUMNS = 16_384
"""As many as a sheet of Excel has."""

MOST_LINE_CHARACTERS = 2**26
MOST_NAMED_PARTS = 10_000
"""Entries of a zip file, tags of a page, attributes of a dataset: no file of ours has a tenth of it."""

_MEMORY_SETTING = "HISTOSEEK_READ_MEMORY_MB"
_CELL_BYTES = 128
"""What a cell of a table costs: the library's own, the value in Python, and the text made of it."""

_JSON_VALUE_BYTES = 72
_FREE_BYTES = 64 * 2**20
_MOST_EXPANSION = 200
"""How many times its own size a file may become beyond _FREE_BYTES; deflate makes up to 1,032 of zeros, 1 to 20 of
anything that somebody needs."""

_CHUNK_BYTES = 2**20
_LOCAL_HEADER_BYTES = 30
_ALLOCATION_WORDS = re.compile(
    r"out of memory|not enough memory|can(?:no|')t allocate|alloc\w* failed|failed to alloc|unable to allocate"
    r"|insufficient memory|bad_alloc|memory allocation",
    re.IGNORECASE,
)


def require_memory(
    where: Path | str,
    what: str,
    declared_bytes: int,
    stored_bytes: int | None = None,
    kind: type[TooLarge] = TooLarge,
) -> None:
    """Raise `kind` when what a file declares is more than one file may take, or out of all proportion to what is
    stored of it (None: not compared). what: for people, like "features of shape (10, 20)"."""
    limit_bytes = get_settings().read_memory_mb * 2**20
    if declared_bytes > limit_bytes:
        raise kind(
            where, f"{what} would take {format_bytes(declared_bytes)}", format_bytes(limit_bytes), _MEMORY_SETTING
        )
    if stored_bytes is None or declared_bytes <= max(_FREE_BYTES, _MOST_EXPANSION * stored_bytes):
        return
    declared = f"{what} would take {format_bytes(declared_bytes)}, of which {format_bytes(stored_bytes)} are stored"
    raise kind(where, declared, f"{_MOST_EXPANSION} times what is stored")


def require_file_bytes(path: Path, copies: int = 1, kind: type[TooLarge] = TooLarge) -> int:
    """The size of a file that is read as a whole, in bytes; raises `kind` when it, `copies` times in memory, is more
    than one file may take, and OSError as `stat` does."""
    size_bytes = path.stat().st_size
    require_memory(path, f"a file of {format_bytes(size_bytes)}", size_bytes * copies, kind=kind)
    return size_bytes


def require_cells(path: Path, rows: int, columns: int, what: str = "a table") -> None:
    """Raise TooLarge for more columns than a sheet has, or more cells than fit into the memory of one file."""
    if columns > MOST_COLUMNS:
        raise TooLarge(path, f"{what} of {columns:,} columns", f"{MOST_COLUMNS:,}")
    require_memory(path, f"{what} of {rows:,} x {columns:,} cells", rows * columns * _CELL_BYTES)


def require_json(path: Path, text: str | bytes) -> None:
    """Raise TooLarge when the values of a JSON text would take more than one file may."""
    values = sum(map(text.count, b",[{")) if isinstance(text, bytes) else sum(map(text.count, ",[{"))
    require_memory(path, f"JSON of up to {values:,} values", len(text) * 2 + values * _JSON_VALUE_BYTES)


def is_zip(path: Path) -> bool:
    """Whether a file is, or was meant to be, a zip file."""
    try:
        return is_zipfile(path)
    except BadZipFile:
        return True


def read_zip_entries(path: Path) -> Iterator[tuple[ZipInfo, Iterator[bytes]]]:
    """The entries of a zip file with their bytes as they are inflated, whatever their headers say of their length.

    Raises BadZipFile for what cannot be inflated, and TooLarge as soon as all entries together are too large.
    """
    budget = _Budget(path, path.stat().st_size)
    with ZipFile(path) as archive, path.open("rb") as file:
        if len(archive.filelist) > MOST_NAMED_PARTS:
            raise TooLarge(path, f"a zip file of {len(archive.filelist):,} entries", f"{MOST_NAMED_PARTS:,}")
        for entry in archive.filelist:
            if entry.header_offset < 0:
                raise BadZipFile("an entry that begins before the file")
            file.seek(entry.header_offset)
            header = file.read(_LOCAL_HEADER_BYTES)
            if len(header) < _LOCAL_HEADER_BYTES or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise BadZipFile("an entry that cannot be inflated")
            names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            place = entry.header_offset + _LOCAL_HEADER_BYTES + names
            yield entry, budget.count(_inflate(path, place, entry))


class _Budget:
    """What all entries of a zip file may take together."""

    def __init__(self, path: Path, stored_bytes: int) -> None:
        self._path = path
        self._stored_bytes = stored_bytes
        self._taken_bytes = 0

    def count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks, as long as they are within the bounds."""
        for chunk in chunks:
            self._taken_bytes += len(chunk)
            require_memory(self._path, "what is compressed in it", self._taken_bytes, self._stored_bytes)
            yield chunk


def _inflate(path: Path, place: int, entry: ZipInfo) -> Iterator[bytes]:
    left = entry.compress_size
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if entry.compress_type == ZIP_DEFLATED else None
    with path.open("rb") as file:
        file.seek(place)
        while left > 0 and (data := file.read(min(left, _CHUNK_BYTES))):
            left -= len(data)
            if inflater is None:
                yield data
                continue
            try:
                while data and not inflater.eof:
                    yield inflater.decompress(data, _CHUNK_BYTES)
                    data = inflater.unconsumed_tail
            except zlib.error as error:
                raise BadZipFile("an entry that cannot be inflated") from error


@contextmanager
def refusing_exhaustion(make_error: Callable[[str], HistoseekError]) -> Iterator[None]:
    """Turn a lack of memory, a nesting too deep and a panic of a library into the error that `make_error` makes of the
    reason, in a few words; all else goes on as it is."""
    try:
        yield
    except HistoseekError:
        raise
    except BaseException as error:
        reason = describe_exhaustion(error)
        if reason is None:
            raise
        raise make_error(reason) from error


def describe_exhaustion(error: BaseException) -> str | None:
    """Why reading used up memory or stack, or how a library of another language gave up; None for other errors."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "reading it needs more memory than there is"
    if type(error).__name__ == "PanicException":  # of Rust; it is no Exception
        return "its reader cannot cope with it"
    if isinstance(error, Exception) and not isinstance(error, HistoseekError) and _ALLOCATION_WORDS.search(str(error)):
        return "reading it needs more memory than there is"
    return None


def format_bytes(count: int) -> str:
    """A size for people."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"
