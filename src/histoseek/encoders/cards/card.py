"""What a card says of a model: where its weights are, what it is built of, what it takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Library = Literal["timm", "transformers", "open_clip", "own"]
Interpolation = Literal["bilinear", "bicubic"]
Argument = str | int | float | bool | tuple[int, ...]

Pooling = Literal["cls", "cls+mean", "mean", "pooled"]
"""How token vectors become one: the class token's, that beside the patches' mean (registers left out), the patches'
mean alone, or as the network itself pools."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file as it is published: its name in the repository, and its SHA-256, "" where no source states it."""

    name: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """Where and under which terms weights are published.

    repository: of the Hugging Face hub ("owner/name"), or an address; files: the weights, then what else is needed
    (vocabularies, configurations); gated: whether terms must be accepted there first; commercial: whether the licence
    allows commercial use, None where sources disagree or none says.
    """

    repository: str
    files: tuple[WeightsFile, ...]
    licence: str
    revision: str = ""
    gated: bool = False
    commercial: bool | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """What a model is built of.

    architecture: its name in the library, with these arguments; prefix_tokens: class token and registers before the
    patches; parameters: as published or counted on the built network, 0 where neither is known.
    """

    library: Library
    architecture: str
    arguments: tuple[tuple[str, Argument], ...] = ()
    prefix_tokens: int = 1
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Preparation:
    """From a tile to the network's input: `tile_px` are cut from the slide, resized to `resize_px`, of which the middle
    `input_px` are taken and normalised by mean and std of RGB in 0..1."""

    input_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    tile_px: int = 0
    resize_px: int = 0
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tile_px", self.tile_px or self.input_px)
        object.__setattr__(self, "resize_px", self.resize_px or self.input_px)


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the vectors that a network can give; the first of a card is the usual one."""

    name: str
    dimension: int
    pooling: Pooling


@dataclass(frozen=True, slots=True)
class Fact:
    """Where facts of a card come from; about: the fields, as on the card ("mean, std")."""

    about: str
    source: str


@dataclass(frozen=True, slots=True)
class TileModelCard:
    """A published tile encoder.

    spacings_um_per_px: those its authors state, the usual one first; precision: that it is computed in on a GPU;
    tile_bytes: working memory for one tile in a batch; has_words: whether it has a text tower in the tiles' space;
    features_only: why it can't be loaded here, "" where it can; not_verified: what nobody here could check.
    """

    name: str
    network: Network
    publication: Publication
    preparation: Preparation
    spacings_um_per_px: tuple[float, ...]
    variants: tuple[Variant, ...]
    precision: str = "float16"
    tile_bytes: int = 64 * 2**20
    version: str = "1"
    has_words: bool = False
    features_only: str = ""
    facts: tuple[Fact, ...] = ()
    not_verified: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlideModelCard:
    """A published slide encoder.

    tile_encoder: whose features it takes (a card's name, with its variant); spacing and edge of those tiles; family:
    of `encoders.slide.registry`, "" for those of which only features are taken (features_only says why).
    """

    name: str
    tile_encoder: str
    spacing_um_per_px: float
    tile_px: int
    dimension: int
    publication: Publication
    family: str = ""
    parameters: int = 0
    has_words: bool = False
    features_only: str = ""
    facts: tuple[Fact, ...] = ()
    not_verified: tuple[str, ...] = ()
