from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient
from starlette.types import Scope

from histoseek.server.errors import NotFound, Unauthorized
from histoseek.server.problems import install_problems
from histoseek.server.security.access import Caller
from histoseek.server.security.audit import AuditLog, digest_slide_id
from histoseek.server.security.middleware import Guard
from histoseek.server.security.recorder import UNMATCHED, Recorder, find_route_template
from histoseek.server.settings import ServerSettings
from histoseek.server.telemetry import Metrics

SLIDE = "/api/v1/archives/{archive}/slides/{slide_id}"


class Desk:
    """A server with two routes, its clock, and what it kept."""

    def __init__(self, folder: Path) -> None:
        self.now = [1_800_000_000.0]
        self.folder = folder
        self.metrics = Metrics()
        self.app = application()
        recorder = Recorder(AuditLog(folder), self.metrics, ["kidney"], lambda: self.now[0])
        settings = ServerSettings({"kidney": folder}, state=folder, host="testserver")
        self.app.add_middleware(Guard, settings=settings, record=recorder)
        self.client = TestClient(self.app)

    def lines(self) -> list[dict[str, object]]:
        file = self.folder / "audit.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def application() -> FastAPI:
    app, router, api = FastAPI(openapi_url=None), APIRouter(prefix="/archives/{archive}"), APIRouter(prefix="/api/v1")
    install_problems(app)

    def identify(request: Request) -> None:
        if "authorization" not in request.headers:
            raise Unauthorized("token", "none given")
        request.state.caller = Caller("1", request.headers["authorization"], "read")

    @router.get("/slides/{slide_id}")
    def slide(request: Request, archive: str, slide_id: str) -> str:
        identify(request)
        if archive != "kidney" or slide_id != "s1":
            raise NotFound("slide", "none")
        return "slide"

    @router.get("/slides/{slide_id}/image_files/{level}/{tile}")
    def tile(request: Request, archive: str, slide_id: str, level: int, tile: str) -> str:
        identify(request)
        return "tile"

    @api.get("/health")
    def health() -> str:
        return "ok"

    api.include_router(router)
    app.include_router(api)
    return app


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def get(desk: Desk, path: str, name: str | None = "ann") -> int:
    return desk.client.get(path, headers={"authorization": name} if name else {}).status_code


def test_who_saw_which_slide_is_kept(desk: Desk) -> None:
    assert get(desk, "/api/v1/archives/kidney/slides/s1?text=Jane+Doe") == 200
    (line,) = desk.lines()
    assert isinstance(line.pop("milliseconds"), float)
    assert len(str(line.pop("request_id"))) == 32
    assert line == {
        "time": "2027-01-15T08:00:00.000+00:00",
        "token": "ann",
        "role": "read",
        "method": "GET",
        "route": SLIDE,
        "archive": "kidney",
        "slide": digest_slide_id("s1"),
        "status": 200,
    }


def test_what_somebody_typed_is_not_kept(desk: Desk) -> None:
    for path in ("archives/kidney/slides/Jane+Doe", "archives/Doe/slides/s1", "Doe?q=Doe", "archives/kidney/Doe"):
        assert get(desk, f"/api/v1/{path}") == 404
    kept = (desk.folder / "audit.jsonl").read_text()
    assert "Doe" not in kept
    assert "Doe" not in desk.metrics.render()[0].decode()
    assert [(line["route"], line["archive"], line["slide"]) for line in desk.lines()] == [
        (SLIDE, "kidney", None),
        (SLIDE, None, None),
        (UNMATCHED, None, None),
    ]


def test_addresses_of_clients_are_not_kept(desk: Desk) -> None:
    get(desk, "/api/v1/archives/kidney/slides/s1")
    assert "testclient" not in (desk.folder / "audit.jsonl").read_text()


def test_tiles_are_kept_once_a_minute_for_each_slide_and_token(desk: Desk) -> None:
    def look(slide: str, name: str) -> None:
        for number in range(5):
            assert get(desk, f"/api/v1/archives/kidney/slides/{slide}/image_files/3/{number}_0.jpg", name) == 200

    for slide, name in (("s1", "ann"), ("s2", "ann"), ("s1", "bob"), ("s1", "ann")):
        look(slide, name)
    assert [(line["slide"], line["token"]) for line in desk.lines()] == [
        (digest_slide_id(slide), name) for slide, name in (("s1", "ann"), ("s2", "ann"), ("s1", "bob"))
    ]
    desk.now[0] += 61
    look("s1", "ann")
    assert len(desk.lines()) == 4


def test_many_requests_without_a_token_do_not_fill_the_log(desk: Desk) -> None:
    for number in range(50):
        assert get(desk, f"/api/v1/archives/kidney/slides/{number}", None) == 401
    assert [(line["token"], line["status"]) for line in desk.lines()] == [(None, 401)]
    assert b'status="401"} 50.0' in desk.metrics.render()[0]


def test_probes_and_the_page_are_not_audited(desk: Desk) -> None:
    assert get(desk, "/api/v1/health", None) == 200
    assert get(desk, "/index.html", None) == 404
    assert desk.lines() == []
    assert b'route="/api/v1/health"' in desk.metrics.render()[0]


def test_a_scope_without_route_is_unmatched() -> None:
    scope: Scope = {"type": "http", "path": "/x"}
    assert find_route_template(scope) == UNMATCHED
