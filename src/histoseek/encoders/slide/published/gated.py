"""Networks that weigh tiles by gated attention (Ilse et al., arXiv 1802.04712): CHIEF, FEATHER, MADELEINE, TANGLE.

Places of dropout in the published sequences are kept empty, as names of tensors count them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from histoseek.encoders.slide.published.sizes import ChiefSizes, FeatherSizes, MadeleineSizes, TangleSizes
from histoseek.encoders.slide.published.tiles import SlideNetwork, Tiles


class Gate(nn.Module):
    """Scores of rows: w (tanh(A x) * sigmoid(B x)) + b."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.attention_a = nn.Sequential(nn.Linear(dimension, hidden), nn.Tanh())
        self.attention_b = nn.Sequential(nn.Linear(dimension, hidden), nn.Sigmoid())
        self.attention_c = nn.Linear(hidden, 1)

    def weigh(self, rows: Tensor) -> Tensor:
        """Weights of rows [N, D] that sum to one: [N]."""
        scores: Tensor = self.attention_c(self.attention_a(rows) * self.attention_b(rows))
        return scores[:, 0].softmax(dim=0)


class Chief(SlideNetwork):
    """CHIEF (Wang et al., Nature 2024): weights from projected features, on the features as they are."""

    def __init__(self, sizes: ChiefSizes) -> None:
        super().__init__()
        projection = nn.Linear(sizes.input_dimension, sizes.hidden)
        self.attention_net = nn.Sequential(projection, nn.ReLU(), nn.Identity(), Gate(sizes.hidden, sizes.gate))

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """What the authors call the WSI feature: without the anatomic site."""
        gate = self.attention_net[3]
        assert isinstance(gate, Gate)
        return gate.weigh(self.attention_net[:3](tiles.features)) @ tiles.features


class Feather(SlideNetwork):
    """FEATHER (Shao et al., arXiv 2506.09022): the pooled features before the classifier."""

    def __init__(self, sizes: FeatherSizes) -> None:
        super().__init__()
        self.patch_embed = nn.Sequential(nn.Linear(sizes.input_dimension, sizes.dimension), nn.ReLU())
        self.global_attn = Gate(sizes.dimension, sizes.gate)

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """The weighted mean of projected features."""
        rows = self.patch_embed(tiles.features)
        return self.global_attn.weigh(rows) @ rows


class HeadedPool(nn.Module):
    """Several gates, each on its own part of the features behind three layers; parts alternate in the columns."""

    def __init__(self, sizes: MadeleineSizes | TangleSizes) -> None:
        super().__init__()
        inner = sizes.dimension
        widths = ((sizes.input_dimension, inner), (inner, inner), (inner, inner * sizes.heads))
        layers = [[nn.Linear(before, after), nn.LayerNorm(after), nn.GELU(), nn.Identity()] for before, after in widths]
        self.pre_attn = nn.Sequential(*(layer for group in layers for layer in group))
        self.attn = nn.ModuleList(Gate(inner, inner) for _ in range(sizes.heads))

    def pool(self, features: Tensor) -> Tensor:
        """Features [N, D] to the parts' weighted means, [D * heads], as they alternate."""
        rows = self.pre_attn(features).unflatten(1, (-1, len(self.attn)))
        means = [gate.weigh(rows[:, :, part]) @ rows[:, :, part] for part, gate in enumerate(self._gates)]
        return torch.stack(means, dim=1).flatten()

    @property
    def _gates(self) -> list[Gate]:
        return [gate for gate in self.attn if isinstance(gate, Gate)]


class Madeleine(SlideNetwork):
    """MADELEINE (Jaume et al., arXiv 2408.02859), its encoder of H&E slides."""

    def __init__(self, sizes: MadeleineSizes) -> None:
        super().__init__()
        self.wsi_embedders = HeadedPool(sizes)
        self.projector = nn.Linear(sizes.dimension * sizes.heads, sizes.dimension)
        if sizes.token_dimension:
            self.token_projector = nn.Linear(sizes.dimension * sizes.heads, sizes.token_dimension)

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """The projected means."""
        vector: Tensor = self.projector(self.wsi_embedders.pool(tiles.features))
        return vector


class Tangle(HeadedPool, SlideNetwork):
    """TANGLE (Jaume et al., arXiv 2405.11618), its slide branch of the pan-cancer model."""

    def __init__(self, sizes: TangleSizes) -> None:
        super().__init__(sizes)
        self.proj_multihead = nn.Linear(sizes.dimension * sizes.heads, sizes.dimension)

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """The projected means."""
        vector: Tensor = self.proj_multihead(self.pool(tiles.features))
        return vector
