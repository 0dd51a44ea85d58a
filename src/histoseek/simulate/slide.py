"""Simulated slides: a map of components, their textures, and a pyramidal TIFF written strip by strip."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from histoseek.geometry import Size
from histoseek.simulate.diagnoses import get_diagnosis
from histoseek.simulate.textures import EDGE_PX, Texture, make_texture

Pixels = NDArray[np.uint8]

_TILE_PX = 256
_STRIP_PX = 4 * _TILE_PX
_MAP_UM = 32.0
_LEVEL_STEP = 4
_SMALLEST_LEVEL_PX = 1024
_PEN_COLOUR = (30, 60, 170)

_HAEMATOXYLIN = np.array([0.650, 0.704, 0.286])

_EOSIN = np.array([0.072, 0.990, 0.105])


@dataclass(frozen=True, slots=True)
class SlideSpec:
    """All that decides a simulated slide's pixels; size in level-0 px."""

    slide_id: str
    size: Size
    spacing_um_per_px: float
    diagnosis: str
    site: str
    patient: str
    seed: int
    site_effect: float = 1.0
    pen_mark: bool = False


def write_slide(spec: SlideSpec, path: Path) -> None:
    """Write a tiled JPEG pyramid that OpenSlide opens with its spacing; memory is bounded by its second level.

    The file appears under its name only when it is complete.
    """
    painter = _Painter(spec)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with tifffile.TiffWriter(temporary, bigtiff=spec.size.width * spec.size.height > 2**30) as tiff:
            next_level = _write_full_level(tiff, painter)
            downsample = _LEVEL_STEP
            while next_level is not None:
                _write_level(tiff, spec, next_level, downsample)
                downsample *= _LEVEL_STEP
                next_level = _shrink(next_level) if max(next_level.shape[:2]) > _SMALLEST_LEVEL_PX else None
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def render_region(spec: SlideSpec, x: int, y: int, width: int, height: int) -> Pixels:
    """Level-0 pixels of a region before compression, uint8 [height, width, 3]."""
    return _Painter(spec).paint(x, y, width, height)


def render_strips(spec: SlideSpec) -> Iterator[Pixels]:
    """The whole slide at level 0 in strips of at most 1024 rows, top to bottom."""
    painter = _Painter(spec)
    return (painter.strip(top) for top in range(0, spec.size.height, _STRIP_PX))


class _Painter:
    def __init__(self, spec: SlideSpec) -> None:
        self.spec = spec
        self._components = tuple(get_diagnosis(spec.diagnosis).mixture)
        self._textures: dict[int, Pixels] = {}

    @cached_property
    def _staining(self) -> Staining:
        return make_staining(_hash_name(self.spec.site), _hash_name(self.spec.patient), self.spec.site_effect)

    def _texture(self, number: int) -> Pixels:
        """Glass first, then the diagnosis' components, in colour; drawn when a pixel shows it."""
        if number not in self._textures:
            self._textures[number] = self._draw_texture(number)
        return self._textures[number]

    def _draw_texture(self, number: int) -> Pixels:
        spec = self.spec
        if number == 0:
            return render_glass(spec.seed, self._staining, EDGE_PX)
        made = make_texture(self._components[number - 1], spec.seed, spec.spacing_um_per_px)
        return render_texture(made, self._staining)

    @cached_property
    def _scores(self) -> NDArray[np.float32]:
        """Low-resolution maps [h, w, C + 1]: where which texture wins."""
        spec = self.spec
        edge = max(spec.size.width, spec.size.height) * spec.spacing_um_per_px / _MAP_UM
        shape = (
            int(spec.size.height * edge / spec.size.longer_edge) + 2,
            int(spec.size.width * edge / spec.size.longer_edge) + 2,
        )
        rng = np.random.default_rng([spec.seed, 4])
        patient = np.random.default_rng([_hash_name(spec.patient), 5])
        shares = np.array(list(get_diagnosis(spec.diagnosis).mixture.values()))
        shares = shares * np.exp(0.25 * patient.standard_normal(len(shares)))
        bias = np.log(shares / shares.sum())
        fields = [_make_smooth_field(rng, shape, 300 / _MAP_UM) + 0.9 * b for b in bias]
        outside = 30 * (_make_outline(rng, shape) - 1.0) - 3
        return np.dstack([outside, *fields]).astype(np.float32)

    def strip(self, top: int) -> Pixels:
        return self.paint(0, top, self.spec.size.width, min(_STRIP_PX, self.spec.size.height - top))

    def paint(self, x: int, y: int, width: int, height: int) -> Pixels:
        out = np.empty((height, width, 3), np.uint8)
        for left in range(0, width, EDGE_PX):
            part = out[:, left : left + EDGE_PX]
            self._paint_block(part, x + left, y)
        if self.spec.pen_mark:
            self._draw_pen(out, x, y)
        return out

    def _paint_block(self, out: Pixels, x: int, y: int) -> None:
        height, width = out.shape[:2]
        labels = self._labels(x, y, width, height)
        rows, columns = (np.arange(y, y + height) % EDGE_PX), (np.arange(x, x + width) % EDGE_PX)
        for number in np.unique(labels).tolist():
            place = labels == number
            out[place] = self._texture(number)[rows][:, columns][place]

    def _labels(self, x: int, y: int, width: int, height: int) -> NDArray[np.intp]:
        """Which texture each pixel shows, from the low-resolution maps, interpolated."""
        per_px = self.spec.spacing_um_per_px / _MAP_UM
        matrix = np.array([[per_px, 0, x * per_px], [0, per_px, y * per_px]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        maps = [
            cv2.warpAffine(self._scores[..., c], matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for c in range(self._scores.shape[2])
        ]
        best, labels = maps[0], np.zeros((height, width), np.intp)
        for number, field in enumerate(maps[1:], start=1):
            wins = field > best
            best = np.where(wins, field, best)
            labels[wins] = number
        return labels

    def _draw_pen(self, out: Pixels, x: int, y: int) -> None:
        size = self.spec.size
        line = np.array([[0.05, 0.1], [0.12, 0.4], [0.06, 0.7], [0.1, 0.92]]) * (size.width, size.height) - (x, y)
        thickness = max(2, round(150 / self.spec.spacing_um_per_px))
        cv2.polylines(out, [line.astype(np.int32)], False, _PEN_COLOUR, thickness)


def _write_full_level(tiff: tifffile.TiffWriter, painter: _Painter) -> Pixels | None:
    """Write level 0 from strips, and return the next level, gathered on the way."""
    spec, smaller = painter.spec, []

    def tiles() -> Iterator[Pixels]:
        for top in range(0, spec.size.height, _STRIP_PX):
            strip = painter.strip(top)
            smaller.append(_shrink(strip))
            yield from _split_tiles(strip)

    _write_tiles(tiff, spec, spec.size, 1, tiles())
    return np.concatenate(smaller) if spec.size.longer_edge > _SMALLEST_LEVEL_PX else None


def _write_level(tiff: tifffile.TiffWriter, spec: SlideSpec, pixels: Pixels, downsample: int) -> None:
    _write_tiles(tiff, spec, Size(pixels.shape[1], pixels.shape[0]), downsample, _split_tiles(pixels))


def _write_tiles(
    tiff: tifffile.TiffWriter, spec: SlideSpec, size: Size, downsample: int, tiles: Iterator[Pixels]
) -> None:
    per_cm = 1e4 / (spec.spacing_um_per_px * downsample)
    tiff.write(
        tiles,
        shape=(size.height, size.width, 3),
        dtype=np.uint8,
        tile=(_TILE_PX, _TILE_PX),
        photometric="rgb",
        compression="jpeg",
        compressionargs={"level": 85},
        subfiletype=0 if downsample == 1 else 1,
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
        metadata=None,
        maxworkers=2,
    )


def _split_tiles(pixels: Pixels) -> Iterator[Pixels]:
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % _TILE_PX), (0, -width % _TILE_PX), (0, 0)), mode="edge")
    for y in range(0, height, _TILE_PX):
        for x in range(0, width, _TILE_PX):
            yield padded[y : y + _TILE_PX, x : x + _TILE_PX]


def _shrink(pixels: Pixels) -> Pixels:
    height, width = (max(1, length // _LEVEL_STEP) for length in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _make_smooth_field(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> NDArray[np.float32]:
    field = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), sigma)
    fine = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 1.0)
    return np.asarray(field / field.std() + 0.25 * fine / fine.std(), np.float32)


def _make_outline(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Below 1 inside of one to three irregular pieces of tissue."""
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]]
    pieces = int(rng.integers(1, 4))
    distance = np.full(shape, np.inf)
    for piece in range(pieces):
        cx = shape[1] * ((piece + 0.5) / pieces + rng.uniform(-0.05, 0.05))
        cy = shape[0] * rng.uniform(0.42, 0.58)
        rx, ry = shape[1] * rng.uniform(0.36, 0.42) / pieces, shape[0] * rng.uniform(0.34, 0.42)
        distance = np.minimum(distance, np.hypot((xs - cx) / rx, (ys - cy) / ry))
    wobble = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), max(1.0, max(shape) / 25))
    return np.asarray(distance + 0.1 * wobble / wobble.std(), np.float32)


def _hash_name(name: str) -> int:
    return zlib.crc32(name.encode())


@dataclass(frozen=True, slots=True)
class Staining:
    """How a laboratory stains and scans: densities per unit of each stain for R, G, B; brightness of the glass,
    0..255; blur in px."""

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    glass: float
    blur_px: float


def make_staining(site_seed: int, patient_seed: int, site_effect: float) -> Staining:
    """The staining of a site, and a little of it by patient; site_effect 0 makes all sites the same."""
    site, patient = np.random.default_rng([site_seed, 1]), np.random.default_rng([patient_seed, 2])
    tilt = 0.10 * site_effect * site.standard_normal((2, 3)) + 0.02 * patient.standard_normal((2, 3))
    strength = np.exp(0.22 * site_effect * site.standard_normal(2) + 0.05 * patient.standard_normal(2))
    vectors = np.clip(np.stack([_HAEMATOXYLIN, _EOSIN]) + tilt, 0.02, None)
    vectors *= (np.array([1.55, 0.95]) * strength)[:, None]
    glass = float(np.clip(244 + 3 * site_effect * site.standard_normal(), 234, 250))
    blur = 0.5 + 0.5 * site_effect * float(site.random())
    haematoxylin, eosin = (tuple(float(v) for v in row) for row in vectors)
    return Staining(haematoxylin, eosin, glass, blur)  # type: ignore[arg-type]


def render_texture(texture: Texture, stain: Staining) -> NDArray[np.uint8]:
    """A texture as RGB, uint8 [h, w, 3], by Beer and Lambert; still wraps around."""
    density = texture.haematoxylin[..., None] * np.array(stain.haematoxylin, np.float32)
    density = density + texture.eosin[..., None] * np.array(stain.eosin, np.float32)
    light = stain.glass * np.exp(-density)
    margin = 8
    wrapped = cv2.copyMakeBorder(light, margin, margin, margin, margin, cv2.BORDER_WRAP)
    blurred = cv2.GaussianBlur(wrapped, (0, 0), stain.blur_px)[margin:-margin, margin:-margin]
    return np.clip(blurred + 0.5, 0, 255).astype(np.uint8)


def render_glass(seed: int, stain: Staining, edge_px: int) -> NDArray[np.uint8]:
    """Empty glass with a little noise, uint8 [edge, edge, 3]."""
    noise = np.random.default_rng([seed, 99]).normal(0, 0.8, (edge_px, edge_px, 1))
    return np.clip(stain.glass + noise + np.zeros(3), 0, 255).astype(np.uint8)
