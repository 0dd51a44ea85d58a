"""The engine of archives in object storage keeps the contract of stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from histoseek.archive.stores.base import Engine, StorePlace
from histoseek.archive.stores.lance.objects import ObjectLanceStore
from tests.archive.store_contract import *  # noqa: F403
from tests.servers.seaweedfs import ObjectBucket


@pytest.fixture
def engine() -> Engine:
    return ObjectLanceStore


@pytest.fixture
def place(bucket: ObjectBucket, tmp_path: Path) -> StorePlace:
    return StorePlace(tmp_path / "store", bucket.address("archive"))
