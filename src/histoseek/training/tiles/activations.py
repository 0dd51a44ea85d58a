"""What the frozen part of an encoder gives for all tiles and their views, kept in a file: it is computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import BadFeatureFile, SlideError
from histoseek.files import as_archive_errors, make_folder, read_checked_json, write_checked_json
from histoseek.progress import Reporter
from histoseek.slides.slide import open_slide
from histoseek.tiles.grid import TileSet, TileShape
from histoseek.tiles.reader import read_tile
from histoseek.training.tiles.cases import LabelledSlide
from histoseek.training.tiles.network import SplitNetwork, make_views

_ARRAY = "activations.npy"
_STATE = "activations.json"
_SLIDES_A_NOTE = 16
"""After so many slides it is noted how far the file is; what comes behind is computed anew."""


@dataclass(frozen=True, slots=True)
class Activations:
    """values: float16 [T, V, ...] of T tiles in V views, the first as the tile is; slide_of: places of their slides,
    int64 [T]; unreadable: slides that could not be read, which have no tile."""

    values: NDArray[np.float16]
    slide_of: NDArray[np.int64]
    unreadable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _State:
    """How far the file is: slides that are done, and those of them that could not be read."""

    done: int
    unreadable: tuple[int, ...]


def compute_activations(
    network: SplitNetwork,
    slides: Sequence[LabelledSlide],
    most_tiles: int,
    views: int,
    seed: int,
    folder: Path,
    reporter: Reporter,
) -> Activations:
    """The activations of all slides, from the file in `folder` as far as they are there.

    Which tiles and views are drawn depends on the seed and the slide's id alone. Raises ArchiveError for a folder that
    can't be written; slides that can't be read are named in the result.
    """
    identity = _identify(network, slides, most_tiles, views, seed)
    chosen = [_choose_tiles(slide, most_tiles, seed) for slide in slides]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in chosen])]).astype(np.int64)
    with as_archive_errors(folder):
        make_folder(folder)
        state = _read_state(folder, identity)
        unreadable = list(state.unreadable)
        values = _open(folder, state, network, int(starts[-1]), views)
        reporter.advance(state.done)
        for place in range(state.done, len(slides)):
            try:
                values[starts[place] : starts[place + 1]] = _encode(network, slides[place], chosen[place], views, seed)
            except (SlideError, BadFeatureFile):
                unreadable.append(place)
            if (place + 1) % _SLIDES_A_NOTE == 0 or place + 1 == len(slides):
                values.flush()
                _write_state(folder, identity, place + 1, unreadable)
            reporter.advance()
    slide_of = np.repeat(np.arange(len(slides)), np.diff(starts))
    return Activations(values, slide_of, tuple(unreadable))


def _encode(
    network: SplitNetwork, slide: LabelledSlide, chosen: NDArray[np.int64], views: int, seed: int
) -> NDArray[np.float16]:
    """float16 [tiles, views, ...] of one slide."""
    bag = slide.bag.load()
    rng = _seed(slide, seed, "views")
    shape = TileShape(network.card.tile_px, bag.spacing_um_per_px)
    tiles = TileSet(bag.coords, bag.tile_size_level0, shape, bag.weights)
    parts = []
    with open_slide(slide.uri, slide.given_spacing_um_per_px) as opened:
        for index in chosen:
            parts.append(network.compute_trunk(make_views(read_tile(opened, tiles, int(index)), views, rng)))
    return np.stack(parts)


def _choose_tiles(slide: LabelledSlide, most: int, seed: int) -> NDArray[np.int64]:
    try:
        count = len(slide.bag.load())
    except BadFeatureFile:
        return np.zeros(1, np.int64)  # said by `_encode`, which reads it again
    if count <= most:
        return np.arange(count)
    return np.sort(_seed(slide, seed, "tiles").choice(count, most, replace=False))


def _seed(slide: LabelledSlide, seed: int, what: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{what} {slide.slide_id}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def _identify(network: SplitNetwork, slides: Sequence[LabelledSlide], most_tiles: int, views: int, seed: int) -> str:
    lines = [f"{network.identity} {network.first} {most_tiles} {views} {seed}"]
    lines += [f"{slide.slide_id} {slide.uri} {slide.bag.identify()}" for slide in slides]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _read_state(folder: Path, identity: str) -> _State:
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = read_checked_json(folder / _STATE)
        if content["identity"] == identity and (folder / _ARRAY).is_file():
            return _State(int(content["done"]), tuple(content["unreadable"]))
    return _State(0, ())


def _write_state(folder: Path, identity: str, done: int, unreadable: Sequence[int]) -> None:
    write_checked_json(folder / _STATE, {"identity": identity, "done": done, "unreadable": list(unreadable)})


def _open(folder: Path, state: _State, network: SplitNetwork, rows: int, views: int) -> np.memmap:
    """The file's array, float16 [rows, views, ...], mapped."""
    if state.done:
        return np.lib.format.open_memmap(folder / _ARRAY, "r+")
    edge = network.card.tile_px
    one = network.compute_trunk(np.zeros((1, edge, edge, 3), np.uint8))
    return np.lib.format.open_memmap(folder / _ARRAY, "w+", np.float16, (rows, views, *one.shape[1:]))
