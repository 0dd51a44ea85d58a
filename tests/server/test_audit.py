from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from histoseek.server.security.audit import AuditEntry, AuditLog
from tests.waiting import HANG_S

CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from histoseek.server.security.audit import AuditEntry, AuditLog
log = AuditLog(Path(sys.argv[1]), most_bytes=2_000, max_files=200)
for number in range(300):
    log.write(AuditEntry(datetime.now(UTC), f"{sys.argv[2]}-{number}", "t", "read", "GET", "/x", "a", "s", 200, 1.0))
"""


def entry(request_id: str, slide_id: str | None = "s1") -> AuditEntry:
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    return AuditEntry(moment, request_id, "ann", "read", "GET", "/api/v1/x/{y}", "kidney", slide_id, 200, 12.5)


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for file in folder.glob("audit.jsonl*") for line in file.read_text().splitlines()]


def test_an_entry_is_one_line(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.write(entry("1"))
    log.write(entry("2", 'a\nb\u2028"c'))
    text = (tmp_path / "audit.jsonl").read_text()
    assert text.count("\n") == 2
    assert lines(tmp_path)[0] == {
        "time": "2026-03-01T12:30:00.000+00:00",
        "request_id": "1",
        "token": "ann",
        "role": "read",
        "method": "GET",
        "route": "/api/v1/x/{y}",
        "archive": "kidney",
        "slide": "s1",
        "status": 200,
        "milliseconds": 12.5,
    }
    assert lines(tmp_path)[1]["slide"] == 'a\nb\u2028"c'
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_newest_lines_are_kept(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, most_bytes=1000, max_files=3)
    for number in range(100):
        log.write(entry(str(number)))
    files = sorted(file.name for file in tmp_path.glob("audit.jsonl*"))
    assert files[-2:] == ["audit.jsonl.1", "audit.jsonl.2"]
    assert len(files) <= 3
    assert all(file.stat().st_size < 1500 for file in tmp_path.glob("audit.jsonl*"))
    kept = sorted(int(str(line["request_id"])) for line in lines(tmp_path))
    assert kept == list(range(100 - len(kept), 100))
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_processes_lose_no_line(tmp_path: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), str(number)]) for number in range(3)]
    assert [child.wait(timeout=HANG_S) for child in children] == [0, 0, 0]
    expected = {f"{child}-{number}" for child in range(3) for number in range(300)}
    found = [line["request_id"] for line in lines(tmp_path)]
    assert (len(found), set(found)) == (900, expected)
    assert len(list(tmp_path.glob("audit.jsonl.*"))) > 30


def test_a_log_that_cannot_be_written_stops_no_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        AuditLog(tmp_path / "nowhere").write(entry("1"))
    assert [record.getMessage() for record in caplog.records] == ["the audit log can't be written"]
