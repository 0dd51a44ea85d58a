"""Distances between a query and many slides: a local part of their mosaics, a global part of their global vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.side_by_side import SideBySide
from histoseek.equality import EqualByContent
from histoseek.errors import ConfigurationError
from histoseek.mosaics.barcodes import Words, count_first_vectors, cut_barcodes, mark_first_rows
from histoseek.mosaics.kernel_choice import kernels_for
from histoseek.mosaics.late_interaction import compute_closest_cosines, compute_mean_largest_cosines
from histoseek.mosaics.rarity import Background, RareMatches
from histoseek.mosaics.signature import Signature
from histoseek.own_code import PREFIX, find_own, is_own, require_own_name

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Parts = Callable[[Signature, "SignatureBlock"], tuple[Doubles, Doubles]]

PAPER_GLOBAL_WEIGHT = 200.0
DEFAULT_DISTANCE = "symmetric"

USUAL_SHARE = 0.3
"""Of the local part of most distances, where no labels say otherwise (docs/decisions/0015-default-distance.md)."""

CONTEXT_SHARE = 0.2
"""Of the cosine at the archive's coarser spacing, where both slides have one; the finer one has the rest
(docs/decisions/0059-context.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class SignatureBlock(EqualByContent):
    """Signatures of S slides side by side, as far as ranking needs them.

    barcodes: uint64 [total, W]; offsets: int64 [S + 1], where each slide's barcodes begin, the last of them that of its
    global vector; global_vectors: float32 [S, D]; squares: float64 [S], their squared lengths where known already;
    mosaics: float16 [total - S, D], each slide's vectors at `mosaic_offsets`, where a distance needs them; contexts:
    float32 [S, C], NaN for a slide without one, None or of no columns in an archive of one spacing.
    """

    barcodes: Words
    offsets: Ints
    global_vectors: NDArray[np.float32]
    squares: Doubles | None = None
    mosaics: NDArray[np.float16] | None = None
    contexts: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.global_vectors)

    @property
    def mosaic_offsets(self) -> Ints:
        """Where each slide's mosaic vectors begin, int64 [S + 1]: one row a slide fewer than barcodes."""
        return self.offsets - np.arange(len(self.offsets))

    def take(self, places: Ints) -> SignatureBlock:
        """The slides at these places, in this order."""
        offsets, words = _take_rows(self.offsets, places)
        return SignatureBlock(
            self.barcodes[words],
            offsets,
            self.global_vectors[places],
            None if self.squares is None else self.squares[places],
            None if self.mosaics is None else self.mosaics[_take_rows(self.mosaic_offsets, places)[1]],
            None if self.contexts is None else self.contexts[places],
        )

    def split(self, layout: SideBySide) -> tuple[SignatureBlock, SignatureBlock]:
        """The slides as each encoder of a space of two has them."""
        is_mosaic = np.ones(len(self.barcodes), np.bool_)
        is_mosaic[self.offsets[1:] - 1] = False
        offsets = self.mosaic_offsets
        firsts = count_first_vectors(self.barcodes[is_mosaic], offsets, layout.first)
        is_first = mark_first_rows(offsets, firsts)
        counts, vectors = (firsts, np.diff(offsets) - firsts), layout.split(self.global_vectors)
        return (
            self._cut(is_mosaic, is_first, counts[0], slice(0, layout.first), vectors[0]),
            self._cut(is_mosaic, ~is_first, counts[1], slice(layout.first, layout.dimension), vectors[1]),
        )

    def _cut(
        self,
        is_mosaic: NDArray[np.bool_],
        is_own: NDArray[np.bool_],
        counts: Ints,
        numbers: slice,
        global_vectors: NDArray[np.float32],
    ) -> SignatureBlock:
        """One encoder's part; is_mosaic: of all barcodes, is_own: of those of mosaics; counts: its vectors of each
        slide."""
        kept = ~is_mosaic
        kept[is_mosaic] = is_own
        return SignatureBlock(
            cut_barcodes(self.barcodes, numbers.start, numbers.stop - numbers.start, np.flatnonzero(kept)),
            np.concatenate([[0], np.cumsum(counts + 1)]).astype(np.int64),
            global_vectors,
            mosaics=None if self.mosaics is None else self.mosaics[is_own, numbers],
            contexts=self.contexts,
        )

    @classmethod
    def from_parts(
        cls,
        barcodes: Sequence[Words],
        global_vectors: NDArray[np.float32],
        mosaics: Sequence[NDArray[np.float16]] | None = None,
    ) -> SignatureBlock:
        """From each slide's barcodes [M_s + 1, W], the global vectors [S, D] and perhaps each slide's mosaic [M_s, D].

        Raises ConfigurationError when mosaics and barcodes are not of the same slides.
        """
        offsets = np.concatenate([[0], np.cumsum([len(words) for words in barcodes])]).astype(np.int64)
        words = np.concatenate(barcodes) if len(barcodes) else np.zeros((0, 1), np.uint64)
        if mosaics is None:
            return cls(words, offsets, global_vectors)
        if [len(rows) + 1 for rows in mosaics] != [len(words) for words in barcodes]:
            raise ConfigurationError("mosaics", "do not fit the barcodes", "Give those of the same slides")
        rows = np.concatenate(mosaics) if len(mosaics) else np.zeros((0, global_vectors.shape[1]), np.float16)
        return cls(words, offsets, global_vectors, mosaics=rows)

    @classmethod
    def from_signatures(cls, signatures: Sequence[Signature]) -> SignatureBlock:
        """Of at least one signature, with the mosaics."""
        globals_ = np.stack([signature.global_vector for signature in signatures])
        block = cls.from_parts(
            [signature.barcodes for signature in signatures], globals_, [signature.mosaic for signature in signatures]
        )
        return replace(block, contexts=_stack_contexts(signatures))


@dataclass(frozen=True, slots=True)
class Fusion:
    """How a distance's two parts are added: total = local_weight * local + global_weight * global.

    typical_local, typical_global: the median of each part between slides of different patients of the archive, 1 when
    not known. Raises ConfigurationError for weights that are negative, not finite, or both 0.
    """

    local_weight: float
    global_weight: float
    typical_local: float = 1.0
    typical_global: float = 1.0

    def __post_init__(self) -> None:
        weights = self.local_weight, self.global_weight
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
            raise ConfigurationError("weights of the parts", f"{weights} are not weights", "Give two of 0 or more")

    def total(self, local: Doubles, global_: Doubles) -> Doubles:
        """The distance from its parts, float64 [S] each."""
        return np.asarray(self.local_weight * local + self.global_weight * global_, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Distances(EqualByContent):
    """Distances of S slides from a query, float64 [S]: in all, and the local (mosaic) and global parts, unweighted.

    neighbours: what the neighbours of the query say of each, from 0 where they agree most to 1 where they do not lead,
    unweighted; None where they have no say.
    """

    total: Doubles
    local: Doubles
    global_: Doubles
    neighbours: Doubles | None = None


@dataclass(frozen=True, slots=True)
class Distance:
    """A way to compare slides; call it with a query and a block.

    needs_mosaics: whether the block must hold mosaics; parts: gives the local and the global part, float64 [S] each;
    stated_share: of the local part, where parts are weighed by what an archive knows of them, and no labels chose.
    """

    name: str
    fusion: Fusion
    needs_mosaics: bool
    parts: Parts
    stated_share: float = USUAL_SHARE

    def __call__(self, query: Signature, block: SignatureBlock) -> Distances:
        """Distances of the block's slides; raises ConfigurationError when it lacks the mosaics that are needed."""
        local, global_ = self.parts(query, block)
        return Distances(self.fusion.total(local, global_), local, global_)

    @property
    def looks_at_rarity(self) -> bool:
        """Whether what is common in an archive counts less."""
        return isinstance(self.parts.first if isinstance(self.parts, PairedParts) else self.parts, RareParts)

    def with_background(self, background: Background | None) -> Distance:
        """The same, which knows what is common; for one that looks at it."""
        if not isinstance(self.parts, PairedParts):
            return replace(self, parts=RareParts(RareMatches(background)))
        both = (None, None) if background is None else background.split(self.parts.layout)
        first, second = (RareParts(RareMatches(own)) for own in both)
        return replace(self, parts=replace(self.parts, first=first, second=second))

    def side_by_side(self, layout: SideBySide | None, shares: tuple[float, float] | None = None) -> Distance:
        """The same in a space of two encoders, None for a space of one; shares: of their distances, one in sum, those
        of the space if None."""
        if layout is None:
            return self
        return replace(self, parts=PairedParts(layout, self.parts, self.parts, shares or layout.shares))

    def with_fusion(self, fusion: Fusion) -> Distance:
        """The same parts, added otherwise."""
        return replace(self, fusion=fusion)


def _stack_contexts(signatures: Sequence[Signature]) -> NDArray[np.float32] | None:
    known = [signature.context for signature in signatures if signature.context is not None]
    if not known:
        return None
    none = np.full_like(known[0], np.nan)
    return np.stack([none if signature.context is None else signature.context for signature in signatures])


def mix_cosines(fine: NDArray[Any], coarse: NDArray[Any] | None) -> NDArray[Any]:
    """Cosines of slides at both spacings, [S] each, as one: the weighted mean, or the fine one where the other is NaN.

    That is the cosine of both vectors put behind each other, each times the root of its weight.
    """
    if coarse is None:
        return fine
    return np.where(np.isnan(coarse), fine, (1 - CONTEXT_SHARE) * fine + CONTEXT_SHARE * coarse)


def compute_squared_lengths(vectors: NDArray[np.float32]) -> Doubles:
    """Squared lengths of vectors [S, D], summed in float64."""
    squares: Doubles = np.einsum("sd,sd->s", vectors, vectors, dtype=np.float64)
    return squares


def _compute_paper_parts(query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
    """Of PathSearch (arXiv 2510.23224): the median over the query's barcodes of the minimum Hamming distance to the
    slide's, in bits, and the Euclidean distance of the global vectors. Not symmetric."""
    medians = kernels_for(len(block)).compute_query_medians(query.barcodes, block.barcodes, block.offsets)
    return medians, _compute_euclidean_distances(query, block)


def _compute_symmetric_parts(query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
    """The mean of both directional medians of minimum Hamming distances over half the number of bits, about 1 for
    unrelated vectors, and the cosine distance. Equal from both sides."""
    medians = kernels_for(len(block)).compute_directional_medians(query.barcodes, block.barcodes, block.offsets)
    return medians.mean(axis=1) / _count_half_bits(query), _compute_cosine_distances(query, block)


def _compute_maxsim_parts(query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
    """1 - the mean of both directional means of the largest cosine, and the cosine distance. Equal from both sides."""
    cosines = compute_mean_largest_cosines(query.mosaic, _require_mosaics("maxsim", block), block.mosaic_offsets)
    return np.clip(1.0 - cosines.mean(axis=1), 0.0, 2.0), _compute_cosine_distances(query, block)


def _compute_closest_parts(query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
    """As maxsim, over the closest quarter of each slide's vectors alone: what slides have in common may be little of
    them. Equal from both sides."""
    cosines = compute_closest_cosines(query.mosaic, _require_mosaics("closest", block), block.mosaic_offsets)
    return np.clip(1.0 - cosines.mean(axis=1), 0.0, 2.0), _compute_cosine_distances(query, block)


@dataclass(frozen=True, slots=True)
class RareParts:
    """How little of what is rare about the query the slide has (`rarity.RareMatches`), and the cosine distance."""

    matches: RareMatches = field(default_factory=RareMatches)

    def __call__(self, query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
        """Both parts; raises ConfigurationError for a block without mosaics."""
        local = self.matches.measure(query.mosaic, _require_mosaics("rare", block), block.mosaic_offsets)
        return local, _compute_cosine_distances(query, block)


@dataclass(frozen=True, slots=True)
class PairedParts:
    """The parts of a distance in a space of two encoders: the weighted means of those by either encoder alone.

    Vectors of different encoders are not compared, and each encoder's are put together before both meet: a median over
    all barcodes would be that of the encoder with more vectors, and bits of longer ones would outweigh the others'.
    """

    layout: SideBySide
    first: Parts
    second: Parts
    shares: tuple[float, float]

    def __call__(self, query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
        """Both parts; raises what the distance's own raise."""
        local, global_ = np.zeros(len(block)), np.zeros(len(block))
        own, slides = query.split(self.layout), block.split(self.layout)
        for i, (share, parts) in enumerate(zip(self.shares, (self.first, self.second), strict=True)):
            if share > 0:
                own_local, own_global = parts(own[i], slides[i])
                local += share * own_local
                global_ += share * own_global
        return local, global_


def _require_mosaics(name: str, block: SignatureBlock) -> NDArray[np.float16]:
    if block.mosaics is None:
        raise ConfigurationError(name, "needs the slides' mosaics", "Read them with the block")
    return block.mosaics


def _compute_global_parts(query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
    """Nothing, and the cosine distance."""
    return np.zeros(len(block)), _compute_cosine_distances(query, block)


def _compute_contained_parts(query: Signature, block: SignatureBlock) -> tuple[Doubles, Doubles]:
    """How much of the query is somewhere in the slide: the median over its mosaic's barcodes of the minimum Hamming
    distance to those of the slide's mosaic, over half the number of bits; and the cosine distance. Not symmetric."""
    medians = kernels_for(len(block)).compute_query_medians(
        query.barcodes[:-1], block.barcodes, block.offsets, left_out=1
    )
    return medians / _count_half_bits(query), _compute_cosine_distances(query, block)


DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {
        one.name: one
        for one in (
            Distance("symmetric", Fusion(0.5, 0.5), False, _compute_symmetric_parts),
            Distance("maxsim", Fusion(0.5, 0.5), True, _compute_maxsim_parts),
            Distance("closest", Fusion(0.5, 0.5), True, _compute_closest_parts),
            Distance("rare", Fusion(0.5, 0.5), True, RareParts(), stated_share=0.5),
            Distance("global", Fusion(0.0, 1.0), False, _compute_global_parts),
            Distance("contained", Fusion(1.0, 0.0), False, _compute_contained_parts),
            Distance("pathsearch-paper", Fusion(1.0, PAPER_GLOBAL_WEIGHT), False, _compute_paper_parts),
        )
    }
)


_registered: dict[str, Distance] = {}
"""Those that were given from Python, by name: known in this process alone."""


def register_distance(distance: Distance) -> str:
    """Let a distance of one's own be used in this process; the name that search takes for it.

    Raises ConfigurationError for a name that is taken.
    """
    name = distance.name
    require_own_name(name, taken=name in DISTANCES or _registered.get(name, distance) != distance)
    _registered[name] = distance
    return f"{PREFIX}{name}"


def get_distance(name: str) -> Distance:
    """The distance of this name with its stated weights; raises ConfigurationError naming the known ones.

    One of the user's own is called by what names it: `own:name` from Python, or `module:attribute`.
    """
    if name in DISTANCES:
        return DISTANCES[name]
    if is_own(name):
        return replace(find_own(name, Distance, _registered), name=name)
    raise ConfigurationError(name, "there is no such distance", f"Choose from: {', '.join(DISTANCES)}")


def _take_rows(offsets: Ints, places: Ints) -> tuple[Ints, Ints]:
    """Offsets of the slides at these places, and the rows that are theirs."""
    counts = offsets[places + 1] - offsets[places]
    new_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return new_offsets, np.arange(new_offsets[-1]) + np.repeat(offsets[:-1][places] - new_offsets[:-1], counts)


def _count_half_bits(query: Signature) -> float:
    return 0.5 * (query.mosaic.shape[1] - 1)


def _compute_cosine_distances(query: Signature, block: SignatureBlock) -> Doubles:
    return np.clip(1.0 - mix_cosines(_compute_inner_products(query, block), compare_contexts(query, block)), 0.0, 2.0)


def compare_contexts(query: Signature, block: SignatureBlock) -> Doubles | None:
    """The cosines of a query's context and those of a block's slides, float64 [S], NaN for a slide without; None where
    the query or the archive has none."""
    if query.context is None or block.contexts is None or not block.contexts.shape[1]:
        return None
    return np.asarray(block.contexts @ query.context, np.float64)


def _compute_euclidean_distances(query: Signature, block: SignatureBlock) -> Doubles:
    squares = compute_squared_lengths(block.global_vectors) if block.squares is None else block.squares
    cross = _compute_inner_products(query, block)
    own = float(query.global_vector.astype(np.float64) @ query.global_vector)
    return np.sqrt(np.maximum(squares + own - 2 * cross, 0))


def _compute_inner_products(query: Signature, block: SignatureBlock) -> Doubles:
    return kernels_for(len(block)).inner_products(block.global_vectors, query.global_vector).astype(np.float64)
