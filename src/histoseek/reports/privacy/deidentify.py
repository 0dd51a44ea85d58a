"""Replaces identifiers in report text by placeholders such as [NAME] and [DATE]. A safety net, not a guarantee.

The kinds are those of the HIPAA Safe Harbor list (45 CFR 164.514(b)(2)) that can stand in text, and the names of
institutions. Years alone are kept, ages up to 89 too. All rules are local and need time linear in the text's length.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from histoseek.reports.privacy.identifiers.ages import find_ages
from histoseek.reports.privacy.identifiers.contacts import find_contacts, labelled_phone
from histoseek.reports.privacy.identifiers.dates import find_dates, labelled_date
from histoseek.reports.privacy.identifiers.kinds import PLACEHOLDER, Found, Kind
from histoseek.reports.privacy.identifiers.known import find_known_ids, find_known_names
from histoseek.reports.privacy.identifiers.labels import Label, find_labels
from histoseek.reports.privacy.identifiers.names import find_names
from histoseek.reports.privacy.identifiers.numbers import find_numbers, labelled_number
from histoseek.reports.privacy.identifiers.places import find_places, labelled_place
from histoseek.reports.privacy.identifiers.scripts import find_in_scripts
from histoseek.reports.privacy.identifiers.tokens import Token, tokenise

_LABELLED = {
    "id": labelled_number,
    "phone": labelled_phone,
    "date": labelled_date,
    "address": labelled_place,
    "institution": labelled_place,
}


@dataclass(frozen=True, slots=True)
class KnownIdentifiers:
    """What a table says of one case: `names` of persons, and `ids` (patient, record and accession numbers)."""

    names: tuple[str, ...] = field(default=(), repr=False)
    ids: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many identifiers of a kind were replaced."""

    kind: Kind
    count: int


@dataclass(frozen=True, slots=True)
class Span:
    """Where in the original text an identifier stood: half-open range of characters."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Deidentified:
    """The text with placeholders, counts by kind, and the replaced places of the original in order."""

    text: str = field(repr=False)
    counts: tuple[KindCount, ...]
    spans: tuple[Span, ...] = field(repr=False)


def deidentify(text: str, known: KnownIdentifiers | None = None) -> Deidentified:
    """The text with names, dates, ids, contact data, addresses, institutions and ages over 89 replaced.

    Rules run until they find nothing more, so a second call changes nothing. Placeholders already in the text stay.
    """
    given = known or KnownIdentifiers()
    pieces = _Pieces(text)
    while found := _without_placeholders(pieces.text, _find(pieces.text, given)):
        pieces = pieces.replaced(found)
    spans = pieces.spans()
    totals = Counter(span.kind for span in spans)
    return Deidentified(pieces.text, tuple(KindCount(kind, totals[kind]) for kind in Kind if totals[kind]), spans)


def add_counts(results: Iterable[Deidentified]) -> tuple[KindCount, ...]:
    """Totals by kind over several texts, for a report of counts."""
    totals: Counter[Kind] = Counter()
    for result in results:
        totals.update({one.kind: one.count for one in result.counts})
    return tuple(KindCount(kind, totals[kind]) for kind in Kind if totals[kind])


class _Pieces:
    """A text some ranges of which stand for other ranges of the original."""

    def __init__(self, text: str, replaced: tuple[tuple[int, Span], ...] = ()) -> None:
        self.text = text
        self._replaced = replaced  # place of each placeholder in `text`, with the range of the original it stands for

    def spans(self) -> tuple[Span, ...]:
        return tuple(span for _, span in self._replaced)

    def replaced(self, found: list[Found]) -> _Pieces:
        """The pieces with further ranges of the present text replaced; `found` in order and apart from each other."""
        starts = [at for at, _ in self._replaced]
        parts: list[str] = []
        events = [(one.start, one.end, self._original(starts, one)) for one in found]
        events += [(at, at + len(span.kind.placeholder), span) for at, span in self._replaced]
        moved: list[tuple[int, Span]] = []
        done = length = 0
        for start, end, span in sorted(events, key=lambda event: event[0]):
            parts += [self.text[done:start], span.kind.placeholder]
            length += start - done
            moved.append((length, span))
            length += len(span.kind.placeholder)
            done = end
        return _Pieces("".join([*parts, self.text[done:]]), tuple(moved))

    def _original(self, starts: list[int], found: Found) -> Span:
        before = bisect_right(starts, found.start)
        shift = 0
        if before:
            at, span = self._replaced[before - 1]
            shift = span.end - (at + len(span.kind.placeholder))
        return Span(found.start + shift, found.end + shift, found.kind)


def _find(text: str, known: KnownIdentifiers) -> Iterator[Found]:
    tokens = tokenise(text)
    labels = list(find_labels(tokens))
    yield from find_known_ids(text, known.ids)
    yield from find_known_names(tokens, known.names)
    yield from find_contacts(text)
    yield from find_ages(text)
    yield from find_dates(text)
    yield from find_numbers(text)
    yield from find_places(text)
    yield from find_in_scripts(text)
    yield from _labelled(text, tokens, labels)
    yield from find_names(text, tokens, labels)


def _labelled(text: str, tokens: list[Token], labels: list[Label]) -> Iterator[Found]:
    for label in labels:
        rule = _LABELLED.get(label.announces)
        if rule:
            yield from rule(text, tokens, label)


def _without_placeholders(text: str, found: Iterable[Found]) -> list[Found]:
    """The ranges in order, overlapping ones joined under the longest's kind, none that touches a placeholder."""
    taken = [(match.start(), match.end()) for match in PLACEHOLDER.finditer(text)]
    starts = [start for start, _ in taken]
    free = [one for one in found if one.end > one.start and not _touches(taken, starts, one)]
    joined: list[Found] = []
    longest = 0
    for one in sorted(free, key=lambda one: (one.start, -one.end)):
        if not joined or one.start >= joined[-1].end:
            joined.append(one)
            longest = one.end - one.start
            continue
        last = joined[-1]
        kind = one.kind if one.end - one.start > longest else last.kind
        longest = max(longest, one.end - one.start)
        joined[-1] = Found(last.start, max(last.end, one.end), kind)
    return joined


def _touches(taken: list[tuple[int, int]], starts: list[int], one: Found) -> bool:
    at = bisect_right(starts, one.end - 1)
    return at > 0 and taken[at - 1][1] > one.start
