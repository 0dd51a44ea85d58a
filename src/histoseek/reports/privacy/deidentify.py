"""Replaces identifiers in report text by placeholders such as [NAME] and [DATE]. A safety net, not a guarantee.

The kinds are those of the HIPAA Safe Harbor list (45 CFR 164.514(b)(2)) that can stand in text, and the names of
institutions. Years alone are kept, ages up to 89 too. All rules are local and need time linear in the text's length.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from histoseek.reports.privacy.identifiers.ages import find_ages
from histoseek.reports.privacy.identifiers.contacts import find_contacts, find_labelled_phone
from histoseek.reports.privacy.identifiers.dates import find_dates, find_labelled_date
from histoseek.reports.privacy.identifiers.identifier_kinds import PLACEHOLDER, Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.known import find_known_ids, find_known_names
from histoseek.reports.privacy.identifiers.labels import Label, find_labels
from histoseek.reports.privacy.identifiers.medical_words import is_bar_code
from histoseek.reports.privacy.identifiers.name_tokens import NameToken, tokenise
from histoseek.reports.privacy.identifiers.names import find_names
from histoseek.reports.privacy.identifiers.numbers import (
    find_labelled_groups,
    find_labelled_number,
    find_labelled_plate,
    find_numbers,
)
from histoseek.reports.privacy.identifiers.places import find_labelled_place, find_places
from histoseek.reports.privacy.identifiers.research_ids import find_research_ids
from histoseek.reports.privacy.identifiers.scripts import find_in_scripts
from histoseek.reports.privacy.identifiers.word_dates import find_word_dates

DeidentifyChoice = bool | Literal["presidio"]
"""Whether identifiers are replaced, and whether Presidio is asked as well."""
SecondReader = Callable[[str], Iterable[Identifier]]
_LABEL_RULES = {
    "id": find_labelled_number,
    "number": find_labelled_groups,
    "plate": find_labelled_plate,
    "phone": find_labelled_phone,
    "date": find_labelled_date,
    "address": find_labelled_place,
    "institution": find_labelled_place,
}


@dataclass(frozen=True, slots=True)
class KnownIdentifiers:
    """What a table says of one case: `names` of persons, and `ids` (patient, record and accession numbers)."""

    names: tuple[str, ...] = field(default=(), repr=False)
    ids: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class IdentifierCount:
    """How many identifiers of a kind were replaced."""

    kind: IdentifierKind
    count: int


@dataclass(frozen=True, slots=True)
class DeidentifiedText:
    """The text with placeholders, counts by kind, and the replaced places of the original in order."""

    text: str = field(repr=False)
    counts: tuple[IdentifierCount, ...]
    spans: tuple[Identifier, ...] = field(repr=False)


def deidentify(
    text: str, known: KnownIdentifiers | None = None, second: SecondReader | None = None
) -> DeidentifiedText:
    """The text with names, dates, ids, contact data, addresses, institutions and ages over 89 replaced.

    Rules run until they find nothing more, so a second call changes nothing. Placeholders already in the text stay.
    What a second reader finds goes as well.
    """
    known_identifiers = known or KnownIdentifiers()
    pieces = _PartialText(text)
    if second:
        both = (*_find_identifiers(text, known_identifiers), *second(text))
        pieces = pieces.replace(_merge_identifiers(text, both))
    while identifiers := _merge_identifiers(pieces.text, _find_identifiers(pieces.text, known_identifiers)):
        pieces = pieces.replace(identifiers)
    spans = pieces.spans()
    totals = Counter(span.kind for span in spans)
    return DeidentifiedText(
        pieces.text, tuple(IdentifierCount(kind, totals[kind]) for kind in IdentifierKind if totals[kind]), spans
    )


def add_counts(results: Iterable[DeidentifiedText]) -> tuple[IdentifierCount, ...]:
    """Totals by kind over several texts, for a report of counts."""
    totals: Counter[IdentifierKind] = Counter()
    for result in results:
        totals.update({count.kind: count.count for count in result.counts})
    return tuple(IdentifierCount(kind, totals[kind]) for kind in IdentifierKind if totals[kind])


class _PartialText:
    """A text some ranges of which stand for other ranges of the original."""

    def __init__(self, text: str, placeholders: tuple[tuple[int, Identifier], ...] = ()) -> None:
        self.text = text
        self._placeholders = (
            placeholders  # place of each placeholder in `text`, with the range of the original it stands for
        )

    def spans(self) -> tuple[Identifier, ...]:
        return tuple(span for _, span in self._placeholders)

    def replace(self, identifiers: list[Identifier]) -> _PartialText:
        """The pieces with further ranges of the present text replaced; `found` in order and apart from each other."""
        starts = [position for position, _ in self._placeholders]
        parts: list[str] = []
        events = [
            (identifier.start, identifier.end, self._find_original(starts, identifier)) for identifier in identifiers
        ]
        events += [(position, position + len(span.kind.placeholder), span) for position, span in self._placeholders]
        placeholders: list[tuple[int, Identifier]] = []
        copied = length = 0
        for start, end, span in sorted(events, key=lambda event: event[0]):
            parts += [self.text[copied:start], span.kind.placeholder]
            length += start - copied
            placeholders.append((length, span))
            length += len(span.kind.placeholder)
            copied = end
        return _PartialText("".join([*parts, self.text[copied:]]), tuple(placeholders))

    def _find_original(self, starts: list[int], identifier: Identifier) -> Identifier:
        before = bisect_right(starts, identifier.start)
        shift = 0
        if before:
            position, span = self._placeholders[before - 1]
            shift = span.end - (position + len(span.kind.placeholder))
        return Identifier(identifier.start + shift, identifier.end + shift, identifier.kind)


def _find_identifiers(text: str, known: KnownIdentifiers) -> Iterator[Identifier]:
    tokens = tokenise(text)
    labels = list(find_labels(tokens))
    yield from find_known_ids(text, known.ids)
    yield from find_known_names(tokens, known.names)
    yield from find_contacts(text)
    yield from find_ages(text)
    yield from find_dates(text)
    yield from find_word_dates(text, tokens)
    yield from find_numbers(text)
    yield from find_research_ids(text)
    yield from find_places(text)
    yield from find_in_scripts(text)
    yield from _find_labelled(text, tokens, labels)
    yield from find_names(text, tokens, labels)


def _find_labelled(text: str, tokens: list[NameToken], labels: list[Label]) -> Iterator[Identifier]:
    for label in labels:
        rule = _LABEL_RULES.get(label.kind)
        if rule:
            yield from rule(text, tokens, label)


def _merge_identifiers(text: str, identifiers: Iterable[Identifier]) -> list[Identifier]:
    """The ranges in order, overlapping ones joined under the longest's kind, none that touches a placeholder."""
    placeholders = [(match.start(), match.end()) for match in PLACEHOLDER.finditer(text)]
    starts = [start for start, _ in placeholders]
    candidates = [
        identifier
        for identifier in identifiers
        if identifier.end > identifier.start
        and not is_bar_code(text[identifier.start : identifier.end])
        and not _touches_placeholder(placeholders, starts, identifier)
    ]
    merged: list[Identifier] = []
    longest = 0
    for identifier in sorted(candidates, key=lambda identifier: (identifier.start, -identifier.end)):
        if not merged or identifier.start >= merged[-1].end:
            merged.append(identifier)
            longest = identifier.end - identifier.start
            continue
        last = merged[-1]
        kind = identifier.kind if identifier.end - identifier.start > longest else last.kind
        longest = max(longest, identifier.end - identifier.start)
        merged[-1] = Identifier(last.start, max(last.end, identifier.end), kind)
    return merged


def _touches_placeholder(placeholders: list[tuple[int, int]], starts: list[int], identifier: Identifier) -> bool:
    at = bisect_right(starts, identifier.end - 1)
    return at > 0 and placeholders[at - 1][1] > identifier.start
