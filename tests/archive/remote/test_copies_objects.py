"""Archives move to object storage and back."""

from __future__ import annotations

import pytest

from tests.archive.remote.copies_contract import *  # noqa: F403
from tests.servers.seaweedfs import ObjectBucket


@pytest.fixture
def address(bucket: ObjectBucket) -> str:
    return bucket.address("copies")
