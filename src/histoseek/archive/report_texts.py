"""The one door that report texts pass before they are stored: what tells who the patient is stays outside."""

from __future__ import annotations

from dataclasses import dataclass, field

from histoseek.archive.identifying import known_of_record
from histoseek.archive.schema import SlideRecord
from histoseek.reports.deidentify import Deidentified, KindCount, KnownIdentifiers, add_counts, deidentify


@dataclass(slots=True)
class ReportDoor:
    """Replaces identifiers in texts, or with `deidentifies` False lets them through, and counts what it replaced."""

    deidentifies: bool = True
    _counts: tuple[KindCount, ...] = field(default=(), init=False)

    @property
    def removed(self) -> tuple[KindCount, ...]:
        """How many identifiers of each kind were replaced so far."""
        return self._counts

    def passed(self, text: str, known: KnownIdentifiers) -> str:
        """The text as it may be stored."""
        if not self.deidentifies:
            return text
        clean = deidentify(text, known)
        self._counts = add_counts((Deidentified("", self._counts, ()), clean))
        return clean.text


def passed_report(record: SlideRecord, text: str, deidentifies: bool) -> tuple[str, tuple[KindCount, ...]]:
    """One slide's new report as it may be stored, and how many identifiers of each kind were replaced."""
    door = ReportDoor(deidentifies)
    return door.passed(text, known_of_record(record)), door.removed
