"""The registry of slide encoders: one line for each family."""

from __future__ import annotations

from histoseek.encoders.slide.base import Architecture, FittedEncoderFamily, Shapes, SlideEncoderFamily
from histoseek.encoders.slide.fgcr.family import FgcrFamily
from histoseek.encoders.slide.imported import PREFIX, ImportedFamily
from histoseek.encoders.slide.own import OwnSlideEncoder, OwnSlideFamily
from histoseek.encoders.slide.paired.family import PairedFamily
from histoseek.encoders.slide.pathsearch.family import PathSearchFamily
from histoseek.encoders.slide.pooled import PooledFamily
from histoseek.encoders.slide.published.family import PUBLISHED
from histoseek.errors import ConfigurationError, UnknownEncoder
from histoseek.own_code import PREFIX as OWN
from histoseek.own_code import find_own, is_own, require_own_name

FAMILIES: tuple[SlideEncoderFamily, ...] = (PathSearchFamily(), FgcrFamily())
"""Those that can be trained here. Cards written before there were several name none: they are of the first. Published
ones are beside them (`slide.published`): their files are told by names of tensors."""

UNTRAINED: FittedEncoderFamily = PooledFamily()
"""What an archive without weights encodes slides with."""


_registered: dict[str, OwnSlideEncoder] = {}
"""Those that were given from Python, by name: known in this process alone."""


def register_slide_encoder(encoder: OwnSlideEncoder) -> str:
    """Let a slide encoder of one's own be used in this process; the spec that names it.

    Registering the same again changes nothing. Raises ConfigurationError for a name that is taken.
    """
    before = _registered.get(encoder.name)
    require_own_name(encoder.name, taken=before is not None and before.identity != encoder.identity)
    _registered[encoder.name] = encoder
    return f"{OWN}{encoder.name}"


def name_slide_encoder(trained: str | None, given: str | None) -> str:
    """What an archive is encoded by, as its manifest names it: trained weights, one's own code, vectors that another
    tool made, or none of them; raises ConfigurationError for two, and for own code that is not at hand."""
    if trained and given:
        what = "cannot be trained weights and something else"
        raise ConfigurationError("slide encoder", what, "Give one of the two")
    if given and is_own(given):
        find_fitted_family(given)
        return given
    return f"{PREFIX}{given.removeprefix(PREFIX)}" if given else trained or UNTRAINED.encoder_name


def find_family(name: str) -> SlideEncoderFamily:
    """The family of trained slide encoders that a card names; raises UnknownEncoder, which names those there are."""
    families: tuple[SlideEncoderFamily, ...] = (*FAMILIES, *PUBLISHED, PairedFamily(find_family))
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


def is_published(encoder_name: str) -> bool:
    """Whether an embedding space's slide encoder is one that others published, which they ran on all tiles of a
    slide."""
    return any(encoder_name in map(family.encoder_name, family.modes) for family in PUBLISHED)


def find_fitted_family(encoder_name: str) -> FittedEncoderFamily | None:
    """The family of an embedding space's slide encoder if archives fit it themselves, None if it has weights.

    Vectors that came with slides (`imported`), and encoders of the user's own, need an archive's centre for their
    mosaics alone. Raises ConfigurationError for own code that is not at hand.
    """
    if encoder_name.startswith(PREFIX):
        return ImportedFamily(encoder_name)
    if is_own(encoder_name):
        return OwnSlideFamily(encoder_name, find_own(encoder_name, OwnSlideEncoder, _registered))
    return UNTRAINED if encoder_name == UNTRAINED.encoder_name else None
