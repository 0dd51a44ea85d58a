"""An archive that can be asked: searches, what else is asked with a query, and what there is to ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, get_args

from histoseek.archive.filters.expression import Expression, Where
from histoseek.archive.folder import ArchiveFolder
from histoseek.arguments import describe
from histoseek.errors import InputError
from histoseek.search.maps.map_layout import MOST_SLIDES
from histoseek.search.options import (
    DEFAULT_DEPTH,
    DEFAULT_QUERIES,
    DifferentialKeywords,
    DifferentialOptions,
    ExplainKeywords,
    PhraseKeywords,
    PhraseOptions,
    SearchKeywords,
    SearchOptions,
    choose_differential_options,
    choose_options,
    choose_phrase_options,
)
from histoseek.search.queries import ArchivedSlide, ImageQuery, Query, SlideFile, TextQuery
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import SourceLike

# What one method needs is imported there: a command that lists slides should not wait for what reads them.
if TYPE_CHECKING:
    from histoseek.progress import Reporter
    from histoseek.search.differential import Differential
    from histoseek.search.maps.overview import Overview
    from histoseek.search.phrases.results import PhraseResults
    from histoseek.search.recall import Recall
    from histoseek.search.results import SearchResult, SearchResults
    from histoseek.search.scope.counts import FieldCounts
    from histoseek.search.scope.facets import Facet
    from histoseek.search.scope.fields import FieldFilter
    from histoseek.search.scope.listing import ListOptions, SlideList
    from histoseek.search.scope.trays import Tray, TrayKind
    from histoseek.search.understanding.completions import Completion
    from histoseek.search.understanding.readings import Understanding
    from histoseek.search.words.labels import ZeroShotLabels
    from histoseek.search.worklist import WorklistOptions, WorklistRow


class SearchableArchive(ArchiveFolder):
    """The half of an Archive that reads: what can be asked of it."""

    def search(
        self,
        query: SourceLike | Query | None = None,
        options: SearchOptions | None = None,
        *,
        like: str | None = None,
        text: str | None = None,
        reporter: Reporter | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResults:
        """The slides (or reports) most like a slide file or query object, the archive's slide `like`, or a text.

        options: how to search, or the same as keywords (`SearchOptions`: k, where, by_case, ...). Raises SlideError,
        UnknownSlide, BadFilter, EncoderError, ArchiveError, and ConfigurationError for a min_probability without a
        calibration.
        """
        from histoseek.search.search import search

        asked, chosen = _make_query(query, like, text), choose_options(options, **keywords)
        return self.read(lambda view: search(view, asked, chosen, reporter))

    def explain(
        self,
        query: SourceLike | Query,
        slide_id: str,
        options: SearchOptions | None = None,
        *,
        reporter: Reporter | None = None,
        **keywords: Unpack[ExplainKeywords],
    ) -> SearchResult:
        """The result that one slide of the archive is for a query, with its explanation, whether search returns it or
        not.

        The query is a slide file or query object; of the options to, distance, workers and expand matter. Raises what
        `search` raises, UnknownSlide, and InputError for the query's own slide and for one that has nothing to be
        compared with the query.
        """
        from histoseek.search.search import explain_pair

        asked, chosen = _make_query(query, None, None), choose_options(options, **keywords)
        return self.read(lambda view: explain_pair(view, asked, slide_id, chosen, reporter))

    def phrases(
        self,
        query: SourceLike | Query | None = None,
        options: PhraseOptions | None = None,
        *,
        like: str | None = None,
        reporter: Reporter | None = None,
        **keywords: Unpack[PhraseKeywords],
    ) -> PhraseResults:
        """What a report would say of a region, a picture, a slide or a case: phrases, with the probability that a
        report states each.

        The query is a slide file or query object, or the archive's slide `like`; options: how to ask, or the same as
        keywords (`PhraseOptions`: k, examples, where, ...). Raises what `search` raises, and ArchiveError for an
        archive without reports, or whose regions can't be compared with words.
        """
        from histoseek.search.phrases.find_phrases import find_phrases
        from histoseek.search.regional.opening import open_region_measure

        asked, chosen = _make_query(query, like, None), choose_phrase_options(options, **keywords)
        return self.read(
            lambda view: find_phrases(view, asked, open_region_measure(view, view.store.snapshot()), chosen, reporter)
        )

    def worklist(
        self, slides: Sequence[SourceLike | ImageQuery], options: WorklistOptions | None = None
    ) -> Iterator[WorklistRow]:
        """A row for each of many slides, with what is nearest to it: slide files, or query objects such as
        ArchivedSlide. One that can't be read has its error in the row, and stops no other.

        Raises BadFilter, InputError for an unknown column, ArchiveError.
        """
        from histoseek.search.worklist import make_worklist

        files = (str, Path, SlideSource)
        queries = [SlideFile(slide) if isinstance(slide, files) else slide for slide in slides]
        return make_worklist(self, queries, options)

    def differential(
        self,
        query: SourceLike | Query | None = None,
        options: DifferentialOptions | None = None,
        *,
        like: str | None = None,
        text: str | None = None,
        reporter: Reporter | None = None,
        **keywords: Unpack[DifferentialKeywords],
    ) -> Differential:
        """Two to four diagnoses side by side for a query: the nearest cases of each, what it is mistaken for, and the
        terms that its cases' reports state more often than the others'.

        The query is as for `search`; options: which diagnoses, or the same as keywords (`DifferentialOptions`: labels,
        column, cases, ...). Raises what `search` raises, and InputError where fewer than two diagnoses are left.
        """
        from histoseek.search.differential import build_differential

        asked, chosen = _make_query(query, like, text), choose_differential_options(options, **keywords)
        return build_differential(self, asked, chosen, reporter)

    def facets(
        self, where: Where = None, fields: Sequence[str] | None = None, filters: Sequence[FieldFilter] = ()
    ) -> tuple[Facet, ...]:
        """How many slides have which values: metadata, and what reports state; fields: None for all.

        filters: values that were chosen, of which a field's own do not narrow its counts. Raises ArchiveError for an
        empty archive, InputError for an unknown field, BadFilter.
        """
        from histoseek.search.scope.counts import count_facets

        return self.read(lambda view: count_facets(view, where, filters, fields))

    def count_fields(
        self, where: Where = None, fields: Sequence[str] | None = None, filters: Sequence[FieldFilter] = ()
    ) -> tuple[FieldCounts, ...]:
        """What slides have in each typed column and in what reports state: values with counts, and for numbers and
        dates a histogram; arguments as in `facets`. Raises ArchiveError for an empty archive, InputError, BadFilter.
        """
        from histoseek.search.scope.counts import count_fields

        return self.read(lambda view: count_fields(view, where, filters, fields))

    def list_slides(self, options: ListOptions | None = None) -> SlideList:
        """A page of the archive's slides in an order, by default the newest first, with how many there are.

        Raises InputError, BadFilter.
        """
        from histoseek.search.scope.listing import ListOptions, list_slides

        return self.read(lambda view: list_slides(view, options or ListOptions()))

    def find_tray(self, kind: TrayKind, name: str) -> Tray:
        """All slides of a "patient" or a "case" of this id, case by case, and each of their reports once; one without
        slides where there is none."""
        from histoseek.search.scope.trays import find_tray

        return self.read(lambda view: find_tray(view, kind, name))

    def condition(self, filters: Sequence[FieldFilter]) -> Expression | None:
        """Chosen values as a filter for `where`; None for none. Raises InputError."""
        from histoseek.search.scope.fields import combine_filters

        return self.read(lambda view: combine_filters(view.store, filters))

    def understand(self, text: str) -> Understanding:
        """What a typed or pasted text is made of: names of slides, patients and cases, values and conditions of fields,
        words, what is not wanted, or a whole report; with the query and the filters that follow. Raises InputError.
        """
        from histoseek.search.understanding.understand import understand

        return understand(self, text)

    def completions(self, text: str, most: int = 8) -> tuple[Completion, ...]:
        """What the archive has that begins, or is named, like what is being typed: up to `most` values, and as many
        slides, patients and cases.
        """
        from histoseek.search.understanding.completions import complete

        return complete(self, text, most)

    @property
    def content_version(self) -> str:
        """What identifies the archive's content, cheaply: it changes whenever that does.

        Raises ArchiveError for an empty archive.
        """
        from histoseek.search.maps.overview import content_version

        return self.read(content_version)

    def overview(
        self, label: str | None = None, where: Where = None, most: int = MOST_SLIDES, seed: int = 0
    ) -> Overview:
        """A 2-d map of the slides of a filter by their global vectors, labelled by a metadata column.

        most: slides to draw, each label's share of them as in the archive. Raises BadFilter, InputError for an unknown
        column, ArchiveError for an empty archive.
        """
        from histoseek.search.maps.overview import overview

        return self.read(lambda view: overview(view, label, where, most, seed))

    def recall(
        self,
        queries: int = DEFAULT_QUERIES,
        k: int = DEFAULT_DEPTH,
        where: Where = None,
        seed: int = 0,
        reporter: Reporter | None = None,
    ) -> Recall:
        """How many of the first k results of exact ranking the default search finds, on slides of the archive.

        Raises ArchiveError for an archive without slides to compare, ConfigurationError for less than one query,
        BadFilter.
        """
        from histoseek.search.recall import recall

        return self.read(lambda view: recall(view, queries, k, where, seed, reporter))

    def label_zero_shot(self, labels: Sequence[str], where: Where = None, *, single: bool = False) -> ZeroShotLabels:
        """Which label each slide fits best by the words of its tile encoder (`search.words.labels`)."""
        from histoseek.search.words.labels import label_zero_shot

        return self.read(lambda view: label_zero_shot(view, labels, where, single=single))


def _make_query(query: SourceLike | Query | None, like: str | None, text: str | None) -> Query:
    for name, given in (("like", like), ("text", text)):
        if given is not None and not isinstance(given, str):
            raise InputError(f"search {name}", f"{describe(given)} is no text", "Give a text, or a query object")
    if sum(each is not None for each in (query, like, text)) != 1:
        advice = "Give one of the three"
        raise InputError("search", "needs a slide file or query, the id of an archived slide, or a text", advice)
    if like is not None:
        return ArchivedSlide(like)
    if text is not None:
        return TextQuery(text)
    if isinstance(query, str | Path | SlideSource):
        return SlideFile(query)
    if not isinstance(query, get_args(Query)):
        advice = "Give a slide file, a query such as ArchivedSlide or EncodedSlide, like=ID, or text=WORDS"
        raise InputError("search", f"cannot search with {describe(query)}", advice)
    return query
