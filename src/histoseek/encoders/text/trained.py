"""A text encoder with the tensors that a weights file brings: those that were trained, or all of a published tower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoseek.encoders.slide.paired.architecture import PairedArchitecture
from histoseek.encoders.text.base import TextEncoder
from histoseek.encoders.text.encoding import TowerEncoder
from histoseek.encoders.text.fgcr import encoder as fgcr
from histoseek.encoders.text.paired import PairedTextEncoder, split_spec
from histoseek.encoders.text.registry import load_text_encoder, load_tower
from histoseek.encoders.weights import TEXT_MODEL, Weights
from histoseek.errors import SpaceMismatch, WeightsError

if TYPE_CHECKING:
    from histoseek.encoders.text.tower import TextTower


def build_text_encoder(weights: Weights, spec: str) -> TextEncoder:
    """The text encoder in `spec` with the tensors under `text_model.` in place of its own, where there are such, or
    one that these are all of; of a pair those of both, or of the one that has texts.

    Raises EncoderError when it can't be loaded, SpaceMismatch when it is another one than was trained, WeightsError
    when names or shapes don't fit.
    """
    if isinstance(weights.card.architecture, PairedArchitecture):
        specs = zip(weights.split(), split_spec(spec), strict=True)
        encoders = [build_text_encoder(part, own) for part, own in specs if part.card.text]
        share = weights.card.architecture.share
        return encoders[0] if len(encoders) == 1 else PairedTextEncoder(encoders[0], encoders[1], share)
    if not weights.part(TEXT_MODEL):
        encoder = load_text_encoder(spec)
        _require_same_base(weights, encoder.weights_hash, spec)
        return encoder
    if spec == fgcr.NAME:
        return fgcr.build_fgcr_text(weights)
    return TowerEncoder(load_trained_tower(weights, spec), weights.card.fingerprint)


def load_trained_tower(weights: Weights, spec: str) -> TextTower:
    """The torch module of the text encoder in `spec` with the tensors that weights have for it; raises as
    `build_text_encoder`."""
    tower = load_tower(spec)
    _require_same_base(weights, tower.weights_hash, spec)
    load_text_part(weights, tower)
    return tower


def load_text_part(weights: Weights, tower: TextTower) -> None:
    """Put the text tensors of a weights file into a tower; raises WeightsError when names or shapes don't fit."""
    import torch

    expected, actual = tower.state_dict(), weights.part(TEXT_MODEL)
    actual.pop("transformer.embeddings.position_ids", None)
    extra = sorted(name for name in actual if name not in expected)
    wrong = sorted(name for name in actual if name in expected and tuple(expected[name].shape) != actual[name].shape)
    if extra or wrong:
        what = (
            f"its text tower does not fit {tower.card.name} ({len(extra)} unknown tensors, {len(wrong)} of other shape"
        )
        first = (extra or wrong)[0]
        raise WeightsError(weights.card.name, f"{what}, first {first})", "Use the text encoder it was trained with")
    tower.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in actual.items()}, strict=False)


def _require_same_base(weights: Weights, weights_hash: str, spec: str) -> None:
    text = weights.card.text
    if text and text.weights and text.weights != weights_hash:
        raise SpaceMismatch(f"weights {weights.card.name}", f"text encoder ({spec})", weights_hash, text.weights)
