"""Report texts lose their identifiers here before they are stored, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from histoseek.archive.indexing.personal_data import collect_identifiers, list_record_identifiers, merge_identifiers
from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.arguments import describe
from histoseek.errors import InputError
from histoseek.reports.privacy.deidentify import (
    DeidentifiedText,
    DeidentifyChoice,
    IdentifierCount,
    KnownIdentifiers,
    SecondReader,
    add_counts,
    deidentify,
)
from histoseek.reports.privacy.person_names import make_pseudonym
from histoseek.reports.privacy.presidio import load_presidio


@dataclass(slots=True)
class ReportCleaner:
    """Replaces identifiers in texts, or with `deidentifies` False lets them through, and counts what it replaced."""

    deidentifies: bool = True
    second: SecondReader | None = None
    _counts: tuple[IdentifierCount, ...] = field(default=(), init=False)

    @property
    def removed(self) -> tuple[IdentifierCount, ...]:
        """How many identifiers of each kind were replaced so far."""
        return self._counts

    def clean(self, text: str, identifiers: KnownIdentifiers) -> str:
        """The text as it may be stored."""
        if not self.deidentifies:
            return text
        cleaned = deidentify(text, identifiers, self.second)
        self._counts = add_counts((DeidentifiedText("", self._counts, ()), cleaned))
        return cleaned.text


def make_cleaner(choice: DeidentifyChoice) -> ReportCleaner:
    """The cleaner of a choice. Raises MissingExtra or ConfigurationError when it needs Presidio and there is none."""
    if not isinstance(choice, bool) and choice != "presidio":
        advice = "Give True, False or 'presidio'"
        raise InputError("deidentify", f"{describe(choice)} says neither yes nor no", advice)
    return ReportCleaner(bool(choice), load_presidio() if choice == "presidio" else None)


def clean_many(
    records: Sequence[SlideRecord], changes: Mapping[str, Mapping[str, MetadataValue]], choice: DeidentifyChoice
) -> tuple[Mapping[str, Mapping[str, MetadataValue]], tuple[IdentifierCount, ...]]:
    """Changes of slides' metadata, by their ids, as they may be stored, and how many identifiers new reports lost."""
    cleaner = make_cleaner(choice)
    if not cleaner.deidentifies:
        return changes, ()
    known = {record.slide_id: record for record in records}
    return {
        slide_id: _clean_changes(cleaner, known[slide_id], values) if slide_id in known else values
        for slide_id, values in changes.items()
    }, cleaner.removed


def _clean_changes(
    cleaner: ReportCleaner, record: SlideRecord, changes: Mapping[str, MetadataValue]
) -> dict[str, MetadataValue]:
    storable = dict(changes)
    patient_id = str(changes.get("patient_id") or "")
    if patient_id:
        storable["patient_id"] = make_pseudonym(patient_id)
    if storable.get("report"):
        identifiers = merge_identifiers((list_record_identifiers(record), collect_identifiers((), patient_id, changes)))
        storable["report"] = cleaner.clean(str(storable["report"]), identifiers)
    return storable
