"""Searches of several archives at once."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from histoseek.rest.base import Response, make_example_config
from histoseek.rest.queries import SearchRequest
from histoseek.rest.results import Result
from histoseek.rest.workspace import ArchiveName

MOST_ARCHIVES = 20
MOST_OFFSET = 1000


class SeveralSearchRequest(SearchRequest):
    """A search of several archives; fields as in a search of one.

    archives: their names, null for all of the server, at most 20; home: the archive that the query's slides, case or
    report are of, needed where it names some. A vote is taken where an archive has the column; an archive that lacks a
    column of the filter is left out.
    """

    model_config = make_example_config(
        {"query": {"kind": "text", "text": "papillary structures"}, "k": 10},
        {
            "query": {"kind": "slide", "slide": {"slide_id": "SLIDE-1"}},
            "home": "kidney",
            "archives": ["kidney", "bladder"],
        },
    )

    archives: tuple[ArchiveName, ...] | None = Field(default=None, min_length=1, max_length=MOST_ARCHIVES)
    home: ArchiveName | None = None

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.marks is not None:
            raise ValueError("judged slides are of one archive: search several without marks")
        if self.offset > MOST_OFFSET:
            raise ValueError(f"offset may be at most {MOST_OFFSET}")
        return self


class ArchiveResult(Response):
    """A result of one of several archives; rank: in the merged list, result.rank is that in its archive."""

    archive: str
    rank: int
    result: Result


class ArchiveOutcome(Response):
    """What became of the search in one archive; error: why it was not searched, null where it was.

    results: how many it gave; unlike: the query is unlike anything in it; nothing_fits: not even its best result fits
    the query's words.
    """

    name: str
    error: str | None
    results: int = 0
    calibrated_for: str | None = None
    unlike: bool = False
    nothing_fits: bool = False
    warnings: tuple[str, ...] = ()


class SeveralSearchResponse(Response):
    """Results of several archives, best first; field_um: the edge of all fields in µm, null where none has any.

    merged_by: "probability" where each archive has a probability for the same label, else "rank": the scores of
    different archives can't be compared, so their results are taken in turn.
    """

    merged_by: Literal["probability", "rank"]
    elapsed_ms: float
    results: tuple[ArchiveResult, ...]
    archives: tuple[ArchiveOutcome, ...]
    next_offset: int | None
    field_um: float | None
