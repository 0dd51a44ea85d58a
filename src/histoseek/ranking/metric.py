"""A learned metric: one linear map of each space, under which slides are compared as they are without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent
from histoseek.errors import ConfigurationError
from histoseek.mosaics.barcodes import Words, make_barcodes
from histoseek.mosaics.signature import Signature, compute_mosaic_mean
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NO_GROUP = -1
"""The group of a slide of which none is known: no offset is subtracted."""

_LEAST_OFFSET = 1e-3
"""Shorter directions of offsets between vectors of length one tell groups apart by rounding alone."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap(EqualByContent):
    """x -> y + outward^T inward y, y = x - the offset of its group, of length one.

    offsets: float32 [G, D], one of each group, None where groups are not told apart; inward, outward: float32 [R, D],
    what is measured of a vector and what is added to it by that, None for nothing: a map that changes R directions
    costs 2 R / D of what a matrix would.
    """

    offsets: Floats | None = None
    inward: Floats | None = None
    outward: Floats | None = None

    @classmethod
    def scale(cls, directions: NDArray[np.floating], gains: NDArray[np.floating]) -> LinearMap:
        """The map that adds gains [R] of what vectors have along orthonormal directions [R, D]."""
        inward = np.ascontiguousarray(directions, np.float32)
        return cls(inward=inward, outward=np.ascontiguousarray(gains[:, None] * directions, np.float32))

    def __call__(self, vectors: NDArray[np.floating], groups: Ints) -> Floats:
        """Vectors [n, D] of slides of these groups, int64 [n], mapped: float32 [n, D], of length one.

        Raises ConfigurationError for vectors of another dimension.
        """
        rows: Floats = np.asarray(vectors, np.float32)
        for part in (self.offsets, self.inward):
            if part is not None and part.shape[1] != rows.shape[1]:
                what = f"is of vectors of dimension {part.shape[1]}, not {rows.shape[1]}"
                raise ConfigurationError("metric", what, "Run `histoseek tune` again")
        if self.offsets is not None:
            known = groups != NO_GROUP
            rows = rows - self.offsets[groups] * known[:, None].astype(np.float32)
        if self.inward is not None and self.outward is not None:
            rows = rows + np.asarray((rows @ self.inward.T) @ self.outward, np.float32)
        return normalise_rows(rows)

    def then(self, following: LinearMap) -> LinearMap:
        """This map and another after it, as one; lengths matter only at the end.

        Raises ConfigurationError where the other has offsets, and this one is not the identity.
        """
        if self == IDENTITY:
            return following
        if following.offsets is not None:
            raise ConfigurationError("metric", "its maps are in the wrong order", "Subtract offsets first")
        if self.inward is None or self.outward is None:
            return LinearMap(self.offsets, following.inward, following.outward)
        if following.inward is None or following.outward is None:
            return LinearMap(self.offsets, self.inward, self.outward)
        measured = following.inward + (following.inward @ self.outward.T) @ self.inward
        inward = np.concatenate([self.inward, measured])
        return LinearMap(self.offsets, inward, np.concatenate([self.outward, following.outward]))


IDENTITY = LinearMap()


@dataclass(frozen=True, slots=True, eq=False)
class Metric(EqualByContent):
    """How signatures are mapped before they are compared.

    global_map, mosaic_map: of global vectors, and of mosaic vectors, which may lie in another space; column: of the
    groups that are centred apart, None without such; groups: their names, in the order of the offsets; centres, radii:
    where global vectors of each group lie, float32 [G, D], and how far from there, float32 [G]
    (`ranking.group_centring.measure_reach`), None where a group is known by its name alone.
    """

    global_map: LinearMap = IDENTITY
    mosaic_map: LinearMap = IDENTITY
    column: str | None = None
    groups: tuple[str, ...] = ()
    centres: Floats | None = None
    radii: Floats | None = None

    @property
    def has_one_map(self) -> bool:
        """Whether global and mosaic vectors are mapped alike."""
        return self.mosaic_map is self.global_map

    def find_groups(self, values: Sequence[object], vectors: NDArray[np.floating]) -> Ints:
        """The group of each slide, int64 [n]: that of its value in the column, else the nearest one that its global
        vector [n, D] is near enough to; NO_GROUP for slides of no known group."""
        places = {name: place for place, name in enumerate(self.groups)}
        named = [NO_GROUP if value is None else places.get(str(value), NO_GROUP) for value in values]
        unnamed = [place for place, value in enumerate(values) if value is None or value == ""]
        groups = np.array(named, np.int64)
        if unnamed and self.centres is not None and self.radii is not None:
            rows = np.asarray(vectors, np.float32)[unnamed]
            groups[unnamed] = find_nearest_groups(rows, self.centres, self.radii, self.global_map.offsets)
        return groups

    def map_signature(self, signature: Signature, group: int = NO_GROUP) -> Signature:
        """The signature under this metric, with the barcodes of what its vectors become; contexts stay."""
        [vector] = self.global_map(signature.global_vector[None], np.array([group]))
        mosaic = self.map_mosaics(signature.mosaic, np.full(len(signature.mosaic), group, np.int64))
        one_space = len(signature.global_vector) == signature.mosaic.shape[1]
        offsets = np.array([0, len(mosaic)])
        codes = self.make_barcodes(vector[None], mosaic, signature.shares, offsets, one_space=one_space)
        return replace(signature, global_vector=vector, mosaic=mosaic, barcodes=codes)

    def map_mosaics(self, mosaic: NDArray[np.float16], groups: Ints) -> NDArray[np.float16]:
        """Mosaic vectors [n, D] of slides of these groups, mapped, as they would be stored."""
        return self.mosaic_map(mosaic, groups).astype(np.float16)

    def make_barcodes(
        self, vectors: Floats, mosaics: NDArray[np.float16], shares: Floats, offsets: Ints, *, one_space: bool
    ) -> Words:
        """The barcodes of S mapped signatures one after the other, [total + S, W]: of each mosaic, then of the global
        vector, or of the mosaic's mean where that lies in another space.

        vectors: [S, K]; mosaics: [total, K'], those of slide s at offsets[s]:offsets[s + 1], with shares [total].
        """
        if one_space and self.has_one_map:
            lasts = vectors
        else:
            parts = [slice(first, last) for first, last in pairwise(offsets)]
            lasts = np.stack([compute_mosaic_mean(mosaics[part], shares[part]) for part in parts])
        rows = np.arange(len(mosaics)) + np.repeat(np.arange(len(vectors)), np.diff(offsets))
        codes = make_barcodes(mosaics)
        words = np.empty((len(mosaics) + len(vectors), codes.shape[1]), codes.dtype)
        words[rows], words[offsets[1:] + np.arange(len(vectors))] = codes, make_barcodes(lasts)
        return words


def find_nearest_groups(vectors: Floats, centres: Floats, radii: Floats, offsets: Floats | None = None) -> Ints:
    """The group whose centre is nearest to each vector [n, D], NO_GROUP for one outside that group's radius.

    offsets: float32 [G, D]; which group is nearest is then measured along what tells their offsets apart, so that it is
    the site and not the diagnosis that decides.
    """
    squares = (centres**2).sum(axis=1) - 2 * vectors @ centres.T + (vectors**2).sum(axis=1)[:, None]
    nearest = squares.argmin(axis=1)
    if offsets is not None:
        _, sizes, directions = np.linalg.svd(offsets - offsets.mean(axis=0), full_matrices=False)
        told = directions[sizes > _LEAST_OFFSET]
        if len(told):
            along, own = vectors @ told.T, centres @ told.T
            nearest = ((own**2).sum(axis=1) - 2 * along @ own.T).argmin(axis=1)
    is_near = squares[np.arange(len(vectors)), nearest] <= radii[nearest] ** 2
    return np.where(is_near, nearest, NO_GROUP).astype(np.int64)
