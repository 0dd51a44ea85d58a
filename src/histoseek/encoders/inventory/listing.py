"""What can encode tiles, texts and slides here and now: whether its packages and its weights are on this machine.

Nothing is loaded, and no weights are looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from histoseek.encoders.cards.card import Publication
from histoseek.encoders.cards.catalogue import list_slide_models, list_tile_models, read_own_cards
from histoseek.encoders.inventory.adapted_folders import list_adapted
from histoseek.encoders.library import library_names
from histoseek.encoders.published_files.places import Place
from histoseek.encoders.slide import registry as slide_encoders
from histoseek.encoders.text import biomedclip, minilm
from histoseek.encoders.text.registry import list_text_cards
from histoseek.encoders.tile import lite0
from histoseek.encoders.tile.registry import list_tile_cards
from histoseek.encoders.weight_files import locate_weights
from histoseek.errors import EncoderError

Kind = Literal["tile", "text", "slide"]
State = Literal["usable", "package missing", "weights missing", "features only"]

_PACKAGES = {
    "timm": ("torch", "timm"),
    "transformers": ("torch", "transformers"),
    "open_clip": ("torch", "open_clip"),
    "own": ("torch",),
}
_COMING_ALONG: dict[str, tuple[str, ...]] = {lite0.CARD.name: (), minilm.CARD.name: ()}
"""Encoders that come with histoseek, and the packages that they need beside it."""


@dataclass(frozen=True, slots=True)
class ListedEncoder:
    """An encoder as it is here.

    kind: what it encodes; state: what it lacks, if anything; missing: the packages, files, or the reason; place: of its
    weights, None where they were not found or need none; variants: all of them, the usual one first; is_own: from a
    card of the user's.
    """

    name: str
    kind: Kind
    state: State
    missing: str
    dimension: int
    summary: str
    publication: Publication
    has_words: bool = False
    extra: str = ""
    place: Place | None = None
    variants: tuple[str, ...] = ()
    is_own: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether it can be loaded as things are."""
        return self.state == "usable"


def list_encoders() -> tuple[ListedEncoder, ...]:
    """All encoders by kind, the usable ones first."""
    tiles = [*_list_tile()]
    entries = [*tiles, *_list_adapted(tiles), *_list_text(), *_list_slide()]
    kinds: tuple[Kind, ...] = ("tile", "text", "slide")
    return tuple(sorted(entries, key=lambda each: (kinds.index(each.kind), not each.is_usable)))


def _list_tile() -> Iterator[ListedEncoder]:
    own = read_own_cards().files
    variants = {model.name: tuple(variant.name for variant in model.variants) for model in list_tile_models()}
    for card in list_tile_cards():
        packages = _COMING_ALONG.get(card.name, _PACKAGES[card.network.library])
        place = _find_packaged(card.name) or locate_weights(card.name, card.publication)
        low, high = card.spacings_um_per_px
        summary = f"tiles of {card.tile_px} px at {card.usual_spacing_um_per_px:g} µm/px ({low:g} to {high:g})"
        yield ListedEncoder(
            card.name,
            "tile",
            *_choose_state(card.features_only, packages, card.publication, place),
            card.dimension,
            summary,
            card.publication,
            card.has_words,
            card.extra,
            place,
            variants.get(card.name, ()),
            card.name in own,
        )


def _list_adapted(tiles: Sequence[ListedEncoder]) -> Iterator[ListedEncoder]:
    """Those adapted on this machine, with the packages that the encoder before needs."""
    before = {each.name: each for each in tiles}
    for adapted in list_adapted():
        base = before.get(adapted.base.partition(":")[0])
        if base is None:
            continue
        packages = _COMING_ALONG.get(base.name, _PACKAGES["timm"])
        publication = Publication("", (), adapted.licence)
        place = Place(adapted.weights, "adapted here", True) if adapted.weights.is_file() else None
        state, missing = _choose_state("", packages, publication, place)
        yield ListedEncoder(
            *(adapted.spec, "tile", state, missing, base.dimension, adapted.summary, publication),
            extra=base.extra,
            place=place,
            is_own=True,
        )


def _list_text() -> Iterator[ListedEncoder]:
    for card in list_text_cards():
        is_published = card.name == biomedclip.CARD.name
        publication = biomedclip.PUBLICATION if is_published else Publication(card.source, (), card.licence)
        packages = _COMING_ALONG.get(card.name, _PACKAGES["transformers"])
        place = _find_packaged(card.name) or locate_weights(card.name, publication)
        state, missing = _choose_state("", packages, publication, place)
        summary = f"{card.context_tokens} tokens per text, {card.pooling} pooling"
        yield ListedEncoder(
            card.name, "text", state, missing, card.dimension, summary, publication, True, card.extra, place
        )


def _list_slide() -> Iterator[ListedEncoder]:
    none, own = Publication("", (), ""), read_own_cards().files
    summary = "fitted to an archive's own slides, without training"
    yield ListedEncoder(slide_encoders.UNTRAINED.encoder_name, "slide", "usable", "", 0, summary, none)
    published = {model.family for model in list_slide_models()}
    for family in slide_encoders.FAMILIES:
        if family.name in published:
            continue
        summary, trained = "trained by `histoseek train`, or imported (`histoseek weights`)", bool(library_names())
        state: State = "usable" if trained else "weights missing"
        yield ListedEncoder(family.name, "slide", state, "", 0, summary, none, has_words=True, extra="train")
    for model in list_slide_models():
        place = locate_weights(model.name, model.publication) if model.family else None
        summary = f"of {model.tile_encoder} tiles, {model.tile_px} px at {model.spacing_um_per_px:g} µm/px"
        yield ListedEncoder(
            model.name,
            "slide",
            *_choose_state(model.features_only, _PACKAGES["own"], model.publication, place),
            model.dimension,
            summary,
            model.publication,
            model.has_words,
            "models",
            place,
            is_own=model.name in own,
        )


def _choose_state(
    features_only: str, packages: tuple[str, ...], publication: Publication, place: Place | None
) -> tuple[State, str]:
    """What a model lacks first, and of what kind that is."""
    if features_only:
        return "features only", features_only
    absent = [package for package in packages if find_spec(package) is None]
    if absent:
        return "package missing", ", ".join(absent)
    if place is None:
        return "weights missing", publication.files[0].name if publication.files else ""
    return "usable", ""


def _find_packaged(name: str) -> Place | None:
    """The package that brings an encoder's weights, if it is one of those and they are there."""
    finders = {lite0.CARD.name: lite0.packaged_weights, minilm.CARD.name: minilm.find_files}
    if name not in finders:
        return None
    try:
        return Place(finders[name](), "installed with histoseek", True)
    except EncoderError:
        return None
