"""The bags of an archive's slides, wherever they lie: in its folder, or on its server with a bounded copy here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.remote.bag_cache import BagCache
from histoseek.encoders.bag import (
    Bag,
    BagOrigin,
    is_absent,
    load_bag,
    load_origin,
    load_scale,
    save_absence,
    save_bag,
    sidecar_path,
)
from histoseek.errors import BadFeatureFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BagStore:
    """Bags by slide id. Raises ArchiveError of the archive's server where it lies on one."""

    layout: ArchiveLayout

    def load(self, slide_id: str) -> Bag:
        """The features of a slide; raises BadFeatureFile when they are missing, incomplete or altered."""
        return self._read(self.layout.bag(slide_id), load_bag)

    def load_context(self, slide_id: str) -> Bag | None:
        """Those at the coarser spacing, None where it is noted that there are none; raises BadFeatureFile."""
        return self._read(self.layout.context_bag(slide_id), lambda path: None if is_absent(path) else load_bag(path))

    def load_origin(self, slide_id: str) -> BagOrigin | None:
        """What a slide's features were made from, None where there are none that are complete."""
        return self._read_sidecar(self.layout.bag(slide_id), load_origin)

    def load_context_origin(self, slide_id: str) -> BagOrigin | None:
        """The same of those at the coarser spacing."""
        return self._read_sidecar(self.layout.context_bag(slide_id), load_origin)

    def load_origins(self, slide_ids: Sequence[str]) -> Mapping[str, BagOrigin | None]:
        """What the features of many slides were made from."""
        return self._read_sidecars(slide_ids, load_origin)

    def load_scales(self, slide_ids: Sequence[str]) -> Mapping[str, tuple[float, int]]:
        """Spacing in um/px and edge in level-0 px of the tiles of slides; 0 where they are not known."""
        return self._read_sidecars(slide_ids, load_scale)

    def list_missing(self, slide_ids: Sequence[str]) -> list[str]:
        """Those of some slides that have no features, be they whole or not."""
        if self._cache is None:
            return [slide_id for slide_id in slide_ids if not self.layout.bag(slide_id).is_file()]
        there = self._cache.list_files()
        return [slide_id for slide_id in slide_ids if self.layout.bag(slide_id) not in there]

    def identify(self, slide_id: str) -> str:
        """What tells a slide's features from those that take their place."""
        path = sidecar_path(self.layout.bag(slide_id))
        if self._cache is None:
            return str(self.layout.bag(slide_id).stat().st_mtime_ns)
        return self._read_sidecar(self.layout.bag(slide_id), lambda _: hashlib.sha256(path.read_bytes()).hexdigest())

    def has_files(self, slide_id: str) -> bool:
        """Whether anything is there of a slide's features, in whatever state."""
        places = {path for bag in self.layout.list_bags(slide_id) for path in (sidecar_path(bag), bag)}
        if self._cache is not None:
            return not places.isdisjoint(self._cache.list_files())
        return any(path.exists() for path in places)

    def has_sidecar(self, slide_id: str) -> bool:
        """Whether a slide has the file that says what its features are of, in whatever state."""
        return self._read_sidecar(self.layout.bag(slide_id), lambda path: sidecar_path(path).exists())

    def save(self, slide_id: str, bag: Bag, origin: BagOrigin) -> None:
        """Keep a slide's features, durably."""
        self._save(self.layout.bag(slide_id), bag, origin)

    def save_context(self, slide_id: str, bag: Bag | None, origin: BagOrigin) -> None:
        """Keep those at the coarser spacing, or the note that there are none."""
        self._save(self.layout.context_bag(slide_id), bag, origin)

    def remove(self, slide_ids: Sequence[str]) -> None:
        """Take slides' features away, at whatever spacing."""
        self.remove_files([bag for slide_id in slide_ids for bag in self.layout.list_bags(slide_id)])

    def remove_files(self, bags: Sequence[Path]) -> None:
        """Take bags away by their places."""
        paths = [path for bag in bags for path in (sidecar_path(bag), bag)]
        if self._cache is not None:
            self._cache.remove(paths)
        for path in paths:
            path.unlink(missing_ok=True)

    def list_files(self) -> Iterator[Path]:
        """The places of all files of bags, of slides and of nobody."""
        if self._cache is not None:
            yield from self._cache.list_files()
        else:
            yield from (path for path in self.layout.bags.rglob("*") if path.is_file())

    def count_bytes(self) -> int:
        """What all of them take."""
        if self._cache is not None:
            return sum(stamp.bytes for stamp in self._cache.list_files().values())
        return sum(path.stat().st_size for path in self.list_files())

    def read_origin_at(self, bag: Path) -> BagOrigin | None:
        """What a bag was made from, by its place."""
        return self._read_sidecar(bag, load_origin)

    def is_whole_at(self, bag: Path) -> bool:
        """Whether all of a bag is there, or the note that there is none, by its place."""

        def read(path: Path) -> bool:
            if is_absent(path):
                return True
            load_bag(path)
            return load_origin(path) is not None

        try:
            return self._read(bag, read)
        except BadFeatureFile:
            return False

    @property
    def _cache(self) -> BagCache | None:
        return self.layout.copy.bags if self.layout.copy else None

    def _read(self, path: Path, read: Callable[[Path], T]) -> T:
        if self._cache is None:
            return read(path)
        self._cache.fetch(path)
        try:
            return read(path)
        except BadFeatureFile:
            # It was replaced in the midst, made room for another one, or this machine's disk has damaged it.
            self._cache.fetch(path, anew=True)
            return read(path)

    def _read_sidecar(self, path: Path, read: Callable[[Path], T]) -> T:
        if self._cache is not None:
            self._cache.fetch_sidecar(path)
        return read(path)

    def _read_sidecars(self, slide_ids: Sequence[str], read: Callable[[Path], T]) -> Mapping[str, T]:
        if self._cache is not None:
            self._cache.fetch_sidecars([self.layout.bag(slide_id) for slide_id in slide_ids])
        return {slide_id: read(self.layout.bag(slide_id)) for slide_id in slide_ids}

    def _save(self, path: Path, bag: Bag | None, origin: BagOrigin) -> None:
        if bag is None:
            save_absence(origin, path)
        else:
            save_bag(bag, origin, path)
        if self._cache is not None:
            self._cache.publish(path)


@dataclass(frozen=True, slots=True)
class StoredBag:
    """A bag of an archive, to be read later."""

    layout: ArchiveLayout
    slide_id: str

    def load(self) -> Bag:
        """Raises BadFeatureFile."""
        return BagStore(self.layout).load(self.slide_id)

    def identify(self) -> str:
        """What tells it from those that take its place."""
        return BagStore(self.layout).identify(self.slide_id)
