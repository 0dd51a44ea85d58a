"""What people keep on a server and share: collections, saved searches and worklists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

from histoseek.client.connection import Connection, make_archive_path
from histoseek.rest.base import Page
from histoseek.rest.saved_searches import NewsSeen, SavedSearch, SavedSearchContent, SavedSearchName, SearchNews
from histoseek.rest.worklists import Worklist, WorklistInfo, WorklistRequest
from histoseek.rest.workspace import Collection, CollectionContent, CollectionSharing, CollectionSlide


class SharedWork(Connection):
    """The part of a client that is about collections, saved searches and worklists."""

    def list_collections(self) -> tuple[Collection, ...]:
        """Your collections, and those that others share with you, without their slides."""
        return self._get_all(Collection, "/collections")

    def get_collection(self, collection_id: str) -> Collection:
        """A collection of yours, or one that is shared with you, without its slides."""
        return self._get(Collection, _make_collection_path(collection_id))

    def list_collection_slides(self, collection_id: str) -> Iterator[CollectionSlide]:
        """The slides of a collection in their order, fetched page by page; all of one version, or ServerProblem."""
        return self._walk_pages(Page[CollectionSlide], f"{_make_collection_path(collection_id)}/slides", limit=1000)

    def create_collection(self, content: CollectionContent) -> Collection:
        """Create a collection."""
        return self._send(Collection, "POST", "/collections", content)

    def replace_collection(self, collection_id: str, content: CollectionContent) -> Collection:
        """Put other content into a collection; its version must be the last one."""
        return self._send(Collection, "PUT", _make_collection_path(collection_id), content)

    def delete_collection(self, collection_id: str) -> None:
        """Delete a collection; the slides stay in their archives."""
        self._request("DELETE", _make_collection_path(collection_id))

    def share_collection(self, collection_id: str, sharing: CollectionSharing) -> Collection:
        """Share a collection of yours with these colleagues and nobody else."""
        return self._send(Collection, "PUT", f"{_make_collection_path(collection_id)}/sharing", sharing)

    def leave_collection(self, collection_id: str) -> None:
        """Take a collection that somebody shares off your list."""
        self._request("DELETE", f"{_make_collection_path(collection_id)}/membership")

    def export_collection(self, collection_id: str, as_: Literal["csv", "json"] = "csv") -> bytes:
        """A collection with its slides' metadata, as a file."""
        return self._request("GET", f"{_make_collection_path(collection_id)}/export", format=as_).content

    def list_saved_searches(self) -> tuple[SavedSearch, ...]:
        """Your saved searches, the latest first."""
        return self._get_all(SavedSearch, "/saved-searches")

    def get_saved_search(self, search_id: str) -> SavedSearch:
        """One of your saved searches."""
        return self._get(SavedSearch, _make_saved_path(search_id))

    def save_search(self, content: SavedSearchContent) -> SavedSearch:
        """Save a search; identifiers in its texts are replaced."""
        return self._send(SavedSearch, "POST", "/saved-searches", content)

    def rename_saved_search(self, search_id: str, name: str) -> SavedSearch:
        """Give a saved search another name."""
        return self._send(SavedSearch, "PATCH", _make_saved_path(search_id), SavedSearchName(name=name))

    def delete_saved_search(self, search_id: str) -> None:
        """Delete a saved search."""
        self._request("DELETE", _make_saved_path(search_id))

    def get_news(self, search_id: str) -> SearchNews:
        """What a saved search finds that was added or changed since you looked last."""
        return self._get(SearchNews, f"{_make_saved_path(search_id)}/news")

    def mark_news_seen(self, news: SearchNews) -> SavedSearch:
        """Say that you have seen news: they are none any more."""
        seen = NewsSeen(as_of=news.as_of, slide_ids=news.slide_ids)
        return self._send(SavedSearch, "POST", f"{_make_saved_path(news.search_id)}/seen", seen)

    def start_worklist(self, archive: str, request: WorklistRequest) -> WorklistInfo:
        """Search with many slides; `watch_job` follows its progress."""
        return self._send(WorklistInfo, "POST", f"{make_archive_path(archive)}/worklists", request)

    def list_worklists(self) -> tuple[WorklistInfo, ...]:
        """Your worklists, the latest first."""
        return self._get_all(WorklistInfo, "/worklists")

    def get_worklist(self, worklist_id: str) -> Worklist:
        """One of your worklists with its rows, as far as they are done."""
        return self._get(Worklist, f"/worklists/{quote(worklist_id, safe='')}")

    def export_worklist(self, worklist_id: str, as_: Literal["csv", "json"] = "csv") -> bytes:
        """A worklist as a table."""
        return self._request("GET", f"/worklists/{quote(worklist_id, safe='')}/export", format=as_).content

    def delete_worklist(self, worklist_id: str) -> None:
        """Delete a worklist, and end the work on it."""
        self._request("DELETE", f"/worklists/{quote(worklist_id, safe='')}")


def _make_collection_path(collection_id: str) -> str:
    return f"/collections/{quote(collection_id, safe='')}"


def _make_saved_path(search_id: str) -> str:
    return f"/saved-searches/{quote(search_id, safe='')}"
