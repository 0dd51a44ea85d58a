"""What an engine must do to hold an archive's slides. Ranking, voting and explaining live above it.

The rows are those of `archive.schema`, as Arrow tables; filters are expressions that the engine puts into its own
words. `tests/archive/test_store_contract.py` says in full what is expected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression

ROW = "_row"
"""A column that every scan and take can give: uint64, the number of a row in one version of a store, for `take`."""

NOT_OF_STORE = " is not of the table"
"""How what `list_faults` says of a file ends that is none of the store's own."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A slide near a vector; cosine_distance is 0 for the same direction, 2 for the opposite."""

    slide_id: str
    cosine_distance: float


@dataclass(frozen=True, slots=True)
class TextHit:
    """A slide whose report holds words of a text; score (BM25) is larger the more it does."""

    slide_id: str
    score: float


VectorColumn = Literal["global_vector", "context_vector", "report_vector", "shared_vector", "shared_report_vector"]


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Rows, bytes on disk, and versions that readers can still see."""

    rows: int
    bytes: int
    versions: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What not every engine can do: full_text: `text`; spelling: `text` of words that are spelled almost alike."""

    full_text: bool = True
    spelling: bool = True


class Store(Protocol):
    """Holds rows of slides. Every write is durable, and seen as a whole or not at all, when the call returns.

    Whatever an engine raises becomes an ArchiveError here: OutdatedSnapshot for a version that was removed, else
    DiskFull, ArchiveReadOnly or DamagedArchive.

    Filters were checked (`check_filter`); None: all rows. Where an engine still can't take one, it raises BadFilter.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""

    @property
    def version(self) -> int:
        """Of the last commit, or of a snapshot: what was read at one version is the same as long as that is."""

    @property
    def mark(self) -> str:
        """What tells this version from those of all other stores, for `Engine.open`; of a snapshot only."""

    @property
    def schema(self) -> pa.Schema:
        """All columns; that of the tokens says what read the reports (`schema.ANALYSER_KEY`)."""

    def snapshot(self) -> Store:
        """A view that stays as it is now, whatever others write: the same object until something is committed."""

    def add_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add columns that are not there yet, empty."""

    def describe(self, column: str, key: str, value: str) -> None:
        """Keep something about a column in the metadata of its field."""

    def upsert(self, rows: pa.Table) -> None:
        """Insert rows of all columns, or replace those of the same slide_id, in one step."""

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out; unknown ids are ignored."""

    def count(self, where: Expression | None) -> int:
        """How many rows satisfy a filter."""

    def scan(self, columns: Sequence[str], where: Expression | None) -> Iterator[pa.RecordBatch]:
        """Columns of the rows of a filter, in no order, some rows at a time, at least one batch."""

    def find_rows(self, where: Expression) -> NDArray[np.uint64]:
        """The numbers of the rows of a filter, in no order, for `take`; a snapshot remembers those of the last few."""

    def fill(self, rows: pa.Table) -> None:
        """Change some columns of slides that are there, in one step; rows: slide_id and those columns."""

    def take(self, rows: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """Columns of rows by their numbers in this version, in no order; of a snapshot only."""

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Expression | None, column: VectorColumn
    ) -> list[Neighbour]:
        """The rows with a vector in this column nearest to `vector`, among those of a filter; ties by id."""

    def text(
        self, tokens: Mapping[str, float], count: int, where: Expression | None, spelling: bool = False
    ) -> list[TextHit]:
        """The rows of a filter that have any of some tokens, best first: BM25, each token times its weight; ties by id.

        spelling: tokens that are spelled almost alike count as well.
        """

    def stats(self) -> StoreStats:
        """Sizes."""

    def list_faults(self, deep: bool) -> Iterator[str]:
        """What is wrong with its files: missing, cut off, of nobody; deep: read them all, and see that they are those
        that were written."""

    @property
    def left_out(self) -> str | None:
        """What a user should know of a newest state that a crash left torn and that is not shown; None where all is."""

    def optimize(self) -> None:
        """Join small files, bring indexes up to date, drop versions that are older than readers may need."""

    def erase(self) -> None:
        """Leave no byte of rows that were deleted or replaced in the store's folder; snapshots taken before are gone.

        Takes about as long as writing the store anew. Killed, it is done again by the next call.
        """


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What tells one version's rows from those of another: numbers of rows, uint64, in no order.

    added: of rows of the one that the other does not have, or not as they are now; ended: of rows of the other that the
    one does not have as they were. A row whose content changed under its number is in both. ended may name numbers
    that neither has.
    """

    added: NDArray[np.uint64]
    ended: NDArray[np.uint64]


@runtime_checkable
class TracksRows(Protocol):
    """A store that can tell cheaply how a version's rows differ from those of another: then what ranking keeps of a
    large archive is brought up to date by the difference, not read anew. Of snapshots only."""

    @property
    def rows_mark(self) -> str:
        """What `changes_since` will have to know of this version, however long after, on any machine."""

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """How this version's rows differ from those of the version with a mark, older or newer; None where that can't
        be told any more, as of another store's."""


@dataclass(frozen=True, slots=True)
class StorePlace:
    """Where the rows of one embedding space of an archive lie.

    folder: local; of the embedded engine all of it lies there, of a server what is kept of it on this machine; address:
    of the archive on a server, else ""; number: of the embedding space.
    """

    folder: Path
    address: str = field(default="", repr=False)
    number: int = 1


class Engine(Protocol):
    """Makes and opens the stores of one kind."""

    def exists(self, place: StorePlace) -> bool:
        """Whether there is a store."""

    def create(self, place: StorePlace, schema: pa.Schema) -> Store:
        """Make an empty store for an archive's embedding space, in place of one that a crash left empty."""

    def drop(self, place: StorePlace) -> None:
        """Remove a store with all its versions, where there is one."""

    def open(self, place: StorePlace, mark: str | None = None) -> Store:
        """Open a store that always shows the last commit, or a snapshot of the version with a mark.

        Raises DamagedArchive when it is not there, OutdatedSnapshot when that version is not.
        """

    def repair(self, place: StorePlace) -> str | None:
        """Go on from the newest state that is whole, and set aside what a crash left torn; says so, None where all is
        well. While nobody else may write. Raises DamagedArchive where no state is whole.
        """
