"""The server against its OpenAPI description: what it says it answers, whatever it is asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from histoseek.server.openapi import dump_description
from histoseek.server.settings import Limits, Rates, ServerSettings
from tests.server.running import RunningServer, serving_with
from tests.waiting import HANG_S

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)
_VALUES = """
[parameters]
"path.archive" = "cohort"
"path.slide_id" = "SIM-0000-00"
"path.upload_id" = "UPLOAD"
"path.level" = 10
"path.column" = 0
"path.row" = 0
"""
_PROGRAM = """
from histoseek.garbage import collect_seldom
from schemathesis.cli import schemathesis

collect_seldom()
schemathesis()
"""
_MANY = 10**7


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return json.loads(dump_description())


@pytest.fixture(scope="module")
def server(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that asks nobody to be patient."""
    folder = tmp_path_factory.mktemp("described")
    rates = Rates(*[_MANY] * 5)
    copy = folder / "cohort.archive"
    shutil.copytree(indexed, copy)
    settings = ServerSettings({"cohort": copy}, folder / "state", write=True, limits=Limits(rates=rates))
    with serving_with(settings) as server:
        yield server


def test_every_route_is_described_with_examples_of_what_it_takes(told: dict[str, Any]) -> None:
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            assert operation["description"], path
            for kind, body in operation.get("requestBody", {}).get("content", {}).items():
                if kind == "application/json":
                    name = body["schema"]["$ref"].rpartition("/")[2]
                    assert told["components"]["schemas"][name]["examples"], (method, path)


def test_every_failure_is_described_as_a_problem(told: dict[str, Any]) -> None:
    for methods in told["paths"].values():
        for operation in methods.values():
            failures = {int(status): answer for status, answer in operation["responses"].items() if status >= "400"}
            assert {401, 403, 404, 413, 422, 429, 503} <= {*failures}
            assert {kind for answer in failures.values() for kind in answer["content"]} == {"application/problem+json"}


@pytest.mark.parametrize("known", [True, False], ids=["with a token", "without"])
def test_no_request_breaks_the_server_or_its_word(
    server: RunningServer, cohort: Path, tmp_path: Path, pytestconfig: pytest.Config, known: bool
) -> None:
    # Read here: schemathesis waits ten seconds for it and no longer.
    told = httpx2.get(f"{server.url}api/v1/openapi.json", timeout=HANG_S)
    (tmp_path / "openapi.json").write_bytes(told.content)
    with server.client() as client:
        upload_id = client.upload(cohort / "SIM-0001-00.tiff").upload_id
    (tmp_path / "values.toml").write_text(_VALUES.replace("UPLOAD", upload_id))
    command = [sys.executable, "-c", _PROGRAM]
    command += ["--config-file", str(tmp_path / "values.toml"), "run", "openapi.json"]
    command += ["--url", server.url.rstrip("/")]
    command += [
        "--checks",
        ",".join(_CHECKS),
        "--phases",
        "examples,coverage,fuzzing" if known else "examples,fuzzing",
        "--no-color",
    ]
    command += ["--max-examples", "6" if known else "3", "--seed", "1", "--generation-database", "none", "--no-shrink"]
    command += ["--request-timeout", str(int(HANG_S))]
    command += ["--exclude-method", "DELETE", "--exclude-path", "/api/v1/jobs/{job_id}/events"]
    if known:
        command += ["-H", f"Authorization: Bearer {server.token}", "-H", "X-Histoseek: page"]
    # Hypothesis computes its tables of characters once for each of its folders: this is that of the other tests.
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(pytestconfig.rootpath / ".hypothesis")}
    ended = subprocess.run(
        command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=4 * HANG_S, env=environment
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert server.process.poll() is None
