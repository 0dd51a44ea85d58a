"""What a training teaches: a slide network and a text tower, by the contrast between them and by an objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from histoseek.encoders.slide.batches import BagBatch
from histoseek.encoders.text.tower import Tokens
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.objective import EmbeddedPairs, Objective, PairBatch
from histoseek.training.slides.recipes import CONTRASTIVE

_OBJECTIVE = "objective."


@dataclass(frozen=True, slots=True)
class Learner:
    """A model, what it learns for each pair (`objective`), and the weight of the contrast between all pairs."""

    model: SlideTextModel
    objective: Objective
    contrast: float

    @property
    def names(self) -> tuple[str, ...]:
        """Of all losses, in the order in which they are given."""
        return (CONTRASTIVE, *self.objective.names)

    @property
    def weights(self) -> dict[str, float]:
        """Of all losses by name, as they are: 0 for those that can't be computed here."""
        return dict(zip(self.names, (self.contrast, *self.objective.weights), strict=True))

    def train(self, mode: bool = True) -> None:
        """Switch to training, or to evaluation."""
        self.model.train(mode)
        self.objective.train(mode)

    def zero_gradients(self) -> None:
        """Forget all gradients."""
        self.model.zero_grad(set_to_none=True)
        self.objective.zero_grad(set_to_none=True)

    def embed(self, pairs: UnreadPairs, seed: int) -> LearntPairs:
        """What the model makes of some pairs; equal reports are read once; seed: of what is random in the step."""
        reports = pairs.reports
        distinct = list(dict.fromkeys(reports))
        rows = [distinct.index(report) for report in reports]
        slides = self.model.slides(pairs.bags)
        tokens = self.model.text_model.tokens(distinct)
        states, texts = self.model.read(tokens)
        slides = replace(slides, global_vectors=slides.global_vectors.float(), mosaics=slides.mosaics.float())
        words = Tokens(tokens.ids[rows], tokens.mask[rows])
        batch = PairBatch(pairs.bags, words, pairs.targets.to(texts.device), seed, pairs.row)
        return LearntPairs(batch, EmbeddedPairs(slides, states[rows].float(), texts[rows].float()))

    def measure(self, pairs: LearntPairs) -> Tensor:
        """The objective's losses of some pairs, unweighted sums."""
        losses: Tensor = self.objective(self.model, pairs.batch, pairs.embedded)
        return losses

    def weigh(self, losses: Tensor) -> Tensor:
        """The weighted sum of the objective's losses."""
        return (losses * losses.new_tensor(self.objective.weights)).sum()

    def list_trained_parameters(self) -> list[nn.Parameter]:
        """All parameters that training changes, in a fixed order."""
        return [*self.model.list_trained_parameters(), *self.objective.parameters()]

    def collect_trained_state(self) -> dict[str, Tensor]:
        """Copies, on the CPU, of all tensors that training changes: the model's, and the objective's by a prefix."""
        own = {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.objective.state_dict().items()}
        return {**self.model.collect_trained_state(), **{_OBJECTIVE + name: tensor for name, tensor in own.items()}}

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `collect_trained_state` gave."""
        own = {name.removeprefix(_OBJECTIVE): tensor for name, tensor in state.items() if name.startswith(_OBJECTIVE)}
        self.model.load_trained_state(keep_weights(state))
        self.objective.load_state_dict(own)


@dataclass(frozen=True, slots=True)
class UnreadPairs:
    """Some pairs of a batch: bags on the device that computes, reports as texts, targets, int8 [b, P]; row: the place
    of the first in the whole batch."""

    bags: BagBatch
    reports: Sequence[str]
    targets: Tensor
    row: int


@dataclass(frozen=True, slots=True)
class LearntPairs:
    """Some pairs, and what a model makes of them."""

    batch: PairBatch
    embedded: EmbeddedPairs

    @property
    def vectors(self) -> tuple[Tensor, Tensor]:
        """Slides and reports in their common space, [b, D] each."""
        return self.embedded.slides.global_vectors, self.embedded.texts


def keep_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of a training's state that is kept with the weights: what only the objective needs is not."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(_OBJECTIVE)}
