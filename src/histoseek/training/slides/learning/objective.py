"""What a slide encoder is trained for beside the contrast of slides and reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from histoseek.encoders.text.tower import Tokens

if TYPE_CHECKING:
    from histoseek.training.slides.learning.model import SlideTextModel


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Some pairs of slides and reports on the device that computes.

    bags: of b slides; tokens: of their reports [b, L]; targets: int8 [b, P], what each report says of P prompts
    (`make_targets`); seed: of what is random in this step; row: the place of the first pair in the whole batch. What is
    random depends on seed and place alone, so that a batch has the same losses however it is cut.
    """

    bags: BagBatch
    tokens: Tokens
    targets: Tensor
    seed: int
    row: int = 0


@dataclass(frozen=True, slots=True)
class EmbeddedPairs:
    """What a model makes of b pairs.

    slides: vectors of length one; token_states: [b, L, W], the text tower's last states; texts: [b, D], reports in the
    space of the slides' global vectors, of length one.
    """

    slides: SlideVectors
    token_states: Tensor
    texts: Tensor


class Objective(nn.Module, ABC):
    """The losses of a family that are of single pairs. Its parameters are trained, and not kept with the weights.

    names: of the losses, as logs have them; weights: of each in the sum, 0 for one that is switched off and then not
    computed; notes: what the user should know, such as losses that cannot be computed here.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs) -> Tensor:
        """The losses, float32 [len(names)], unweighted, each summed over the pairs; 0 for those switched off."""
