"""Slide network and text tower side by side, under the names of the published checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from histoseek.encoders.slide.base import Architecture
from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from histoseek.encoders.slide.registry import find_family
from histoseek.encoders.text.tower import TextTower, Tokens
from histoseek.training.slides.learning.batch_norm import install_steady_norms
from histoseek.training.slides.learning.losses import START_LOGIT_SCALE
from histoseek.training.slides.settings import ALL_LAYERS


class SlideTextModel(nn.Module):
    """What training trains: `visual`, `text_projection`, `logit_scale` and the last layers of `text_model`.

    The rest of the text tower is frozen, where not ALL_LAYERS are trained. It runs without dropout, also in training.
    """

    def __init__(self, architecture: Architecture, tower: TextTower, text_layers: int, dropout: float) -> None:
        super().__init__()
        self.architecture = architecture
        self.visual = find_family(architecture.family).network(architecture)
        install_steady_norms(self.visual)
        self.text_model = tower
        self.text_projection = nn.Linear(tower.card.dimension, architecture.dimension)
        self.logit_scale = nn.Parameter(torch.tensor(START_LOGIT_SCALE))
        tower.requires_grad_(False)
        trained = tower.parameters() if text_layers == ALL_LAYERS else tower.last_layers(text_layers)
        for parameter in trained if text_layers else ():
            parameter.requires_grad_(True)
        for module in self.visual.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout

    def train(self, mode: bool = True) -> SlideTextModel:
        """Switch the slide network; the text tower stays in evaluation mode."""
        super().train(mode)
        self.text_model.eval()
        return self

    def slides(self, bags: BagBatch) -> SlideVectors:
        """Slide vectors of length one."""
        vectors: SlideVectors = self.visual(bags)
        return vectors

    def texts(self, tokens: Tokens) -> Tensor:
        """Report vectors [B, D] of length one, in the space of the slides' global vectors."""
        return self.read(tokens)[1]

    def read(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """The text tower's last states [B, L, W], and report vectors as `texts` gives them."""
        states = self.text_model.states(tokens)
        pooled = self.text_model.pool(states, tokens.mask)
        return states, nn.functional.normalize(self.text_projection(pooled), dim=-1)

    def list_trained_parameters(self) -> list[nn.Parameter]:
        """All parameters that training changes, in a fixed order."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def collect_trained_state(self) -> dict[str, Tensor]:
        """Copies, on the CPU, of all tensors that training changes, under their published names."""
        frozen = {f"text_model.{name}" for name, p in self.text_model.named_parameters() if not p.requires_grad}
        frozen |= {f"text_model.{name}" for name, _ in self.text_model.named_buffers()}
        return {
            name: tensor.detach().to("cpu", copy=True)
            for name, tensor in self.state_dict().items()
            if name not in frozen
        }

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `collect_trained_state` gave."""
        self.load_state_dict({**self.state_dict(), **state})
