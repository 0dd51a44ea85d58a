"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# Test processes share few cores: with one thread each they don't get in each other's way. Before numpy and torch load.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HISTOSEEK_THREADS", "1")
# Tests fill published architectures with random numbers, which are nobody's published weights.
os.environ.setdefault("HISTOSEEK_ACCEPT_UNKNOWN_WEIGHTS", "1")
# Which runtime is the quickest is for their own tests: the others are to compute the same bits wherever they run.
os.environ.setdefault("HISTOSEEK_RUNTIME", "onnx")

import pytest
from hypothesis import HealthCheck, settings

from histoseek.api import Archive
from histoseek.garbage import collect_seldom
from histoseek.settings import get_settings
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.seaweedfs import ObjectBucket, SeaweedFS, use_bucket

pytest.register_assert_rewrite(
    "tests.archive.store_contract", "tests.archive.remote.files_contract", "tests.archive.remote.copies_contract"
)

# No test's files need to outlive a power cut, and discs take their time. What `subprocess` starts flushes as users' do.
os.fsync = os.fstat

# Programs of ours do it, too, and what tests load is to stay.
collect_seldom()

# How long an example takes says nothing on a machine that does other things, too.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


_SLOW_FILES = (
    "server/test_openapi.py",
    "server/test_server_copies.py",
    "server/test_lifecycle.py",
    "server/test_api_work.py",
    "server/test_attacks.py",
    "server/uploads/test_sandbox_ends.py",
    "server/test_overviews.py",
    "server/test_sandbox_state.py",
    "server/test_odd_archives.py",
    "server/test_several_servers.py",
)
"""Few tests that take long, those that take longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, then those with most tests: what is begun last is alone at the end."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(_SLOW_FILES)}
    counts = Counter(item.path for item in items)
    items.sort(key=lambda item: (places.get(item.path, len(places)), -counts[item.path], str(item.path)))


@pytest.fixture(autouse=True)
def _forget_settings() -> Iterator[None]:
    """Settings that a test read from its own environment are not those of the next."""
    yield
    get_settings.cache_clear()


def _shared_data() -> Path | None:
    given = os.environ.get("HISTOSEEK_TEST_DATA")
    path = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    return path if (path / "manifest.csv").is_file() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real slides, tiles and reports; tests that need it are skipped elsewhere."""
    path = _shared_data()
    if path is None:
        pytest.skip("real test data not found: set HISTOSEEK_TEST_DATA to its folder (see CONTRIBUTING.md)")
    return path


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten small simulated slides of five patients, with metadata.csv and reports.csv. Not to be changed."""
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(CohortSpec(patients=5, slides_per_patient=2, sites=1, size_px=768), folder)
    return folder


@pytest.fixture(scope="session")
def indexed(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the cohort. Not to be changed."""
    path = tmp_path_factory.mktemp("archives") / "cohort.archive"
    report = Archive.create(path).index([cohort], cohort / "metadata.csv", cohort / "reports.csv")
    assert (report.added, report.refused) == (10, ())
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process, with pgvector; tests make archives of their own on it."""
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def object_store() -> Iterator[SeaweedFS]:
    """An object store of this test process."""
    with SeaweedFS() as server:
        yield server


@pytest.fixture
def bucket(object_store: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> ObjectBucket:
    """A bucket of the test's own, with the environment set for it."""
    return use_bucket(object_store, monkeypatch)
