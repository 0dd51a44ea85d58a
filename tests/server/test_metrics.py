from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from histoseek.errors import ConfigurationError
from histoseek.sandbox.confinement import Confinement
from histoseek.server.telemetry import Metrics, prepare_folder
from tests.waiting import HANG_S

WORKER = """
import sys
from pathlib import Path
from histoseek.server.telemetry import Metrics
metrics = Metrics(Path(sys.argv[1]))
for _ in range(10):
    metrics.count_request("/api/v1/x/{y}", "GET", 200, 0.02)
metrics.count_search("text", 0.2)
metrics.set_archive_slides("kidney", 12)
print("counted", flush=True)
sys.stdin.readline()
sys.stdout.buffer.write(metrics.render()[0])
"""


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_what_happened_is_counted() -> None:
    metrics = Metrics()
    metrics.count_request("/api/v1/x/{y}", "GET", 200, 0.02)
    metrics.count_request("/api/v1/x/{y}", "GET", 200, 0.3)
    metrics.count_request("unmatched", "BREW-A-COFFEE", 404, 0.01)
    metrics.count_search("text", 0.2)
    metrics.count_tile(0.004)
    metrics.count_upload("kept")
    metrics.count_sandbox_failure("memory")
    metrics.count_rate_limit("search")
    metrics.set_confinement(Confinement(calls=True))
    metrics.set_archive_slides("kidney", 12)
    text, kind = metrics.render()
    found = samples(text)
    route = (("method", "GET"), ("route", "/api/v1/x/{y}"))
    assert kind.startswith("text/plain")
    assert found["histoseek_requests_total", (*route, ("status", "200"))] == 2
    assert found["histoseek_request_seconds_sum", route] == pytest.approx(0.32)
    assert found["histoseek_request_seconds_bucket", (("le", "0.025"), *route)] == 1
    assert found["histoseek_requests_total", (("method", "other"), ("route", "unmatched"), ("status", "404"))] == 1
    assert found["histoseek_search_seconds_count", (("kind", "text"),)] == 1
    assert found["histoseek_tile_seconds_count", ()] == 1
    assert found["histoseek_uploads_total", (("outcome", "kept"),)] == 1
    assert found["histoseek_sandbox_failures_total", (("reason", "memory"),)] == 1
    assert found["histoseek_sandbox_holds", (("kind", "calls"),)] == 1
    assert found["histoseek_sandbox_holds", (("kind", "files"),)] == 0
    assert found["histoseek_rate_limited_total", (("kind", "search"),)] == 1
    assert found["histoseek_archive_slides", (("archive", "kidney"),)] == 12
    assert b"BREW" not in text


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.count_upload("kept")
    assert b"kept" not in other.render()[0]


def test_workers_are_counted_together(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    prepare_folder(folder)
    command = [sys.executable, "-c", WORKER, str(folder)]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"counted\n"
    for worker in workers:
        found = samples(worker.communicate(b"\n", timeout=HANG_S)[0])
        labels = (("method", "GET"), ("route", "/api/v1/x/{y}"), ("status", "200"))
        assert found["histoseek_requests_total", labels] == 30
        assert found["histoseek_search_seconds_count", (("kind", "text"),)] == 3
        assert found["histoseek_archive_slides", (("archive", "kidney"),)] == 12


def test_a_new_start_counts_from_zero(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    prepare_folder(folder)
    (folder / "counter_1.db").write_bytes(b"old")
    prepare_folder(folder)
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_package_that_was_imported_too_early_is_no_silent_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    with pytest.raises(ConfigurationError, match="too early"):
        Metrics(tmp_path)
