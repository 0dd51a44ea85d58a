"""The slides of a store as records, signatures and arrays, with what ranking needs of them kept at hand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.column_types import check_filter
from histoseek.archive.filters.expression import (
    HAS_REPORT,
    NO_REPORT,
    Call,
    Column,
    Expression,
    IsNull,
    Literal,
    Where,
    all_of,
    one_of,
)
from histoseek.archive.filters.parser import parse_filter
from histoseek.archive.report_index import find_places
from histoseek.archive.schema import (
    ANALYSER_KEY,
    CHECKSUM,
    LANGUAGE_COLUMNS,
    RECORD_TOKENS,
    VECTOR_COLUMNS,
    WORD_TILES,
    SlideRecord,
    StoredSlide,
    field_columns,
    is_storable,
    make_record_tokens,
    require_slide_id,
    to_records,
    to_slides,
    to_table,
)
from histoseek.archive.stores.base import ROW, Capabilities, Neighbour, Store, StoreStats, TextHit, VectorColumn
from histoseek.archive.stores.checksums import WORDS, list_altered, make_checksums, with_checksums, with_new_tokens
from histoseek.archive.stores.code_rows import CodeCaches
from histoseek.archive.stores.column_rows import ColumnRows
from histoseek.archive.stores.mosaic_rows import MosaicTable
from histoseek.archive.stores.ranking_cache import RankingCache
from histoseek.archive.stores.row_memory import RowMemory, split_facts, split_lists, split_tokens
from histoseek.archive.stores.rows import RankingRows
from histoseek.archive.stores.signature_rows import (
    SIGNATURE,
    StoreSource,
    flat,
    list_signature_columns,
    read_dimensions,
    signature_block,
    with_signatures,
)
from histoseek.archive.stores.word_rows import WordTileTable
from histoseek.archive.stores.words import RecordWords
from histoseek.arguments import describe
from histoseek.errors import DamagedArchive, InputError, UnknownSlide
from histoseek.mosaics.distances import SignatureBlock

_IDS_PER_QUERY = 500
_ROWS_AT_ONCE = 64
_MOST_NAMED = 10_000
_MOST_REMEMBERED = 200_000

UNREADABLE = (DamagedArchive, ValueError, LookupError, TypeError, pa.ArrowException)
"""What reading a row raises whose values are not what they should be."""


class SlideTable:
    """The slides of an archive, whatever engine holds them."""

    def __init__(self, store: Store, cache: RankingCache, codes: CodeCaches | None = None) -> None:
        """cache: of what ranking needs, codes: of what words are compared with, shared by the snapshots."""
        self._store = store
        self._cache = cache
        self._codes = codes or CodeCaches.create()
        self._snapshot: SlideTable | None = None
        self._memory = RowMemory()

    @property
    def version(self) -> int:
        """Of the last commit, or of a snapshot: what was read at one version is the same as long as that is."""
        return self._store.version

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        return self._store.capabilities

    @property
    def left_out(self) -> str | None:
        """What a user should know of a newest state that a crash left torn; None where all is well."""
        return self._store.left_out

    def list_faults(self, deep: bool) -> Iterator[str]:
        """What is wrong with the store's files; deep: read them all."""
        return self._store.list_faults(deep)

    @property
    def analyser(self) -> str:
        """What read the reports into tokens and facts (`make_analyser_mark`)."""
        return self._read_mark("report_tokens")

    def set_analyser(self, mark: str) -> None:
        """Say what read the reports, once it has read them all."""
        self._store.describe("report_tokens", ANALYSER_KEY.decode(), mark)

    @property
    def record_analyser(self) -> str:
        """What read the records into tokens (`make_record_mark`), "" where none did."""
        return self._read_mark(RECORD_TOKENS) if RECORD_TOKENS in self._schema.names else ""

    def set_record_analyser(self, mark: str) -> None:
        """Say what read the records, once it has read them all."""
        self._store.describe(RECORD_TOKENS, ANALYSER_KEY.decode(), mark)

    def _read_mark(self, column: str) -> str:
        return str((self._schema.field(column).metadata or {}).get(ANALYSER_KEY, b"").decode())

    def snapshot(self) -> SlideTable:
        """A view that stays as it is now, whatever others write, for reads that belong together."""
        store = self._store.snapshot()
        if store is self._store:
            return self
        held = self._snapshot
        if held is None or held._store is not store:
            held = self._snapshot = type(self)(store, self._cache, self._codes)
        return held

    def keep(self) -> SlideTable:
        """A snapshot that does without the memory of the others: it may be asked when they have gone on."""
        return type(self)(self._store.snapshot(), self._cache.copy())

    @property
    def mark(self) -> str:
        """What tells a snapshot's version from those of all other stores, for `open_slides`."""
        return self._store.mark

    def filter(self, where: Where) -> Expression | None:
        """A filter over the columns there are; raises BadFilter."""
        if where is None:
            return None
        if not isinstance(where, str | Expression):
            raise InputError("where", f"{describe(where)} is no filter", "Give a text such as \"organ = 'lung'\"")
        schema = self._schema
        named = [name for name in schema.names if name not in VECTOR_COLUMNS]
        expression = parse_filter(where, named) if isinstance(where, str) else where
        check_filter(expression, {column.name: column.type for column in schema}, named)
        return expression

    def upsert(self, slides: Sequence[StoredSlide]) -> None:
        """Insert slides or replace those of the same id, in one step. Extra columns must exist."""
        if slides:
            rows = to_table(slides, self._store.schema)
            self._store.upsert(with_checksums(rows, [slide.renew(WORDS).altered for slide in slides]))

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out; unknown ids are ignored."""
        if slide_ids:
            self._store.delete(slide_ids)

    def get(self, slide_ids: Sequence[str], *, checked: bool = True) -> list[StoredSlide]:
        """Slides in the order asked, compared with their checksums where they are `checked`; raises UnknownSlide."""
        view = self.snapshot()
        names = [name for name in view._schema.names if checked or name != CHECKSUM]
        if checked:
            return view._parse(view._rows(slide_ids, names))
        return view._memory.recall_slides("whole", slide_ids, lambda ids: view._parse(view._rows(ids, names)))

    def _parse(self, rows: pa.Table) -> list[StoredSlide]:
        return [
            replace(slide, altered=altered) if altered else slide
            for slide, altered in zip(to_slides(rows), list_altered(rows), strict=True)
        ]

    def salvage(self) -> Iterator[StoredSlide]:
        """The slides whose rows can be read, in no order, however many can't."""
        view = self.snapshot()
        numbers: list[int] = []
        with suppress(DamagedArchive):
            for batch in view._store.scan([ROW], None):
                numbers += batch.column(ROW).to_pylist()
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            yield from view._salvage(numbers[start : start + _ROWS_AT_ONCE])

    def _salvage(self, numbers: Sequence[int]) -> Iterator[StoredSlide]:
        try:
            slides = self._parse(self._store.take(np.array(numbers, np.uint64), self._schema.names))
        except UNREADABLE:
            slides = []
            for number in numbers if len(numbers) > 1 else ():
                slides += self._salvage([number])
        yield from slides

    def get_without_language(self, slide_ids: Sequence[str]) -> list[StoredSlide]:
        """As `get`, but without what ties slides to language: what searches show.

        What ranking has at hand is not read again, as each column takes its time.
        """
        view = self.snapshot()
        held = view._cache.held(view._version)
        left_out = (*LANGUAGE_COLUMNS, RECORD_TOKENS, CHECKSUM, WORD_TILES, *(SIGNATURE if held else ()))
        names = [name for name in view._schema.names if name not in left_out]

        def read(ids: Sequence[str]) -> list[StoredSlide]:
            rows = view._rows(ids, names)
            return to_slides(with_signatures(rows, held.block.take(held.places_of(ids))) if held else rows)

        return view._memory.recall_slides("shown", slide_ids, read)

    def slides(self, where: Where = None) -> Sequence[str]:
        """Ids of the slides that satisfy a filter, sorted."""
        return sorted(self.columns(["slide_id"], where)["slide_id"].to_pylist())

    def records(self, where: Where, limit: int | None, offset: int) -> list[SlideRecord]:
        """Records sorted by id."""
        rows = self.columns(list(self.metadata_types()), where).sort_by("slide_id")
        return to_records(rows.slice(offset, limit))

    def take_records(self, slide_ids: Sequence[str]) -> list[SlideRecord]:
        """Records in the order asked; raises UnknownSlide."""
        view, names = self.snapshot(), list(self.metadata_types())
        records = view._memory.recall(
            "record", slide_ids, lambda ids: dict(zip(ids, to_records(view._rows(ids, names)), strict=True))
        )
        return [records[slide_id] for slide_id in slide_ids]

    def columns(self, names: Sequence[str], where: Where) -> pa.Table:
        """Columns of the slides of a filter, in no order."""
        view = self.snapshot()
        return pa.Table.from_batches(view._store.scan(names, view.filter(where)))

    def count(self, where: Where) -> int:
        """How many slides satisfy a filter; a snapshot remembers what it counted."""
        view, key = self.snapshot(), str(where)
        return view._memory.recall_number("slides", key, lambda: view._store.count(view.filter(where)))

    def count_reports(self, tokens: Mapping[str, float], most: int) -> int:
        """How many reports have any of some tokens, at most so many; a snapshot remembers what it counted."""
        view, key = self.snapshot(), " ".join([str(most), *sorted(tokens)])
        return view._memory.recall_number("reports", key, lambda: len(view.text(tokens, most, None)))

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Where, column: VectorColumn = "global_vector"
    ) -> list[Neighbour]:
        """The slides with a vector in this column nearest to `vector`, among those of a filter."""
        return self._store.nearest(vector, count, self.filter(where), column)

    def text(self, tokens: Mapping[str, float], count: int, where: Where) -> list[TextHit]:
        """The slides of a filter whose reports have any of some tokens, best first; none without full-text search."""
        if not tokens or not self.capabilities.full_text:
            return []
        view, key = self.snapshot(), repr((*sorted(tokens.items()), count, str(where)))
        return view._memory.recall_hits(key, lambda: view._store.text(tokens, count, view.filter(where)))

    def record_text(self, words: Sequence[Mapping[str, float]], count: int, where: Where) -> list[TextHit]:
        """The slides of a filter whose records have any of some words (`RecordWords.search`), best first.

        None of an archive whose records no version has read.
        """
        view = self.snapshot()
        condition = view.filter(where)
        if not words or RECORD_TOKENS not in view._schema.names:
            return []
        among = view._store.find_rows(condition) if condition is not None else None
        return view._record_words.search(words, count, among)

    def match_record(self, tokens: Sequence[str]) -> Expression | None:
        """That a slide's record has all of some tokens, None where none has: by ids, unless these are too many."""
        view = self.snapshot()
        if RECORD_TOKENS not in view._schema.names:
            return None
        slide_ids = view._record_words.list_having(tokens)
        if len(slide_ids) > _MOST_NAMED:
            return all_of(*(Call("contains", (Column(RECORD_TOKENS), Literal(f" {token} "))) for token in tokens))
        return one_of("slide_id", slide_ids) if slide_ids else None

    def record_knows(self, tokens: Sequence[str]) -> bool:
        """Whether any slide's record has any of some tokens."""
        view = self.snapshot()
        return RECORD_TOKENS in view._schema.names and view._record_words.knows(tokens)

    @property
    def metadata_texts(self) -> Sequence[str]:
        """The different cells of columns of text, but for ids."""
        return self.snapshot()._metadata_texts

    def find_without_report(self, slide_ids: Collection[str]) -> set[str]:
        """Those of some slides that have no report; a snapshot remembers which they are, unless they are too many."""
        view = self.snapshot()
        if view.count(NO_REPORT) > _MOST_REMEMBERED:
            return set(view.slides(all_of(one_of("slide_id", sorted(slide_ids)), NO_REPORT)))
        return view._without_report.intersection(slide_ids)

    def list_report_facts(self, slide_ids: Sequence[str]) -> dict[str, list[str]]:
        """What the reports of some slides state, by slide; those without a report are left out."""
        view = self.snapshot()
        return view._memory.recall_column("report_facts", slide_ids, view.columns, split_facts)

    def list_report_tokens(self, slide_ids: Sequence[str]) -> list[frozenset[str]]:
        """The tokens of the reports of some slides, in no order."""
        view = self.snapshot()
        return list(view._memory.recall_column("report_tokens", slide_ids, view.columns, split_tokens).values())

    def like_words(self, token: str, count: int) -> list[str]:
        """A few reports with a word that is spelled almost like a token."""
        if not self.capabilities.spelling:
            return []
        view = self.snapshot()
        ids = [hit.slide_id for hit in view._store.text({token: 1.0}, count, None, spelling=True)]
        return view.columns(["report"], all_of(one_of("slide_id", ids), HAS_REPORT))["report"].to_pylist()

    def windows(self, slide_ids: Sequence[str]) -> Mapping[str, NDArray[np.float16]]:
        """By slide id, the vectors of a report's windows one after the other, where it has more than one."""
        view = self.snapshot()
        return view._memory.recall_column("report_windows", slide_ids, view.columns, split_lists)

    def places(self, slide_ids: Sequence[str], tokens: Collection[str]) -> Mapping[str, list[tuple[int, int]]]:
        """By slide id, where its report has some tokens, in the stored text; only of those whose places are known."""
        view = self.snapshot()
        if "report_places" not in view._schema.names or not slide_ids:
            return {}
        stored = view._memory.recall_places(slide_ids, view._read_unordered)
        places = {slide_id: find_places(*one, tokens) for slide_id, one in stored.items()}
        return {slide_id: own for slide_id, own in places.items() if own is not None}

    def ranking_block(self, slide_ids: Sequence[str]) -> SignatureBlock:
        """What exact ranking needs of these slides but for the mosaics, in the order asked; raises UnknownSlide."""
        rows = self._rows(slide_ids, ["slide_id", *list_signature_columns(self._schema)])
        return signature_block(rows, *self._dimensions)

    def mosaics(self, slide_ids: Sequence[str]) -> NDArray[np.float16]:
        """Mosaic vectors of these slides one after the other, [total, D], in the order asked; raises UnknownSlide."""
        return flat(self._rows(slide_ids, ["slide_id", "mosaic"])["mosaic"]).reshape(-1, self._dimensions[1])

    def shared_mosaics(
        self, slide_ids: Sequence[str]
    ) -> tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.int64]]:
        """Mosaic vectors as `mosaics` gives them, the share of each on its slide, and where each slide's begin."""
        rows = self._rows(slide_ids, ["slide_id", "mosaic", "shares"])
        counts = rows["shares"].combine_chunks().value_lengths()
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return flat(rows["mosaic"]).reshape(-1, self._dimensions[1]), flat(rows["shares"]), offsets

    def find_dimension(self, column: VectorColumn) -> int | None:
        """Of the vectors in a column; None for one that the archive lacks."""
        return int(self._schema.field(column).type.list_size) if column in self._schema.names else None

    def vectors(self, slide_ids: Sequence[str], column: VectorColumn) -> NDArray[np.float32]:
        """One vector of each slide, [n, D], in the order asked; raises UnknownSlide."""
        return flat(self._rows(slide_ids, ["slide_id", column])[column]).reshape(len(slide_ids), -1)

    def ranking_rows(self) -> RankingRows:
        """What exact ranking needs of all slides, kept between searches until the store changes."""
        view = self.snapshot()
        return self._cache.rows(view._version, StoreSource(view._store, *view._dimensions))

    def ranking_places(self, where: Where) -> NDArray[np.int64]:
        """Where the slides of a filter stand in `ranking_rows`, ascending; ask a snapshot.

        Those of the last few filters are kept.
        """
        view = self.snapshot()
        rows, condition = view.ranking_rows(), view.filter(where)
        if condition is None:
            return self._cache.places(view._version, "", lambda: rows.all_places)
        return self._cache.places(
            view._version, str(condition), lambda: rows.places(view.columns([ROW], condition)[ROW].to_numpy())
        )

    @property
    def word_tiles(self) -> WordTileTable:
        """The slides' tiles in the space of words."""
        view = self.snapshot()
        return WordTileTable(self._store, view._store, view._version, self._codes.word_tiles)

    @property
    def mosaic_codes(self) -> MosaicTable:
        """The slides' mosaics, to be compared with words."""
        view = self.snapshot()
        return MosaicTable(view._store, view._version, view._dimensions[1], self._codes.mosaics)

    @property
    def kept_columns(self) -> ColumnRows:
        """Columns of all slides, kept between reads until the store changes."""
        view = self.snapshot()
        return self._codes.columns.rows(view._version, view._store)

    def find_rows(self, where: Expression | None) -> NDArray[np.uint64] | None:
        """The engine's numbers of the rows of a filter, None for all; ask a snapshot."""
        return None if where is None else self._store.find_rows(where)

    def ensure_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add the columns that are not there yet."""
        self._store.add_columns(columns)

    def read_records(self, slide_ids: Sequence[str]) -> None:
        """Read the records of some slides into tokens; archives of older versions lack the column as well."""
        self._store.add_columns({RECORD_TOKENS: pa.string()})
        rows = self._rows(slide_ids, [*self.metadata_types(), *self.list_checksum()])
        tokens = pa.array(map(make_record_tokens, to_records(rows)), pa.string())
        filled = rows.select(["slide_id", *self.list_checksum()]).append_column(RECORD_TOKENS, tokens)
        self._store.fill(with_new_tokens(filled))

    def list_unguarded(self) -> Sequence[str]:
        """Slides whose rows have no checksums yet: those of older versions."""
        return self.slides(IsNull(Column(CHECKSUM)) if self.list_checksum() else None)

    def add_checksums(self, slide_ids: Sequence[str]) -> None:
        """Give rows checksums as they are, which archives of older versions lack; they guard from then on."""
        self._store.add_columns({CHECKSUM: pa.binary()})
        self._store.fill(make_checksums(self._store.scan(self._schema.names, one_of("slide_id", slide_ids))))

    def list_checksum(self) -> list[str]:
        """The column of the rows' checksums, as far as there is one."""
        return [name for name in self._schema.names if name == CHECKSUM]

    def ensure_vectors(self, dimensions: Mapping[VectorColumn, int]) -> None:
        """Add the vector columns of these dimensions that are not there yet."""
        self._store.add_columns({name: pa.list_(pa.float32(), size) for name, size in dimensions.items()})

    def metadata_types(self) -> Mapping[str, pa.DataType]:
        """All columns that hold metadata, with their types."""
        return {column.name: column.type for column in self._schema if column.name not in VECTOR_COLUMNS}

    def stats(self) -> StoreStats:
        """Sizes."""
        return self._store.stats()

    def optimize(self) -> None:
        """Join small files and drop versions that are older than readers may need."""
        self._store.optimize()

    def erase(self) -> None:
        """Leave no byte of slides that were taken out or replaced, neither in the store nor in what ranking keeps."""
        self._store.erase()
        self._cache.clear()
        self._codes.clear()

    @property
    def _schema(self) -> pa.Schema:
        """Of a snapshot it is read once."""
        return self._store.schema

    @cached_property
    def _version(self) -> int:
        """Of a snapshot."""
        return self._store.version

    @cached_property
    def _record_words(self) -> RecordWords:
        """Of a snapshot."""
        rows = pa.Table.from_batches(self._store.scan([ROW, "slide_id", RECORD_TOKENS], None))
        return RecordWords.read(rows, RECORD_TOKENS, ROW)

    @cached_property
    def _metadata_texts(self) -> Sequence[str]:
        """Of a snapshot."""
        types = self.metadata_types()
        texts = [name for name in field_columns(types) if pa.types.is_string(types[name]) and not name.endswith("_id")]
        rows = self.columns(texts, None)
        return [value for name in texts for value in rows[name].unique().to_pylist() if value]

    @cached_property
    def _without_report(self) -> set[str]:
        """Of a snapshot."""
        return set(self.slides(NO_REPORT))

    @cached_property
    def _dimensions(self) -> tuple[int, int]:
        return read_dimensions(self._store.schema)

    def _rows(self, slide_ids: Sequence[str], columns: list[str]) -> pa.Table:
        """Rows in the order of the ids; raises UnknownSlide, InputError for what is no id."""
        for slide_id in slide_ids:
            require_slide_id(slide_id)
        rows = self.snapshot()._read_unordered(slide_ids, columns).combine_chunks()
        place = {slide_id: row for row, slide_id in enumerate(rows["slide_id"].to_pylist())}
        missing = next((slide_id for slide_id in slide_ids if slide_id not in place), None)
        if missing is not None:
            raise UnknownSlide(missing)
        return rows.take(pa.array([place[slide_id] for slide_id in slide_ids], pa.int64()))

    def _read_unordered(self, slide_ids: Sequence[str], columns: list[str]) -> pa.Table:
        """A snapshot's rows of these ids, as far as there are any: by number where the numbers are at hand."""
        held = self._cache.held_ids(self._version)
        if held is not None:
            return self._store.take(held.row_ids[held.places_of(slide_ids)], columns)
        ids = [slide_id for slide_id in slide_ids if is_storable(slide_id)]
        parts = (ids[start : start + _IDS_PER_QUERY] for start in range(0, max(1, len(ids)), _IDS_PER_QUERY))
        return pa.concat_tables([self.columns(columns, one_of("slide_id", part)) for part in parts])
