"""The server that each browser test is given: what one test leaves there, none after it sees."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx2

from histoseek.rest.annotations import NewAnnotations
from histoseek.rest.queries import TextQuery
from histoseek.rest.saved_searches import SavedSearchContent, SlideCondition
from histoseek.rest.worklists import WorklistRequest, WorklistSlide
from histoseek.rest.workspace import CollectionContent, CollectionSharing
from histoseek.server.app import create_bare_app
from tests.browser.fresh import renew
from tests.server.conftest import new_token, raw_client
from tests.server.running import RunningServer

SLIDE = "SIM-0000-00"
ALWAYS_NEW = {"/session"}
SHARED = {f"/archives/cohort/slides/{SLIDE}/annotations", "/collections", "/archives/cohort/feedback"}
LISTS = SHARED | {"/saved-searches", "/worklists", "/uploads", "/jobs"}


@lru_cache(maxsize=1)
def list_plain_routes() -> tuple[str, ...]:
    """Those that can be asked about the archive and a slide, and need no more than perhaps a query."""
    paths = create_bare_app().openapi()["paths"]
    asked = (route for route, methods in paths.items() if "get" in methods and route.startswith("/api/v1/"))
    filled = (one[7:].replace("{archive}", "cohort").replace("{slide_id}", SLIDE) for one in asked)
    return tuple(path for path in filled if "{" not in path and path not in ALWAYS_NEW)


def read_all(server: RunningServer, query_key: str) -> dict[str, Any]:
    """What these routes answer, by their path."""
    with raw_client(server, server.token) as raw:
        answers = {path: raw.get(path, params={"query_key": query_key}) for path in list_plain_routes()}
    return {path: answer.json() for path, answer in answers.items() if is_json(answer)}


def is_json(answer: httpx2.Response) -> bool:
    return answer.status_code == httpx2.codes.OK and "json" in answer.headers["content-type"]


def leave_traces(server: RunningServer, cohort: Path) -> str:
    """Make one of each that people keep, shared with everybody where that can be; the key of a judged query."""
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [300, 300]}, "properties": {}}
    with server.client() as client:
        client.add_annotations("cohort", SLIDE, NewAnnotations(features=(point,), is_shared=True))
        collection = client.create_collection(CollectionContent(name="left"))
        client.share_collection(collection.collection_id, CollectionSharing(people=(), everybody="edit"))
        client.save_search(SavedSearchContent(archive="cohort", name="left", browse=SlideCondition(filters=())))
        client.upload(cohort / f"{SLIDE}.tiff")
        client.start_worklist("cohort", WorklistRequest(name="left", slides=(WorklistSlide(slide_id=SLIDE),)))
        judged = client.judge("cohort", TextQuery(text="necrosis"), SLIDE, True)
    assert judged
    return judged.query_key


def test_who_comes_next_finds_a_server_as_it_was_at_the_start(kept_server: RunningServer, cohort: Path) -> None:
    used = renew(kept_server)
    empty = read_all(used, "0" * 64)
    key = leave_traces(used, cohort)

    def find_traces(server: RunningServer) -> set[str]:
        return {path for path, answer in read_all(server, key).items() if answer != empty[path]}

    assert find_traces(used) >= {*LISTS}
    # Another token alone would not be enough: these are shared.
    assert find_traces(replace(used, token=new_token(used))) >= SHARED
    assert find_traces(renew(kept_server)) == set()
