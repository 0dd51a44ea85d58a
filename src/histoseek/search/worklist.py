"""Worklists: many slides in, one table out, with what the archive has nearest to each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from histoseek.archive.filters.expression import Where
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import read_value
from histoseek.arguments import settle_count
from histoseek.errors import ArchiveError, ConfigurationError, HistoseekError, InputError
from histoseek.search.options import DEFAULT_LABEL, PhraseOptions, SearchOptions
from histoseek.search.phrases.find_phrases import find_phrases
from histoseek.search.queries import ArchivedSlide, ImageQuery, SlideFile
from histoseek.search.regional.opening import has_region_measure, open_region_measure
from histoseek.search.results import SearchResult
from histoseek.search.search import search
from histoseek.slides.sources.registry import source_name

MOST_NEAREST, MOST_PHRASES = 20, 10


@dataclass(frozen=True, slots=True)
class WorklistOptions:
    """What to say of each slide.

    k: nearest slides to name; label: the metadata column that says what they are; phrases: what a report would say, so
    many of the likeliest, none where the archive can't tell; where: which slides may be named; same_patient: also those
    of the slide's own patient.
    """

    k: int = 5
    label: str = DEFAULT_LABEL
    phrases: int = 3
    where: Where = None
    same_patient: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (("k", 1, MOST_NEAREST), ("phrases", 0, MOST_PHRASES)):
            if settle_count(getattr(self, name), name, least) > most:
                raise ConfigurationError(name, f"{getattr(self, name)} is too many", f"Ask for at most {most}")

    def to_search_options(self) -> SearchOptions:
        """The search for the nearest slides of one."""
        return SearchOptions(k=self.k, where=self.where, same_patient=self.same_patient, vote=self.label)


@dataclass(frozen=True, slots=True)
class NearestSlide:
    """A slide of the archive near one of a worklist; probability: that both have the same label, None if not known."""

    slide_id: str
    file_name: str
    label: str | None
    probability: float | None
    score: float


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One slide of a worklist, and what the archive says of it.

    name: of its file, or its id; label and probability: the likeliest label, and how probable it is, None where that
    is not calibrated; agreement: what the nearest patients vote for, as a sentence; unlike: it is unlike anything in
    the archive; phrases: what a report would say, likeliest first; error: why it could not be asked with.
    """

    name: str
    slide_id: str | None = None
    label: str | None = None
    probability: float | None = None
    agreement: str = ""
    unlike: bool = False
    nearest: tuple[NearestSlide, ...] = ()
    phrases: tuple[str, ...] = field(default=())
    error: str | None = None


def check_worklist(archive: ArchiveFolder, options: WorklistOptions) -> None:
    """Raise what every slide of a worklist would: BadFilter, InputError for an unknown column, ArchiveError."""
    archive.require_space()
    if options.label not in archive.store.metadata_types():
        raise InputError(options.label, "the archive has no such column", "Name one of its metadata columns")
    archive.store.filter(options.where)


def make_worklist(
    archive: ArchiveFolder, queries: Sequence[ImageQuery], options: WorklistOptions | None = None
) -> Iterator[WorklistRow]:
    """A row for each slide, one after the other; one that can't be asked with has its error and stops no other.

    Raises BadFilter, InputError for an unknown column, ArchiveError.
    """
    chosen = options or WorklistOptions()
    check_worklist(archive, chosen)
    return (_try_row(archive, query, chosen) for query in queries)


def make_worklist_row(archive: ArchiveFolder, query: ImageQuery, options: WorklistOptions) -> WorklistRow:
    """What the archive says of one slide; raises what `search` raises."""
    return archive.read(lambda view: _make_row(view, query, options))


def _try_row(archive: ArchiveFolder, query: ImageQuery, options: WorklistOptions) -> WorklistRow:
    try:
        return make_worklist_row(archive, query, options)
    except ArchiveError:
        raise
    except HistoseekError as error:
        name, slide_id = _name_query(query)
        return WorklistRow(name, slide_id, error=str(error))


def _make_row(archive: ArchiveFolder, query: ImageQuery, options: WorklistOptions) -> WorklistRow:
    results = search(archive, query, options.to_search_options())
    likeliest = results.labels.shares[0] if results.labels and results.labels.shares else None
    is_of_label = results.labels is not None and results.labels.column == options.label
    name, slide_id = _name_query(query)
    return WorklistRow(
        # A file is called by its own name, also where the archive has a slide of the same content under another.
        name=source_name(results.query.slides[0].uri) if slide_id and results.query.slides else name,
        slide_id=slide_id,
        label=likeliest.label if likeliest and is_of_label else None,
        probability=likeliest.share if likeliest and is_of_label else None,
        agreement=results.vote_.sentence if results.vote_ else "",
        unlike=results.is_novel,
        nearest=tuple(_to_nearest(result, options.label) for result in results),
        phrases=_list_phrases(archive, query, options),
    )


def _to_nearest(result: SearchResult, label: str) -> NearestSlide:
    record = result.record
    said = read_value(record, label) or None
    return NearestSlide(record.slide_id, source_name(record.uri), said, result.probability, result.score)


def _list_phrases(archive: ArchiveFolder, query: ImageQuery, options: WorklistOptions) -> tuple[str, ...]:
    """None where the archive can't tell."""
    if not options.phrases or not has_region_measure(archive, archive.store):
        return ()
    asked = PhraseOptions(k=options.phrases, examples=0, where=options.where, same_patient=options.same_patient)
    try:
        measure = open_region_measure(archive, archive.store.snapshot())
        return tuple(result.name for result in find_phrases(archive, query, measure, asked))
    except (ArchiveError, InputError):
        return ()


def _name_query(query: ImageQuery) -> tuple[str, str | None]:
    if isinstance(query, ArchivedSlide):
        return query.slide_id, query.slide_id
    if isinstance(query, SlideFile):
        return PurePath(str(query.path)).name, None
    return getattr(query, "name", type(query).__name__), None


def list_columns(options: WorklistOptions) -> tuple[str, ...]:
    """The columns of a worklist as a table."""
    nearest = (
        name
        for place in range(1, options.k + 1)
        for name in (f"nearest {place}", f"{options.label} of nearest {place}", f"score of nearest {place}")
    )
    likely = (f"likely {options.label}", "probability", "agreement", "unlike the archive")
    return ("slide", "slide_id", *likely, *nearest, "phrases", "error")


def to_cells(row: WorklistRow, options: WorklistOptions) -> tuple[str | float | bool | None, ...]:
    """A row's cells, one a column."""
    cells: list[str | float | bool | None] = []
    for near in row.nearest[: options.k]:
        cells += [near.slide_id, near.label, round(near.score, 4)]
    cells += [None] * (3 * options.k - len(cells))
    probability = None if row.probability is None else round(row.probability, 4)
    verdict = (row.label, probability, row.agreement, row.unlike)
    return (row.name, row.slide_id, *verdict, *cells, "; ".join(row.phrases), row.error)
