"""Which engine holds an archive's slides: that of the scheme of the archive's address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pyarrow as pa

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.report_index import make_analyser_mark, make_record_mark
from histoseek.archive.schema import make_slides_schema
from histoseek.archive.stores.base import Engine, Store, StorePlace
from histoseek.archive.stores.ranking_cache import RankingCache
from histoseek.archive.stores.remote_slides import RemoteSlides
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import MissingExtra
from histoseek.settings import get_settings

_RANKING = "ranking"


def _lance() -> Engine:
    from histoseek.archive.stores.lance.store import LanceStore

    return LanceStore


def _postgres() -> Engine:
    try:
        from histoseek.archive.stores.postgres.store import PostgresStore
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise MissingExtra("psycopg", "postgres") from error
    return PostgresStore


def _milvus() -> Engine:
    from histoseek.archive.stores.milvus.store import MilvusStore

    return MilvusStore


def _objects() -> Engine:
    from histoseek.archive.stores.lance.objects import ObjectLanceStore

    return ObjectLanceStore


ENGINES: Mapping[str, Callable[[], Engine]] = {"": _lance, "milvus": _milvus, "postgresql": _postgres, "s3": _objects}
"""What loads an engine, by the scheme of addresses; "" is a folder's plain path."""


def create_slides(layout: ArchiveLayout, dimension: int, mosaic_dimension: int = 0) -> SlideTable:
    """Make an empty store for the embedding space of an archive.

    dimension: of the slides' global vectors; mosaic_dimension: of their mosaics, 0 for the same. Raises
    ConfigurationError.
    """
    marks = make_analyser_mark(), make_record_mark()
    schema = make_slides_schema(dimension, *marks, mosaic_dimension=mosaic_dimension)
    return _table(layout, _engine(layout).create(_place(layout), schema))


def open_slides(layout: ArchiveLayout, mark: str | None = None) -> SlideTable:
    """The slides of an archive's embedding space; mark: of the version to be shown, None for what is newest.

    Raises ConfigurationError, DamagedArchive where there are none, OutdatedSnapshot where that version is gone.
    """
    return _table(layout, _engine(layout).open(_place(layout), mark))


def has_slides(layout: ArchiveLayout) -> bool:
    """Whether an archive's embedding space has a store."""
    return _engine(layout).exists(_place(layout))


def open_store(layout: ArchiveLayout, mark: str | None = None) -> Store:
    """The rows of an archive's embedding space as they lie there, for what moves them; else as `open_slides`."""
    return _engine(layout).open(_place(layout), mark)


def create_store(layout: ArchiveLayout, schema: pa.Schema) -> Store:
    """Make an empty store that can take the rows of another one, of whatever engine; schema: of that."""
    return _engine(layout).create(_place(layout), schema)


def drop_slides(layout: ArchiveLayout) -> None:
    """Remove the store of an embedding space that is in use no longer."""
    _engine(layout).drop(_place(layout))


def list_other_spaces(layout: ArchiveLayout) -> list[ArchiveLayout]:
    """Those before the embedding space in use, and one that is being made, as far as anything of them is left."""
    folders = list(layout.spaces.iterdir()) if layout.spaces.is_dir() else []
    numbers = {int(one.name) for one in folders if one.name.isdecimal() and (one.is_dir() or one.is_symlink())}
    if layout.address:
        # Of a server's rows no folder need be left that names them.
        beside = (replace(layout, number=layout.number + step) for step in (-1, 1))
        numbers |= {one.number for one in beside if one.number > 0 and has_slides(one)}
    return [replace(layout, number=number) for number in sorted(numbers - {layout.number})]


def repair_slides(layout: ArchiveLayout) -> str | None:
    """Put a store in order after a crash, while the write lock is held; says what was set aside, or None.

    Raises ConfigurationError, DamagedArchive where no state of it is whole.
    """
    return _engine(layout).repair(_place(layout)) if has_slides(layout) else None


def _engine(layout: ArchiveLayout) -> Engine:
    return ENGINES[ArchiveAddress.parse(layout.address).scheme]()


def _place(layout: ArchiveLayout) -> StorePlace:
    return StorePlace(layout.store, layout.address, layout.number)


def _table(layout: ArchiveLayout, store: Store) -> SlideTable:
    # Of an archive on a server nothing else may lie in these folders here.
    above = (layout.spaces, layout.space, layout.store) if layout.address else ()
    cache = RankingCache(layout.store / _RANKING, get_settings().cache_mb * 2**20, above)
    return RemoteSlides(store, cache) if layout.address else SlideTable(store, cache)
