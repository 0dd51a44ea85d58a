"""Object storage that can't be used, or does not suit: what is wrong is said in one line."""

from __future__ import annotations

import pytest

from histoseek.api import Archive
from histoseek.archive.remote.objects.files import ObjectFiles
from histoseek.errors import AccessDenied, ConfigurationError, HistoseekError, ServerUnreachable, ServerUnsuited
from histoseek.settings import get_settings
from tests.servers.seaweedfs import ObjectBucket, make_environment

WRONG = {
    "no bucket": ({}, "s3://no-such-bucket/archive", ServerUnsuited, "this bucket is not there"),
    "wrong secret": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, None, AccessDenied, "AWS_SECRET_ACCESS_KEY"),
    "unknown key": ({"AWS_ACCESS_KEY_ID": "nobody"}, None, AccessDenied, "AWS_ACCESS_KEY_ID"),
    "no secret": ({"AWS_SECRET_ACCESS_KEY": ""}, None, ConfigurationError, "AWS_SECRET_ACCESS_KEY"),
    "not encrypted": ({"AWS_ALLOW_HTTP": ""}, None, ConfigurationError, "https://"),
    "nobody there": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, None, ServerUnreachable, "cannot be reached"),
    "no prefix": ({}, "s3://bucket", ConfigurationError, "is no prefix"),
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
