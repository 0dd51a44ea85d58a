"""The values of an archive's columns and of what its reports state, to be found by their words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from histoseek.archive.schema import field_columns
from histoseek.archive.stores.slides import SlideTable
from histoseek.search.kept import KeptByVersion
from histoseek.search.scope.facets import Facet, list_facets

MOST_WORDS = 6
"""Of a value that is recognised: longer ones are texts that somebody wrote."""

_MOST_VALUES = 2000
"""Of a field: one of more, such as of a comment, is not what people name slides by."""


@dataclass(frozen=True, slots=True)
class _Known:
    facet: Facet
    folded: str


class ValueIndex:
    """What slides have in their fields, by the words of it; the archive's own columns before what reports state."""

    def __init__(self, facets: Sequence[Facet]) -> None:
        self._known: list[_Known] = []
        self._exact: dict[str, list[Facet]] = {}
        for _, group in groupby(facets, key=lambda facet: (facet.source, facet.field)):
            of_field = list(group)
            if len(of_field) <= _MOST_VALUES:
                self._known += (_Known(facet, fold_value(facet.value)) for facet in of_field)
        for known in self._known:
            self._exact.setdefault(known.folded, []).append(known.facet)

    def find(self, text: str, field: str | None = None) -> tuple[Facet, ...]:
        """The values that are a text, whatever its case and hyphens, of one field or of all."""
        found = self._exact.get(fold_value(text), ())
        return tuple(facet for facet in found if field is None or facet.field == field)

    def complete(self, text: str, most: int) -> tuple[Facet, ...]:
        """Up to `most` values with a word that begins with a text: those that begin with it, then frequent ones."""
        folded = fold_value(text)
        found = [known for known in self._known if folded and f" {folded}" in f" {known.folded}"]
        found.sort(key=lambda known: (not known.folded.startswith(folded), -known.facet.count))
        return tuple(known.facet for known in found[:most])

    def find_longest(self, words: Sequence[str]) -> Iterator[tuple[int, int, tuple[Facet, ...]]]:
        """Which words, from and to, are values: the longest from each place on, none of them twice."""
        start = 0
        while start < len(words):
            stop = min(len(words), start + MOST_WORDS)
            while stop > start and not (found := self.find(" ".join(words[start:stop]))):
                stop -= 1
            if stop > start:
                yield start, stop, found
            start = max(stop, start + 1)


def fold_value(value: str) -> str:
    """A value as it is compared: in lower case, a blank for hyphens and underscores."""
    return " ".join(value.casefold().replace("-", " ").replace("_", " ").split())


def get_values(store: SlideTable) -> ValueIndex:
    """The values of an archive, counted once for each version of its store."""
    return _kept.get(store, lambda: ValueIndex(_list_values(store)))


_kept = KeptByVersion[ValueIndex]()


def _list_values(store: SlideTable) -> tuple[Facet, ...]:
    types = store.metadata_types()
    texts = [name for name in field_columns(types) if pa.types.is_string(types[name]) and not name.endswith("_id")]
    stated = [facet for facet in list_facets(store, None, None) if facet.source == "report"]
    # A column and a field of reports may have the same name.
    known = [facet for facet in list_facets(store, None, texts) if facet.source == "metadata"] if texts else []
    return (*known, *stated)
