"""Which measure of regions an archive has: the best there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.alignment import Alignment
from histoseek.encoders.slide.base import RegionalEncoder, SlideEncoder, TilewiseEncoder
from histoseek.encoders.slide.paired.encoder import PairedEncoder
from histoseek.errors import ArchiveError, EncoderError
from histoseek.search.regional.aligned_tiles import AlignedTileMeasure
from histoseek.search.regional.anchors import AnchorMeasure
from histoseek.search.regional.base import RegionMeasure
from histoseek.search.regional.shared_space import SharedSpace
from histoseek.search.regional.tile_words import TileWordMeasure
from histoseek.search.words.comparison import TileWords


def open_region_measure(archive: ArchiveFolder, store: SlideTable) -> RegionMeasure:
    """Anchors where slides were encoded by such, else words in the space of tiles, else tiles in the space that slides
    and texts share.

    store: a snapshot. Raises ArchiveError for an archive that has none of these, EncoderError where the words of its
    tile encoder are not at hand and it has no other, DamagedArchive.
    """
    alignment, space = archive.language.regional, None
    if alignment is not None and archive.require_space().has_texts:
        space, encoder = SharedSpace(archive, store, alignment), archive.signer.slide_encoder
        if isinstance(encoder, RegionalEncoder) and _has_texts_for_regions(alignment, encoder):
            return AnchorMeasure(replace(space, own=_find_own_numbers(alignment, encoder)), encoder)
    words = TileWords.open(archive, store)
    if words is not None:
        return TileWordMeasure(archive, words)
    if space is not None:
        return AlignedTileMeasure(space, encoder if isinstance(encoder, TilewiseEncoder) else None)
    raise _explain_lack(archive)


def has_region_measure(archive: ArchiveFolder, store: SlideTable) -> bool:
    """Whether an archive has one, as far as can be told without loading a model."""
    space = archive.require_space()
    is_shared = space.has_alignment and space.has_texts and not space.has_tile_mosaics
    return is_shared or (archive.words.encoder is not None and bool(store.word_tiles.tower))


def _has_texts_for_regions(alignment: Alignment, encoder: SlideEncoder) -> bool:
    """Whether texts were aligned with an encoder of regions, not only with one beside it."""
    if not isinstance(encoder, PairedEncoder) or alignment.pair is not None or alignment.slide is None:
        return True
    maps = encoder.sizes.layout.cut(alignment.slide.matrix.T)
    both = zip((encoder.first, encoder.second), maps, strict=True)
    return any(isinstance(each, RegionalEncoder) and bool(own.any()) for each, own in both)


def _find_own_numbers(alignment: Alignment, encoder: SlideEncoder) -> NDArray[np.bool_] | None:
    """Which numbers of the space are of an encoder of regions, bool [J]; None where all are."""
    if alignment.pair is None or not isinstance(encoder, PairedEncoder):
        return None
    pair = (encoder.first, alignment.pair.first), (encoder.second, alignment.pair.second)
    return np.concatenate([np.full(size, isinstance(each, RegionalEncoder)) for each, size in pair])


def _explain_lack(archive: ArchiveFolder) -> ArchiveError | EncoderError:
    where, words = archive.address, archive.words
    if words.fault is not None:
        fault = words.fault
        what = f"words in the tile space are not available: {fault.what}"
        return EncoderError(fault.where, what, fault.advice)
    if words.encoder is not None:
        what = "its tiles were not compared with words yet"
        return ArchiveError(where, what, "Run `histoseek index` or `histoseek upgrade`")
    what = f"its tile encoder ({archive.recipe.encoder}) has no words, and"
    if archive.require_space().has_tile_mosaics:
        what = f"{what} its slide encoder has no place for regions in the space of texts"
        return ArchiveError(where, what, "Index with a tile encoder that has words (docs/encoders.md)")
    advice = "Index reports and run `histoseek align`, or index with an encoder that has words (docs/encoders.md)"
    return ArchiveError(where, f"{what} it is not aligned with reports", advice)
