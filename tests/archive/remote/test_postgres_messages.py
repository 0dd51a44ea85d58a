"""Which messages of libpq mean that a server refuses, and which that it went away or has not come back yet."""

from __future__ import annotations

import psycopg
import pytest

from histoseek.archive.remote.postgres.faults import is_passing, translate
from histoseek.errors import AccessDenied, ServerUnreachable

ADDRESS = "postgresql://host/database/archive"
CONNECTION = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    "message",
    [
        "server sent an error response during SSL exchange",
        "SSL SYSCALL error: EOF detected",
        "SSL SYSCALL error: Connection reset by peer",
        "SSL connection has been closed unexpectedly",
        "SSL error: unexpected eof while reading",
        "received invalid response to SSL negotiation: S",
        "server closed the connection unexpectedly",
        "Connection refused",
    ],
)
@pytest.mark.parametrize("before", ["", CONNECTION])
def test_a_server_that_went_away_is_asked_again(before: str, message: str) -> None:
    error = psycopg.OperationalError(before + message)
    assert is_passing(error)
    assert isinstance(translate(error, ADDRESS), ServerUnreachable)


@pytest.mark.parametrize(
    "message",
    [
        "server does not support SSL, but SSL was required",
        "SSL error: certificate verify failed",
        'server certificate for "other" does not match host name "host"',
        'root certificate file "/root.crt" does not exist',
        "SSL error: tlsv1 alert unknown ca",
        'FATAL:  password authentication failed for user "somebody"',
        'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "somebody", database "d", SSL off',
    ],
)
@pytest.mark.parametrize("before", ["", CONNECTION])
def test_a_server_that_refuses_is_asked_once(before: str, message: str) -> None:
    error = psycopg.OperationalError(before + message)
    assert not is_passing(error)
    denied = translate(error, ADDRESS)
    assert isinstance(denied, AccessDenied)
    assert "\n" not in str(denied)
