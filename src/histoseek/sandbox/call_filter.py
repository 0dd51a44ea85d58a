"""Programs that decide over system calls, put together and handed to the kernel (seccomp).

A program is a list of steps of the classic packet filter; each call that is named has a block of its own that ends in
an answer, so that no step jumps further than its block. The kernel takes at most 4,096 steps.

Interface: https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_SET_FILTER, _ALL_THREADS = 1, 1
_WORD = 0xFFFFFFFF

Step = tuple[int, int, int, int]
"""Operation, steps to jump over when it holds and when not, operand."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether the bits in `mask` of an argument are those of `value`.

    The kernel reads numbers and flags as 32 bits, whatever the upper half of the register holds; addresses have 64.
    """

    argument: int
    value: int
    mask: int = _WORD


@dataclass(frozen=True, slots=True)
class Rule:
    """When a call may be made: when all conditions of one of the `ways` hold; refusal: the error given otherwise."""

    ways: tuple[tuple[Condition, ...], ...] = ((),)
    refusal: int = errno.EPERM


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor's calls: how the kernel names it, and the number of the call that sets a filter."""

    architecture: int
    set_filter: int


MACHINES = {"x86_64": Machine(0xC000003E, 317), "aarch64": Machine(0xC00000B7, 277)}
"""Those a filter can be made for, as `os.uname` names them; both have the low half of an argument first."""


def build_filter(architecture: int, rules: Mapping[int, Rule], unknown_from: int) -> list[Step]:
    """The program: calls by number and their rules; all others are refused, as unknown from a number on.

    Calls under another architecture's numbers are refused, too.
    """
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    # Rules with conditions come first: the kernel remembers by itself which numbers always pass.
    for number in sorted(rules, key=lambda number: len(rules[number].ways[0]) == 0):
        steps += _build_block(number, rules[number])
    return [
        *steps,
        (_AT_LEAST, 0, 1, unknown_from),
        (_RETURN, 0, 0, _REFUSE | errno.ENOSYS),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
    ]


def _build_block(number: int, rule: Rule) -> list[Step]:
    body = [step for way in rule.ways for step in _build_way(way)]
    if all(rule.ways):
        body.append((_RETURN, 0, 0, _REFUSE | rule.refusal))
    return [(_EQUAL, 0, len(body), number), *body]


def _build_way(conditions: tuple[Condition, ...]) -> Iterator[Step]:
    """Steps that allow the call when all conditions hold, and go on behind themselves otherwise."""
    words = [word for condition in conditions for word in _split_words(condition)]
    length = 3 * len(words) + 1
    for place, (offset, value, mask) in enumerate(words):
        yield (_LOAD, 0, 0, offset)
        yield (_AND, 0, 0, mask)
        yield (_EQUAL, 0, length - (3 * place + 3), value)
    yield (_RETURN, 0, 0, _ALLOW)


def _split_words(condition: Condition) -> Iterator[tuple[int, int, int]]:
    """Where a half of the argument is, the value to compare it with, and the bits that count."""
    for half in (0, 1):
        mask = condition.mask >> 32 * half & _WORD
        if mask:
            yield _ARGUMENTS_AT + 8 * condition.argument + 4 * half, condition.value >> 32 * half & mask, mask


def install_filter(kernel: ctypes.CDLL, machine: Machine, steps: list[Step]) -> None:
    """Hand the program to the kernel, for all threads there are and will be; whether it holds is to be tried."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    kernel.syscall(machine.set_filter, _SET_FILTER, _ALL_THREADS, program)
