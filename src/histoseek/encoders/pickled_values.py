"""Pickles read without running them: plain values and arrays of numbers come out, all else is refused.

Python's own unpickler calls whatever a pickle names. Here its opcodes, as `pickletools` lists them, work on a stack of
values, and the few names that files of tensors and arrays need stand for functions of this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pickletools import genops
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Array = NDArray[Any]

_MOST_STEPS = 2_000_000
"""Some seconds; a file of tensors has a few dozen for each."""

_NUMBER_KINDS = "biufSU"
_LARGEST_KEY = 2**60
"""Beyond, numbers of one's choice share a hash, and a table of them takes hours to fill."""


class RefusedPickle(ValueError):
    """A pickle that is damaged, or asks for more than plain values and arrays; its text is the reason, for people."""


@dataclass(frozen=True, slots=True)
class StoredNumbers:
    """Where tensors of a file lie: key of the storage, its kind (as torch names it, "FloatStorage"), and how many
    numbers it has."""

    key: str
    kind: str
    count: int


FindNumbers = Callable[[StoredNumbers], Array]


def read_pickle(file: BinaryIO, most_bytes: int, find_numbers: FindNumbers | None = None) -> object:
    """What the next pickle of a file holds: None, numbers, texts, bytes, lists, tuples, dicts and arrays, which tensors
    become as well.

    most_bytes: what tensors may take that repeat their numbers; find_numbers: gives a storage's, 1-D. Raises
    RefusedPickle.
    """
    try:
        return _Machine(most_bytes, find_numbers).run(file)
    except RefusedPickle:
        raise
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, UnicodeError, ValueError) as error:
        raise RefusedPickle("it is damaged") from error


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that the pickle asks for."""

    full: str


@dataclass(slots=True)
class _Unfinished:
    """An array or its kind before its state comes."""

    value: object = None


class _Machine:
    """The stack, the marks in it, and what the pickle has put aside."""

    def __init__(self, most_bytes: int, find_numbers: FindNumbers | None) -> None:
        self._left_bytes = most_bytes
        self._find_numbers = find_numbers
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> object:
        for step, (opcode, argument, _) in enumerate(genops(file)):
            if step > _MOST_STEPS:
                raise RefusedPickle("it is a pickle of too many steps")
            if opcode.name == "STOP":
                return _finished(self._stack.pop())
            if opcode.name in _VALUES:
                self._stack.append(argument)
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](self, argument)
            elif opcode.name not in ("PROTO", "FRAME"):
                raise RefusedPickle(f"it is a pickle with {opcode.name}, which is not read")
        raise RefusedPickle("it ends early")

    def push(self, value: object) -> None:
        self._stack.append(value)

    def drop(self, _: object) -> None:
        """Forget what was popped."""

    def mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def cut(self) -> list[Any]:
        """What was pushed since the last mark."""
        start = self._marks.pop()
        values = [_finished(value) for value in self._stack[start:]]
        del self._stack[start:]
        return values

    def pop(self, count: int = 1) -> list[Any]:
        """The topmost values, in the order they were pushed."""
        if len(self._stack) < count + (self._marks[-1] if self._marks else 0):
            raise RefusedPickle("it is damaged")
        values = [_finished(value) for value in self._stack[len(self._stack) - count :]]
        del self._stack[len(self._stack) - count :]
        return values

    def append(self, values: Sequence[object]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise RefusedPickle("it is damaged")
        target.extend(values)

    def set_items(self, values: Sequence[object]) -> None:
        _fill(self._stack[-1], values)

    def remember(self, place: int | None) -> None:
        self._memo[len(self._memo) if place is None else place] = self._stack[-1]

    def recall(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def name(self, full: str) -> None:
        full = _SAME_NAMES.get(full, full)
        if full not in _CALLS and full not in _KINDS and full not in _STORAGES:
            raise RefusedPickle(f"it asks for {full[:80]}, and is not only tensors and plain values")
        self._stack.append(_Name(full))

    def name_of_stack(self, _: object) -> None:
        module, name = self.pop(2)
        self.name(f"{module}.{name}")

    def call(self, _: object) -> None:
        function, arguments = self.pop(2)
        if not isinstance(function, _Name) or function.full not in _CALLS or not isinstance(arguments, tuple):
            raise RefusedPickle("it calls what is no function of tensors")
        self._stack.append(_CALLS[function.full](self, *arguments))

    def build(self, _: object) -> None:
        """The state of what lies beneath it: an array's numbers; what libraries note about their tables is not read."""
        state = _finished(self._stack.pop())
        target = self._stack[-1]
        if isinstance(target, _Unfinished):
            _finish(target, state)
            self._stack[-1] = target.value
        elif type(target) is not dict:
            raise RefusedPickle("it sets the state of what has none")

    def find_storage(self, _: object) -> None:
        (place,) = self.pop()
        if self._find_numbers is None or not isinstance(place, tuple) or len(place) < 5 or place[0] != "storage":
            raise RefusedPickle("it points to something outside of it")
        kind, key, count = place[1], place[2], place[4]
        if not isinstance(kind, _Name) or kind.full not in _STORAGES or type(count) is not int or count < 0:
            raise RefusedPickle("it is damaged")
        if any(part is not None for part in place[5:]):
            raise RefusedPickle("it is of an early torch: save it anew with a later one")
        self._stack.append(self._find_numbers(StoredNumbers(str(key), kind.full.removeprefix("torch."), count)))

    def tensor(self, numbers: Array, offset: int, shape: Sequence[int], strides: Sequence[int], *_: object) -> Array:
        """A view of a storage's numbers."""
        whole = [offset, *shape, *strides]
        if type(numbers) is not np.ndarray or len(shape) != len(strides) or any(type(n) is not int for n in whole):
            raise RefusedPickle("it is damaged")
        count = math.prod(shape)
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if min(whole) < 0 or (count and last >= len(numbers)):
            raise RefusedPickle("it has a tensor that reaches beyond its numbers")
        if not count:
            return np.empty(shape, numbers.dtype)
        if count > len(numbers):
            self._left_bytes -= count * numbers.itemsize
            if self._left_bytes < 0:
                raise RefusedPickle("it has a tensor that repeats its numbers too often")
        step = numbers.itemsize
        return as_strided(numbers[offset:], tuple(shape), [stride * step for stride in strides], writeable=False)


def _fill(target: object, values: Sequence[object]) -> None:
    if type(target) is not dict or len(values) % 2:
        raise RefusedPickle("it is damaged")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not (type(key) is str or (type(key) is int and abs(key) < _LARGEST_KEY)):
            raise RefusedPickle(f"it has a table by {type(key).__name__}, not by names")
        target[key] = value


def _finished(value: object) -> object:
    """A value that is used: arrays have had their state by then."""
    if not isinstance(value, _Unfinished):
        return value
    if value.value is None:
        raise RefusedPickle("it is damaged")
    return value.value


def _finish(target: _Unfinished, state: Any) -> None:
    """Give an array its numbers, or a kind of numbers its byte order."""
    if isinstance(target.value, np.dtype):
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise RefusedPickle("it has an array of other things than numbers")
        target.value = target.value.newbyteorder(state[1]) if state[1] in "<>" else target.value
        return
    _, shape, kind, by_columns, data = state
    target.value = _array(data, kind, shape, "F" if by_columns else "C")


def _array(data: object, kind: object, shape: Sequence[int], order: str) -> Array:
    if not isinstance(data, bytes | bytearray | str) or not isinstance(kind, np.dtype):
        raise RefusedPickle("it has an array of other things than numbers")
    numbers = np.frombuffer(data.encode("latin-1") if isinstance(data, str) else bytes(data), kind)
    return numbers.reshape(tuple(shape), order="F" if order == "F" else "C")


def _kind(code: object, *_: object) -> _Unfinished:
    if not isinstance(code, str) or len(code) > 8 or np.dtype(code).kind not in _NUMBER_KINDS:
        raise RefusedPickle("it has an array of other things than numbers")
    return _Unfinished(np.dtype(code))


def _table(pairs: Sequence[Sequence[object]] = ()) -> dict[Any, Any]:
    table: dict[Any, Any] = {}
    _fill(table, [part for key, value in pairs for part in (key, value)])
    return table


def _encode(text: str, coding: str) -> bytes:
    if coding not in ("latin1", "latin-1"):
        raise RefusedPickle("it is damaged")
    return text.encode("latin-1")


_VALUES = frozenset(
    {
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "UNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
    }
)
"""Opcodes whose argument is what they push."""

_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "MARK": _Machine.mark,
    "POP": lambda m, _: m.drop(m.pop()),
    "POP_MARK": lambda m, _: m.drop(m.cut()),
    "LIST": lambda m, _: m.push(m.cut()),
    "TUPLE": lambda m, _: m.push(tuple(m.cut())),
    "TUPLE1": lambda m, _: m.push(tuple(m.pop(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.pop(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.pop(3))),
    "DICT": lambda m, _: m.push(_table(_pairs(m.cut()))),
    "APPEND": lambda m, _: m.append(m.pop()),
    "APPENDS": lambda m, _: m.append(m.cut()),
    "SETITEM": lambda m, _: m.set_items(m.pop(2)),
    "SETITEMS": lambda m, _: m.set_items(m.cut()),
    "MEMOIZE": _Machine.remember,
    "PUT": _Machine.remember,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "GLOBAL": lambda m, name: m.name(name.replace(" ", ".", 1)),
    "STACK_GLOBAL": _Machine.name_of_stack,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.find_storage,
}


def _pairs(values: Sequence[object]) -> list[tuple[object, object]]:
    return list(zip(values[::2], values[1::2], strict=True))


_CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": lambda _, *pairs: _table(*pairs),
    "torch._utils._rebuild_tensor": _Machine.tensor,
    "torch._utils._rebuild_tensor_v2": _Machine.tensor,
    "torch._utils._rebuild_parameter": lambda _, tensor, *__: tensor,
    "torch.Size": lambda _, shape: tuple(shape),
    "torch.device": lambda _, *parts: ":".join(map(str, parts)),
    "numpy._core.multiarray._reconstruct": lambda _, *__: _Unfinished(),
    "numpy._core.multiarray.scalar": lambda _, kind, data: _array(data, kind, (1,), "C")[0],
    "numpy._core.numeric._frombuffer": lambda _, data, kind, shape, order: _array(data, kind, shape, order),
    "numpy.dtype": lambda _, *parts: _kind(*parts),
    "_codecs.encode": lambda _, text, coding: _encode(text, coding),
}
"""What a pickle may call, and what is done instead; each takes the machine and the pickle's arguments."""

_KINDS = frozenset({"numpy.ndarray"})
"""Names that are only ever an argument."""

_SAME_NAMES = {name.replace("_core", "core"): name for name in (*_CALLS, *_KINDS) if name.startswith("numpy._core")}
"""Of numpy before 2.0."""

_STORAGES = frozenset(
    f"torch.{kind}Storage"
    for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
)
