"""What an archive has got since somebody looked last: slides of a filter, or among the results of a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from histoseek.archive.filters.expression import Expression, Where, all_of, compare, not_true, one_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query
from histoseek.search.scope.listing import ListOptions, list_slides
from histoseek.search.search import search


@dataclass(frozen=True, slots=True)
class LastLook:
    """When somebody looked last, and at what.

    seen: the time of the look; known: ids of slides that were seen then; since: what bears a later time than this and
    was not seen is new, somewhat before `seen`, as slides bear the time at which they are read, and are there later.
    """

    seen: datetime
    since: datetime
    known: frozenset[str] = frozenset()

    def is_news(self, record: SlideRecord) -> bool:
        """Whether a slide came or changed after the look."""
        return record.updated > (self.seen if record.slide_id in self.known else self.since)

    def to_condition(self) -> Expression | None:
        """The same as a filter."""
        if not self.known:
            return compare("updated", ">", self.since)
        was_seen = all_of(one_of("slide_id", sorted(self.known)), compare("updated", "<=", self.seen))
        return all_of(compare("updated", ">", self.since), not_true(was_seen))


@dataclass(frozen=True, slots=True)
class News:
    """Slides that were added or changed, the latest first; count: of all of them, of which some are listed."""

    records: tuple[SlideRecord, ...] = ()
    count: int = 0


def count_news(archive: ArchiveFolder, where: Where, look: LastLook) -> int:
    """How many slides of a filter were added or changed after a look; raises BadFilter."""
    return archive.read(lambda view: view.store.count(_join(view, where, look)) if view.space else 0)


def list_news(archive: ArchiveFolder, where: Where, look: LastLook, most: int = 100) -> News:
    """The latest slides of a filter that were added or changed after a look; raises BadFilter."""

    def find(view: ArchiveFolder) -> News:
        if view.space is None:
            return News()
        latest = ListOptions(where=_join(view, where, look), sort="updated", limit=most)
        listed = list_slides(view, latest)
        return News(_order(listed.records), listed.total)

    return archive.read(find)


def find_news(archive: ArchiveFolder, query: Query, options: SearchOptions, look: LastLook) -> News:
    """The slides among the first k results of a question that were added or changed after a look.

    Nothing is searched where no slide was. Raises what `search` raises.
    """
    if not count_news(archive, options.where, look):
        return News()
    records = {result.slide_id: result.record for result in search(archive, query, options)}
    changed = [record for record in records.values() if look.is_news(record)]
    return News(_order(changed), len(changed))


def _join(archive: ArchiveFolder, where: Where, look: LastLook) -> Expression | None:
    return all_of(archive.store.filter(where), look.to_condition())


def _order(records: Sequence[SlideRecord]) -> tuple[SlideRecord, ...]:
    return tuple(sorted(records, key=lambda record: (record.updated, record.slide_id), reverse=True))
