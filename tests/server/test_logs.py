from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime

import pytest

from tests.waiting import HANG_S

SCRIPT = """
import logging, sys, warnings
from histoseek.server.logs import configure_logging, current_request_id
configure_logging(json_lines=sys.argv[1] == "json")
configure_logging(json_lines=sys.argv[1] == "json")
current_request_id.set("0815")
logging.getLogger("uvicorn.access").info('10.0.0.1 - "GET /?text=Jane+Doe"')
logging.getLogger("uvicorn.access").critical('10.0.0.1 - "GET /?text=Jane+Doe"')
logging.getLogger("uvicorn.error").info("Application startup complete.")
logging.getLogger("histoseek.server").info("opened %d\\narchives", 3)
logging.getLogger("tifffile").error("<TiffFile '/data/Jane Doe.svs'> is broken")
warnings.warn("/data/Jane Doe.svs is odd")
try:
    from histoseek.server.settings import ServerSettings
    ServerSettings.from_json({"Jane": "Doe"})
except Exception:
    logging.getLogger("histoseek.server").exception("a request failed")
"""


def logged(form: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, form], capture_output=True, text=True, timeout=HANG_S, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.fixture(scope="module")
def plain_lines() -> list[str]:
    return logged("plain")


@pytest.fixture(scope="module")
def json_lines() -> list[dict[str, str]]:
    return [json.loads(line) for line in logged("json")]


def test_json_lines_hold_the_parts(json_lines: list[dict[str, str]]) -> None:
    assert [(line["level"], line["logger"], line["message"]) for line in json_lines] == [
        ("INFO", "uvicorn.error", "Application startup complete."),
        ("INFO", "histoseek.server", "opened 3 archives"),
        ("ERROR", "tifffile", "message withheld, as it may name files or patients"),
        ("WARNING", "py.warnings", "message withheld, as it may name files or patients"),
        ("ERROR", "histoseek.server", "a request failed"),
    ]
    assert {line["request_id"] for line in json_lines} == {"0815"}
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in json_lines)


def test_plain_lines_say_the_same(plain_lines: list[str], json_lines: list[dict[str, str]]) -> None:
    assert len(plain_lines) == len(json_lines)
    for plain, parts in zip(plain_lines, json_lines, strict=True):
        assert all(parts[name] in plain for name in ("level", "logger", "request_id", "message"))


def test_errors_are_a_type_and_a_place(json_lines: list[dict[str, str]]) -> None:
    assert json_lines[-1]["error"].partition(":")[0] == "ConfigurationError at histoseek.server.settings"
    assert not any("error" in line for line in json_lines[:-1])


def test_no_line_names_a_person_or_a_file(plain_lines: list[str], json_lines: list[dict[str, str]]) -> None:
    text = "\n".join([*plain_lines, json.dumps(json_lines)])
    for word in ("Jane", "Doe", "/data", "10.0.0.1"):
        assert word not in text
