"""Import a package while a dependency of it that is slow to import, and seldom used, waits for its first use.

While the import lasts, modules that stand for the dependency give a placeholder for each name that is asked of them.
The first use of any placeholder imports the dependency and puts the real objects in the placeholders' places. See
docs/decisions/0024.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Union

_ASKED_BY_TYPING = ("__parameters__", "__origin__", "__no_type_check__")


def import_deferring(names: Sequence[str], dependency: str) -> Any:
    """Import the modules `names` with `dependency` deferred, and return the first of them.

    Plainly where one of the two is imported already, where there is no such dependency, and where deferring it fails.
    """
    if names[0] not in sys.modules and dependency not in sys.modules and find_spec(dependency) is not None:
        before = set(sys.modules)
        deferral = _Deferral(dependency)
        try:
            _import_deferred(names, deferral)
        except Exception:
            # Whatever a later version does that a placeholder can't: begin anew, with the real dependency.
            _forget_since(before)
        else:
            deferral.watch([sys.modules[name] for name in set(sys.modules) - before if name in sys.modules])
    for name in names:
        import_module(name)
    return sys.modules[names[0]]


def _import_deferred(names: Sequence[str], deferral: _Deferral) -> None:
    sys.meta_path.insert(0, deferral)
    try:
        for name in names:
            import_module(name)
    finally:
        deferral.end()


def _forget_since(before: set[str]) -> None:
    """Drop the modules imported since, but compiled ones: those can't be initialized twice."""
    for name in set(sys.modules) - before:
        if not (getattr(sys.modules[name], "__file__", None) or "").endswith(tuple(EXTENSION_SUFFIXES)):
            del sys.modules[name]


class _Deferral(MetaPathFinder, Loader):
    """Finds stand-ins for a package's modules until it ends, then puts real objects where placeholders are."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._ended = False
        self._holders: list[ModuleType] = []

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """A stand-in for the package or a module of it, None for all others."""
        if fullname == self._package or fullname.startswith(f"{self._package}."):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give a placeholder for any name; real values where code needs them at once."""

        def give(name: str) -> Any:
            if self._ended or name in {"__all__", "__version__"}:
                return self.load(module.__name__, name)
            if name.startswith("__"):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return _Placeholder(self, module.__name__, name)

        module.__dict__["__getattr__"] = give

    def end(self) -> None:
        """From here on the package is imported as any other."""
        self._ended = True
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name, module in list(sys.modules.items()):
            if getattr(getattr(module, "__spec__", None), "loader", None) is self:
                del sys.modules[name]

    def watch(self, modules: Sequence[ModuleType]) -> None:
        """Let modules that hold placeholders give the real objects to others who ask for them."""
        self._holders = [
            module
            for module in modules
            if type(module) is ModuleType and any(type(value) is _Placeholder for value in vars(module).values())
        ]
        for module in self._holders:
            module.__class__ = _Holder

    def load(self, module: str, name: str) -> Any:
        """The real object, with the package imported."""
        self.end()
        found = getattr(import_module(module), name)
        while self._holders:
            _fill(self._holders.pop())
        return found


class _Holder(ModuleType):
    """A module some of whose names are placeholders yet."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return value.load_() if type(value) is _Placeholder else value


def _fill(holder: ModuleType) -> None:
    """Put the real objects in the place of a module's placeholders."""
    holder.__class__ = ModuleType
    for name, value in list(vars(holder).items()):
        if type(value) is _Placeholder:
            setattr(holder, name, value.load_())


class _Placeholder:
    """Stands for a class or function of the deferred package, and does what that does."""

    def __init__(self, deferral: _Deferral, module: str, name: str) -> None:
        self._source = (deferral, module, name)

    def load_(self) -> Any:
        """What it stands for."""
        deferral, module, name = self._source
        return deferral.load(module, name)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.load_()(*args, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__typing_") or name in _ASKED_BY_TYPING:
            raise AttributeError(name)
        return getattr(self.load_(), name)

    def __getitem__(self, item: Any) -> Any:
        return self.load_()[item]

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.load_(),)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self.load_())

    def __subclasscheck__(self, subclass: Any) -> bool:
        return issubclass(subclass, self.load_())
