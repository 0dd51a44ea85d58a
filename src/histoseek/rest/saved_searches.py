"""Saved searches: questions and conditions that tell of new slides."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, Field, JsonValue, model_validator

from histoseek.rest.archives import FieldFilter, Slide
from histoseek.rest.base import Request, Response, ShortText, SlideId, make_example_config
from histoseek.rest.queries import SearchRequest
from histoseek.rest.workspace import ArchiveName


class SlideCondition(Request):
    """Which slides of an archive are meant, without a question: all that satisfy a filter and chosen values."""

    where: str | None = Field(default=None, max_length=2000)
    filters: tuple[FieldFilter, ...] = Field(default=(), max_length=50)


class SavedSearchContent(Request):
    """A search to be saved: a question with its settings (search), or slides without a question (browse).

    Names of persons and other identifiers in its texts are replaced before it is stored. A question with an upload
    can't be saved, as the upload will be deleted.
    """

    model_config = make_example_config(
        {
            "archive": "kidney",
            "name": "papillary with necrosis",
            "search": {"query": {"kind": "text", "text": "papillary carcinoma with necrosis"}, "k": 20},
        },
        {
            "archive": "kidney",
            "name": "new renal biopsies",
            "browse": {"filters": [{"field": "organ", "values": ["kidney"]}]},
        },
    )

    archive: ArchiveName
    name: ShortText
    search: SearchRequest | None = None
    browse: SlideCondition | None = None

    @model_validator(mode="after")
    def _check_exclusive(self) -> Self:
        if (self.search is None) == (self.browse is None):
            raise ValueError("give either search or browse")
        return self


class SavedSearchName(Request):
    """Another name for a saved search."""

    model_config = make_example_config({"name": "papillary, all grades"})

    name: ShortText


class SavedSearch(Response):
    """A saved search of yours; search and browse: as they were saved, without identifiers, one of them null.

    seen: when you looked at its news last, and at first when it was saved; new: how many slides came or changed since
    that satisfy a condition, null for a question, whose news have to be asked for.
    """

    search_id: str
    archive: str
    name: str
    search: dict[str, JsonValue] | None
    browse: dict[str, JsonValue] | None
    created: datetime
    seen: datetime
    new: int | None

    def to_request(self) -> SearchRequest | SlideCondition:
        """What was saved, as a request."""
        if self.search is not None:
            return SearchRequest.model_validate(self.search)
        return SlideCondition.model_validate(self.browse)


class NewSlide(Slide):
    """A slide that a saved search tells of; added: it is new in the archive, otherwise it was changed."""

    added: bool


class SearchNews(Response):
    """What a saved search finds that was added or changed since it was looked at last, the latest first.

    count: of all, of which the latest hundred are listed; as_of and slide_ids, those of the latest thousand: to be
    given back when they have been seen.
    """

    search_id: str
    slides: tuple[NewSlide, ...]
    slide_ids: tuple[str, ...]
    count: int
    as_of: datetime


class NewsSeen(Request):
    """That news have been seen; as_of and slide_ids: as they were in the news.

    What came in the ten minutes before and is not among slide_ids may still have been on its way, and is news again.
    """

    model_config = make_example_config({"as_of": "2026-01-31T12:00:00Z", "slide_ids": ["SLIDE-7"]})

    as_of: AwareDatetime
    slide_ids: tuple[SlideId, ...] = Field(default=(), max_length=1000)
