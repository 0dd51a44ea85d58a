"""What the server makes of requests that mean ill: refusals in its own words, and nothing else."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from histoseek.client.errors import ServerProblem
from histoseek.rest.archives import FieldFilter
from histoseek.rest.queries import SearchRequest, SlideQuery, SlideRef, TextQuery
from tests.server.attacking import (
    API,
    AS_JSON,
    CLOSE,
    NOT_JSON,
    PATIENT_NAME,
    PLACES,
    SLIDE,
    TAKES_JSON,
    TRAVERSALS,
    answered_still,
    asked,
    attacked,
    memory_bytes,
    open_files,
    private_words,
    request,
)
from tests.server.running import RunningServer

SAID_BYTES = 7


@pytest.fixture(scope="module")
def server(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with attacked(indexed, tmp_path_factory.mktemp("attacked")) as server:
        yield server


@pytest.fixture(scope="module")
def bearer(server: RunningServer) -> tuple[str, str]:
    return ("Authorization", f"Bearer {server.token}")


@pytest.mark.parametrize("place", PLACES)
def test_no_path_leaves_its_place(server: RunningServer, bearer: tuple[str, str], indexed: Path, place: str) -> None:
    private = private_words(server, indexed)
    for traversal in TRAVERSALS:
        answer = asked(server, request("GET", API + place.replace("{}", traversal), (bearer, CLOSE)))
        assert 200 <= answer.status < 500, traversal
        assert "x-injected" not in answer.head.replace("%0d%0ax-injected", "")
        if answer.status >= 400 and "text/plain" not in answer.head:
            assert answer.is_problem, traversal
            assert not {word for word in private if word in answer.body.decode()}, traversal


@pytest.mark.parametrize(("method", "path"), TAKES_JSON)
def test_what_is_no_json_of_ours_is_refused(
    server: RunningServer, bearer: tuple[str, str], indexed: Path, method: str, path: str
) -> None:
    private = private_words(server, indexed)
    for body in NOT_JSON:
        answer = asked(server, request(method, API + path, (bearer, CLOSE, AS_JSON), body))
        assert 400 <= answer.status < 500, body[:80]
        assert answer.is_problem
        assert not {word for word in private if word in answer.body.decode()}
    multipart = b'--x\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\n'
    kinds = (
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "text/xml",
        "",
    )
    for kind in kinds:
        answer = asked(server, request(method, API + path, (bearer, CLOSE, ("Content-Type", kind)), multipart))
        assert 400 <= answer.status < 500, kind


@pytest.mark.parametrize(
    "where",
    [
        "uri LIKE '/%'",
        "URI IS NOT NULL",
        '"uri" = 1',
        "`uri` <> ''",
        "file_fingerprint LIKE 'f1-%'",
        "slide_id = 'x' OR uri IS NOT NULL",
        "organ IN (SELECT uri FROM slides)",
        "length(report_tokens) > 1",
        "array_length(mosaic) > 1",
        "_rowid = 1",
        "u\\u0072i IS NOT NULL",
        "organ = 'x'; SELECT 1",
        "organ = 'x' -- uri",
        "/* */ uri = ''",
        "read_csv('/etc/passwd') IS NULL",
        "cast(uri as string) = ''",
    ],
)
def test_filters_reach_nothing_private(server: RunningServer, where: str) -> None:
    query = SlideQuery(slide=SlideRef(slide_id=SLIDE))
    with server.client() as client:
        for ask in (
            lambda: [*client.list_slides("cohort", where)],
            lambda: client.count_facets("cohort", where),
            lambda: client.search("cohort", SearchRequest(query=query, where=where)),
        ):
            with pytest.raises(ServerProblem) as caught:
                ask()
            assert caught.value.problem.status == 422
            assert not {"/tmp", "SIM-", "f1-"} & {*caught.value.problem.detail.split()}
            assert str(server.state.parent) not in caught.value.problem.detail


@pytest.mark.parametrize("column", ["uri", "file_fingerprint", "mosaic", "report_tokens", "global_vector", "URI"])
def test_private_columns_are_no_field(server: RunningServer, column: str) -> None:
    query = SlideQuery(slide=SlideRef(slide_id=SLIDE))
    with server.client() as client:
        for ask in (
            lambda: client.count_facets("cohort", filters=[FieldFilter(field=column, values=("x",))]),
            lambda: client.count_facets("cohort", filters=[FieldFilter(source="report", field=column, values=("x",))]),
            lambda: client.search("cohort", SearchRequest(query=query, vote=column)),
            lambda: client.get_map("cohort", label=column),
        ):
            with pytest.raises(ServerProblem) as caught:
                ask()
            assert caught.value.problem.status == 422
    answer = asked(
        server,
        request(
            "POST",
            f"{API}/archives/cohort/facets",
            (("Authorization", f"Bearer {server.token}"), CLOSE, AS_JSON),
            json.dumps({"fields": [column]}).encode(),
        ),
    )
    assert answer.status == 422


def bad_requests(server: RunningServer) -> list[bytes]:
    """Some thousands of bad requests of all kinds, none of which the server would wait for."""
    good, wrong = ("Authorization", f"Bearer {server.token}"), ("Authorization", "Bearer hs_" + "0" * 60)
    places = [API + place.replace("{}", one) for place in PLACES for one in TRAVERSALS if len(one) < 100 and one]
    found = [request("GET", place, (good, CLOSE)) for place in places]
    found += [request("GET", place, (CLOSE,)) for place in places[::3]]
    found += [request("DELETE", place, (wrong, CLOSE)) for place in places[::3]]
    for method, path in TAKES_JSON:
        for body in NOT_JSON:
            found.append(request(method, API + path, (good, CLOSE, AS_JSON), body))
            if len(body) >= SAID_BYTES:
                length = ("Content-Length", str(SAID_BYTES))
                found.append(request(method, API + path, (good, CLOSE, length), body[:5000]))
            found.append(request("POST", f"{API}/session", (CLOSE, AS_JSON), body[:5000]))
    for number in range(200):
        name = f"{PATIENT_NAME}-{number}.{'svs' if number % 2 else 'tiff'}"
        body = random.Random(number).randbytes(100 + number * 50)
        found.append(request("POST", f"{API}/uploads?filename={name}", (good, CLOSE), body))
        found.append(request("POST", f"{API}/uploads?filename=a.exe", (good, CLOSE), body))
        found.append(request("POST", f"{API}/uploads?filename={name}", (wrong, CLOSE), body))
        found.append(request("GET", f"{API}/archives", (good, CLOSE), host=f"{PATIENT_NAME}.example.org"))
        found.append(request("GET", f"{API}/archives?{'a' * 9000}", (good, CLOSE)))
        found.append(random.Random(number).randbytes(200))
        found.append(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 70_000)
    random.Random(0).shuffle(found)
    return found


def test_ten_thousand_bad_requests_leave_nothing_behind(server: RunningServer, indexed: Path) -> None:
    pid, private = server.process.pid, private_words(server, indexed)
    some = bad_requests(server)
    leaked: set[str] = set()

    def send(sent: bytes) -> int:
        answer = asked(server, sent, finish=b"Connection: close" not in sent)
        if answer.status >= 400:
            leaked.update(word for word in private if word.encode() in answer.body)
        return answer.status

    with ThreadPoolExecutor(8) as pool:
        warming = Counter(pool.map(send, some[:1000]))
        before, files = memory_bytes(pid), open_files(pid)
        statuses = Counter(pool.map(send, (some * 5)[:10_000]))
    after, files_after = memory_bytes(pid), open_files(pid)
    print(f"{before / 2**20:.0f} MB, {files} files before; {after / 2**20:.0f} MB, {files_after} after; {statuses}")
    assert not {status for status in warming | statuses if status >= 500 and status != 503}
    assert {400, 401, 404, 414, 415, 421, 422, 429} <= {*statuses}
    assert answered_still(server)
    assert after - before < 20 * 2**20
    assert files_after <= files + 10
    assert not leaked


def test_nothing_private_was_written_down(server: RunningServer, indexed: Path) -> None:
    """After all of the above, and an upload and a search that name a patient."""
    private = private_words(server, indexed)
    with server.client() as client:
        client.search(
            "cohort", SearchRequest(query=TextQuery(text=f"carcinoma of {PATIENT_NAME}", patient_id="SIM-0-0001"))
        )
        with pytest.raises(ServerProblem):
            client.get_slide("cohort", f"{PATIENT_NAME}/etc/passwd")
    written = server.log.read_text() + (server.state / "audit.jsonl").read_text()
    assert "/api/v1/archives/{archive}/search" in written
    assert not {word for word in private if word in written}
