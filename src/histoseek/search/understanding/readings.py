"""What pieces of a typed text are taken for, and the question that follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from histoseek.search.queries import ArchivedSlide, Composed, ReportText, TextQuery
from histoseek.search.scope.fields import FieldFilter

ReadingKind = Literal["words", "without", "report", "slide", "patient", "case", "name", "value", "condition"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to take a piece of text.

    words: to search for; without: what is not wanted; report: a whole one; slide, patient, case: of exactly this name;
    name: slides that have the text in any of their names; value, condition: of a field. text: as the archive has it;
    slides: how many it leaves, None for what is ranked; filter or where: that leaves them; slide_id: of the only one.
    """

    kind: ReadingKind
    text: str
    slides: int | None = None
    filter: FieldFilter | None = None
    where: str | None = None
    slide_id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """text[start:end] of what was typed, what it is taken for, and what else it could be, the likeliest first."""

    start: int
    end: int
    reading: Reading
    others: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Understanding:
    """A typed text in parts, in order; what none of them holds are blanks."""

    text: str
    parts: tuple[Part, ...]

    @property
    def words(self) -> str:
        """All words to search for."""
        return " ".join(self._list_texts("words"))

    @property
    def without(self) -> str | None:
        """What is not wanted."""
        return ", ".join(self._list_texts("without")) or None

    @property
    def filters(self) -> tuple[FieldFilter, ...]:
        """Which slides are meant, as far as fields and names tell; a slide that is asked with is not among them."""
        asked = self._list_images()
        return tuple(one.filter for one in self._list_readings() if one.filter and one not in asked)

    @property
    def where(self) -> str | None:
        """Which slides are meant, as far as conditions tell."""
        conditions = [one.where for one in self._list_readings() if one.where]
        return " AND ".join(f"({condition})" for condition in conditions) or None

    @property
    def slide_id(self) -> str | None:
        """The one slide that the text names and nothing else: to be opened."""
        readings = list(self._list_readings())
        return readings[0].slide_id if len(readings) == 1 and readings[0].kind in ("slide", "name") else None

    @property
    def query(self) -> TextQuery | ReportText | Composed | None:
        """What to search with, None where slides are only listed."""
        report = next(self._list_texts("report"), None)
        if report is not None:
            return ReportText(report)
        images = self._list_images()
        if images:
            return Composed(ArchivedSlide(images[0].slide_id or ""), self.words or None, self.without)
        return TextQuery(self.words, without=self.without) if self.words else None

    def _list_images(self) -> list[Reading]:
        """The slide that is asked with, beside words."""
        if not (self.words or self.without):
            return []
        return [one for one in self._list_readings() if one.kind == "slide" and one.slide_id][:1]

    def _list_readings(self) -> Iterator[Reading]:
        return (part.reading for part in self.parts)

    def _list_texts(self, kind: ReadingKind) -> Iterator[str]:
        return (reading.text for reading in self._list_readings() if reading.kind == kind)
