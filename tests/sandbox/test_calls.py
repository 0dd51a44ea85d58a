"""The filter of calls, run step by step as the kernel would, on both processors."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.sandbox.allowed_calls import NUMBERS, UNKNOWN_FROM, list_rules
from histoseek.sandbox.call_filter import MACHINES, Condition, Rule, Step, build_filter

X86_64, AARCH64 = MACHINES["x86_64"].architecture, MACHINES["aarch64"].architecture
ALLOWED = 0x7FFF0000
WORD = 2**32 - 1
Call = tuple[int, tuple[int, ...]]


def decide(steps: list[Step], architecture: int, number: int, arguments: tuple[int, ...]) -> int:
    """What the program answers to a call: 0 when it is allowed, else the error."""
    words = {0: number, 4: architecture}
    for place, argument in enumerate(arguments):
        words |= {16 + 8 * place: argument & WORD, 20 + 8 * place: argument >> 32}
    register = at = 0
    while True:
        operation, if_true, if_false, operand = steps[at]
        at += 1
        if operation == 0x20:
            register = words[operand]
        elif operation == 0x54:
            register &= operand
        elif operation == 0x06:
            return 0 if operand == ALLOWED else operand & 0xFFFF
        else:
            holds = register == operand if operation == 0x15 else register >= operand
            at += if_true if holds else if_false


def allows(rule: Rule, arguments: tuple[int, ...]) -> bool:
    return any(all(holds(condition, arguments) for condition in way) for way in rule.ways)


def holds(condition: Condition, arguments: tuple[int, ...]) -> bool:
    return arguments[condition.argument] & condition.mask == condition.value


def ask(machine: str, name: str, *arguments: int, compiles: bool = False) -> int:
    steps = build_filter(MACHINES[machine].architecture, list_rules(machine, compiles), UNKNOWN_FROM)
    number = NUMBERS[name][0 if machine == "x86_64" else 1]
    assert number is not None
    padded = (arguments + (0,) * 6)[:6]
    return decide(steps, MACHINES[machine].architecture, number, padded)


values = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 16), st.sampled_from([0x3D0F00, 0x7D0F00, os.getpid()]))


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(MACHINES)),
    st.booleans(),
    st.integers(0, 600) | st.integers(0, WORD),
    st.tuples(*[values] * 6),
)
def test_the_program_does_what_the_rules_say(
    machine: str, compiles: bool, number: int, arguments: tuple[int, ...]
) -> None:
    rules = list_rules(machine, compiles)
    steps = build_filter(MACHINES[machine].architecture, rules, UNKNOWN_FROM)
    answer = decide(steps, MACHINES[machine].architecture, number, arguments)
    if number in rules:
        assert answer == (0 if allows(rules[number], arguments) else rules[number].refusal)
    else:
        assert answer == (errno.ENOSYS if number >= UNKNOWN_FROM else errno.EPERM)


@given(st.integers(0, WORD).filter(lambda it: it != X86_64), st.integers(0, 600))
def test_calls_of_another_architecture_are_refused(architecture: int, number: int) -> None:
    steps = build_filter(X86_64, list_rules("x86_64", True), UNKNOWN_FROM)
    assert decide(steps, architecture, number, (0,) * 6) == errno.EPERM


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_what_arguments_may_be(machine: str) -> None:
    me, parent = os.getpid(), os.getppid()
    assert ask(machine, "clone", 0x3D0F00) == ask(machine, "clone", 0x7D0F00) == 0
    assert ask(machine, "clone", 17) == ask(machine, "clone", 0x3D0F00 | 0x10000000) == errno.EPERM
    assert ask(machine, "tgkill", me, me, 6) == 0
    assert ask(machine, "tgkill", parent, parent, 6) == errno.EPERM
    assert ask(machine, "prlimit64", 0, 7, 4096) == 0
    assert ask(machine, "prlimit64", parent, 7) == ask(machine, "prlimit64", 2**32 - 1, 7) == errno.EPERM
    assert ask(machine, "openat", 2**32 - 100, 4096, os.O_CLOEXEC) == 0
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, 0x200000):
        assert ask(machine, "openat", 2**32 - 100, 4096, flag) == errno.EACCES
    assert ask(machine, "fcntl", 3, 4, 0x800) == 0
    for command in (8, 10, 15, 1024, 1026):
        assert ask(machine, "fcntl", 3, command) == errno.EPERM
    assert ask(machine, "fcntl", 3, 4, 0x2000) == errno.EPERM
    assert ask(machine, "sendto", 3, 4096, 1, 0, 0) == 0
    assert ask(machine, "sendto", 3, 4096, 1, 0, 2**32) == errno.EPERM


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_only_encoders_make_code(machine: str) -> None:
    write_and_run, run = 7, 5
    assert ask(machine, "mmap", 0, 4096, run) == 0
    assert ask(machine, "mmap", 0, 4096, write_and_run) == ask(machine, "mprotect", 0, 4096, run) == errno.EACCES
    assert ask(machine, "mmap", 0, 4096, write_and_run, compiles=True) == 0
    assert ask(machine, "mprotect", 0, 4096, write_and_run, compiles=True) == 0


@pytest.mark.parametrize(
    ("place", "header", "pattern"),
    [
        (0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+) (\d+)"),
        (1, "/usr/include/asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+) (\d+)"),
    ],
    ids=["x86_64", "aarch64"],
)
def test_numbers_are_those_of_the_kernel(place: int, header: str, pattern: str) -> None:
    if not Path(header).is_file():
        pytest.skip(f"no {header} here")
    kernel = {name: int(number) for name, number in re.findall(pattern, Path(header).read_text())}
    kernel.setdefault("newfstatat", kernel.get("fstatat", -1))
    own = {name: numbers[place] for name, numbers in NUMBERS.items()}
    assert {name: number for name, number in own.items() if number is not None and number != kernel.get(name)} == {}
    assert {name for name, number in own.items() if number is None} & kernel.keys() == set()


def test_no_number_stands_twice() -> None:
    for place in (0, 1):
        numbers = [both[place] for both in NUMBERS.values() if both[place] is not None]
        assert len(numbers) == len(set(numbers))
