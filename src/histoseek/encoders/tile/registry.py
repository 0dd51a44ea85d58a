"""The registry of tile encoders: one line for each that comes along, a card in the catalogue for each published one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.cards.card import TileModelCard, Variant
from histoseek.encoders.cards.catalogue import list_tile_models
from histoseek.encoders.packaged_files import digest_file
from histoseek.encoders.tile import lite0
from histoseek.encoders.tile.adapted import AdaptedWeights, read_adapted
from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.encoders.tile.networks.base import NetworkKind
from histoseek.encoders.tile.networks.tensor_layouts import arrange_tensors
from histoseek.encoders.tile.own import OwnTileEncoder
from histoseek.encoders.tile.runtimes.choice import load_prepared
from histoseek.encoders.tile.words import WordTower
from histoseek.encoders.weight_files import find_encoder_files, read_tensors
from histoseek.errors import ConfigurationError, EncoderError, UnknownEncoder
from histoseek.own_code import PREFIX, find_own, is_own, require_own_name
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from torch import nn

_SPACING_FACTOR = 4
"""How much finer or coarser than its authors' spacings an encoder may be used."""


@dataclass(frozen=True, slots=True)
class TileEncoderFamily:
    """An encoder in one of its variants.

    load: from a weights file, or None for the usual source; load_words: likewise, None where it has no words.
    """

    card: TileCard
    load: Callable[[Path | None], TileEncoder]
    load_words: Callable[[Path | None], WordTower] | None = None


FAMILIES: tuple[TileEncoderFamily, ...] = (TileEncoderFamily(lite0.CARD, lite0.load),)
"""Those that come along. Published ones are in the catalogue (`encoders.cards`)."""


_registered: dict[str, OwnTileEncoder] = {}
"""Those that were given from Python, by name: known in this process alone."""


def register_tile_encoder(encoder: OwnTileEncoder) -> str:
    """Let an encoder of one's own be used in this process; the spec that names it.

    Registering the same again changes nothing. Raises ConfigurationError for a name that is taken.
    """
    name = encoder.card.name
    before = _registered.get(name)
    is_other = before is not None and (before.card, before.weights_hash) != (encoder.card, encoder.weights_hash)
    require_own_name(name, taken=is_other or _is_known(name))
    _registered[name] = encoder
    return f"{PREFIX}{name}"


def list_tile_cards() -> tuple[TileCard, ...]:
    """The declarations of all encoders, each in its usual variant."""
    published = (make_tile_card(model, model.variants[0]) for model in list_tile_models())
    return (*(family.card for family in FAMILIES), *published)


def find_tile_card(spec: str) -> TileCard:
    """The declaration of the encoder in `spec` ("name", "name:variant", either with "@/path/of/weights").

    Raises UnknownEncoder, and EncoderError for a variant that it does not have.
    """
    name, weights = _split(spec)
    card, adapted = _find_family(name).card, read_adapted(weights)
    return adapted.mark(card) if adapted else card


def require_encoder_files(spec: str) -> None:
    """Raise EncoderError, as `load_tile_encoder` would, where the files of a published encoder are not at hand."""
    name, weights = _split(spec)
    card = _find_family(name).card
    _require_loadable(card)
    if adapted := read_adapted(weights):
        adapted.require_whole()
    elif name.partition(":")[0] in {model.name for model in list_tile_models()}:
        find_encoder_files(card.name, card.publication, weights)


def load_tile_encoder(spec: str) -> TileEncoder:
    """Load an encoder by name, from its usual source or from the weights named behind an @; on each GPU of several."""
    name, weights = _split(spec)
    family = _find_family(name)
    _require_loadable(family.card)
    devices = get_settings().devices
    if len(devices) > 1:
        from histoseek.encoders.tile.runtimes.several_devices import load_on_devices

        return load_on_devices(spec, find_tile_card(spec), devices, load_tile_encoder)
    adapted = read_adapted(weights)
    return _load_adapted(family.card, adapted) if adapted else family.load(weights)


def load_tile_network(spec: str) -> tuple[TileCard, nn.Module, str]:
    """The torch module of an encoder, from normalised tiles [B, 3, S, S] to features [B, D], for training, with its
    card before it and the SHA-256 of its file behind.

    Raises EncoderError for one of the user's own code and for one that was adapted already, and as `load_tile_encoder`.
    """
    name, weights = _split(spec)
    card = _find_family(name).card
    _require_loadable(card)
    if read_adapted(weights):
        raise EncoderError(spec, "was adapted already", f"Adapt the plain one: {name}")
    if card.name == lite0.CARD.name:
        path = weights or lite0.packaged_weights()
        return card, lite0.load_module(path), digest_file(path)
    if _find_kind(card) is None:
        raise EncoderError(spec, "is code of your own, which can't be adapted", "Take lite0 or one of the catalogue")
    files = find_encoder_files(card.name, card.publication, weights)
    return card, _load_network(card, files.weights), files.sha256


def load_word_tower(spec: str) -> WordTower:
    """Load the text tower of an encoder; raises EncoderError for one that has no words."""
    name, weights = _split(spec)
    family = _find_family(name)
    if family.load_words is None or read_adapted(weights):
        raise EncoderError(name, "has no text tower", "See docs/encoders.md for those that have words")
    _require_loadable(family.card)
    return family.load_words(weights)


def require_buildable(model: TileModelCard) -> None:
    """Raise ConfigurationError unless there is a loader for the network of a card, or it says why there is none."""
    if model.features_only or _find_kind(make_tile_card(model, model.variants[0])) is not None:
        return
    what = f"networks of {model.network.library} called {model.network.architecture!r} can't be built here"
    raise ConfigurationError(model.name, what, "Use timm, or say why not in features_only")


def make_tile_card(model: TileModelCard, variant: Variant) -> TileCard:
    """The declaration of a published encoder in one of its variants."""
    name = model.name if variant == model.variants[0] else f"{model.name}:{variant.name}"
    spacings = model.spacings_um_per_px
    return TileCard(
        name=name,
        version=model.version,
        variant=variant,
        network=model.network,
        preparation=variant.adapt(model.preparation),
        publication=model.publication,
        spacings_um_per_px=(min(spacings) / _SPACING_FACTOR, max(spacings) * _SPACING_FACTOR),
        usual_spacing_um_per_px=spacings[0],
        precision=model.precision,
        tile_bytes=model.tile_bytes,
        extra="models",
        offline=f"{name}@/path/{Path(model.publication.files[0].name).name}" if model.publication.files else "",
        has_words=model.has_words,
        features_only=model.features_only,
        reference=model.reference if variant == model.variants[0] else (),
        facts=model.facts,
        not_verified=model.not_verified,
    )


def _find_family(name: str) -> TileEncoderFamily:
    own = next((family for family in FAMILIES if family.card.name == name), None)
    if own is not None:
        return own
    bare, _, wanted = name.partition(":")
    models = {model.name: model for model in list_tile_models()}
    if bare not in models and is_own(name):
        return _find_own_family(name)
    if bare not in models:
        raise UnknownEncoder(name, (*(family.card.name for family in FAMILIES), *models))
    return _make_family(make_tile_card(models[bare], _find_variant(models[bare], wanted)))


def _find_own_family(spec: str) -> TileEncoderFamily:
    encoder = find_own(spec, OwnTileEncoder, _registered)
    require_own_name(encoder.card.name, taken=_is_known(encoder.card.name))

    def load(path: Path | None) -> TileEncoder:
        if path is not None:
            raise EncoderError(spec, f"takes no weights from {path}", "Let its own code load them")
        return encoder

    return TileEncoderFamily(encoder.card, load)


def _is_known(name: str) -> bool:
    """Whether a published encoder, or one that comes along, has this name."""
    return any(family.card.name == name for family in FAMILIES) or any(m.name == name for m in list_tile_models())


def _find_variant(model: TileModelCard, wanted: str) -> Variant:
    variants = {variant.name: variant for variant in model.variants}
    if wanted and wanted not in variants:
        raise EncoderError(f"{model.name}:{wanted}", "no such variant", f"Choose from: {', '.join(variants)}")
    return variants[wanted] if wanted else model.variants[0]


def _make_family(card: TileCard) -> TileEncoderFamily:
    kind = _find_kind(card)
    words = partial(_load_words, card) if kind is not None and kind.load_words and card.has_words else None
    return TileEncoderFamily(card, partial(_load_published, card), words)


def _find_kind(card: TileCard) -> NetworkKind | None:
    kinds = _list_kinds()
    return kinds.get(card.network.architecture) or kinds.get(card.network.library)


@lru_cache(maxsize=1)
def _list_kinds() -> dict[str, NetworkKind]:
    """By architecture, or by library where that builds all of them. Loaded once a published encoder is asked for: who
    opens an archive of another need not wait for a dozen modules."""
    from histoseek.encoders.tile.networks import (
        clip_networks,
        conch,
        genbio,
        keep,
        musk,
        open_clip_networks,
        siglip,
        tails,
        timm_networks,
    )

    return {
        "CLIPModel": clip_networks.KIND,
        "SiglipModel": siglip.KIND,
        "conch": conch.KIND,
        "conch_v1_5": conch.V1_5,
        "genbio_pathfm": genbio.KIND,
        "isight": tails.ISIGHT,
        "keep": keep.KIND,
        "mettle": tails.METTLE,
        "musk": musk.KIND,
        "open_clip": open_clip_networks.KIND,
        "timm": timm_networks.KIND,
    }


def _load_published(card: TileCard, path: Path | None) -> TileEncoder:
    files = find_encoder_files(card.name, card.publication, path)
    return load_prepared(card, files.sha256[:16], partial(_load_network, card, files.weights))


def _load_adapted(card: TileCard, adapted: AdaptedWeights) -> TileEncoder:
    marked = adapted.mark(card)
    digest = adapted.require_whole()
    if card.name == lite0.CARD.name:
        return lite0.load(adapted.path, marked)
    return load_prepared(marked, digest[:16], partial(_load_network, marked, adapted.path))


def _load_network(card: TileCard, weights: Path) -> nn.Module:
    kind = _find_kind(card)
    if kind is None:
        raise EncoderError(card.name, f"networks of {card.network.library} can't be built here", "Use its features")
    network = kind.build(card)
    with _naming_faults(card, weights):
        tensors = arrange_tensors(read_tensors(weights), card.network.layout, card.preparation.input_px)
        kind.fill(network, tensors)
    return network.eval()


def _load_words(card: TileCard, path: Path | None) -> WordTower:
    kind = _find_kind(card)
    if kind is None or kind.load_words is None:
        raise EncoderError(card.name, "has no text tower that can be loaded here", "See docs/encoders.md")
    files = find_encoder_files(card.name, card.publication, path)
    with _naming_faults(card, files.weights):
        return kind.load_words(card, files)


@contextmanager
def _naming_faults(card: TileCard, weights: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise EncoderError(str(weights), f"not weights of {card.name}: {error}", "See docs/encoders.md") from error


def _require_loadable(card: TileCard) -> None:
    if card.features_only:
        what = f"can't be loaded here: {card.features_only}"
        raise EncoderError(card.name, what, "Index features that were made with it (docs/features.md)")


def _split(spec: str) -> tuple[str, Path | None]:
    name, _, weights = spec.partition("@")
    return name, Path(weights) if weights else None
