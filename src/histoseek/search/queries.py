"""Queries: what can be asked with. Small, frozen, and checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

from histoseek.archive.schema import is_storable, require_slide_ids
from histoseek.arguments import describe, settle_fields
from histoseek.encoders.bag import Bag
from histoseek.equality import EqualByContent
from histoseek.errors import ConfigurationError, InputError
from histoseek.geometry import Rect
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import SourceLike, parse_source

MOST_MARKED = 1000
"""Slides that can be marked: each is compared with all candidates."""


@dataclass(frozen=True, slots=True)
class SlideFile:
    """Ask with a slide file (or a feature file, for an archive of such); its patient can be named to be left out.

    path: or another address that slides are opened from; raises UnknownScheme for one that they are not.
    slide_feature: file of the slide's vector, for an archive whose slides' vectors another tool made.
    """

    path: SourceLike
    spacing_um_per_px: float | None = None
    patient_id: str | None = None
    slide_feature: Path | str | None = None

    def __post_init__(self) -> None:
        settle_fields(self, "slide file")
        parse_source(self.path)

    @property
    def source(self) -> SlideSource:
        """What the slide is opened from."""
        return parse_source(self.path)


@dataclass(frozen=True, slots=True)
class ArchivedSlide:
    """Ask with a slide of the archive; its patient can be named to be left out where the archive does not know it."""

    slide_id: str
    patient_id: str | None = None

    def __post_init__(self) -> None:
        settle_fields(self, "archived slide")


@dataclass(frozen=True, slots=True)
class Region:
    """Ask with regions of a slide: what is in them is looked for anywhere on other slides.

    unit: of the regions, level-0 px or um from the slide's top-left corner.
    """

    slide: SlideFile | ArchivedSlide
    regions: tuple[Rect, ...]
    unit: Literal["px", "um"] = "px"

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", _list_rects(self.regions))
        settle_fields(self, "region")
        if not self.regions:
            raise ConfigurationError("region", "none is given", "Give x, y, width and height in level-0 px")
        _require_areas(self.regions)


@dataclass(frozen=True, slots=True)
class TileImage:
    """Ask with a picture of tissue, such as a crop of a slide, of known spacing in um/px.

    path: or another address that slides are opened from; raises UnknownScheme for one that they are not.
    """

    path: SourceLike
    spacing_um_per_px: float
    patient_id: str | None = None

    def __post_init__(self) -> None:
        settle_fields(self, "picture")
        parse_source(self.path)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSlide(EqualByContent):
    """Ask with a slide that was encoded already, with what the archive encodes its own slides with.

    bag: of the slide, or of its regions; name: for people; spacing_um_per_px: of its level 0, 0 when not known;
    regions: what of it is asked with, in level-0 px: the tiles whose centres lie there; picture: it is a crop, to be
    looked for anywhere on other slides, as with `TileImage`; file_fingerprint: of the file it is from
    (`SlideSource.fingerprint`), so that a slide of the archive of the same content is not found; context: the bag at
    the archive's coarser spacing, where it has one and there is enough of the slide; its patient can be named to be
    left out.
    """

    bag: Bag
    name: str
    spacing_um_per_px: float
    patient_id: str | None = None
    regions: tuple[Rect, ...] = ()
    picture: bool = False
    file_fingerprint: str | None = None
    context: Bag | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", _list_rects(self.regions))
        settle_fields(self, "encoded slide")
        _require_areas(self.regions)
        if not (math.isfinite(self.spacing_um_per_px) and self.spacing_um_per_px >= 0):
            what = f"a spacing of {self.spacing_um_per_px} µm/px"
            raise ConfigurationError("encoded slide", what, "Give a positive number, or 0 when it is not known")


@dataclass(frozen=True, slots=True)
class Case:
    """Ask with several slides of one patient: a slide is as near as it is to the nearest of them."""

    slides: tuple[SlideFile | ArchivedSlide | EncodedSlide, ...]

    def __post_init__(self) -> None:
        settle_fields(self, "case")
        if not self.slides:
            raise ConfigurationError("case", "it has no slides", "Give at least one")


@dataclass(frozen=True, slots=True)
class ArchivedCase:
    """Ask with all slides that the archive has of a case."""

    case_id: str

    def __post_init__(self) -> None:
        settle_fields(self, "archived case")


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Ask with a sentence; without: what is not wanted; its patient can be named to be left out."""

    text: str
    patient_id: str | None = None
    without: str | None = None

    def __post_init__(self) -> None:
        settle_fields(self, "text query")
        _require_words("text", self.text)
        _require_words("without", self.without)


@dataclass(frozen=True, slots=True)
class ReportFile:
    """Ask with a report in a text file (UTF-8); its patient can be named to be left out."""

    path: Path
    patient_id: str | None = None

    def __post_init__(self) -> None:
        settle_fields(self, "report file")


@dataclass(frozen=True, slots=True)
class ReportText:
    """Ask with a report as it is, without the language of `TextQuery`; its patient can be named to be left out."""

    text: str
    patient_id: str | None = None

    def __post_init__(self) -> None:
        settle_fields(self, "report text")
        _require_words("report", self.text)


@dataclass(frozen=True, slots=True)
class ArchivedReport:
    """Ask with the report of a slide of the archive; its own patient is left out."""

    slide_id: str

    def __post_init__(self) -> None:
        settle_fields(self, "archived report")


SlideQuery = SlideFile | ArchivedSlide
ImageQuery = SlideFile | ArchivedSlide | EncodedSlide | Region | TileImage | Case | ArchivedCase
WordQuery = TextQuery | ReportFile | ReportText | ArchivedReport


@dataclass(frozen=True, slots=True)
class Composed:
    """Ask with an image and words: like this, but with `text`, or without what `without` says.

    weight: of the words, 0 to 1; the image has the rest.
    """

    image: ImageQuery
    text: str | None = None
    without: str | None = None
    weight: float = 0.5

    def __post_init__(self) -> None:
        settle_fields(self, "composed query")
        if self.text is None and self.without is None:
            raise InputError("composed query", "has no words", "Give a text, or what is not wanted")
        _require_words("text", self.text)
        _require_words("without", self.without)
        if not 0 <= self.weight <= 1:
            advice = "Give 0 (the image alone) to 1 (the words alone)"
            raise ConfigurationError("--weight", f"{self.weight} is not from 0 to 1", advice)


PlainQuery = ImageQuery | WordQuery | Composed


@dataclass(frozen=True, slots=True)
class Refined:
    """Ask again, after some slides of the archive were judged: with the query, and like those marked as relevant.

    Relevant slides come first, irrelevant ones are not found again. Their patients are not left out.
    """

    query: PlainQuery
    relevant: tuple[str, ...] = ()
    irrelevant: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("relevant", "irrelevant"):
            object.__setattr__(self, name, require_slide_ids(getattr(self, name)))
        if isinstance(self.query, Refined):
            raise InputError("refined query", "is refined already", "Refine the first query with all marks")
        settle_fields(self, "refined query")
        marked = self.marked
        if not marked:
            raise InputError("refined query", "no slide is marked", "Mark at least one as relevant or irrelevant")
        if len(marked) > MOST_MARKED:
            raise InputError("refined query", f"{len(marked)} slides are marked", f"Mark at most {MOST_MARKED}")
        if both := sorted({*self.relevant} & {*self.irrelevant}):
            raise InputError(both[0], "is marked both as relevant and as irrelevant", "Mark it as one of the two")

    @property
    def marked(self) -> tuple[str, ...]:
        """All slides that were judged, each once."""
        return tuple(dict.fromkeys((*self.relevant, *self.irrelevant)))

    def unmark(self, slide_id: str) -> Query:
        """The same without a slide's mark; the plain query when there is no other."""
        relevant, irrelevant = (
            tuple(i for i in marked if i != slide_id) for marked in (self.relevant, self.irrelevant)
        )
        return replace(self, relevant=relevant, irrelevant=irrelevant) if relevant or irrelevant else self.query


Query = PlainQuery | Refined


def _list_rects(regions: object) -> object:
    """Rectangles, or four numbers for each, with Python's numbers; what is none of that as it is."""
    if isinstance(regions, str | bytes | Rect) or not isinstance(regions, Iterable):
        return (regions,) if isinstance(regions, Rect) else regions
    return tuple(map(_make_rect, regions))


def _make_rect(region: object) -> object:
    import numpy as np

    numbers = astuple(region) if isinstance(region, Rect) else region
    if not isinstance(numbers, Sequence | np.ndarray) or len(numbers) != 4:
        return region
    if not all(isinstance(number, Real) and math.isfinite(number) for number in numbers):
        advice = "Give x, y, width and height as numbers"
        raise ConfigurationError("region", f"{describe(tuple(numbers))} is none", advice)
    plain: list[Any] = [int(number) if isinstance(number, Integral) else float(number) for number in numbers]
    return Rect(*plain)


def _require_areas(regions: Sequence[Rect]) -> None:
    for rect in regions:
        if rect.width < 1 or rect.height < 1:
            raise ConfigurationError("region", f"{rect} has no area", "Give a width and a height")


def _require_words(name: str, text: str | None) -> None:
    if text is not None and not text.replace("\0", " ").strip():
        raise InputError(f"--{name}", "is empty", "Give some words")
    if text is not None and not is_storable(text):
        raise InputError(f"--{name}", "holds bytes that are no text", "Give it in UTF-8")
