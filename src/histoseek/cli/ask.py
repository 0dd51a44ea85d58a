"""From the options of `histoseek search` to a query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from histoseek.search.queries import ImageQuery, Query, Region, SlideQuery

_REGION = re.compile(r"\s*".join([r"(-?[\d.]+)", ",", r"(-?[\d.]+)", ",", r"([\d.]+)", ",", r"([\d.]+)", "(um|px)?"]))


@dataclass(frozen=True, slots=True)
class Images:
    """The image that was typed: slide files, ids of archived slides, a case, a picture, regions, um/px."""

    slides: Sequence[str]
    likes: Sequence[str]
    case: str | None
    picture: str | None
    regions: Sequence[str]
    spacing: float | None

    def __len__(self) -> int:
        """How many ways of giving an image were used."""
        return bool(self.slides or self.likes) + (self.case is not None) + (self.picture is not None)

    @property
    def archived(self) -> bool:
        """Whether the archive knows whose it is."""
        return bool(self.likes) or self.case is not None

    def check(self) -> None:
        """Raise InputError or ConfigurationError for options that don't fit together."""
        if len(self) > 1:
            what = "slides, a case and a picture can't be asked with together"
            raise InputError("search", what, "Give --slide or --like, or --case, or --image")
        if self.regions and len(self.slides) + len(self.likes) != 1:
            raise ConfigurationError("--region", "is of one slide", "Give one --slide or --like with it")
        if self.spacing is not None and len(self.slides) + (self.picture is not None) != 1:
            raise ConfigurationError("--spacing", "is of one --slide or --image", "Leave it out")

    def query(self, patient: str | None) -> ImageQuery | None:
        """The image to ask with, None without any; patient: whose it is."""
        from histoseek.search.queries import ArchivedCase, Case, TileImage

        if self.case is not None:
            return ArchivedCase(self.case)
        if self.picture is not None:
            if self.spacing is None:
                raise ConfigurationError("--image", "has no scale of its own", "Give its um/px: --spacing 0.5")
            return TileImage(self.picture, self.spacing, patient)
        slides = self._slides(patient)
        if self.regions:
            return self._region(slides[0])
        if len(slides) > 1:
            return Case(tuple(slides))
        return slides[0] if slides else None

    def _slides(self, patient: str | None) -> list[SlideQuery]:
        from histoseek.search.queries import ArchivedSlide, SlideFile

        files = [SlideFile(path, self.spacing, patient) for path in self.slides]
        return [*files, *(ArchivedSlide(slide_id) for slide_id in self.likes)]

    def _region(self, slide: SlideQuery) -> Region:
        from histoseek.geometry import Rect
        from histoseek.search.queries import Region

        found = [_REGION.fullmatch(text.strip()) for text in self.regions]
        units = {match[5] or "px" for match in found if match}
        if None in found or len(units) > 1:
            wrong = next((text for text, match in zip(self.regions, found, strict=True) if match is None), "")
            what = f"{wrong!r} is no region" if wrong else "regions in px and in um"
            raise InputError("--region", what, "Write x,y,width,height in level-0 px, or x,y,width,height um")
        rects = tuple(Rect(*(_whole(match[part]) for part in range(1, 5))) for match in found if match)
        return Region(slide, rects, "um" if units == {"um"} else "px")


@dataclass(frozen=True, slots=True)
class Asked:
    """All that was typed: an image, words, a report, and whose they are."""

    images: Images
    text: str | None
    without: str | None
    report: Path | None
    report_of: str | None
    weight: float | None
    patient: str | None

    def query(self) -> Query:
        """The query; raises InputError or ConfigurationError for options that don't fit together."""
        from histoseek.search.queries import ArchivedReport, Composed, ReportFile, TextQuery

        self._check()
        image = self.images.query(self.patient)
        if image is not None and (self.text is not None or self.without is not None):
            weight = 0.5 if self.weight is None else self.weight
            return Composed(image, self.text, self.without, weight)
        if self.weight is not None:
            raise ConfigurationError("--weight", "is of words beside an image", "Leave it out")
        if image is not None:
            return image
        if self.report is not None:
            return ReportFile(self.report, self.patient)
        if self.report_of is not None:
            return ArchivedReport(self.report_of)
        if self.text is None:
            raise InputError("--without", "needs something that is wanted", "Add --text, or an image")
        return TextQuery(self.text, self.patient, self.without)

    def _check(self) -> None:
        words = self.text is not None or self.without is not None
        reports = (self.report is not None) + (self.report_of is not None)
        if reports > 1 or (reports and (words or len(self.images))):
            name = "--report" if self.report is not None else "--report-of"
            raise InputError(name, "stands alone", "Give a report, or other things to ask with")
        if not (len(self.images) or words or reports):
            what = "needs one of --slide, --like, --case, --image, --text, --report and --report-of"
            raise InputError("search", what, "Give a slide file, the id of an archived slide, a sentence, or a report")
        self.images.check()
        if self.patient is not None and (self.images.archived or self.report_of is not None):
            raise ConfigurationError("--patient", "of an archived slide is known to the archive", "Leave it out")


def _whole(text: str) -> int:
    try:
        return round(float(text))
    except (ValueError, OverflowError) as error:
        raise InputError("--region", f"{text!r} is no number", "Write x,y,width,height") from error
