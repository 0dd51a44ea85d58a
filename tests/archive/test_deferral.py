"""A slow dependency of the store waits for its first use, and nobody can tell."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from histoseek.archive.stores.lance.deferral import import_deferring

_DEPENDENCY = """
class Model:
    def __init__(self, value=0):
        self.value = value
    @classmethod
    def of(cls, value):
        return cls(value)
"""
_PACKAGE = """
from typing import Optional
from slow_client import Model
from slow_client.models import Other
def make(value: Optional[Model]) -> "Model | None": return Model(value)
def is_model(value): return isinstance(value, Model)
def of(value): return Model.of(value)
def derived():
    class Derived(Model): pass
    return Derived, issubclass(Derived, Model)
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "slow_client").mkdir()
    (tmp_path / "slow_client" / "__init__.py").write_text(_DEPENDENCY)
    (tmp_path / "slow_client" / "models.py").write_text("class Other:\n    pass\n")
    (tmp_path / "its_user.py").write_text(_PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("slow_client", "slow_client.models", "its_user"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("use", ["make", "is_model", "of"])
def test_the_first_use_imports_the_dependency(packages: Path, use: str) -> None:
    user = import_deferring(("its_user",), "slow_client")
    assert not [name for name in sys.modules if name.startswith("slow_client")]
    found = getattr(user, use)(7)
    import slow_client

    assert found is False if use == "is_model" else (type(found) is slow_client.Model and found.value == 7)
    assert vars(user)["Model"] is slow_client.Model
    assert vars(user)["Other"] is sys.modules["slow_client.models"].Other


def test_others_get_the_real_objects(packages: Path) -> None:
    user = import_deferring(("its_user",), "slow_client")
    model = user.Model
    import slow_client

    assert model is slow_client.Model
    assert user.is_model(slow_client.Model())


def test_classes_are_derived_from_the_real_one(packages: Path) -> None:
    derived, is_derived = import_deferring(("its_user",), "slow_client").derived()
    assert is_derived
    assert derived(3).value == 3


def test_a_package_that_needs_the_real_one_gets_it(packages: Path) -> None:
    (packages / "its_user.py").write_text("from slow_client import Model\nassert isinstance(Model, type)\n")
    user = import_deferring(("its_user",), "slow_client")
    assert user.Model is sys.modules["slow_client"].Model


def test_a_dependency_imported_already_is_used_as_it_is(packages: Path) -> None:
    import slow_client

    user = import_deferring(("its_user",), "slow_client")
    assert vars(user)["Model"] is slow_client.Model


def test_a_package_without_the_dependency_is_imported(packages: Path) -> None:
    (packages / "its_user.py").write_text("HERE = 1\n")
    assert import_deferring(("its_user",), "no_such_client").HERE == 1


def test_an_error_of_the_package_is_its_own(packages: Path) -> None:
    (packages / "its_user.py").write_text("import slow_client\nraise ValueError('its own')\n")
    with pytest.raises(ValueError, match="its own"):
        import_deferring(("its_user",), "slow_client")
    assert not any(type(finder).__name__ == "_Deferral" for finder in sys.meta_path)


def test_the_engine_works_without_and_with_its_client(tmp_path: Path) -> None:
    code = f"""
import sys
from histoseek.archive.stores.lance.engine import lancedb
client = "lance_namespace_urllib3_client"
database = lancedb.connect({str(tmp_path)!r})
database.create_table("slides", [{{"slide_id": "a"}}])
assert database.open_table("slides").search().to_list() == [{{"slide_id": "a"}}]
assert not [name for name in sys.modules if name.startswith(client)]
listed = database.list_tables()
import lance_namespace, lance_namespace_urllib3_client.models as models
assert type(listed) is models.ListTablesResponse is lance_namespace.ListTablesResponse
assert listed.tables == ["slides"]
"""
    subprocess.run([sys.executable, "-c", code], check=True)
