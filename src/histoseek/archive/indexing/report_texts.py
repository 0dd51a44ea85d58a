"""The one door that report texts pass before they are stored: what tells who the patient is stays outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from histoseek.archive.indexing.identifying import known_identifiers, known_of_record, together
from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.reports.privacy.deidentify import (
    DeidentifiedText,
    IdentifierCount,
    KnownIdentifiers,
    add_counts,
    deidentify,
)
from histoseek.reports.privacy.person_names import make_pseudonym


@dataclass(slots=True)
class ReportDoor:
    """Replaces identifiers in texts, or with `deidentifies` False lets them through, and counts what it replaced."""

    deidentifies: bool = True
    _counts: tuple[IdentifierCount, ...] = field(default=(), init=False)

    @property
    def removed(self) -> tuple[IdentifierCount, ...]:
        """How many identifiers of each kind were replaced so far."""
        return self._counts

    def passed(self, text: str, known: KnownIdentifiers) -> str:
        """The text as it may be stored."""
        if not self.deidentifies:
            return text
        clean = deidentify(text, known)
        self._counts = add_counts((DeidentifiedText("", self._counts, ()), clean))
        return clean.text


def passed_changes(
    record: SlideRecord, changes: Mapping[str, MetadataValue], deidentifies: bool
) -> tuple[dict[str, MetadataValue], tuple[IdentifierCount, ...]]:
    """Changes of one slide's metadata as they may be stored, and how many identifiers its new report lost."""
    if not deidentifies:
        return dict(changes), ()
    door, kept = ReportDoor(), dict(changes)
    patient_id = str(changes.get("patient_id") or "")
    if patient_id:
        kept["patient_id"] = make_pseudonym(patient_id)
    if kept.get("report"):
        known = together((known_of_record(record), known_identifiers((), patient_id, changes)))
        kept["report"] = door.passed(str(kept["report"]), known)
    return kept, door.removed
