"""How to search: one typed object, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, TypedDict, TypeVar, Unpack, get_args

from histoseek.archive.filters.expression import Where
from histoseek.arguments import settle_count, settle_fields
from histoseek.errors import ConfigurationError, InputError

MOST_RESULTS = 100_000

MOST_PHRASES, MOST_EXAMPLES = 200, 10

Options = TypeVar("Options", "SearchOptions", "PhraseOptions", "DifferentialOptions")

Target = Literal["slides", "reports", "regions", "cases"]

_FLAGS = {"k": "-k"} | {name: f"--{name}" for name in ("offset", "candidates", "workers", "examples")}

FEWEST_CANDIDATES = 1000
_FEW_SLIDES, _MANY_SLIDES = 10**5, 10**6
"""Candidates grow with the square root of the number of slides in between: 3,162 of 10^6 (docs/decisions/0101)."""

DEFAULT_LABEL = "diagnosis"
"""The metadata column that probabilities are of."""

FALSE_ALARMS = 0.05
"""The share of queries of an archive's own kind that are said to be unlike it, unless another is asked for."""

DEFAULT_QUERIES = 200
DEFAULT_DEPTH = 10
"""How many slides to measure the default search with, and how many results of each."""


@dataclass(frozen=True, slots=True)
class CandidateCount:
    """How many candidates to rank: so many, or, where it grows, what the number of slides asks for if that is more."""

    least: int
    grows: bool = False

    def among(self, slides: int) -> int:
        """How many of so many slides."""
        if not self.grows or slides <= _FEW_SLIDES:
            return self.least
        return max(self.least, int(FEWEST_CANDIDATES * math.sqrt(min(slides, _MANY_SLIDES) / _FEW_SLIDES)))


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search.

    k: results wanted; offset: how many better ones to pass over; to: what to find; where: filter (docs/metadata.md);
    same_patient: let the query's patient (or, where that is not known, its case) be found; distance: between slides,
    None for the one that suits the query; exact: rank all slides instead of `candidates`, by default 1,000, and up to
    3,162 where over 100,000 slides may be found; by_case: one result a case, its nearest slide; workers: threads that
    read the query; min_probability: leave out results that are less likely to share the query's label; vote: the
    metadata column that results vote on; expand: look for what a text names however reports write it, and, with less
    weight, for what that is a kind of; verbatim: take words as they are spelled, even where nobody knows them.
    """

    k: int = 5
    offset: int = 0
    to: Target = "slides"
    where: Where = None
    same_patient: bool = False
    distance: str | None = None
    exact: bool = False
    candidates: int | None = None
    by_case: bool = False
    workers: int = 2
    min_probability: float | None = None
    vote: str | None = None
    expand: bool = True
    verbatim: bool = False

    def __post_init__(self) -> None:
        self._require_types()
        if self.k < 1:
            raise ConfigurationError("-k", f"{self.k} is too few", "Ask for at least one result")
        if self.offset < 0:
            raise ConfigurationError("--offset", f"{self.offset} is below 0", "Give how many results to pass over")
        if self.last > MOST_RESULTS:
            raise ConfigurationError("-k", f"{self.last} is too many", f"Ask for at most {MOST_RESULTS:,}")
        for name in ("candidates", "workers"):
            if getattr(self, name) is not None:
                settle_count(getattr(self, name), _FLAGS[name], 1)
        if self.to not in get_args(Target):
            raise ConfigurationError("--to", f"{self.to!r} can't be found", "Ask for slides, reports, regions or cases")
        if self.min_probability is not None and not 0 <= self.min_probability <= 1:
            what = f"{self.min_probability} is not a probability"
            raise ConfigurationError("--min-probability", what, "Give a number from 0 to 1")

    def _require_types(self) -> None:
        for name in ("k", "offset", "candidates", "workers"):
            value = getattr(self, name)
            if value is None and name == "candidates":
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise ConfigurationError(_FLAGS[name], f"{value!r} is no whole number", "Give a number such as 5")
        if isinstance(self.min_probability, bool) or not isinstance(self.min_probability, Real | None):
            what = f"{self.min_probability!r} is no number"
            raise ConfigurationError("--min-probability", what, "Give a number from 0 to 1")
        # A filter is checked where the columns are known.
        settle_fields(self, "search", but={"to", "where"}, kind=ConfigurationError)
        for name in ("distance", "vote"):
            if getattr(self, name) == "":
                raise ConfigurationError(f"search {name}", "is empty", "Give a name, or leave it out")

    @property
    def last(self) -> int:
        """The rank of the last result wanted."""
        return self.offset + self.k

    @property
    def candidate_count(self) -> CandidateCount:
        """How many candidates to rank."""
        return CandidateCount(self.channel_count, grows=self.candidates is None)

    @property
    def channel_count(self) -> int:
        """How many slides a channel of texts may give."""
        return max(self.candidates or FEWEST_CANDIDATES, self.last)

    @property
    def where_text(self) -> str | None:
        """The filter as text."""
        return str(self.where) if self.where is not None else None


@dataclass(frozen=True, slots=True)
class PhraseOptions:
    """How to ask what a report would say of an image.

    k: phrases wanted; examples: slides to name for each, whose reports state it; where: of which slides the reports
    count (docs/metadata.md); same_patient: count those of the query's patient (or, where that is not known, its case)
    as well; workers: threads that read the query.
    """

    k: int = 10
    examples: int = 2
    where: Where = None
    same_patient: bool = False
    workers: int = 2

    def __post_init__(self) -> None:
        settle_fields(self, "phrases", but={"where"}, kind=ConfigurationError)
        for name, least, most in (("k", 1, MOST_PHRASES), ("examples", 0, MOST_EXAMPLES), ("workers", 1, None)):
            count = settle_count(getattr(self, name), _FLAGS[name], least)
            if most is not None and count > most:
                raise ConfigurationError(_FLAGS[name], f"{count} is too many", f"Ask for at most {most}")

    @property
    def scope(self) -> SearchOptions:
        """What slides may count, as searches say it."""
        return SearchOptions(where=self.where, same_patient=self.same_patient)


FEWEST_COLUMNS, MOST_COLUMNS = 2, 4
"""Diagnoses that can be weighed against each other at once."""

MOST_COLUMN_CASES, MOST_COLUMN_PATIENTS, MOST_TERMS = 20, 50, 50


@dataclass(frozen=True, slots=True)
class DifferentialOptions:
    """How to weigh diagnoses against each other.

    labels: two to four of them, none: those that are nearest to the query; column: of the metadata that has them, None:
    that of the calibration, or "diagnosis"; cases: nearest ones wanted of each; patients: the nearest of each whose
    reports are compared; terms: wanted of each; where: of which slides (docs/metadata.md); same_patient: let those of
    the query's patient (or, where that is not known, its case) count; workers: threads that read the query.
    """

    labels: tuple[str, ...] = ()
    column: str | None = None
    cases: int = 4
    patients: int = 12
    terms: int = 8
    where: Where = None
    same_patient: bool = False
    workers: int = 2

    def __post_init__(self) -> None:
        settle_fields(self, "differential", but={"where"}, kind=ConfigurationError)
        object.__setattr__(self, "labels", tuple(dict.fromkeys(self.labels)))
        if self.labels and not FEWEST_COLUMNS <= len(self.labels) <= MOST_COLUMNS:
            what = f"{len(self.labels)} can't be weighed against each other"
            raise ConfigurationError(
                "--label", what, f"Give {FEWEST_COLUMNS} to {MOST_COLUMNS} different ones, or none"
            )
        for name, least, most in _COUNTED:
            count = settle_count(getattr(self, name), f"--{name}", least)
            if most is not None and count > most:
                raise ConfigurationError(f"--{name}", f"{count} is too many", f"Ask for at most {most}")


_COUNTED = (
    ("cases", 1, MOST_COLUMN_CASES),
    ("patients", 1, MOST_COLUMN_PATIENTS),
    ("terms", 0, MOST_TERMS),
    ("workers", 1, None),
)


class SearchKeywords(TypedDict, total=False):
    """SearchOptions spelt as keywords; what is left out has the default there."""

    k: int
    offset: int
    to: Target
    where: Where
    same_patient: bool
    distance: str | None
    exact: bool
    candidates: int | None
    by_case: bool
    workers: int
    min_probability: float | None
    vote: str | None
    expand: bool
    verbatim: bool


class PhraseKeywords(TypedDict, total=False):
    """PhraseOptions spelt as keywords."""

    k: int
    examples: int
    where: Where
    same_patient: bool
    workers: int


class DifferentialKeywords(TypedDict, total=False):
    """DifferentialOptions spelt as keywords."""

    labels: tuple[str, ...]
    column: str | None
    cases: int
    patients: int
    terms: int
    where: Where
    same_patient: bool
    workers: int


class ExplainKeywords(TypedDict, total=False):
    """Those of SearchKeywords that matter when a query is compared with one slide."""

    to: Target
    distance: str | None
    workers: int
    expand: bool
    verbatim: bool


def choose_options(options: SearchOptions | None, **keywords: Unpack[SearchKeywords]) -> SearchOptions:
    """The options, or those that keywords spell; raises InputError for both, ConfigurationError for values."""
    return _choose("search", SearchOptions, options, keywords)


def choose_phrase_options(options: PhraseOptions | None, **keywords: Unpack[PhraseKeywords]) -> PhraseOptions:
    """The options, or those that keywords spell; raises InputError for both, ConfigurationError for values."""
    return _choose("phrases", PhraseOptions, options, keywords)


def choose_differential_options(
    options: DifferentialOptions | None, **keywords: Unpack[DifferentialKeywords]
) -> DifferentialOptions:
    """The options, or those that keywords spell; raises InputError for both, ConfigurationError for values."""
    return _choose("differential", DifferentialOptions, options, keywords)


def _choose(work: str, kind: type[Options], options: object, keywords: Mapping[str, Any]) -> Options:
    if options is not None and not isinstance(options, kind):
        what = f"has options of type {type(options).__name__}"
        raise InputError(work, what, f"Give {kind.__name__}(...), or keywords such as k=5")
    known = [field.name for field in fields(kind)]
    unknown = next((name for name in keywords if name not in known), None)
    if unknown is not None:
        raise TypeError(f"{work} has no option {unknown!r}; there are {', '.join(known)}")
    if options is None:
        return kind(**keywords)
    if keywords:
        names = ", ".join(sorted(keywords))
        raise InputError(work, f"has options and {names} beside them", "Give either options or keywords")
    return options
