"""How slide encoders of each kind are trained: their losses, and the settings that differ between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from histoseek.encoders.slide.fgcr.architecture import NAME as FGCR
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.pathsearch.architecture import NAME as PATHSEARCH
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.errors import UnknownEncoder

Size = int | float | tuple[int, ...]
"""Of a network."""

CONTRASTIVE = "contrastive"
"""The loss that all have: slides against reports."""

DIVERSITY = "diversity"
"""PathSearch's second loss."""

ANCHOR_PROMPTS, TOKEN_ALIGNMENT = "anchor_prompts", "token_alignment"
PROMPT_CLASSES, MASKED_WORDS = "prompt_classes", "masked_words"
"""Those of FGCR."""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """How slide encoders of a family are trained, unless settings say otherwise.

    losses: the weight of each, by name, that between slides and reports first; prompt_losses: those that learn what
    reports say of prompts; prompts: most of them, 0 where there are none; sizes: of the network, by the names of its
    architecture, beside dimension and mosaic_size; needs_places: whether tiles must have coordinates; floats_per_tile:
    what a training pass keeps for a tile and dimension.
    """

    model: str
    losses: Mapping[str, float]
    sizes: Mapping[str, Size]
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
    prompt_losses: tuple[str, ...] = ()
    needs_places: bool = False


_PATHSEARCH, _FGCR = PathSearchArchitecture(), FgcrArchitecture()

RECIPES: tuple[TrainingRecipe, ...] = (
    TrainingRecipe(
        model=PATHSEARCH,
        losses={CONTRASTIVE: 1.0, DIVERSITY: 1.0},
        sizes={"heads": _PATHSEARCH.heads, "gate_dimension": _PATHSEARCH.gate_dimension},
        epochs=200,
        batch=256,
        tiles=512,
        learning_rate=8e-5,
        dropout=0.1,
        dimension=_PATHSEARCH.dimension,
        mosaic_size=_PATHSEARCH.mosaic_size,
        floats_per_tile=50,  # 24 slides of 512 tiles took 1.65 GiB, which is 47
    ),
    TrainingRecipe(
        model=FGCR,
        losses={
            CONTRASTIVE: 1.0,
            ANCHOR_PROMPTS: 5.0,
            TOKEN_ALIGNMENT: 0.2,
            PROMPT_CLASSES: 5.0,
            MASKED_WORDS: 0.5,
        },
        prompt_losses=(ANCHOR_PROMPTS, PROMPT_CLASSES),
        sizes={
            name: getattr(_FGCR, name)
            for name in ("depth", "heads", "head_dimension", "mlp_dimension", "scales", "mask_width")
        },
        epochs=150,
        batch=28,
        tiles=2048,
        learning_rate=3e-4,
        dropout=0.1,
        dimension=_FGCR.dimension,
        mosaic_size=_FGCR.mosaic_size,
        prompts=64,
        needs_places=True,
        floats_per_tile=250,  # 8 slides of 2,048 tiles took 3.76 GiB, which is 241
    ),
)


def find_recipe(model: str) -> TrainingRecipe:
    """The recipe of a family; raises UnknownEncoder, which names those that can be trained."""
    recipe = next((recipe for recipe in RECIPES if recipe.model == model), None)
    if recipe is None:
        raise UnknownEncoder(model, tuple(recipe.model for recipe in RECIPES))
    return recipe
