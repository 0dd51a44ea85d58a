"""What slides, their files, patients and cases are called, to be looked up by a part of a name."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal as OneOf

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Call, Column, Expression, Literal, any_of, one_of
from histoseek.archive.stores.slides import SlideTable
from histoseek.search.kept import KeptByVersion
from histoseek.slides.sources.registry import source_name

NameKind = OneOf["slide", "patient", "case"]
NAME_KINDS: tuple[NameKind, ...] = ("slide", "patient", "case")

_MOST_ONE_BY_ONE = 2000
"""Names found beyond these are found faster by a look at all."""

_PLAIN_ADDRESS = r"(?s)^[^:?#]*[^/:?#.]$"
_FOLDERS = r"(?s)^.*/"

_MOST_NAMED = 10_000
"""Slides that a filter lists one by one; of more, those whose file alone has the text are listed as far as they go."""

_COLUMNS = ("slide_id", "patient_id", "case_id")

Indices = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Name:
    """What a slide, a patient or a case is called; slides: how many have it; slide_id: of the only one.

    text: of a slide its id, or its file's name where that was found.
    """

    kind: NameKind
    text: str
    slides: int
    slide_id: str | None


class _Names:
    """Names in the order of their folded texts, each with the number of what it names (`owners`, int64 [N])."""

    def __init__(self, texts: pa.Array, owners: Indices, named: int) -> None:
        """texts: N names, without empty ones; named: how many things are named."""
        self._named = named
        folded = pc.replace_substring(pc.utf8_lower(pc.utf8_normalize(texts, form="NFC")), "\n", " ")
        order = pc.sort_indices(folded)
        self.texts, self.owners = texts.take(order), owners[order.to_numpy()]
        # One text with a line a name: what Python finds in it is found faster than in an array of texts.
        end, nothing = (pa.scalar(text, pa.large_string()) for text in ("\n", ""))
        lines = pc.binary_join_element_wise(end, folded.take(order).cast(pa.large_string()), nothing)
        self._starts = np.concatenate([[0], np.cumsum(pc.binary_length(lines).to_numpy())]).astype(np.int64)
        self._text = b"".join(lines.buffers()[2:] if len(lines) else []) + b"\n"

    def __len__(self) -> int:
        return self._named

    def find_beginning(self, folded: bytes) -> range:
        """The names that begin with a text."""
        places, size = range(len(self.owners)), len(folded)
        first = bisect_left(places, folded, key=lambda place: self._line(place)[:size])
        return range(first, bisect_left(places, folded + b"\xff", lo=first, key=lambda place: self._line(place)[:size]))

    def find_equal(self, folded: bytes) -> range:
        """The names that are a text."""
        places = range(len(self.owners))
        first = bisect_left(places, folded, key=self._line)
        return range(first, bisect_right(places, folded, lo=first, key=self._line))

    def find_having(self, folded: bytes) -> Iterator[int]:
        """The names that have a text anywhere, in order."""
        at = self._text.find(folded)
        while at >= 0:
            place = int(np.searchsorted(self._starts, at, "right")) - 1
            yield place
            at = self._text.find(folded, int(self._starts[place + 1]))

    def find_all_having(self, folded: bytes) -> Indices:
        """The same, all at once."""
        found: list[int] = []
        for place in self.find_having(folded):
            found.append(place)
            if len(found) > _MOST_ONE_BY_ONE:
                buffers = [None, pa.py_buffer(self._starts), pa.py_buffer(self._text)]
                lines = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(self.owners), buffers)
                return np.flatnonzero(pc.match_substring(lines, folded).to_numpy(zero_copy_only=False))
        return np.array(found, np.int64)

    def _line(self, place: int) -> bytes:
        return self._text[self._starts[place] + 1 : self._starts[place + 1]]


class NameIndex:
    """The names of an archive's slides (ids and files), patients and cases, whatever their case.

    slide_ids: text [S], sorted.
    """

    def __init__(self, rows: pa.Table) -> None:
        """rows: with slide_id, uri, patient_id and case_id."""
        rows = rows.sort_by("slide_id").combine_chunks()
        self.slide_ids: pa.Array = _one_chunk(rows["slide_id"])
        self._owners: dict[NameKind, Indices] = {}
        self._counts: dict[NameKind, Indices] = {}
        self._names: dict[NameKind, _Names] = {"slide": _name_slides(self.slide_ids, _one_chunk(rows["uri"]))}
        self._add("patient", rows["patient_id"])
        self._add("case", rows["case_id"])

    def _add(self, kind: NameKind, column: pa.ChunkedArray) -> None:
        codes = _one_chunk(column).dictionary_encode()
        named = len(codes.dictionary)
        self._owners[kind] = codes.indices.fill_null(-1).to_numpy().astype(np.int64)
        self._counts[kind] = np.bincount(self._owners[kind] + 1, minlength=named + 1)[1:]
        self._names[kind] = _Names(codes.dictionary, np.arange(named), named)

    def complete(self, text: str, most: int, kinds: Sequence[NameKind] = NAME_KINDS) -> tuple[Name, ...]:
        """Up to `most` names of each kind that have a text: those that begin with it first; none for an empty one."""
        folded = _fold(text)
        return tuple(name for kind in kinds for name in self._complete(kind, folded, most)) if folded else ()

    def find_named(self, text: str, kind: NameKind) -> tuple[str, ...]:
        """The slides of exactly this name: an id, a file's name with its ending or without, a patient, or a case."""
        folded, names = _fold(text), self._names[kind]
        if not folded:
            return ()
        found = list(names.find_equal(folded))
        if kind == "slide":
            files = names.find_beginning(folded + b".")
            found += [place for place in files if _fold(PurePath(names.texts[place].as_py()).stem) == folded]
        return tuple(self.slide_ids.filter(self._select(kind, names.owners[found])).to_pylist())

    def find_spellings(self, text: str, kind: NameKind) -> tuple[str, ...]:
        """A whole name as the archive writes it, in each way that it does."""
        names = self._names[kind]
        return tuple(names.texts[place].as_py() for place in names.find_equal(_fold(text)))

    def find_places(self, text: str, kinds: Sequence[NameKind] = NAME_KINDS) -> Indices:
        """Where the slides stand in `slide_ids` that have a text in any of their names, ascending; none for ""."""
        folded, is_found = _fold(text), np.zeros(len(self.slide_ids), np.bool_)
        for kind in kinds if folded else ():
            names = self._names[kind]
            is_found |= self._select(kind, names.owners[names.find_all_having(folded)])
        return np.flatnonzero(is_found)

    def find_having(self, text: str, kinds: Sequence[NameKind] = NAME_KINDS) -> tuple[str, ...]:
        """The slides that have a text in any of their names, sorted by id; `find_places` is quicker for many."""
        return tuple(self.slide_ids.take(self.find_places(text, kinds)).to_pylist())

    def _complete(self, kind: NameKind, folded: bytes, most: int) -> Iterator[Name]:
        names, owners = self._names[kind], dict[int, int]()
        for places in (names.find_beginning(folded), names.find_having(folded)):
            for place in places:
                if len(owners) >= most:
                    break
                owners.setdefault(int(names.owners[place]), place)
        for owner, place in owners.items():
            slides = 1 if kind == "slide" else int(self._counts[kind][owner])
            only = None if slides > 1 else owner if kind == "slide" else int(np.argmax(self._owners[kind] == owner))
            slide_id = None if only is None else self.slide_ids[only].as_py()
            yield Name(kind, names.texts[place].as_py(), slides, slide_id)

    def _select(self, kind: NameKind, owners: Indices) -> Booleans:
        """Which slides are those, or of those, that are named, bool [S]."""
        # The last one is for slides of no patient or case.
        is_named = np.zeros(len(self._names[kind]) + 1, np.bool_)
        is_named[owners] = True
        return is_named[:-1] if kind == "slide" else is_named[self._owners[kind]]


def get_names(store: SlideTable) -> NameIndex:
    """The names of an archive, read once for each version of its store."""
    return _kept.get(store, lambda: NameIndex(store.columns(["slide_id", "uri", "patient_id", "case_id"], None)))


def match_names(store: SlideTable, text: str) -> Expression | None:
    """That a slide has a text in any of its names: by ids, unless these are too many; none for an empty text."""
    names = get_names(store)
    places = names.find_places(text)
    slide_ids = names.slide_ids.take(places[:_MOST_NAMED]).to_pylist()
    if len(places) <= _MOST_NAMED:
        return one_of("slide_id", slide_ids)
    folded = Literal(text.strip().lower())
    columns = (Call("contains", (Call("lower", (Column(name),)), folded)) for name in _COLUMNS)
    return any_of(one_of("slide_id", slide_ids), *columns)


_kept = KeptByVersion[NameIndex]()


def _name_slides(slide_ids: pa.Array, uris: pa.Array) -> _Names:
    """Slides by id and by file, once where the id is the file's name without its ending."""
    files = _name_files(uris)
    stems = pc.replace_substring_regex(files, r"(?s)(.)\.[^.]*$", r"\1")
    differs = pc.fill_null(pc.not_equal(stems, slide_ids), True).to_numpy(zero_copy_only=False)
    has_file = pc.greater(pc.binary_length(files), 0).to_numpy(zero_copy_only=False)
    by_id, by_file = np.flatnonzero(differs | ~has_file), np.flatnonzero(has_file)
    names = pa.concat_arrays([slide_ids.take(by_id), files.take(by_file)])
    return _Names(names, np.concatenate([by_id, by_file]), len(slide_ids))


def _name_files(uris: pa.Array) -> pa.Array:
    """What `source_name` says of each address, "" where there is none."""
    names = pc.replace_substring_regex(pc.fill_null(uris, ""), _FOLDERS, "")
    others = pc.invert(pc.match_substring_regex(pc.fill_null(uris, "x"), _PLAIN_ADDRESS))
    odd = np.flatnonzero(others.to_numpy(zero_copy_only=False))
    if not len(odd):
        return names
    parsed = pa.array([source_name(uri) for uri in uris.take(odd).to_pylist()], pa.string())
    mask = np.zeros(len(uris), np.bool_)
    mask[odd] = True
    return pc.replace_with_mask(names, pa.array(mask), parsed)


def _one_chunk(values: pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _fold(text: str) -> bytes:
    """As names are compared: in lower case; b"" for what is no text."""
    folded = unicodedata.normalize("NFC", text).lower().strip()
    return folded.encode(errors="ignore").replace(b"\n", b" ")
