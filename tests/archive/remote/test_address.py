"""Addresses of archives as they are shown: never with what opens them."""

from __future__ import annotations

import pytest

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.remote.address import ArchiveAddress, hide_password
from histoseek.archive.stores.base import StorePlace
from histoseek.errors import HistoseekError
from histoseek.server.settings import ServerSettings

SECRET = "Tr0ub4dor"
SHOWN = {
    f"postgresql://u:{SECRET}@h:5432/db/a": "postgresql://u:***@h:5432/db/a",
    f"postgresql://u:{SECRET}@one,two:5433/db/a": "postgresql://u:***@one,two:5433/db/a",
    f"postgresql://u:1@{SECRET}@h/db/a": "postgresql://u:***@h/db/a",
    f"postgresql://u:1/{SECRET}@h/db/a": "postgresql://u:***@h/db/a",
    f"postgresql://u:1@2/{SECRET}@h/db/a": "postgresql://u:***@h/db/a",
    f"postgresql://u:1?{SECRET}@h/db/a": "postgresql://u:***@h/db/a",
    f"postgresql://u:1#{SECRET}@h/db/a": "postgresql://u:***@h/db/a",
    f"postgresql://u:1 {SECRET}@h/db/a": "postgresql://u:***@h/db/a",
    f"postgresql://u:%zz{SECRET}@h/db/a": "postgresql://u:***@h/db/a",
    f"postgresql://u:{SECRET}/db/a": "postgresql://u:***/db/a",
    f"postgresql://u@h/db/a?password={SECRET}&sslmode=require": "postgresql://u@h/db/a?password=***&sslmode=require",
    f"postgresql://u@h/db/a?%70assword={SECRET}": "postgresql://u@h/db/a?%70assword=***",
    f"postgresql:/u:{SECRET}@h/db/a": "postgresql:/u:***@h/db/a",
    f"milvus://u:{SECRET}@h:19530/a": "milvus://u:***@h:19530/a",
    f"milvus://{SECRET}@h:19530/a": "milvus://***@h:19530/a",
    f"milvus://u:{SECRET}/a": "milvus://u:***/a",
    f"s3://key:{SECRET}@bucket/a": "s3://key:***@bucket/a",
    f"mysql://u:{SECRET}@h/a": "mysql://u:***@h/a",
}
PLAIN = (
    "postgresql://u@h:5432/db/a?application_name=x@y",
    "postgresql://h:5432/db/a?user=x@y",
    "postgresql://[::1]:5432,h/db/a",
    "milvus://h:19530/db/a?secure=true",
    "s3://bucket/one@two/a",
    "/data/a:b@c/x.archive",
)


@pytest.mark.parametrize("address", SHOWN)
def test_no_password_is_shown(address: str) -> None:
    assert hide_password(address) == SHOWN[address]


@pytest.mark.parametrize("address", PLAIN)
def test_what_is_no_secret_is_shown(address: str) -> None:
    assert hide_password(address) == address


@pytest.mark.parametrize("address", SHOWN)
def test_no_error_and_no_object_tells_one(address: str) -> None:
    from histoseek.archive.remote.milvus.connection import MilvusAddress
    from histoseek.archive.remote.objects.place import ObjectPlace
    from histoseek.archive.remote.postgres.place import PostgresPlace

    kinds = {"postgresql": PostgresPlace, "milvus": MilvusAddress, "s3": ObjectPlace}
    told = []
    try:
        parsed = ArchiveAddress.parse(address)
        layout = ArchiveLayout.of(parsed)
        told += [repr(parsed), repr(layout), layout.name, repr(StorePlace(layout.store, layout.address))]
        told.append(repr(ServerSettings({"a": address})))
        told.append(repr(kinds[parsed.scheme].parse(parsed.text)))
    except HistoseekError as error:
        told += [str(error), repr(error), str(error.__cause__)]
    assert [text for text in told if SECRET in text] == []


def test_archives_of_several_addresses_have_folders_of_their_own() -> None:
    one = ("h:5432/db/a", "h:5432/db/b", "h:5433/db/a", "h:5432/db/a?user=x@y", "h:5432/db/b?user=x@y", "u@h:5432/db/a")
    folders = {ArchiveAddress.parse(f"postgresql://{rest}").folder for rest in one}
    assert len(folders) == len(one)
    passwords = {ArchiveAddress.parse(f"postgresql://u:{word}@h/db/a").folder for word in ("one", "two")}
    assert len(passwords) == 1
