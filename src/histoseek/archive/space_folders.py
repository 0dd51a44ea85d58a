"""The folders of embedding spaces: one in use, one that is being made, old ones until no reader can need them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from histoseek.archive.filters.expression import HAS_REPORT
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord
from histoseek.archive.space.centre import BagMean
from histoseek.archive.space.language import Language, add_alignment
from histoseek.archive.space.new_space import make_space
from histoseek.archive.stores.registry import drop_slides, list_other_spaces
from histoseek.encoders.alignment import Alignment
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.slide.registry import UNTRAINED
from histoseek.encoders.weights import Weights, card_path, save_weights
from histoseek.files import make_folder, read_checked_json, write_atomic, write_checked_json
from histoseek.settings import get_settings

_SLIDE_FILES = ("centre", "context_centre", "weights", "fusion", "calibration", "tuning", "graph", "novelty")
"""What a space's slide vectors depend on, by the names of the layout."""


@dataclass(frozen=True, slots=True)
class SpaceChange:
    """What is to be different in an archive's space.

    weights: a trained slide encoder; untrained: the encoder that needs no training, its centre fitted anew on all
    slides; text_encoder: for reports, or "none"; alignment: the maps into the shared space. What is None or False
    stays as it is.
    """

    weights: Weights | None = None
    untrained: bool = False
    text_encoder: str | None = None
    alignment: Alignment | None = None

    @property
    def keeps_signatures(self) -> bool:
        """Whether slides keep their vectors, so that no features are needed."""
        return not (self.weights or self.untrained)


@dataclass(frozen=True, slots=True)
class SpaceTarget:
    """What a space is made for: names and hashes, so that only the same change continues it."""

    slide_encoder: str
    slide_weights: str
    text_encoder: str
    alignment: str

    @classmethod
    def from_change(cls, archive: ArchiveFolder, change: SpaceChange) -> SpaceTarget:
        """The target of a change to an archive."""
        space, spec = archive.require_space(), change.text_encoder or archive.manifest.text_encoder
        alignment = change.alignment.fingerprint if change.alignment else "none"
        if change.weights:
            return cls(change.weights.card.slide_encoder, change.weights.card.fingerprint, spec, alignment)
        if change.untrained:
            return cls(UNTRAINED.encoder_name, "fitted anew", spec, alignment)
        return cls(space.slide_encoder, space.slide_weights, spec, alignment)


def begin_space(
    archive: ArchiveFolder, layout: ArchiveLayout, change: SpaceChange, records: Sequence[SlideRecord]
) -> EmbeddingSpace:
    """The space that the folder of `layout` is for: continued when begun for the same, else begun anew."""
    target = SpaceTarget.from_change(archive, change)
    unfinished = _read_unfinished(layout)
    if unfinished and unfinished[0] == target:
        return unfinished[1]
    remove_space(layout)
    make_folder(layout.space)
    space = _add_language(archive, layout, change, _make_signature_space(archive, layout, change, records))
    write_checked_json(layout.target, {"target": asdict(target), "space": asdict(space)})
    return space


def remove_old_spaces(archive: ArchiveFolder) -> None:
    """Remove the folders of spaces that were left longer ago than any reader is expected to need them."""
    age_s = time.time() - archive.layout.manifest.stat().st_mtime
    if age_s < get_settings().history_minutes * 60:
        return
    for space in list_other_spaces(archive.layout):
        if space.number < archive.manifest.number:
            remove_space(space)


def remove_space(layout: ArchiveLayout) -> None:
    """Remove the rows of an embedding space, wherever they lie, and its folder."""
    drop_slides(layout)
    shutil.rmtree(layout.space, ignore_errors=True)


def _read_unfinished(layout: ArchiveLayout) -> tuple[SpaceTarget, EmbeddingSpace] | None:
    try:
        data = read_checked_json(layout.target)
        return SpaceTarget(**data["target"]), EmbeddingSpace(**data["space"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _make_signature_space(
    archive: ArchiveFolder, layout: ArchiveLayout, change: SpaceChange, records: Sequence[SlideRecord]
) -> EmbeddingSpace:
    """The space without its language part; what its slide encoder needs is written to the folder."""
    if change.keeps_signatures:
        _copy_slide_encoder(archive.layout, layout)
        none = {"text_encoder": "none", "text_weights": "none", "alignment": "none", "alignment_weights": "none"}
        return replace(archive.require_space(), text_dimension=0, shared_dimension=0, **none)  # type: ignore[arg-type]
    _copy(archive.layout.context_centre, layout.context_centre)
    _copy(archive.layout.novelty, layout.novelty)  # of tiles, which are not encoded anew
    slide_ids = [record.slide_id for record in records]
    if change.weights:
        save_weights(change.weights, layout.weights)
        encoder = change.weights.card.slide_encoder
        slide_ids = slide_ids[:1] if change.weights.card.architecture.mosaic_size else slide_ids
    else:
        encoder = UNTRAINED.encoder_name
    means = [BagMean.from_bag(archive.bags.load(slide_id)) for slide_id in slide_ids]
    space = make_space(archive.recipe, layout, encoder, means)
    old = archive.require_space()
    contexts = {"context_spacing_um_per_px": old.context_spacing_um_per_px, "context_centre": old.context_centre}
    return replace(space, **contexts)  # type: ignore[arg-type]


def _add_language(
    archive: ArchiveFolder, layout: ArchiveLayout, change: SpaceChange, space: EmbeddingSpace
) -> EmbeddingSpace:
    """The space with texts, where there are reports or they were trained with the slides, and with the alignment."""
    spec = change.text_encoder or archive.manifest.text_encoder
    language = Language(layout, spec, space)
    if spec != "none" and (language.is_trained or archive.store.count(HAS_REPORT)):
        space = language.with_texts()
    if change.alignment is None:
        return space
    change.alignment.save(layout.alignment)
    return add_alignment(space, change.alignment)


def _copy_slide_encoder(old: ArchiveLayout, new: ArchiveLayout) -> None:
    pairs = [(getattr(old, name), getattr(new, name)) for name in _SLIDE_FILES]
    pairs.append((card_path(old.weights), card_path(new.weights)))
    for source, target in pairs:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        write_atomic(target, source.read_bytes())
