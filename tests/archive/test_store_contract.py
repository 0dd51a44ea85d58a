"""The embedded engine keeps the contract of stores, and the registry knows engines by addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek import Archive
from histoseek.archive.stores.base import Engine, StorePlace
from histoseek.archive.stores.lance.store import LanceStore
from histoseek.errors import ConfigurationError
from tests.archive.leftover_bytes import find_leftovers
from tests.archive.store_contract import *  # noqa: F403
from tests.archive.store_contract import SCHEMA, put, scanned, slide


@pytest.fixture
def engine() -> Engine:
    return LanceStore


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    return StorePlace(tmp_path / "store")


@given(st.lists(st.tuples(st.sampled_from(["put", "delete", "optimize", "erase"]), st.integers(0, 5)), max_size=6))
@settings(max_examples=6)
def test_erasing_keeps_the_rows_and_leaves_nothing_of_others(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("erased") / "store"
    store = LanceStore.create(StorePlace(folder), SCHEMA)
    there: dict[str, str] = {}
    words: list[str] = []
    for what, number in [("put", 0), *changes, ("put", 1), ("delete", 0)]:
        name, word = f"s{number:02d}", f"zebrawort{len(words):03d}x"
        if what == "put":
            put(store, slide(number, f" {word} ", [f"f:{word}"], report=word))
            words.append(word)
            there[name] = word
        elif what == "delete":
            store.delete([name])
            there.pop(name, None)
        else:
            getattr(store, what)()
    store.erase()
    assert scanned(store, None, "slide_id", "report") == sorted(there.items())
    assert all([hit.slide_id for hit in store.text({word: 1.0}, 9, None)] == [name] for name, word in there.items())
    left = {one.what for one in find_leftovers(folder, {word: word for word in words})}
    assert left == set(there.values())


@pytest.mark.parametrize("address", ["mysql://host/archive", "redis:/host", "GS://bucket/archive"])
def test_an_address_without_an_engine_is_refused_in_one_line(address: str) -> None:
    for opening in (lambda: Archive.open(address), lambda: Archive.create(Path(address))):
        with pytest.raises(ConfigurationError, match="Supported are: paths of folders") as refused:
            opening()
        assert f"no store for {address.split(':', maxsplit=1)[0].lower()}:// addresses" in str(refused.value)
        assert "\n" not in str(refused.value)
