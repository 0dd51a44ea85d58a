"""What people keep is theirs: nobody else sees, guesses, changes or deletes it; odd content breaks nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from histoseek.server.app import create_bare_app
from histoseek.server.state.clean_texts import MOST_WORK
from tests.server.conftest import new_token, raw_client
from tests.server.running import RunningServer
from tests.waiting import HANG_S, wait_for

SLIDE = "SIM-0000-00"
WRITTEN = "work"
ANNOTATIONS = f"/archives/cohort/slides/{SLIDE}/annotations"
NOBODYS = {"32": "0" * 32, "16": "0" * 16, "uuid": "00000000-0000-0000-0000-000000000000"}
ANYBODY = {
    ("GET", "/api/v1/health"),
    ("GET", "/api/v1/ready"),
    ("POST", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),
}
WRITERS = {
    ("POST", "/api/v1/archives/{archive}/jobs"),
    ("GET", "/api/v1/archives/{archive}/import"),
    ("POST", "/api/v1/jobs/{job_id}/retry"),
    ("PATCH", "/api/v1/archives/{archive}/slides/{slide_id}"),
    ("DELETE", "/api/v1/archives/{archive}/slides/{slide_id}"),
}
SEARCH = {"archive": "cohort", "name": "mine", "browse": {}}


def list_routes() -> list[tuple[str, str]]:
    paths = create_bare_app().openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def fill(path: str) -> str:
    """A path with names that there are, or might be."""
    names = {"archive": "cohort", "slide_id": SLIDE, "annotation_id": NOBODYS["uuid"], "job_id": NOBODYS["16"]}
    numbers = {"level": "0", "column": "0", "row": "0", "number": "0"}
    for part in path.split("{")[1:]:
        name = part.partition("}")[0]
        path = path.replace(f"{{{name}}}", {**names, **numbers}.get(name, NOBODYS["32"]))
    return path


@pytest.fixture(scope="module")
def stranger(kept_server: RunningServer) -> Iterator[httpx2.Client]:
    with raw_client(kept_server, new_token(kept_server)) as made:
        yield made


@pytest.fixture(scope="module")
def raw_reader(kept_server: RunningServer) -> Iterator[httpx2.Client]:
    with raw_client(kept_server, new_token(kept_server, "read")) as made:
        yield made


def test_every_route_asks_who_is_there(kept_server: RunningServer) -> None:
    with httpx2.Client(base_url=kept_server.url, timeout=HANG_S) as nobody:
        for method, path in list_routes():
            if (method, path) not in ANYBODY:
                assert nobody.request(method, fill(path)).status_code == 401, (method, path)


def test_every_route_that_changes_something_wants_the_page_s_header(kept_server: RunningServer) -> None:
    with httpx2.Client(base_url=kept_server.url, timeout=HANG_S) as browser:
        token = new_token(kept_server)
        browser.post("/api/v1/session", json={"token": token}, headers={"X-Histoseek": "page"})
        for method, path in set(list_routes()) - ANYBODY:
            if method == "GET":
                assert browser.get(fill(path), headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403, path
            else:
                assert browser.request(method, fill(path), content=b"{}").status_code == 403, (method, path)


def test_who_may_read_changes_no_archive(raw_reader: httpx2.Client) -> None:
    routes = set(list_routes())
    assert routes >= WRITERS
    for method, path in WRITERS:
        answer = raw_reader.request(method, fill(path).removeprefix("/api/v1"), json={"values": {"organ": "x"}})
        assert answer.status_code == 403, (method, path)


def make_things(raw: httpx2.Client) -> dict[str, str]:
    """One of each that a person keeps, by the place where it is found."""

    def post(path: str, body: object) -> Any:
        answer = raw.post(path, json=body)
        assert answer.status_code in (201, 202), answer.text
        return answer.json()

    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}
    annotation = post(ANNOTATIONS, {"features": [feature]})["features"][0]["id"]
    worklist = post("/archives/cohort/worklists", {"name": "mine", "slides": [{"slide_id": SLIDE}]})
    opened = post("/uploads/open", {"files": [{"name": "mine.svs", "bytes": 10}]})
    wait_for(lambda: raw.get(f"/jobs/{worklist['job_id']}").json()["state"] == "done")
    return {
        "annotation": f"{ANNOTATIONS}/{annotation}",
        "worklist": f"/worklists/{worklist['worklist_id']}",
        "job": f"/jobs/{worklist['job_id']}",
        "search": f"/saved-searches/{post('/saved-searches', SEARCH)['search_id']}",
        "collection": f"/collections/{post('/collections', {'name': 'mine'})['collection_id']}",
        "upload": f"/uploads/{opened['upload_id']}",
    }


def test_what_is_another_s_answers_as_what_never_was(raw: httpx2.Client, stranger: httpx2.Client) -> None:
    things = make_things(raw)
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}
    attempts: dict[str, tuple[tuple[str, str, object], ...]] = {
        "annotation": (("PUT", "", {"feature": feature, "version": 1}), ("DELETE", "", None)),
        "worklist": (("GET", "", None), ("GET", "/export", None), ("DELETE", "", None)),
        "job": (("GET", "", None), ("GET", "/events", None), ("POST", "/retry", None), ("DELETE", "", None)),
        "search": (
            ("GET", "", None),
            ("GET", "/news", None),
            ("PATCH", "", {"name": "x"}),
            ("POST", "/seen", {"as_of": "2026-01-01T00:00:00Z"}),
            ("DELETE", "", None),
        ),
        "collection": (
            ("GET", "", None),
            ("GET", "/export", None),
            ("PUT", "", {"name": "x", "version": 1}),
            ("PUT", "/sharing", {"people": [], "everybody": "edit"}),
            ("DELETE", "/membership", None),
            ("DELETE", "", None),
        ),
        "upload": (
            ("GET", "", None),
            ("GET", "/files", None),
            ("PUT", "/files/0?offset=0", None),
            ("PUT", "/files/9?offset=3", None),
            ("POST", "/complete", None),
            ("POST", "/encode", {"archive": "cohort"}),
            ("GET", "/annotations", None),
            ("GET", "/figure?x=0&y=0&width=9&height=9", None),
            ("GET", "/region?x=0&y=0&width=9&height=9", None),
            ("DELETE", "", None),
        ),
    }
    for kind, place in things.items():
        missing = place.rpartition("/")[0] + "/" + fill(f"/{{{'annotation_id' if kind == 'annotation' else kind}}}")[1:]
        missing = missing if kind != "job" else f"/jobs/{NOBODYS['16']}"
        for method, rest, body in attempts[kind]:
            theirs, none = (stranger.request(method, one + rest, json=body) for one in (place, missing))
            assert theirs.status_code == 404, (kind, method, rest, theirs.text)
            told = [{**answer.json(), "request_id": ""} for answer in (theirs, none)]
            assert told[0] == told[1], (kind, method, rest)
    collection = things["collection"].rpartition("/")[2]
    by_id = [
        stranger.post("/archives/cohort/worklists", json={"name": "x", "collection_id": one}).json()["detail"]
        for one in (collection, NOBODYS["32"])
    ]
    assert by_id[0] == by_id[1]
    for kind, place in things.items():
        if kind == "annotation":
            assert place.rpartition("/")[2] in raw.get(ANNOTATIONS).text
            assert place.rpartition("/")[2] not in stranger.get(ANNOTATIONS).text
        else:
            assert raw.get(place + ("/files" if kind == "upload" else "")).status_code == 200, kind


def send(raw: httpx2.Client, path: str, body: str) -> httpx2.Response:
    return raw.post(path, content=body, headers={"Content-Type": "application/json"})


def make_collection(coordinates: str, rest: str = "") -> str:
    geometry = f'{{"type": "Point", "coordinates": {coordinates}}}'
    return f'{{"features": [{{"type": "Feature", "geometry": {geometry}{rest}}}]}}'


@pytest.mark.parametrize(
    "body",
    [
        make_collection("[NaN, 1]"),
        make_collection("[1e999, 1]"),
        make_collection(f"[{'9' * 4000}, 1]"),
        make_collection(f"[{'9' * 100_000}, 1]"),
        make_collection("[" * 50 + "]" * 50),
        make_collection("[" * 900 + "]" * 900),
        make_collection("[" * 100_000 + "]" * 100_000),
        make_collection("[1, 1]", ', "properties": {"name": "\\ud800"}'),
        make_collection("[1, 1]", ', "properties": {"metadata": {"ANNOTATION_DESCRIPTION": "\\udfff"}}'),
        make_collection("[1, 1]", ', "properties": {"classification": {"names": ["\\ud800", 4]}}'),
        make_collection("[1, 1]", ', "properties": {"color": 1e30}'),
    ],
    ids=range(11),
)
def test_annotations_that_are_none_are_refused(raw: httpx2.Client, body: str) -> None:
    answer = send(raw, ANNOTATIONS, body)
    assert answer.status_code in (400, 422), answer.text
    assert len(answer.text) < 1500


def test_texts_without_end_are_refused_before_they_are_read(raw: httpx2.Client) -> None:
    texts = [f"Patient Miller, John {number}, seen 12.03.2003 by Dr. House, MRN 1234{number}" for number in range(3000)]
    assert sum(map(len, texts)) > MOST_WORK / 2
    named = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}, "properties": {"name": text}}
        for text in texts[:2000]
    ]
    items = [{"archive": "cohort", "slide_id": str(number), "note": text} for number, text in enumerate(texts)]
    values = [{"field": "organ", "values": texts[start : start + 200]} for start in range(0, 3000, 200)]
    for path, body in (
        (ANNOTATIONS, {"features": named}),
        ("/collections", {"name": "many", "items": items}),
        ("/saved-searches", {**SEARCH, "browse": {"filters": values}}),
    ):
        answer = send(raw, path, json.dumps(body))
        assert answer.status_code == 422, path
        assert "several steps" in answer.json()["detail"]
    alike = [{**one, "properties": {"name": f"Region {place}"}} for place, one in enumerate(named)]
    assert (
        send(raw, "/archives/cohort/slides/SIM-0001-00/annotations", json.dumps({"features": alike})).status_code == 201
    )


@pytest.mark.parametrize(
    "name", ["a" * 300 + ".svs", "a/" * 400 + "x.svs", "../x.svs", "/etc/x.svs", "x\0.svs", "uploaded/x.svs"]
)
def test_files_that_are_not_in_the_import_folder_are_refused(raw: httpx2.Client, name: str) -> None:
    assert raw.post(f"/archives/{WRITTEN}/jobs", json={"files": [{"name": name}]}).status_code == 422


@pytest.mark.parametrize("edge", ["5e-324", "1e-300", "0.09"])
def test_figures_of_nothing_are_refused(raw: httpx2.Client, edge: str) -> None:
    answer = raw.get(f"/archives/cohort/slides/{SLIDE}/figure?x=0&y=0&width={edge}&height={edge}")
    assert answer.status_code == 422
