"""How slide encoders of each kind are trained: their losses, and the settings that differ between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from histoseek.encoders.slide.pathsearch.architecture import NAME as PATHSEARCH
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.errors import UnknownEncoder

CONTRASTIVE = "contrastive"
"""The loss that all have: slides against reports."""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """How slide encoders of a family are trained, unless settings say otherwise.

    losses: the weight of each, by name, that between slides and reports first; sizes: of the network, by the names of
    its architecture, beside dimension and mosaic_size; prompts: most phrases that regions are aligned with, 0 where
    there are none; needs_places: whether tiles must have coordinates; floats_per_tile: what a training pass keeps for
    a tile and dimension.
    """

    model: str
    losses: Mapping[str, float]
    sizes: Mapping[str, int]
    epochs: int
    batch: int
    tiles: int
    learning_rate: float
    dropout: float
    dimension: int
    mosaic_size: int
    floats_per_tile: int
    weight_decay: float = 0.05
    text_layers: int = 3
    prompts: int = 0
    needs_places: bool = False


_PATHSEARCH = PathSearchArchitecture()

RECIPES: tuple[TrainingRecipe, ...] = (
    TrainingRecipe(
        model=PATHSEARCH,
        losses={CONTRASTIVE: 1.0, "diversity": 1.0},
        sizes={"heads": _PATHSEARCH.heads, "gate_dimension": _PATHSEARCH.gate_dimension},
        epochs=200,
        batch=256,
        tiles=512,
        learning_rate=8e-5,
        dropout=0.1,
        dimension=_PATHSEARCH.dimension,
        mosaic_size=_PATHSEARCH.mosaic_size,
        floats_per_tile=50,
    ),
)


def find_recipe(model: str) -> TrainingRecipe:
    """The recipe of a family; raises UnknownEncoder, which names those that can be trained."""
    recipe = next((recipe for recipe in RECIPES if recipe.model == model), None)
    if recipe is None:
        raise UnknownEncoder(model, tuple(recipe.model for recipe in RECIPES))
    return recipe
