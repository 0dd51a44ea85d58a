"""How published files name the tensors of their slide encoder, and what else lies in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Layout:
    """Of a family's files.

    marks: names that all of its files have, and no other's; prefix: of the slide encoder's tensors; left_out: how names
    of other parts of the model begin, which the slide's vector does not need; ties: patterns of names of copies, and
    what they are copies of: modules that are used several times are written several times.
    """

    marks: tuple[str, ...]
    prefix: str = ""
    left_out: tuple[str, ...] = ()
    ties: tuple[tuple[str, str], ...] = ()

    def fits(self, names: Mapping[str, object]) -> bool:
        """Whether a file has its marks."""
        return all(mark in names for mark in self.marks)

    def select(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The values of the slide encoder by its own names, and those of unknown ones by theirs."""
        kept = {name: value for name, value in values.items() if not name.startswith(self.left_out)}
        return {name.removeprefix(self.prefix): value for name, value in kept.items()}

    def untie(self, values: Mapping[str, Value], same: Callable[[Value, Value], bool]) -> dict[str, Value]:
        """The values without copies; raises ValueError, which names it, for one that is none."""
        originals: dict[str, Value] = {}
        for name, value in values.items():
            own = self._find_original(name)
            if own in originals and not same(originals[own], value):
                raise ValueError(name)
            originals.setdefault(own, value)
        return originals

    def _find_original(self, name: str) -> str:
        for pattern, original in self.ties:
            name = re.sub(pattern, original, name)
        return name


CHIEF = Layout(
    marks=("attention_net.3.attention_a.0.weight", "att_head.fc1.weight"),
    left_out=("organ_embedding", "text_to_vision.", "att_head.", "classifiers.", "instance_classifiers."),
)
"""CHIEF_pretraining.pth. The anatomic site's embedding goes into the classifier, not into the slide's vector."""

FEATHER = Layout(
    marks=("model.patch_embed.0.weight", "model.global_attn.attention_c.weight"),
    prefix="model.",
    left_out=("model.classifier.",),
)

MADELEINE = Layout(marks=("wsi_embedders.pre_attn.0.weight", "projector.weight"))

TANGLE = Layout(
    marks=("wsi_embedder.pre_attn.0.weight", "wsi_embedder.proj_multihead.weight"),
    prefix="wsi_embedder.",
    left_out=("rna_embedder.", "rna_reconstruction.", "mean_projector."),
)

TITAN = Layout(
    marks=("vision_encoder.patch_embed.0.weight", "vision_encoder.attn_pool_contrastive.query"),
    prefix="vision_encoder.",
    left_out=("text_encoder.", "conch.", "logit_scale"),
)

MOOZY = Layout(
    marks=("input_proj.0.weight", "pos_bias.slopes", "cls_token"),
    ties=((r"^blocks\.\d+\.pos_bias\.", "pos_bias."),),
)

GIGAPATH = Layout(
    marks=("patch_embed.proj.weight", "encoder.layers.0.self_attn.inner_attn_ln.weight"),
    left_out=("pos_embed", "mask_token", "decoder"),
)

PRISM = Layout(
    marks=("image_resampler.perceiver.latents", "image_resampler.cls_norm.weight"),
    prefix="image_resampler.",
    left_out=("text_decoder.", "img_to_latents.", "text_to_latents.", "temperature"),
    ties=(
        (r"^perceiver\.layers\.(?:[2-9]|\d\d+)\.xattn\.", "perceiver.layers.1.xattn."),
        (r"^perceiver\.layers\.\d+\.tf\.", "perceiver.layers.0.tf."),
    ),
)
