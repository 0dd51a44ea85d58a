"""Messages between the server and a sandbox's process, also when the other side is no friend."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from histoseek.encoders.recipe import Recipe
from histoseek.geometry import Rect
from histoseek.sandbox.channel import InvalidMessage
from histoseek.server.tiles.region import RegionPicture
from histoseek.server.uploads.errors import SandboxFailure
from histoseek.server.uploads.messages import (
    EncodeRequest,
    Failure,
    Picture,
    ProgressReply,
    RegionRequest,
    Reply,
    Request,
    SlideDescription,
    ThumbnailRequest,
    TileRequest,
    dump_message,
    parse_reply,
    parse_request,
)
from histoseek.server.uploads.sandbox import Sandbox
from histoseek.server.uploads.slide_facts import LevelFacts, SlideFacts
from tests.server.uploads.processes import readers

FACTS = SlideFacts(30, 20, None, 512, 0, 5, (LevelFacts(30, 20, 1.0),), "aperio")


@pytest.mark.parametrize(
    "request_sent",
    [
        ThumbnailRequest(Path("/a/slide.svs"), 256),
        TileRequest(Path("/a/slide.svs"), 3, 2, 1),
        RegionRequest(Path("/a/slide.svs"), RegionPicture(Rect(-5, 2, 30, 40), 256)),
        EncodeRequest(Path("/a/slide.svs"), Recipe(tile_budget=None), 0.25, (Rect(1, 2, 3, 4),)),
    ],
)
def test_requests_arrive_as_they_were_sent(request_sent: Request) -> None:
    assert parse_request(dump_message(request_sent)) == request_sent


@pytest.mark.parametrize(
    "answer",
    [ProgressReply(3, None), SlideDescription(FACTS), Picture(), Failure("NoTissue", "slide", "a", "b", "")],
)
def test_answers_arrive_as_they_were_sent(answer: Reply) -> None:
    assert parse_reply(dump_message(answer)) == answer


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b'{"kind": "picture"',
        b'{"kind": "describe", "path": "/", "spacing_um_per_px": null}',
        b'{"kind": "failed", "error": "a b", "family": "slide", "where": "", "what": "", "advice": ""}',
        b'{"kind": "progressed", "done": "many", "total": null}',
    ],
)
def test_what_is_no_answer_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidMessage):
        parse_reply(header)


@pytest.mark.parametrize("program", ["printf 'no message at all'; sleep 60", "exit 0"])
def test_a_process_that_talks_nonsense_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\n{program}\n")
    other.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(other))
    before = readers(os.getpid())
    sandbox = Sandbox(tmp_path)
    with pytest.raises(SandboxFailure, match=r"could not be read|interrupted"):
        sandbox.describe(tmp_path / "slide.svs")
    assert readers(os.getpid()) == before
    sandbox.close()
