"""Queries: what can be asked with. Small, frozen, and checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from histoseek.errors import ConfigurationError, InputError
from histoseek.geometry import Rect


@dataclass(frozen=True, slots=True)
class SlideFile:
    """Ask with a slide file (or a feature file, for an archive of such); its patient can be named to be left out."""

    path: Path
    spacing_um_per_px: float | None = None
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedSlide:
    """Ask with a slide of the archive."""

    slide_id: str


@dataclass(frozen=True, slots=True)
class Region:
    """Ask with regions of a slide: what is in them is looked for anywhere on other slides.

    unit: of the regions, level-0 px or um from the slide's top-left corner.
    """

    slide: SlideFile | ArchivedSlide
    regions: tuple[Rect, ...]
    unit: Literal["px", "um"] = "px"

    def __post_init__(self) -> None:
        if not self.regions:
            raise ConfigurationError("region", "none is given", "Give x, y, width and height in level-0 px")
        for rect in self.regions:
            if rect.width < 1 or rect.height < 1:
                raise ConfigurationError("region", f"{rect} has no area", "Give a width and a height")


@dataclass(frozen=True, slots=True)
class TileImage:
    """Ask with a picture of tissue, such as a crop of a slide, of known spacing in um/px."""

    path: Path
    spacing_um_per_px: float
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Ask with several slides of one patient: a slide is as near as it is to the nearest of them."""

    slides: tuple[SlideFile | ArchivedSlide, ...]

    def __post_init__(self) -> None:
        if not self.slides:
            raise ConfigurationError("case", "it has no slides", "Give at least one")


@dataclass(frozen=True, slots=True)
class ArchivedCase:
    """Ask with all slides that the archive has of a case."""

    case_id: str


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Ask with a sentence; without: what is not wanted; its patient can be named to be left out."""

    text: str
    patient_id: str | None = None
    without: str | None = None

    def __post_init__(self) -> None:
        _require_words("text", self.text)
        _require_words("without", self.without)


@dataclass(frozen=True, slots=True)
class ReportFile:
    """Ask with a report in a text file (UTF-8); its patient can be named to be left out."""

    path: Path
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedReport:
    """Ask with the report of a slide of the archive; its own patient is left out."""

    slide_id: str


SlideQuery = SlideFile | ArchivedSlide
ImageQuery = SlideFile | ArchivedSlide | Region | TileImage | Case | ArchivedCase
WordQuery = TextQuery | ReportFile | ArchivedReport


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
        if self.text is None and self.without is None:
            raise InputError("composed query", "has no words", "Give a text, or what is not wanted")
        _require_words("text", self.text)
        _require_words("without", self.without)
        if not 0 <= self.weight <= 1:
            advice = "Give 0 (the image alone) to 1 (the words alone)"
            raise ConfigurationError("--weight", f"{self.weight} is not from 0 to 1", advice)


Query = ImageQuery | WordQuery | Composed


def _require_words(name: str, text: str | None) -> None:
    if text is not None and not text.replace("\0", " ").strip():
        raise InputError(f"--{name}", "is empty", "Give some words")
