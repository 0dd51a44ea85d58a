"""The system calls that reading slides, tables and models needs; all others are refused.

Found by tracing every reader and encoder over real files, with a margin for other kernels and C libraries: calls that
look at this process alone, or that libraries try first. What opens can't write, what signals can't reach others.
"""

from __future__ import annotations

import errno
import os

from histoseek.sandbox.call_filter import Condition, Rule

UNKNOWN_FROM = 424
"""Later calls, numbered alike everywhere, are answered as if the kernel were older: libraries then use earlier ones.

So clone3, whose flags lie in memory and can't be tested, becomes clone, and openat2 openat.
"""

_FREE: dict[str, tuple[int | None, int | None]] = {
    # Reading what is open, and asking what is there.
    "read": (0, 63),
    "pread64": (17, 67),
    "readv": (19, 65),
    "preadv": (295, 69),
    "preadv2": (327, 286),
    "lseek": (8, 62),
    "close": (3, 57),
    "dup": (32, 23),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    "fadvise64": (221, 223),
    # Writing into what is open: the channel and /dev/null.
    "write": (1, 64),
    "writev": (20, 66),
    # Memory of its own.
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "mbind": (237, 235),
    # Threads of its own, and their end.
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "membarrier": (324, 283),
    "arch_prctl": (158, None),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_getattr": (315, 275),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "getcpu": (309, 168),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # Its own handlers of signals.
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    # Time.
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    # Who and where it is.
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrusage": (98, 165),
    "getrlimit": (97, 163),
    "getrandom": (318, 278),
    # Waiting for the channel.
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
}
"""Calls without conditions: their numbers on x86_64 and aarch64; None: the processor has it not."""

_CONDITIONAL: dict[str, tuple[int | None, int | None]] = {
    "open": (2, None),
    "openat": (257, 56),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "clone": (56, 220),
    "tgkill": (234, 131),
    "sched_setaffinity": (203, 122),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "flock": (73, 32),
    "recvfrom": (45, 207),
    "sendto": (44, 206),
}

NUMBERS = _FREE | _CONDITIONAL
"""All of them."""

_ADDRESS = 2**64 - 1
_OPEN_BEYOND_READING = 0x602243
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_ASYNC, O_PATH, O_TMPFILE."""

_WRITABLE, _EXECUTABLE = 2, 4
_THREAD_FLAGS, _DETACHED = 0x3D0F00, 0x400000
"""Those that pthread_create gives: a thread of this process, in no namespace of its own. musl adds an old one."""

_LIMITS_OF = 0
_NAME_OPTIONS = (15, 16, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA: names of threads and of memory."""

_FILE_COMMANDS = (0, 1, 2, 3, 5, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_GETLK, F_DUPFD_CLOEXEC: none that sends signals or leases."""

_SET_FLAGS, _ASYNC = 4, 0x2000
_DEVICE_COMMANDS = (0x5401, 0x5421, 0x541B, 0x5450, 0x5451)
"""TCGETS, FIONBIO, FIONREAD, FIONCLEX, FIOCLEX."""

_SHARED_LOCK, _UNLOCK = 5, 8


def list_rules(machine: str, compiles: bool) -> dict[int, Rule]:
    """Rules by number, for a processor as `os.uname` names it; compiles: encoders make code as they run."""
    place = 0 if machine == "x86_64" else 1
    conditional = _list_conditional(compiles)
    numbers = ((name, both[place]) for name, both in NUMBERS.items())
    return {number: conditional.get(name, Rule()) for name, number in numbers if number is not None}


def _list_conditional(compiles: bool) -> dict[str, Rule]:
    code = Rule() if compiles else Rule(((Condition(2, 0, _WRITABLE),), (Condition(2, 0, _EXECUTABLE),)), errno.EACCES)
    return {
        "open": Rule(((Condition(1, 0, _OPEN_BEYOND_READING),),), errno.EACCES),
        "openat": Rule(((Condition(2, 0, _OPEN_BEYOND_READING),),), errno.EACCES),
        "mmap": code,
        "mprotect": code if compiles else Rule(((Condition(2, 0, _EXECUTABLE),),), errno.EACCES),
        "clone": Rule(((Condition(0, _THREAD_FLAGS, 2**32 - 1 - _DETACHED),),)),
        "tgkill": Rule(((Condition(0, os.getpid()),),)),
        "sched_setaffinity": Rule(((Condition(0, 0),),)),
        "prlimit64": Rule(((Condition(0, _LIMITS_OF),),)),
        "prctl": _allow_values(0, _NAME_OPTIONS, errno.EINVAL),
        "fcntl": Rule((*_allow_values(1, _FILE_COMMANDS).ways, (Condition(1, _SET_FLAGS), Condition(2, 0, _ASYNC)))),
        "ioctl": _allow_values(1, _DEVICE_COMMANDS, errno.ENOTTY),
        "flock": _allow_values(1, (_SHARED_LOCK, _UNLOCK), errno.ENOSYS),
        "recvfrom": Rule(((Condition(4, 0, _ADDRESS),),)),
        "sendto": Rule(((Condition(4, 0, _ADDRESS),),)),
    }


def _allow_values(argument: int, values: tuple[int, ...], refusal: int = errno.EPERM) -> Rule:
    return Rule(tuple((Condition(argument, value),) for value in values), refusal)
