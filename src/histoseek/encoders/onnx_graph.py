"""ONNX models, written without the package `onnx`: their file is a message of protobuf, of which we need a few fields.

Field numbers and codes are those of onnx.proto, of the format's version 10 (https://github.com/onnx/onnx).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FORMAT, _OPERATORS = 10, 20
"""Versions of the file's format, and of the operators and what they mean."""

_KINDS = {"float32": 1, "uint8": 2, "int64": 7, "bool": 9}
_CODES: Mapping[type, int] = {float: 1, int: 2, list: 7}
"""What an attribute is: a number, a whole one, or several of these."""

Part = bytes | memoryview
Parts = list[Part]
Sizes = Sequence[int | str]


class OnnxGraph:
    """A graph that grows operator by operator; values are known by their names."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[Parts] = []
        self._constants: list[Parts] = []
        self._ends: list[Parts] = []
        self._count = 0

    def input(self, name: str, kind: str, sizes: Sizes) -> str:
        """A value that comes from outside; kind: numpy's name; sizes that may vary have a name."""
        self._ends.append(_message(11, _value(name, kind, sizes)))
        return name

    def constant(self, numbers: NDArray[Any] | np.generic) -> str:
        """Numbers that belong to the model: float32, uint8, int64 or bool."""
        name, array = self._new_name(), np.asarray(numbers)
        sizes = [_number(1, size) for size in array.shape]
        head = [*sizes, _number(2, _KINDS[array.dtype.name]), _text(8, name)]
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
        self._constants.append(_message(5, [*head, *_message(9, [data.data])]))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: int | float | list[int]) -> str:
        """Apply an operator of the default set; returns the name of its (only) output."""
        output = output or self._new_name()
        parts: Parts = [*(_text(1, name) for name in inputs), _text(2, output), _text(4, operator)]
        for name, value in attributes.items():
            parts += _message(5, _attribute(name, value))
        self._nodes.append(_message(1, parts))
        return output

    def output(self, name: str, kind: str, sizes: Sizes) -> None:
        """Declare a value to be one that the model gives."""
        self._ends.append(_message(12, _value(name, kind, sizes)))

    def to_bytes(self) -> bytes:
        """The file's content."""
        graph: Parts = [part for parts in self._nodes for part in parts]
        graph += [_text(2, self._name), *(part for parts in (*self._constants, *self._ends) for part in parts)]
        operators = _message(8, [_text(1, ""), _number(2, _OPERATORS)])
        return b"".join([_number(1, _FORMAT), _text(2, "histoseek"), *operators, *_message(7, graph)])

    def _new_name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _attribute(name: str, value: int | float | list[int]) -> Parts:
    parts: Parts = [_text(1, name), _number(20, _CODES[type(value)])]
    if isinstance(value, float):
        return [*parts, _key(2, 5), struct.pack("<f", value)]
    if isinstance(value, int):
        return [*parts, _number(3, value)]
    return [*parts, *(_number(8, part) for part in value)]


def _value(name: str, kind: str, sizes: Sizes) -> Parts:
    dims: Parts = []
    for size in sizes:
        dims += _message(1, [_text(2, size) if isinstance(size, str) else _number(1, size)])
    tensor = [_number(1, _KINDS[kind]), *_message(2, dims)]
    return [_text(1, name), *_message(2, _message(1, tensor))]


def _message(field: int, parts: Sequence[Part]) -> Parts:
    return [_key(field, 2), _varint(sum(map(len, parts))), *parts]


def _text(field: int, text: str) -> bytes:
    data = text.encode()
    return _key(field, 2) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as those of 64 bits."""
    value &= 2**64 - 1
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
