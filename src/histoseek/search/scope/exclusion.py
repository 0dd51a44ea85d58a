"""What a search leaves out: what the user's filter says, and the query itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from histoseek.archive.filters.expression import HAS_REPORT, NO_PATIENT, Expression, all_of, any_of, not_true, one_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord, is_storable
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import ArchiveError
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.search.kept import KeptByVersion
from histoseek.search.options import SearchOptions


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a query is, as far as known: patients by id or by name, as they were given and as the archive has them, and
    the cases of slides whose patient the archive does not know.

    patient_cases: cases of slides whose patient it knows, of which other slides may lack the patient.
    """

    patient_ids: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    patient_cases: tuple[str, ...] = ()

    @classmethod
    def from_query(cls, patient_id: str | None, record: SlideRecord | None = None) -> Owner:
        """The patient given with a query, and that of a slide of the archive."""
        stored = record.patient_id if record else None
        patients = [patient for patient in (patient_id, stored) if patient and make_patient_key(patient)]
        cases = (record.case_id,) if record and record.case_id else ()
        is_known = stored in patients
        return cls(tuple(dict.fromkeys(patients)), () if is_known else cases, cases if is_known else ())

    @classmethod
    def merge(cls, owners: Sequence[Owner]) -> Owner:
        """The patients and cases of several slides."""
        names = ([owner.patient_ids, owner.case_ids, owner.patient_cases] for owner in owners)
        return cls(*(tuple(dict.fromkeys(chain.from_iterable(values))) for values in zip(*names, strict=True)))

    @property
    def is_known(self) -> bool:
        """Whether anything is known."""
        return bool(self.patient_ids or self.case_ids)


class OwnedSlides(Protocol):
    """Slides at S places, with whose they are: text [S], "" where not known."""

    @property
    def patient_ids(self) -> NDArray[np.str_]:
        """Of whom each is."""

    def __len__(self) -> int:
        """How many places there are."""

    def places_of(self, slide_ids: Sequence[str]) -> NDArray[np.int64]:
        """Where those of some slides stand that there are."""

    def places_of_patient(self, patient_id: str) -> NDArray[np.int64]:
        """Where the slides of a patient stand."""

    def places_of_case(self, case_id: str) -> NDArray[np.int64]:
        """Where the slides of a case stand."""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Slides that a search leaves out: by id, all of some patients and cases, as the archive spells them, and those of
    some further cases whose patient is not known (patient_cases).

    They are left out by a condition where the engine searches, by a mask where the arrays of a store are gone through.
    """

    slide_ids: tuple[str, ...] = ()
    patient_ids: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    patient_cases: tuple[str, ...] = ()

    @property
    def condition(self) -> Expression | None:
        """What these slides satisfy, None without any."""
        columns = {"slide_id": self.slide_ids, "patient_id": self.patient_ids, "case_id": self.case_ids}
        nobodys = all_of(one_of("case_id", self.patient_cases), NO_PATIENT) if self.patient_cases else None
        return any_of(*(one_of(column, values) for column, values in columns.items() if values), nobodys)

    def places(self, rows: OwnedSlides) -> NDArray[np.int64]:
        """Which rows are left out, ascending."""
        found = [rows.places_of(self.slide_ids)]
        found += [rows.places_of_patient(patient_id) for patient_id in self.patient_ids]
        found += [rows.places_of_case(case_id) for case_id in self.case_ids]
        for case_id in self.patient_cases:
            places = rows.places_of_case(case_id)
            found.append(places[rows.patient_ids[places] == ""])
        return np.unique(np.concatenate(found))

    def mask(self, rows: OwnedSlides) -> NDArray[np.bool_]:
        """Which rows are not left out, bool [S]."""
        mask = np.ones(len(rows), np.bool_)
        mask[self.places(rows)] = False
        return mask


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Which slides a search may return: those that satisfy a filter, without some that are left out."""

    where: Expression | None = None
    exclusions: Exclusions = Exclusions()

    @classmethod
    def from_options(
        cls, store: SlideTable, options: SearchOptions, owner: Owner, slide_ids: Sequence[str] = ()
    ) -> SearchScope:
        """By the user's filter, without the query's own slides and all others of their owner; raises BadFilter."""
        exclusions = Exclusions(tuple(slide_ids))
        if not options.same_patient:
            patients = find_stored_patients(store, owner.patient_ids)
            exclusions = replace(
                exclusions, patient_ids=patients, case_ids=owner.case_ids, patient_cases=owner.patient_cases
            )
        return cls(all_of(store.filter(options.where), HAS_REPORT if options.to == "reports" else None), exclusions)

    @property
    def condition(self) -> Expression | None:
        """The whole as one condition; an empty column belongs to nobody."""
        return all_of(self.where, not_true(self.exclusions.condition))

    def places(self, store: SlideTable) -> NDArray[np.int64]:
        """Where its slides stand among the rows that the store keeps at hand, ascending; raises BadFilter."""
        return leave_out(*self.split(store))

    def split(self, store: SlideTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the slides that satisfy its filter stand, and where those do that are left out, both ascending.

        The filter is asked for apart from what is left out, so that the store remembers it between queries.
        Raises BadFilter.
        """
        return store.ranking_places(self.where), self.exclusions.places(store.ranking_rows())

    def without_filter(self) -> SearchScope:
        """All slides but those that are left out."""
        return replace(self, where=None)

    def narrow(self, *conditions: Expression | None) -> SearchScope:
        """The slides that satisfy further conditions as well."""
        return replace(self, where=all_of(self.where, *conditions))

    def count_left_out(self, store: SlideTable, narrowed: SearchScope) -> int | None:
        """How many slides a narrower scope has less, None where it is the same."""
        if narrowed == self:
            return None
        return store.count(self.condition) - store.count(narrowed.condition)

    def without(self, slide_ids: Sequence[str]) -> SearchScope:
        """Without some more slides."""
        exclusions = self.exclusions
        return replace(self, exclusions=replace(exclusions, slide_ids=(*exclusions.slide_ids, *slide_ids)))


def leave_out(places: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places, ascending, that are not among some others."""
    ranks = np.searchsorted(places, others)
    there = ranks < len(places)
    ranks = ranks[there][places[ranks[there]] == others[there]]
    return np.delete(places, ranks) if len(ranks) else places


_UNUSUAL_ID = r"[^!-~]|[,^]|^[^0-9]*$"
_spellings = KeptByVersion[Mapping[str, tuple[str, ...]]]()


def find_stored_patients(store: SlideTable, patient_ids: Sequence[str]) -> tuple[str, ...]:
    """The ids that a store has for some patients, who may be given by name.

    Archives keep a pseudonym in place of a name, some keep the name, in whatever way each table writes it.
    """
    if not patient_ids:
        return ()
    spellings = _spellings.get(store, lambda: _read_unusual_spellings(store))
    keys = dict.fromkeys(key for key in map(make_patient_key, patient_ids) if key)
    return tuple(
        dict.fromkeys(patient for key in keys for patient in (key, *spellings.get(key, ())) if is_storable(patient))
    )


def _read_unusual_spellings(store: SlideTable) -> Mapping[str, tuple[str, ...]]:
    """By the keys of patients, those ids in a store that are not their key."""
    ids = store.columns(["patient_id"], None)["patient_id"].unique()
    spellings: dict[str, tuple[str, ...]] = {}
    for stored in ids.filter(pc.match_substring_regex(ids, _UNUSUAL_ID)).to_pylist():
        key = make_patient_key(stored)
        if key and key != stored:
            spellings[key] = (*spellings.get(key, ()), stored)
    return spellings


def require_words(archive: ArchiveFolder, options: SearchOptions) -> None:
    """Raise ArchiveError when there is nothing that a text, or a search for reports, could be compared with."""
    if archive.store.count(HAS_REPORT) or (archive.require_space().has_alignment and options.to == "slides"):
        return
    if options.to == "reports":
        advice = "Index reports (--reports), or use weights that were trained with texts"
        raise ArchiveError(archive.address, "it has no reports", advice)
    if not archive.store.record_analyser:
        advice = "Run `histoseek upgrade`, so that metadata and names are searched, or index reports (--reports)"
        raise ArchiveError(archive.address, "it has no reports, and its metadata were not read for words", advice)
