"""Indexing by the workers of a cluster: as by one process, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.archive.indexing.cluster.address import ClusterAddress
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.archive.verification.problems import Verification
from histoseek.encoders.recipe import Recipe
from histoseek.errors import (
    ClusterUnreachable,
    ConfigurationError,
    NoWorkers,
    UnsuitedWorker,
)
from histoseek.settings import change_settings
from tests.archive.tiny_encoder import SPEC
from tests.servers.dask import ROOT, DaskCluster, make_certificate, run_dask
from tests.servers.dask_worker import hold, list_begun, name_deadly
from tests.servers.slurm import run_slurm
from tests.waiting import wait_for

INTERRUPTED = "interrupted: what is done is kept, and the same command continues from here\n"
RECIPE = Recipe(encoder=SPEC, spacing_um_per_px=2.0, spacing_tolerance=10.0)


@pytest.fixture(autouse=True)
def _own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTOSEEK_OWN_CODE", SPEC)
    monkeypatch.setenv("HISTOSEEK_CLUSTER_MINUTES", "3")
    # A process for the slides' files takes a while to start, on every worker.
    monkeypatch.setenv("HISTOSEEK_TRUST", "1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with run_dask(tmp_path_factory.mktemp("dask")) as started:
        yield started


def index(path: Path, cohort: Path, cluster: str | None) -> IndexReport:
    archive = Archive.open(path) if path.exists() else Archive.create(path, RECIPE)
    return archive.index(cohort, cohort / "metadata.csv", cohort / "reports.csv", cluster=cluster)


def list_journaled(path: Path) -> Counter[str]:
    lines = map(json.loads, (path / "journal.jsonl").read_text().splitlines())
    return Counter(slide_id for line in lines if line["event"] == "committed" for slide_id in line["slide_ids"])


def require_whole(path: Path, slides: int) -> None:
    """Every slide is in the archive once, and all that belongs to it is well."""
    archive = Archive.open(path)
    assert set(list_journaled(path).values()) == {1}
    assert sorted(list_journaled(path)) == sorted(record.slide_id for record in archive)
    assert len(archive) == slides
    assert archive.verify(deep=True) == Verification(checked=slides, problems=(), orphans=(), foreign=())


@pytest.fixture
def begun(cluster: DaskCluster, cohort: Path, tmp_path: Path) -> Iterator[Future[IndexReport]]:
    """A run whose first slides are begun and held up."""
    hold(cluster.folder).touch()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(index, tmp_path / "archive", cohort, cluster.address)
        wait_for(lambda: run.done() or list_begun(cluster.folder))
        yield run
        let_go(cluster)


def let_go(cluster: DaskCluster) -> None:
    hold(cluster.folder).unlink(missing_ok=True)
    for path in cluster.folder.glob("begun.*"):
        path.unlink()


def test_a_cluster_makes_the_archive_that_one_process_makes(
    cluster: DaskCluster, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HISTOSEEK_TRUST")
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert index(alone, cohort, None).added == index(shared, cohort, cluster.address).added == 10
    assert Archive.open(alone).space == Archive.open(shared).space
    assert Archive.open(alone).vectors() == Archive.open(shared).vectors()
    assert [record.report for record in Archive.open(alone)] == [record.report for record in Archive.open(shared)]
    require_whole(shared, 10)
    assert index(shared, cohort, cluster.address).unchanged == 10
    assert not list(shared.glob(".cluster.*"))


def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    cluster: DaskCluster, begun: Future[IndexReport], tmp_path: Path
) -> None:
    os.kill(next(iter(list_begun(cluster.folder).values())), signal.SIGKILL)
    let_go(cluster)
    assert (begun.result().added, begun.result().refused) == (10, ())
    require_whole(tmp_path / "archive", 10)


def test_a_slide_that_ends_its_workers_is_refused_alone(cluster: DaskCluster, cohort: Path, tmp_path: Path) -> None:
    name_deadly(cluster.folder).write_text("SIM-0002-01")
    try:
        report = index(tmp_path / "archive", cohort, cluster.address)
    finally:
        name_deadly(cluster.folder).unlink()
    [refusal] = report.refused
    assert (report.added, Path(refusal.path).stem) == (9, "SIM-0002-01")
    assert "every worker" in refusal.reason
    require_whole(tmp_path / "archive", 9)


def test_a_run_that_was_killed_is_continued(cluster: DaskCluster, cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    Archive.create(path, RECIPE)
    hold(cluster.folder).touch()
    command = [sys.executable, "-m", "histoseek", "index", str(cohort), "--archive", str(path)]
    given = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    run = subprocess.Popen([*command, "--cluster", cluster.address], env=given, cwd=ROOT)
    wait_for(lambda: run.poll() is not None or list_begun(cluster.folder))
    assert run.poll() is None
    run.kill()
    run.wait()
    let_go(cluster)
    assert index(path, cohort, cluster.address).added == 10
    require_whole(path, 10)


def test_a_scheduler_that_is_started_anew_is_found_again(
    cluster: DaskCluster, begun: Future[IndexReport], tmp_path: Path
) -> None:
    cluster.stop()
    let_go(cluster)
    cluster.start_scheduler()
    cluster.start_workers()
    assert (begun.result().added, begun.result().refused) == (10, ())
    require_whole(tmp_path / "archive", 10)


def test_what_keeps_a_cluster_from_working_is_one_line(cohort: Path, tmp_path: Path) -> None:
    change_settings(cluster_minutes="0.01")
    with run_dask(tmp_path / "dask", workers=0) as empty:
        with pytest.raises(NoWorkers, match="10 slides wait"):
            index(tmp_path / "a", cohort, empty.address)
        change_settings(cluster_minutes="3")
        empty.start_workers(1, HISTOSEEK_TEST_VERSION="0.0.1")
        with pytest.raises(UnsuitedWorker, match=r"it has histoseek 0\.0\.1, here it is"):
            index(tmp_path / "a", cohort, empty.address)
    with pytest.raises(ClusterUnreachable, match="cannot be reached"):
        index(tmp_path / "a", cohort, empty.address)


@pytest.mark.parametrize("text", ["tcp://host", "http://host:80", "slurm:0", "slurm:x", "8786", "", "tcp://host:99999"])
def test_what_names_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--cluster"):
        ClusterAddress.parse(text)


def test_clusters_are_named() -> None:
    assert ClusterAddress.parse("tcp://node-1.site:8786").is_scheduler
    assert ClusterAddress.parse("slurm:8").count == 8
    assert ClusterAddress.parse("slurm").count == 1
    assert ClusterAddress.parse("local:3").kind == "local"


def test_jobs_of_slurm_encode(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask")
    options = {"CORES": "2", "PROCESSES": "1", "MEMORY": "2GB", "INTERFACE": "lo", "LOG_DIRECTORY": str(tmp_path)}
    with run_slurm() as slurm:
        for name, value in options.items():
            monkeypatch.setenv(f"DASK_JOBQUEUE__SLURM__{name}", value)
        for name, value in {**slurm.environment, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}.items():
            monkeypatch.setenv(name, value)
        dask.config.refresh()
        report = index(tmp_path / "archive", cohort, "slurm:2")
        assert (report.added, report.refused) == (10, ())
        wait_for(lambda: not slurm.run("squeue", "-h").strip())
    require_whole(tmp_path / "archive", 10)


def test_a_scheduler_with_certificates_takes_those_who_have_one(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask = pytest.importorskip("dask")
    certificate = make_certificate(tmp_path)
    with run_dask(tmp_path / "dask", 1, "tls", **certificate) as secured:
        with pytest.raises(ClusterUnreachable, match="TLS"):
            index(tmp_path / "archive", cohort, secured.address)
        for name, value in certificate.items():
            monkeypatch.setenv(name, value)
        dask.config.refresh()
        try:
            assert index(tmp_path / "archive", cohort, secured.address).added == 10
        finally:
            monkeypatch.undo()
            dask.config.refresh()


def test_processes_of_this_machine_encode_until_they_are_interrupted(cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    Archive.create(path, RECIPE)
    command = [sys.executable, "-m", "histoseek", "index", str(cohort), "--archive", str(path), "--cluster", "local:1"]
    given = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    run = subprocess.Popen(command, env=given, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: run.poll() is not None or list(path.glob("bags/*/*.json")))
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate()
    assert (
        run.returncode == 0 or said == "interrupted: what is done is kept, and the same command continues from here\n"
    )
    subprocess.run(command, env=given, cwd=ROOT, check=True)
    require_whole(path, 10)
