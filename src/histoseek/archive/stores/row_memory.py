"""What was read of single slides, kept for the next search: what one finds, others find, too."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression, one_of
from histoseek.archive.schema import SlideRecord, StoredSlide
from histoseek.archive.stores.base import TextHit
from histoseek.archive.stores.signature_rows import flat

Value = TypeVar("Value")

_PLACES = ["slide_id", "report_tokens", "report_places"]
_BYTES = 48 * 2**20
_OBJECT = 80
"""Bytes of a small object, roughly."""

_RECORD = 4096
"""Of a slide's record and what describes its mosaic, roughly."""


ReadSlides = Callable[[Sequence[str]], list[StoredSlide]]
"""Reads slides in the order asked."""


class RowMemory:
    """Values by kind and slide, or what else tells them apart, of one version of a store, together about `most_bytes`:
    the least recently used go.

    Values are shared, and must not be changed. Safe to use from several threads; several may read the same at once.
    """

    def __init__(self, most_bytes: int = _BYTES) -> None:
        self._most_bytes = most_bytes
        self._values: OrderedDict[tuple[str, str], tuple[object, int]] = OrderedDict()
        self._size_bytes = 0
        self._guard = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """What all values take, roughly."""
        return self._size_bytes

    def recall(
        self, kind: str, slide_ids: Sequence[str], read: Callable[[Sequence[str]], Mapping[str, Value]]
    ) -> dict[str, Value]:
        """The values of slides, in the order asked, those that are not at hand as `read` gives them: it may leave out
        slides that are not there, and may raise."""
        found = self._find(kind, slide_ids)
        missing = [slide_id for slide_id in dict.fromkeys(slide_ids) if slide_id not in found]
        if missing:
            read_now = read(missing)
            found.update(read_now)
            self._keep(kind, read_now)
        return {slide_id: cast(Value, found[slide_id]) for slide_id in slide_ids if slide_id in found}

    def recall_slides(self, kind: str, slide_ids: Sequence[str], read: ReadSlides) -> list[StoredSlide]:
        """Slides in the order asked; raises what `read` raises."""
        found = self.recall(kind, slide_ids, lambda ids: dict(zip(ids, read(ids), strict=True)))
        return [found[slide_id] for slide_id in slide_ids]

    def recall_number(self, kind: str, what: str, count: Callable[[], int]) -> int:
        """How many of a kind there are of something."""
        return self.recall(kind, [what], lambda _: {what: count()})[what]

    def recall_hits(self, what: str, search: Callable[[], list[TextHit]]) -> list[TextHit]:
        """What words find; what: the words, and all else that the hits depend on."""
        return list(self.recall("hits", [what], lambda _: {what: search()})[what])

    def recall_column(
        self,
        name: str,
        slide_ids: Sequence[str],
        read: Callable[[Sequence[str], Expression], pa.Table],
        split: Callable[[pa.ChunkedArray], list[Value | None]],
    ) -> dict[str, Value]:
        """What slides have in a column, by slide, without those that have nothing there.

        read: columns of the slides of a filter; split: a column into its values.
        """

        def read_missing(missing: Sequence[str]) -> dict[str, Value | None]:
            rows = read(["slide_id", name], one_of("slide_id", missing))
            return dict(zip(rows["slide_id"].to_pylist(), split(rows[name]), strict=True))

        values = self.recall(name, slide_ids, read_missing)
        return {slide_id: value for slide_id, value in values.items() if value is not None}

    def recall_places(
        self, slide_ids: Sequence[str], read: Callable[[Sequence[str], list[str]], pa.Table]
    ) -> dict[str, tuple[str, bytes]]:
        """The tokens of reports, and where they stand as `pack_places` has it, of those slides whose places are known.

        read: columns of slides, in no order.
        """

        def read_missing(missing: Sequence[str]) -> dict[str, tuple[str, bytes] | None]:
            rows = read(missing, _PLACES)
            ids, tokens, places = (rows[name].to_pylist() for name in _PLACES)
            return {
                slide_id: None if place is None else (text, place)
                for slide_id, text, place in zip(ids, tokens, places, strict=True)
            }

        values = self.recall("report_places", slide_ids, read_missing)
        return {slide_id: value for slide_id, value in values.items() if value is not None}

    def _find(self, kind: str, slide_ids: Sequence[str]) -> dict[str, object]:
        found = {}
        with self._guard:
            for slide_id in slide_ids:
                held = self._values.get((kind, slide_id))
                if held is not None:
                    self._values.move_to_end((kind, slide_id))
                    found[slide_id] = held[0]
        return found

    def _keep(self, kind: str, values: Mapping[str, object]) -> None:
        with self._guard:
            for slide_id, value in values.items():
                size = len(slide_id) + _measure(value)
                self._size_bytes += size - self._values.pop((kind, slide_id), (None, 0))[1]
                self._values[kind, slide_id] = value, size
            while self._size_bytes > self._most_bytes:
                self._size_bytes -= self._values.popitem(last=False)[1][1]


def _measure(value: object) -> int:
    if isinstance(value, StoredSlide):
        signature, report = value.signature, value.record.report or ""
        arrays = (signature.global_vector, signature.mosaic, signature.shares, signature.barcodes, signature.context)
        tiles = sum(tile.coords.nbytes + tile.weights.nbytes for tile in signature.mosaic_tiles)
        return _RECORD + 2 * len(report) + tiles + sum(array.nbytes for array in arrays if array is not None)
    if isinstance(value, SlideRecord):
        return _RECORD + 2 * len(value.report or "")
    if isinstance(value, np.ndarray):
        return _OBJECT + value.nbytes
    if isinstance(value, frozenset | tuple | list):
        return _OBJECT + sum(map(_measure_text, value))
    return _OBJECT


def _measure_text(value: object) -> int:
    return _OBJECT + (len(value) if isinstance(value, str | bytes) else 0)


def split_facts(column: pa.ChunkedArray) -> list[list[str] | None]:
    """What each report states, None where it states nothing."""
    return [facts or None for facts in column.to_pylist()]


def split_tokens(column: pa.ChunkedArray) -> list[frozenset[str] | None]:
    """The tokens of each report."""
    return [frozenset((tokens or "").split()) for tokens in column.to_pylist()]


def split_lists(column: pa.ChunkedArray) -> list[NDArray[Any] | None]:
    """The numbers of each list, None where there is none."""
    return [flat(column.slice(place, 1)) if column[place].is_valid else None for place in range(len(column))]
