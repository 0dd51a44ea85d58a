"""Which engine holds an archive's slides: that of the scheme of the archive's address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path

from histoseek.archive.report_index import make_analyser_mark, make_record_mark
from histoseek.archive.schema import make_slides_schema
from histoseek.archive.stores.base import Engine, Store
from histoseek.archive.stores.ranking_cache import RankingCache
from histoseek.archive.stores.slides import SlideTable
from histoseek.arguments import describe
from histoseek.errors import ConfigurationError, InputError
from histoseek.settings import get_settings

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_RANKING = "ranking"


def _lance() -> Engine:
    from histoseek.archive.stores.lance.store import LanceStore

    return LanceStore


ENGINES: Mapping[str, Callable[[], Engine]] = {"": _lance}
"""What loads an engine, by the scheme of addresses; "" is a folder's plain path."""


def require_engine(address: Path | str) -> str:
    """The scheme of an archive's address, "" of a plain path; raises ConfigurationError for one without an engine."""
    if not isinstance(address, str | PathLike):
        raise InputError("archive", f"{describe(address)} is no path of a folder", "Give its path")
    match = _SCHEME.match(str(address))
    scheme = match.group(1).lower() if match else ""
    if scheme not in ENGINES:
        supported = ", ".join(f"{name}:// addresses" if name else "paths of folders" for name in ENGINES)
        raise ConfigurationError(str(address), f"no store for {scheme}:// addresses", f"Supported are: {supported}")
    return scheme


def create_slides(address: Path | str, folder: Path, dimension: int, mosaic_dimension: int = 0) -> SlideTable:
    """Make an empty store for the embedding space of an archive whose files lie in `folder`.

    address: the archive's; dimension: of the slides' global vectors; mosaic_dimension: of their mosaics, 0 for the
    same. Raises ConfigurationError.
    """
    engine = ENGINES[require_engine(address)]()
    marks = make_analyser_mark(), make_record_mark()
    return _table(
        folder, engine.create(folder, make_slides_schema(dimension, *marks, mosaic_dimension=mosaic_dimension))
    )


def open_slides(address: Path | str, folder: Path, mark: str | None = None) -> SlideTable:
    """The slides of an archive's embedding space; mark: of the version to be shown, None for what is newest.

    Raises ConfigurationError, DamagedArchive where there are none, OutdatedSnapshot where that version is gone.
    """
    return _table(folder, ENGINES[require_engine(address)]().open(folder, mark))


def repair_slides(address: Path | str, folder: Path) -> str | None:
    """Put a store in order after a crash, while the write lock is held; says what was set aside, or None.

    Raises ConfigurationError, DamagedArchive where no state of it is whole.
    """
    return ENGINES[require_engine(address)]().repair(folder) if folder.is_dir() else None


def _table(folder: Path, store: Store) -> SlideTable:
    return SlideTable(store, RankingCache(folder / _RANKING, get_settings().cache_mb * 2**20))
