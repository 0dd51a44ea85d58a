"""An archive in object storage that is cut off, or loses one of its volume servers: what was acknowledged is found.

And what is wrong with one that can't be used is said in one line.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from histoseek.api import Archive
from histoseek.archive.remote.objects import write_lock
from histoseek.archive.remote.objects.files import ObjectFiles
from histoseek.errors import (
    AccessDenied,
    ArchiveError,
    ConfigurationError,
    HistoseekError,
    ServerUnreachable,
    ServerUnsuited,
)
from histoseek.settings import get_settings
from tests.servers.proxy import Proxy, start_proxy
from tests.servers.seaweedfs import ObjectBucket, SeaweedFS, make_environment, use_bucket
from tests.servers.workload import Workload


@pytest.fixture(scope="module")
def twofold() -> Iterator[SeaweedFS]:
    """Two volume servers, each with all objects."""
    with SeaweedFS(volumes=2, replication="001") as server:
        yield server


@pytest.fixture
def proxy(twofold: SeaweedFS) -> Iterator[Proxy]:
    with start_proxy(twofold.port) as proxy:
        yield proxy


@pytest.fixture
def address(twofold: SeaweedFS, proxy: Proxy, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    bucket = use_bucket(twofold, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("HISTOSEEK_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()
    Archive.open(indexed).copy_to(bucket.address("faulty"))
    return bucket.address("faulty")


def test_cut_off_and_with_a_copy_less_it_keeps_what_was_acknowledged(
    twofold: SeaweedFS, proxy: Proxy, address: str
) -> None:
    def disturb(work: Workload) -> None:
        proxy.cut()
        timer = threading.Timer(0.5, proxy.mend)
        timer.start()
        work.wait_for_more()
        timer.join()
        twofold.kill_volume(0)
        timer = threading.Timer(0.5, twofold.start_volume, (0,))
        timer.start()
        work.wait_for_more()
        timer.join()

    work = Workload(address)
    work.run(disturb)
    assert (work.refused, work.unanswered, work.wrong) == ([], [], 0)
    assert work.count_found() == len(work.acknowledged) > 0
    assert Archive.open(address).verify(deep=True).problems == ()


def test_a_write_that_comes_late_replaces_nothing_of_the_next_holder(
    bucket: ObjectBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    files, put = ObjectFiles.open(bucket.address("archive")), obstore.put

    def put_late(store: Any, path: str, data: bytes, **named: Any) -> Any:
        monkeypatch.setattr(obstore, "put", put)
        put(store, write_lock.LOCK, write_lock.LockState("another").write())
        put(store, path, b"theirs")
        held = write_lock.find_held(bucket.address("archive"))
        assert held is not None
        held._sent_s -= 10 * held._lease_s
        return put(store, path, data, **named)

    with files.locked():
        files.write("archive.json", b"ours")
        monkeypatch.setattr(obstore, "put", put_late)
        with pytest.raises(ArchiveError, match="another process writes"):
            files.write("archive.json", b"ours, later")
    assert files.read("archive.json") == b"theirs"


WRONG = {
    "no bucket": ({}, "s3://no-such-bucket/archive", ServerUnsuited, "this bucket is not there"),
    "wrong secret": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, None, AccessDenied, "AWS_SECRET_ACCESS_KEY"),
    "unknown key": ({"AWS_ACCESS_KEY_ID": "nobody"}, None, AccessDenied, "AWS_ACCESS_KEY_ID"),
    "no secret": ({"AWS_SECRET_ACCESS_KEY": ""}, None, ConfigurationError, "AWS_SECRET_ACCESS_KEY"),
    "not encrypted": ({"AWS_ALLOW_HTTP": ""}, None, ConfigurationError, "https://"),
    "nobody there": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, None, ServerUnreachable, "cannot be reached"),
    "no prefix": ({}, "s3://bucket", ConfigurationError, "is no prefix"),
    "keys in the address": ({}, "s3://key:secret@bucket/archive", ConfigurationError, "key:***@bucket"),
    "no name of a bucket": ({}, "s3://B_/archive", ConfigurationError, "is no name of a bucket"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(bucket: ObjectBucket, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    changes, address, kind, said = WRONG[case]
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HISTOSEEK_SERVER_SECONDS", "1")
    get_settings.cache_clear()
    address = address or bucket.address("archive")
    for opening in (lambda: Archive.open(address), lambda: Archive.create(address)):
        with pytest.raises(kind) as caught:
            opening()
        text = str(caught.value)
        assert said in text
        assert "\n" not in text
        assert make_environment("")["AWS_SECRET_ACCESS_KEY"] not in text


def test_a_server_without_conditional_writes_is_refused(bucket: ObjectBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore

    def put_anyway(*arguments: object, mode: object = None, **named: object) -> object:
        return put(*arguments, **named)

    put = obstore.put
    files = ObjectFiles.open(bucket.address("archive"))
    monkeypatch.setattr(obstore, "put", put_anyway)
    with pytest.raises(ServerUnsuited, match="does not know conditional writes") as caught, files.locked():
        raise AssertionError("two could hold the lock")
    assert isinstance(caught.value, HistoseekError)
