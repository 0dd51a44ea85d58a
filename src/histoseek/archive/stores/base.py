"""The narrow interface behind which every store sits. Ranking, voting and explaining live above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.schema import MetadataValue, SlideRecord, StoredSlide
from histoseek.mosaics.distances import SignatureBlock


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A slide near a global vector; cosine_distance is 0 for the same direction, 2 for the opposite."""

    slide_id: str
    cosine_distance: float


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Rows, bytes on disk, and versions that readers can still see."""

    rows: int
    bytes: int
    versions: int


class Store(Protocol):
    """Holds slides. Every write is durable, and seen as a whole or not at all, when the call returns."""

    def snapshot(self) -> Store:
        """A view that stays as it is now, whatever others write, for reads that belong together."""

    def upsert(self, slides: Sequence[StoredSlide]) -> None:
        """Insert slides or replace those of the same id, in one step. Extra columns must exist."""

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out; unknown ids are ignored."""

    def get(self, slide_ids: Sequence[str]) -> list[StoredSlide]:
        """Slides in the order asked; raises UnknownSlide."""

    def slides(self, where: str | None = None) -> Sequence[str]:
        """Ids of the slides that satisfy a filter, sorted; raises BadFilter."""

    def records(self, where: str | None, limit: int | None, offset: int) -> list[SlideRecord]:
        """Records sorted by id; raises BadFilter."""

    def nearest(self, vector: NDArray[np.float32], count: int, where: str | None) -> list[Neighbour]:
        """The slides nearest to a global vector among those that satisfy a filter; raises BadFilter."""

    def ranking_block(self, slide_ids: Sequence[str]) -> SignatureBlock:
        """What exact ranking needs of these slides, in the order asked; raises UnknownSlide."""

    def update_metadata(self, slide_id: str, changes: Mapping[str, MetadataValue]) -> None:
        """Change metadata of one slide; raises UnknownSlide, InputError for a value that does not fit."""

    def ensure_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add the metadata columns that are not there yet."""

    def metadata_types(self) -> Mapping[str, pa.DataType]:
        """All columns a filter may name, with their types."""

    def count(self, where: str | None) -> int:
        """How many slides satisfy a filter; raises BadFilter."""

    def stats(self) -> StoreStats:
        """Sizes."""

    def optimize(self) -> None:
        """Join small files and drop versions that are older than readers may need."""
