"""One weights file of two: slide encoders of the same features side by side, with what both cards say."""

from __future__ import annotations

from datetime import UTC, datetime

from histoseek._version import __version__
from histoseek.encoders.slide.paired.architecture import PairedArchitecture, PairedPart
from histoseek.encoders.slide.paired.family import MODE, PREFIXES
from histoseek.encoders.text.paired import join_specs
from histoseek.encoders.weights import (
    SLIDE_PROJECTION,
    UNKNOWN_ENCODER,
    FeatureSpace,
    TextPart,
    Weights,
    WeightsCard,
    simplify_encoder_name,
)
from histoseek.errors import ConfigurationError


def pair_weights(first: Weights, second: Weights, name: str, share: float = 0.5) -> Weights:
    """Both as one; share: of the first in cosines of slides, and of slides and texts.

    Raises ConfigurationError for the same weights twice, for those that are a pair already, for encoders of different
    tile features, for those that compare slides and texts behind a map of slides, and for those that can't be paired
    (`PairedArchitecture`).
    """
    cards = first.card, second.card
    names = f"weights {cards[0].name} and {cards[1].name}"
    if any(card.parts for card in cards):
        raise ConfigurationError(names, "one of them is a pair already", "Pair the encoders that it was made of")
    if cards[0].fingerprint == cards[1].fingerprint:
        raise ConfigurationError(names, "are the same encoder", "Pair two different ones")
    if any(weights.part(SLIDE_PROJECTION) for weights in (first, second)):
        what = "one of them compares slides with texts in another space than slides with slides"
        raise ConfigurationError(names, what, "Import it with --text-encoder none, and pair that")
    one, other = (PairedPart(card.family, card.mode, card.architecture) for card in cards)
    card = WeightsCard(
        name=name,
        architecture=PairedArchitecture(one, other, share),
        mode=MODE,
        features=_join_features(*cards),
        text=_join_texts(cards[0].text, cards[1].text),
        data=_join_facts(cards, "data"),
        licence=_join_facts(cards, "licence"),
        source=f"pair of {cards[0].name} and {cards[1].name}, share {share:g} and {1 - share:g}",
        seed=None,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parts=cards,
    )
    both = zip(PREFIXES, (first, second), strict=True)
    return Weights.from_tensors(
        card, {f"{prefix}{key}": tensor for prefix, one in both for key, tensor in one.tensors.items()}
    )


def _join_features(first: WeightsCard, second: WeightsCard) -> FeatureSpace:
    """The features that both take; what one of the two does not know is as the other says."""
    one, other = first.features, second.features
    names = [simplify_encoder_name(each.tile_encoder) for each in (one, other)]
    is_known = [each.tile_encoder != UNKNOWN_ENCODER for each in (one, other)]
    spacings, edges = (one.spacing_um_per_px, other.spacing_um_per_px), (one.tile_edge_px, other.tile_edge_px)
    is_other_encoder = all(is_known) and names[0] != names[1]
    if is_other_encoder or _differ(*spacings) or _differ(*edges):
        what = f"take other features ({_describe(one)}; {_describe(other)})"
        advice = "Pair encoders that were trained on the same tiles"
        raise ConfigurationError(f"weights {first.name} and {second.name}", what, advice)
    return FeatureSpace((one if is_known[0] else other).tile_encoder, max(spacings), max(edges))


def _differ(one: float, other: float) -> bool:
    """Whether two sizes differ by more than a hundredth; 0 is unknown."""
    return bool(one and other and abs(one - other) > 0.01 * one)


def _describe(features: FeatureSpace) -> str:
    return f"{features.tile_encoder}, {features.spacing_um_per_px:g} um/px, {features.tile_edge_px} px"


def _join_texts(first: TextPart | None, second: TextPart | None) -> TextPart | None:
    """The text towers of both, as far as they have any; which base each was trained on is on its own card."""
    if first is None or second is None:
        return first or second
    return TextPart(join_specs(first.encoder, second.encoder), first.dimension + second.dimension)


def _join_facts(cards: tuple[WeightsCard, WeightsCard], field: str) -> str:
    one, other = (str(getattr(card, field)) for card in cards)
    return one if one == other else f"{cards[0].name}: {one}; {cards[1].name}: {other}"
