"""The narrow interface behind which every store sits. Ranking, voting and explaining live above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.schema import MetadataValue, SlideRecord, StoredSlide
from histoseek.archive.stores.rows import RankingRows
from histoseek.mosaics.distances import SignatureBlock


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


VectorColumn = Literal["global_vector", "report_vector", "shared_vector", "shared_report_vector"]


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Rows, bytes on disk, and versions that readers can still see."""

    rows: int
    bytes: int
    versions: int


class Store(Protocol):
    """Holds slides. Every write is durable, and seen as a whole or not at all, when the call returns."""

    @property
    def version(self) -> int:
        """Of the last commit, or of a snapshot: what was read at one version is the same as long as that is."""

    def snapshot(self) -> Store:
        """A view that stays as it is now, whatever others write, for reads that belong together."""

    def upsert(self, slides: Sequence[StoredSlide]) -> None:
        """Insert slides or replace those of the same id, in one step. Extra columns must exist."""

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out; unknown ids are ignored."""

    def get(self, slide_ids: Sequence[str]) -> list[StoredSlide]:
        """Slides in the order asked; raises UnknownSlide."""

    def shown(self, slide_ids: Sequence[str]) -> list[StoredSlide]:
        """As `get`, but without what ties slides to language: what searches show."""

    def slides(self, where: str | None = None) -> Sequence[str]:
        """Ids of the slides that satisfy a filter, sorted; raises BadFilter."""

    def records(self, where: str | None, limit: int | None, offset: int) -> list[SlideRecord]:
        """Records sorted by id; raises BadFilter."""

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: str | None, column: VectorColumn = "global_vector"
    ) -> list[Neighbour]:
        """The slides with a vector in this column nearest to `vector`, among those of a filter; raises BadFilter."""

    def text(self, tokens: Mapping[str, float], count: int, where: str | None) -> list[TextHit]:
        """The slides of a filter whose reports have any of some tokens, best first: BM25, each token times its weight.

        Raises BadFilter.
        """

    def like_words(self, token: str, count: int) -> list[str]:
        """A few reports with a word that is spelled almost like a token."""

    @property
    def analyser(self) -> str:
        """What read the reports into tokens and facts (`analyser_mark`)."""

    def columns(self, names: Sequence[str], where: str | None) -> pa.Table:
        """Columns of the slides of a filter, in no order; raises BadFilter."""

    def windows(self, slide_ids: Sequence[str]) -> Mapping[str, NDArray[np.float16]]:
        """By slide id, the vectors of a report's windows one after the other, where it has more than one."""

    def ranking_block(self, slide_ids: Sequence[str]) -> SignatureBlock:
        """What exact ranking needs of these slides, in the order asked; raises UnknownSlide."""

    def ranking_rows(self) -> RankingRows:
        """What exact ranking needs of all slides, kept between searches until the store changes."""

    def ranking_places(self, where: str) -> NDArray[np.int64]:
        """Where the slides of a filter stand in `ranking_rows`, ascending; raises BadFilter. Ask a snapshot."""

    def mosaics(self, slide_ids: Sequence[str]) -> NDArray[np.float16]:
        """Mosaic vectors of these slides one after the other, [total, D], in the order asked; raises UnknownSlide."""

    def vectors(self, slide_ids: Sequence[str], column: VectorColumn) -> NDArray[np.float32]:
        """One vector of each slide, [n, D], in the order asked; raises UnknownSlide."""

    def update_metadata(self, slide_id: str, changes: Mapping[str, MetadataValue]) -> None:
        """Change metadata of one slide; raises UnknownSlide, InputError for a value that does not fit."""

    def ensure_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add the metadata columns that are not there yet."""

    def ensure_vectors(self, dimensions: Mapping[VectorColumn, int]) -> None:
        """Add the vector columns of these dimensions that are not there yet."""

    def metadata_types(self) -> Mapping[str, pa.DataType]:
        """All columns a filter may name, with their types."""

    def count(self, where: str | None) -> int:
        """How many slides satisfy a filter; raises BadFilter."""

    def stats(self) -> StoreStats:
        """Sizes."""

    def optimize(self) -> None:
        """Join small files and drop versions that are older than readers may need."""
