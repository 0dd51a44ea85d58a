from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from histoseek.server.security.audit import AuditEntry, AuditLog
from histoseek.server.security.errors import AuditUnavailable
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


FULL = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from histoseek.server.security.audit import AuditEntry, AuditLog
from histoseek.server.security.errors import AuditUnavailable
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
log, answered = AuditLog(Path(sys.argv[1]), reserve_bytes=1_000), 0
try:
    for number in range(1_000):
        log.reserve()
        log.write(AuditEntry(datetime.now(UTC), str(number), "t", "read", "GET", "/x", "a", "s", 200, 1.0))
        answered += 1
except AuditUnavailable:
    print(answered)
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


def test_what_a_killed_process_left_of_a_line_is_taken_away(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.write(entry("1"))
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(b'{"time": "2026-0')
    log.write(entry("2"))
    assert [line["request_id"] for line in lines(tmp_path)] == ["1", "2"]


def test_a_line_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, write = AuditLog(tmp_path), os.write
    log.write(entry("1"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, line: write(handle, line[:20]))
        log.write(entry("2"))
        assert [line["request_id"] for line in lines(tmp_path)] == ["1"]
        with pytest.raises(AuditUnavailable):
            log.reserve()
    log.reserve()
    assert [line["request_id"] for line in lines(tmp_path)] == ["1", "2"]


def test_nothing_is_answered_that_has_no_room(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path), "8000"]
    answered = int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANG_S).stdout)
    assert [line["request_id"] for line in lines(tmp_path)] == [str(number) for number in range(answered)]
    assert 10 < answered < 60


def test_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditUnavailable, match="can't be written"):
        AuditLog(tmp_path / "nowhere").reserve()


def test_a_reserve_changes_no_size_and_goes_with_the_file(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, most_bytes=1000, max_files=3, reserve_bytes=100_000)
    for number in range(20):
        log.reserve()
        log.write(entry(str(number)))
    assert sum(file.stat().st_size for file in tmp_path.glob("audit.jsonl*")) < 5000
    assert all(file.stat().st_blocks * 512 < 10_000 for file in tmp_path.glob("audit.jsonl.*"))


def test_a_full_disk_refuses_and_a_freed_one_answers_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        log = AuditLog(disk, reserve_bytes=4096)
        log.reserve()
        (disk / "filler").write_bytes(b"x" * 1000)
        with pytest.raises(OSError, match="No space"), (disk / "rest").open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        for number in range(15):  # within what was reserved
            log.write(entry(str(number)))
        assert len(lines(disk)) == 15
        with pytest.raises(AuditUnavailable, match="disk is full"):
            for number in range(100):
                log.reserve()
                log.write(entry(str(number)))
        assert all(line["token"] == "ann" for line in lines(disk))
        (disk / "rest").unlink()
        log.reserve()
        log.write(entry("after"))
        assert lines(disk)[-1]["request_id"] == "after"
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
