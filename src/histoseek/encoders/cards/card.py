"""What a card says of a model: where its weights are, what it is built of, what it takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Library = Literal["timm", "transformers", "open_clip", "own"]
Interpolation = Literal["bilinear", "bicubic"]
Argument = str | int | float | bool | tuple[int, ...]

Naming = Literal["", "dinov2", "transformers", "clip", "swin"]
Positions = Literal["", "timm", "transformers", "dino"]

Pooling = Literal["cls", "cls+mean", "mean", "pooled", "stage3"]
"""How token vectors become one: the class token's, that beside the patches' mean (registers left out), the patches'
mean alone, or as the network itself pools; of a ResNet also the mean of its third stage."""


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
class TensorLayout:
    """How the tensors of a published file lie, where it is not as the network has them.

    prefixes: taken off the names one after the other, where they begin with them; kept: beginnings of the names
    (without prefixes) that are the encoder's, () for all; left_out: of those that only training needs, which may be
    missing; naming: whose names they are, "" for the network's; adapter_scale: by which LoRA's products are added to
    the weights, 0 without adapters; positions_px: edge of the pictures that its position embeddings are for, where
    that is not the network's input; positions: whose rule brings them to that input (timm's, transformers', or DINO's,
    which scales by a tenth of a patch more), "" for none.
    """

    prefixes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    naming: Naming = ""
    adapter_scale: float = 0.0
    positions_px: int = 0
    positions: Positions = ""


@dataclass(frozen=True, slots=True)
class Network:
    """What a model is built of.

    architecture: its name in the library, with these arguments; prefix_tokens: class token and registers before the
    patches; parameters: of the published file's part of the network, counted on it, 0 where nothing is built; layout:
    of the published file's tensors.
    """

    library: Library
    architecture: str
    arguments: tuple[tuple[str, Argument], ...] = ()
    prefix_tokens: int = 1
    parameters: int = 0
    layout: TensorLayout = TensorLayout()


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
    """One of the vectors that a network can give; the first of a card is the usual one.

    mean, std, resize_px: of the preparation, where another one than the card's is in use elsewhere.
    """

    name: str
    dimension: int
    pooling: Pooling
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize_px: int = 0

    def adapt(self, preparation: Preparation) -> Preparation:
        """The card's preparation with what is the variant's own."""
        return replace(
            preparation,
            mean=self.mean or preparation.mean,
            std=self.std or preparation.std,
            resize_px=self.resize_px or preparation.resize_px,
        )


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
    features_only: why it can't be loaded here, "" where it can; reference: what the usual variant's vectors of the
    reference tiles are known by, () where nobody verified any; not_verified: what nobody here could check.
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
    reference: tuple[float, ...] = ()
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
