"""What a search leaves out: what the user's filter says, and the query itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from histoseek.archive.folder import Archive
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.sql import both, either, in_list, unless
from histoseek.errors import ArchiveError
from histoseek.reports.privacy.person_names import pseudonymous
from histoseek.search.options import SearchOptions

HAS_REPORT = "report IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Own:
    """The query's own slides, which it never finds: by id, and all of a patient or of a case.

    A patient may be named: archives keep a pseudonym in place of a name, some keep the name.
    """

    slide_ids: tuple[str, ...] = ()
    patient_id: str | None = None
    case_id: str | None = None

    @property
    def condition(self) -> str | None:
        """What the own slides satisfy, None without any."""
        patients = {self.patient_id, pseudonymous(self.patient_id)} if self.patient_id else ()
        named = {"slide_id": self.slide_ids, "patient_id": sorted(patients), "case_id": (self.case_id,)}
        return either(*(in_list(column, [v for v in values if v]) for column, values in named.items() if any(values)))


@dataclass(frozen=True, slots=True)
class Searchable:
    """Which slides may be found: those that satisfy a filter, without the query's own."""

    where: str | None
    own: Own

    @classmethod
    def of(
        cls,
        options: SearchOptions,
        patient_id: str | None,
        case_id: str | None = None,
        slide_ids: Sequence[str] = (),
    ) -> Searchable:
        """By the user's filter, without the query's slides and their patient (or, where that is not known, their
        case)."""
        own = Own(tuple(slide_ids))
        if not options.same_patient:
            own = Own(own.slide_ids, patient_id, None if patient_id else case_id)
        where = both(options.where, HAS_REPORT) if options.to == "reports" else options.where
        return cls(where, own)

    @property
    def condition(self) -> str | None:
        """Both as one condition; empty columns are nobody's."""
        return both(self.where, unless(self.own.condition))

    def unfiltered(self) -> Searchable:
        """All slides but the query's own."""
        return replace(self, where=None)


def check_filter(store: Store, options: SearchOptions) -> None:
    """Look at the user's filter on its own, before it becomes part of another; raises BadFilter."""
    if options.where is not None:
        store.count(options.where)


def require_words(archive: Archive, options: SearchOptions) -> None:
    """Raise ArchiveError when there is nothing that a text, or a search for reports, could be compared with."""
    if archive.store.count(HAS_REPORT) or (archive.settled_space.has_alignment and options.to == "slides"):
        return
    what = "it has no reports" if options.to == "reports" else "it has no reports and no space shared with texts"
    advice = "Index reports (--reports), or use weights that know texts"
    raise ArchiveError(str(archive.path), what, advice)
