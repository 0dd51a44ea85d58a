"""What a confined process can still ask of the kernel: every system call by number, and attacks by name.

    python benchmarks/attacks/system_calls.py     # with PYTHONPATH of an older checkout: that one's sandbox

Each try has a process of its own, confined as one that reads uploads is; for comparison, one that is not. Calls are
made with arguments that no call accepts (all bits set), so that nothing happens where they are let through. The
attacks aim at this script and at a folder that it makes, and leave both as they are. It ends by itself, after some
minutes at most.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import fcntl
import importlib
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

LAST_NUMBER = 470
LONGEST_S = 1.0
REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS)
ENDED = 255
ALL_BITS = ctypes.c_long(-1)
KERNEL = ctypes.CDLL(None, use_errno=True)
X86_64 = os.uname().machine == "x86_64"

SKIPPED = {58} if X86_64 else set()
"""vfork: two processes on one stack."""

OTHER_ARGUMENTS = {202 if X86_64 else 98: (0, 1, 0), **({154: (0, 0, 0)} if X86_64 else {})}
"""futex and modify_ldt answer as unknown to what they do not know: they are asked for something harmless."""

Attempt = Callable[[], object]


def number_of(x86_64: int, aarch64: int) -> int:
    return x86_64 if X86_64 else aarch64


def check(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def call(number: int, *arguments: object) -> int:
    return check(int(KERNEL.syscall(number, *arguments)))


def confine(folder: Path) -> None:
    """As the checkout that is imported does."""
    try:
        importlib.import_module("histoseek.sandbox.confine").confine([str(folder)], None)
    except ModuleNotFoundError:
        importlib.import_module("histoseek.server.uploads.confine").confine(str(folder), None)


def try_in_process(attempt: Attempt, folder: Path | None) -> int:
    """The error of an attempt in a process of its own, confined to a folder if there is one: 0 for none, ENDED for a
    process that ended or had to be ended."""
    child = os.fork()
    if child == 0:
        code = ENDED
        try:
            os.setsid()
            if folder is not None:
                confine(folder)
            attempt()
            code = 0
        except OSError as error:
            code = error.errno or ENDED
        finally:
            os._exit(code)
    handle = os.pidfd_open(child)
    if not select.select([handle], [], [], LONGEST_S)[0]:
        os.kill(child, signal.SIGKILL)
    os.close(handle)
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else ENDED


def make_call(number: int) -> Attempt:
    def attempt() -> None:
        result = KERNEL.syscall(number, *OTHER_ARGUMENTS.get(number, (ALL_BITS,) * 6))
        if result == -1 and ctypes.get_errno():
            raise OSError(ctypes.get_errno(), "")

    return attempt


def list_let_through(folder: Path) -> tuple[list[int], list[int]]:
    """Numbers of calls that an unconfined process can make here, and those of them that a confined one can."""
    numbers = [number for number in range(LAST_NUMBER + 1) if number not in SKIPPED]
    there = [number for number in numbers if try_in_process(make_call(number), None) not in REFUSALS]
    return there, [number for number in there if try_in_process(make_call(number), folder) not in REFUSALS]


@dataclass(frozen=True)
class Aims:
    """What attacks aim at: a file that may be read, one that may not, this process, and a descriptor of its channel."""

    inside: Path
    outside: Path
    parent: int
    channel: socket.socket
    secret: ctypes.Array[ctypes.c_char]


def list_attacks_on_files(aims: Aims) -> dict[str, Attempt]:
    inside, outside, proc = aims.inside, aims.outside, Path(f"/proc/{aims.parent}")
    return {
        "read /etc/passwd": Path("/etc/passwd").read_bytes,
        "list /": lambda: list(Path("/").iterdir()),
        "read a file outside": outside.read_bytes,
        "read the parent's environment": (proc / "environ").read_bytes,
        "read the parent's map of memory": (proc / "maps").read_bytes,
        "open the parent's memory": lambda: (proc / "mem").open("rb").close(),
        "list the parent's open files": lambda: list((proc / "fd").iterdir()),
        "stat outside": outside.stat,
        "readlink of the parent's folder": (proc / "cwd").readlink,
        "create a file in /tmp": lambda: create(Path("/tmp") / f"attack-{os.getpid()}"),
        "create a file among uploads": lambda: create(inside.with_name("new")),
        "overwrite an upload": lambda: inside.open("r+b").close(),
        "truncate outside": lambda: os.truncate(outside, 6),
        "delete outside": outside.with_name("missing").unlink,
        "rename outside": lambda: outside.rename(outside),
        "link outside": lambda: undo(lambda: os.link(outside, outside.with_name("l")), outside.with_name("l")),
        "symlink outside": lambda: undo(lambda: outside.with_name("s").symlink_to("x"), outside.with_name("s")),
        "make a folder": lambda: (outside.with_name("d").mkdir(), outside.with_name("d").rmdir()),
        "chmod outside": lambda: outside.chmod(0o600),
        "chown outside": lambda: os.chown(outside, os.getuid(), os.getgid()),
        "utime outside": lambda: os.utime(outside, (1, 1)),
        "setxattr outside": lambda: os.setxattr(outside, "user.attack", b"1"),
        "lock an upload": lambda: fcntl.flock(os.open(inside, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB),
        "watch outside": lambda: check(KERNEL.inotify_add_watch(check(KERNEL.inotify_init()), bytes(outside), 2)),
        "open by handle": lambda: open_by_handle(outside),
        "chroot": lambda: check(KERNEL.chroot(b"/")),
        "mount": lambda: check(KERNEL.mount(b"none", bytes(outside.parent), b"nothing", 0, None)),
    }


def list_attacks_on_others(aims: Aims) -> dict[str, Attempt]:
    parent = aims.parent
    return {
        "fork": fork,
        "run a program": lambda: os.execv("/bin/true", ["true"]),
        "run a program from memory": run_from_memory,
        "signal the parent": lambda: os.kill(parent, 0),
        "have the parent signalled": lambda: fcntl.fcntl(aims.channel, fcntl.F_SETOWN, parent),
        "read the parent's limits": lambda: resource.prlimit(parent, resource.RLIMIT_CORE),
        "set the parent's limits": lambda: resource.prlimit(parent, resource.RLIMIT_CORE, (0, 0)),
        "move the parent to a processor": lambda: os.sched_setaffinity(parent, os.sched_getaffinity(0)),
        "set the parent's scheduler": lambda: os.sched_setscheduler(parent, os.SCHED_OTHER, os.sched_param(0)),
        "set the parent's priority": lambda: os.setpriority(os.PRIO_PROCESS, parent, 0),
        "set the parent's disk priority": lambda: call(number_of(251, 30), 1, parent, 0),
        "trace the parent": lambda: check(KERNEL.ptrace(0x4206, parent, None, None)),
        "read the parent's memory": lambda: read_memory(parent, aims.secret),
        "compare with the parent": lambda: call(number_of(312, 272), parent, os.getpid(), 2, 0, 0),
        "a handle of the parent": lambda: os.close(os.pidfd_open(parent)),
        "take the parent's descriptor": lambda: call(438, os.pidfd_open(parent), 0, 0),
        "send a descriptor to the parent": lambda: socket.send_fds(aims.channel, [b"x"], [0]),
        "a TCP socket": lambda: socket.socket().close(),
        "a UDP socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "a local socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "a pair of sockets": socket.socketpair,
        "shared memory (System V)": lambda: check(KERNEL.shmget(0, 4096, 0o1600)),
        "a message queue (System V)": lambda: check(KERNEL.msgget(0, 0o1600)),
        "a message queue (POSIX)": lambda: check(KERNEL.mq_open(b"/attack", os.O_RDWR)),
    }


def list_attacks_on_the_kernel(aims: Aims) -> dict[str, Attempt]:
    page = mmap.mmap(-1, 4096)
    return {
        "unshare nothing": lambda: check(KERNEL.unshare(0)),
        "a namespace of users": lambda: check(KERNEL.unshare(0x10000000)),
        "a namespace of the network": lambda: check(KERNEL.unshare(0x40000000)),
        "join a namespace": lambda: check(KERNEL.setns(os.open("/proc/self/ns/uts", os.O_RDONLY), 0)),
        "personality": lambda: check(KERNEL.personality(0xFFFFFFFF)),
        "io_uring": lambda: call(425, 1, ctypes.create_string_buffer(120)),
        "a keyring": lambda: call(number_of(250, 219), 0, -3, 0),
        "add a key": lambda: call(number_of(248, 217), b"user", b"attack", b"1", 1, -2),
        "userfaultfd": lambda: call(number_of(323, 282), 1),
        "count events": lambda: call(
            number_of(298, 241), struct.pack("=IIQQQ", 1, 112, 9, 0, 0) + bytes(80), 0, -1, -1, 0
        ),
        "bpf": lambda: call(number_of(321, 280), 0, struct.pack("=IIII", 2, 4, 4, 1) + bytes(100), 116),
        "a file in memory": lambda: os.memfd_create("attack"),
        "secret memory": lambda: call(447, 0),
        "inotify": lambda: check(KERNEL.inotify_init()),
        "fanotify": lambda: check(KERNEL.fanotify_init(0, 0)),
        "read the kernel's log": lambda: check(KERNEL.klogctl(10, None, 0)),
        "set the host's name": lambda: check(
            KERNEL.sethostname(os.uname().nodename.encode(), len(os.uname().nodename))
        ),
        "umask": lambda: call(number_of(95, 166), 0o77),
        "become root": lambda: os.setresuid(0, 0, 0),
        "leave the group": lambda: os.setpgid(0, 0),
        "be traceable": lambda: check(KERNEL.prctl(0x59616D61, -1, 0, 0, 0)),
        "raise limits": raise_limits,
        "memory to write and run": lambda: mmap.mmap(-1, 4096, prot=7),
        "run what was written": lambda: check(
            KERNEL.mprotect(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(page))), 4096, 5)
        ),
        "a timer that signals": lambda: signal.setitimer(signal.ITIMER_REAL, 100),
        "another filter of calls": lambda: check(KERNEL.prctl(22, 1, 0, 0, 0)),
    }


def raise_limits() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    except ValueError as error:
        raise PermissionError(errno.EPERM, str(error)) from error


def create(path: Path) -> None:
    undo(lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)), path)


def undo(attempt: Attempt, path: Path) -> None:
    attempt()
    path.unlink()


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def run_from_memory() -> None:
    handle = os.memfd_create("attack")
    os.write(handle, Path("/bin/true").read_bytes())
    null = ctypes.POINTER(ctypes.c_char_p)()
    call(number_of(322, 281), handle, b"", null, null, 0x1000)


def open_by_handle(path: Path) -> None:
    handle, mount = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128)), ctypes.c_int()
    check(KERNEL.name_to_handle_at(-100, bytes(path), handle, ctypes.byref(mount), 0))
    check(KERNEL.open_by_handle_at(os.open(path.parent.parent / "uploads", os.O_RDONLY), handle, os.O_RDONLY))


def read_memory(process: int, secret: ctypes.Array[ctypes.c_char]) -> None:
    buffer = ctypes.create_string_buffer(len(secret))
    own = struct.pack("@PN", ctypes.addressof(buffer), len(secret))
    theirs = struct.pack("@PN", ctypes.addressof(secret), len(secret))
    check(KERNEL.process_vm_readv(process, own, 1, theirs, 1, 0))


def show_attacks(attacks: dict[str, Attempt], folder: Path) -> tuple[int, int]:
    """Print each with what comes of it; how many succeed without a sandbox, and how many of them within."""
    possible = within = 0
    for name, attempt in attacks.items():
        outcomes = [try_in_process(attempt, where) for where in (None, folder)]
        if outcomes[0] not in (0, ENDED):
            print(f"| {name} | fails ({errno.errorcode[outcomes[0]]}) | {describe(outcomes[1])} |")
            continue
        possible += 1
        within += outcomes[1] in (0, ENDED)
        print(f"| {name} | succeeds | {describe(outcomes[1])} |")
    return possible, within


def describe(outcome: int) -> str:
    return "**succeeds**" if outcome in (0, ENDED) else f"refused ({errno.errorcode.get(outcome, outcome)})"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", action="store_true", help="print the numbers of the calls that are let through")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        inside, outside = Path(folder, "uploads", "slide.svs"), Path(folder, "archive", "slide.svs")
        for path in (inside, outside):
            path.parent.mkdir()
            path.write_bytes(b"secret")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            aims = Aims(inside, outside, os.getpid(), theirs, ctypes.create_string_buffer(b"secret"))
            print("| attack | without | within |\n| --- | --- | --- |")
            lists = (list_attacks_on_files, list_attacks_on_others, list_attacks_on_the_kernel)
            counts = [show_attacks(attacks(aims), inside.parent) for attacks in lists]
        there, let_through = list_let_through(inside.parent)
    possible, within = (sum(count) for count in zip(*counts, strict=True))
    print(f"\nOf {possible} attacks that succeed without a sandbox, {within} succeed within.")
    print(f"Of {len(there)} system calls that can be made without a sandbox, {len(let_through)} can be made within.")
    if options.numbers:
        print(*let_through)


if __name__ == "__main__":
    main(sys.argv[1:])
