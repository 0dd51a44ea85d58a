"""An archive on PostgreSQL while its server is killed, cut off, or full: what was acknowledged is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.archive.remote.postgres.connection import connect
from histoseek.archive.remote.postgres.files import PostgresFiles
from histoseek.errors import DiskFull
from histoseek.settings import get_settings
from tests.servers.postgres import DATABASE, PASSWORD, USER, PostgresServer
from tests.servers.proxy import Proxy, start_proxy
from tests.servers.workload import Workload


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    with start_proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
def address(proxy: Proxy, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("HISTOSEEK_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    address = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}/{DATABASE}/faulty"
    Archive.open(indexed).copy_to(address)
    yield address
    connect(address).drop()


def test_killed_and_cut_off_it_keeps_what_was_acknowledged(
    postgres: PostgresServer, proxy: Proxy, address: str
) -> None:
    def disturb(work: Workload) -> None:
        postgres.kill()
        postgres.start()
        work.wait_for_more()
        proxy.cut()
        timer = threading.Timer(0.5, proxy.mend)
        timer.start()
        work.wait_for_more()
        timer.join()

    work = Workload(address)
    work.run(disturb)
    assert (work.refused, work.unanswered, work.wrong) == ([], [], 0)
    assert work.count_found() == len(work.acknowledged) > 0
    assert work.commits == work.count
    assert Archive.open(address).verify(deep=True).problems == ()


def test_a_full_disk_is_said_and_outlived(postgres: PostgresServer) -> None:
    with mounted(24) as folder:
        postgres.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        try:
            postgres.execute("CREATE DATABASE small TABLESPACE small")
            postgres.execute("CREATE EXTENSION vector", "small")
            address = postgres.address("full", database="small")
            files = PostgresFiles.open(address)
            acknowledged: dict[str, bytes] = {}
            with files.locked():
                with pytest.raises(DiskFull) as caught:
                    for number in range(100):
                        data = number.to_bytes(4, "big") * 2**17
                        files.write(f"bags/{number}", data)
                        acknowledged[f"bags/{number}"] = data
                assert "\n" not in str(caught.value)
                assert set(files.list_files()) == set(acknowledged)
                subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
                files.write("bags/after", b"1")
            assert all(files.read(name) == data for name, data in acknowledged.items())
            connect(address).drop()
            connect(address).close()
        finally:
            postgres.execute("DROP DATABASE IF EXISTS small WITH (FORCE)")
            postgres.execute("DROP TABLESPACE small")


@contextmanager
def mounted(megabytes: int) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = Path("/tmp") / f"histoseek-small-{os.getpid()}"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700,uid=65534", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    try:
        if done.returncode != 0:
            pytest.skip("no small disk can be mounted here")
        yield folder
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()
