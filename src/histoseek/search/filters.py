"""What a search leaves out: what the user's filter says, and the query itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from histoseek.archive.archive import Archive
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.sql import both, either, in_list, unless
from histoseek.errors import ArchiveError
from histoseek.search.options import SearchOptions

HAS_REPORT = "report IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Searchable:
    """Which slides may be found: where: what they satisfy; own: what the query's own satisfy, which are left out.

    Kept apart since the store remembers the slides of a filter that comes again.
    """

    where: str | None
    own: str | None

    @classmethod
    def of(
        cls,
        store: Store,
        options: SearchOptions,
        patient_id: str | None,
        case_id: str | None = None,
        slide_ids: Sequence[str] = (),
    ) -> Searchable:
        """By the user's filter, checked on its own, without the query's slides and their patient (or, where that is
        not known, their case); raises BadFilter."""
        if options.where is not None:
            store.count(options.where)
        own = [in_list("slide_id", slide_ids)] if slide_ids else []
        if not options.same_patient and patient_id:
            own.append(in_list("patient_id", [patient_id]))
        elif not options.same_patient and case_id:
            own.append(in_list("case_id", [case_id]))
        where = both(options.where, HAS_REPORT) if options.to == "reports" else options.where
        return cls(where, either(*own))

    @property
    def condition(self) -> str | None:
        """Both as one condition; empty columns are nobody's."""
        return both(self.where, unless(self.own))

    def unfiltered(self) -> Searchable:
        """All slides but the query's own."""
        return replace(self, where=None)


def require_words(archive: Archive, options: SearchOptions) -> None:
    """Raise ArchiveError when there is nothing that a text, or a search for reports, could be compared with."""
    if archive.store.count(HAS_REPORT) or (archive.settled_space.has_alignment and options.to == "slides"):
        return
    what = "it has no reports" if options.to == "reports" else "it has no reports and no space shared with texts"
    advice = "Index reports (--reports), or use weights that know texts"
    raise ArchiveError(str(archive.path), what, advice)
