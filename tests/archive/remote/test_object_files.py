"""Object storage holds the files of archives."""

from __future__ import annotations

from functools import partial

import pytest

from histoseek.archive.remote import base
from histoseek.archive.remote.base import RemoteFiles
from histoseek.archive.remote.objects.files import ObjectFiles
from tests.archive.remote.files_contract import *  # noqa: F403
from tests.archive.remote.files_contract import Opener
from tests.servers.seaweedfs import ObjectBucket

LEASE_S = 3.0


@pytest.fixture
def opener(bucket: ObjectBucket, monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.setattr(base, "LEASE_S", LEASE_S)
    return partial(open_files, bucket.address("archive"))


def open_files(address: str) -> RemoteFiles:
    base.LEASE_S = LEASE_S
    return ObjectFiles.open(address)


@pytest.fixture
def files(opener: Opener) -> RemoteFiles:
    return opener()


@pytest.fixture
def neighbour(bucket: ObjectBucket) -> RemoteFiles:
    return ObjectFiles.open(bucket.address("archive2"))
