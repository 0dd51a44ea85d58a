"""Slides in a store of the default engine, without an archive around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histoseek.archive.indexing.updating import apply_changes
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import MetadataValue
from histoseek.archive.stores.registry import create_slides, open_slides
from histoseek.archive.stores.slides import SlideTable

DIMENSION = 20


class _BareLayout(ArchiveLayout):
    """A folder that is a store's own."""

    @property
    def store(self) -> Path:
        return self.root


def create_table(folder: Path) -> SlideTable:
    """An empty table."""
    return create_slides(_BareLayout(folder), DIMENSION)


def open_table(folder: Path) -> SlideTable:
    """One that is there."""
    return open_slides(_BareLayout(folder))


def update_metadata(store: SlideTable, slide_id: str, changes: Mapping[str, MetadataValue]) -> None:
    """Change one slide as `Archive.update` does, but for what its report says."""
    store.upsert([apply_changes(store.get([slide_id])[0], changes, store.metadata_types())])


def folder_of(store: SlideTable) -> Path:
    """Where its files lie."""
    return store._store._folder  # type: ignore[attr-defined]


def engine_table_of(store: SlideTable) -> Any:
    """The engine's own table."""
    return store._store._table  # type: ignore[attr-defined]
