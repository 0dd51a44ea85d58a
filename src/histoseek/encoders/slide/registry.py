"""The registry of slide encoders: one line for each family."""

from __future__ import annotations

from histoseek.encoders.slide.base import Architecture, FittedEncoderFamily, Shapes, SlideEncoderFamily
from histoseek.encoders.slide.imported import PREFIX, ImportedFamily
from histoseek.encoders.slide.pathsearch.family import PathSearchFamily
from histoseek.encoders.slide.pooled import PooledFamily
from histoseek.encoders.slide.published.family import PUBLISHED
from histoseek.errors import ConfigurationError, UnknownEncoder

FAMILIES: tuple[SlideEncoderFamily, ...] = (PathSearchFamily(),)
"""Those that can be trained here. Cards written before there were several name none: they are of the first. Published
ones are beside them (`slide.published`): their files are told by names of tensors."""

UNTRAINED: FittedEncoderFamily = PooledFamily()
"""What an archive without weights encodes slides with."""


def name_slide_encoder(trained: str | None, imported: str | None) -> str:
    """What an archive is encoded by, as its manifest names it: trained weights, vectors that another tool made, or
    neither; raises ConfigurationError for both."""
    if trained and imported:
        what = "cannot be trained weights and vectors of another tool"
        raise ConfigurationError("slide encoder", what, "Give one of the two")
    return f"{PREFIX}{imported.removeprefix(PREFIX)}" if imported else trained or UNTRAINED.encoder_name


def find_family(name: str) -> SlideEncoderFamily:
    """The family of trained slide encoders that a card names; raises UnknownEncoder, which names those there are."""
    families: tuple[SlideEncoderFamily, ...] = (*FAMILIES, *PUBLISHED)
    family = next((family for family in families if family.name == name), None)
    if family is None:
        raise UnknownEncoder(name, tuple(family.name for family in families))
    return family


def identify_family(shapes: Shapes) -> tuple[SlideEncoderFamily, Architecture]:
    """Family and sizes of a published checkpoint from the shapes of its slide encoder's tensors.

    Raises ValueError, which says why it is of no family.
    """
    faults = []
    for family in FAMILIES:
        try:
            return family, family.infer(shapes)
        except ValueError as error:
            faults.append(str(error))
    raise ValueError(", ".join(faults))


def find_fitted_family(encoder_name: str) -> FittedEncoderFamily | None:
    """The family of an embedding space's slide encoder if archives fit it themselves, None if it has weights.

    Vectors that came with slides (`imported`) need an archive's centre for their mosaics alone.
    """
    if encoder_name.startswith(PREFIX):
        return ImportedFamily(encoder_name)
    return UNTRAINED if encoder_name == UNTRAINED.encoder_name else None
