"""What the database raises, as an error of ours in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from histoseek.errors import (
    AccessDenied,
    ArchiveError,
    DamagedArchive,
    DiskFull,
    ServerUnreachable,
    ServerUnsuited,
)

_PASSING = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.IdleInTransactionSessionTimeout,
    errors.ConnectionException,
)
_LASTING = (errors.DiskFull, errors.OutOfMemory, errors.InsufficientPrivilege, errors.QueryCanceled)

_REFUSED = re.compile(
    r"password authentication failed|no password supplied|authentication failed|no pg_hba\.conf entry|"
    r"role \".*\" does not exist|is not permitted to log in|permission denied for database|"
    r"certificate|SSL|requires a valid client"
)
_TLS_CUT = re.compile(
    r"SSL SYSCALL|SSL connection has been closed|SSL error: unexpected eof|during SSL exchange|to SSL negotiation"
)
"""What libpq says of TLS where the server went away, or had not come back, while it was spoken."""
_NO_DATABASE = re.compile(r"database \"(.*)\" does not exist")
_NO_HOST = re.compile(r"could not translate host name|Name or service not known|failed to resolve")


def is_passing(error: psycopg.Error) -> bool:
    """Whether it may go well when it is done once more: the server restarts, another one takes over, two met."""
    if isinstance(error, _PASSING):
        return True
    if isinstance(error, _LASTING) or not isinstance(error, psycopg.OperationalError):
        return False
    if error.sqlstate is not None:
        return error.sqlstate.startswith(("08", "57P"))
    text = _get_line(error)
    return not (_is_refusal(text) or _NO_DATABASE.search(text))


def translate(error: psycopg.Error, address: str) -> ArchiveError:
    """The error of ours for one of the database's; address: as it may be shown."""
    text = _get_line(error)
    if isinstance(error, errors.DiskFull):
        return DiskFull(address)
    if isinstance(error, errors.InsufficientPrivilege):
        advice = "Let the owner of the archive run: histoseek archive grant ADDRESS ROLE read|write"
        return AccessDenied(address, text, advice)
    if isinstance(error, errors.ReadOnlySqlTransaction) or "session is read-only" in text:
        advice = "Give the address of the primary server, or all of them: host1,host2"
        return ServerUnsuited(address, "this server is a standby, which can only be read", advice)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return _translate_unreachable(error, address, text)
    return DamagedArchive(address, text)


def _translate_unreachable(error: psycopg.Error, address: str, text: str) -> ArchiveError:
    if (match := _NO_DATABASE.search(text)) is not None:
        advice = f"Make it with: createdb {match.group(1)}"
        return ServerUnsuited(address, f"the server has no database {match.group(1)}", advice)
    if error.sqlstate is None and _is_refusal(text):
        advice = "Check user and password (PGPASSWORD, ~/.pgpass), sslmode, and the server's pg_hba.conf"
        return AccessDenied(address, text, advice)
    return ServerUnreachable(address, text)


def _is_refusal(text: str) -> bool:
    return _REFUSED.search(text) is not None and _TLS_CUT.search(text) is None


@contextmanager
def translate_errors(address: str) -> Iterator[None]:
    """Let what the database raises in this block be an error of ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, address) from error


def _get_line(error: psycopg.Error) -> str:
    """What the database says, in one line; of several hosts what the last one said, without their addresses."""
    primary = error.diag.message_primary
    lines = [line.strip() for line in (primary or str(error)).splitlines() if line.strip()]
    told = [line for line in lines if "failed:" in line or "FATAL" in line] or lines or [type(error).__name__]
    return re.sub(r"^.*(?:failed|FATAL|ERROR): +(?:FATAL: +)?", "", told[-1]).rstrip(".")
