"""What clients of object storage raise, as an error of ours in one line: they tell most things in texts alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from histoseek.errors import (
    AccessDenied,
    ArchiveError,
    DamagedArchive,
    DiskFull,
    HistoseekError,
    ServerUnreachable,
    ServerUnsuited,
)

_NO_BUCKET = re.compile(r"NoSuchBucket|specified bucket does not exist")
_REFUSED = re.compile(
    r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|401 Unauthorized|UnauthenticatedError|"
    r"lacked (the necessary privileges|valid authentication)"
)
_DENIED = re.compile(r"AccessDenied|403 Forbidden|PermissionDenied")
_FULL = re.compile(r"InsufficientStorage|507 |QuotaExceeded|XMinioStorageFull|No space left on device|no free volume")
_REDIRECTED = re.compile(r"PermanentRedirect|AuthorizationHeaderMalformed|AuthorizationQueryParametersError")
_STATUS = re.compile(
    r"(?:status code: |status: )?(5\d\d [A-Z][A-Za-z ]+?)(?=[:.,\"]|$)|(429 Too Many Requests|SlowDown)"
)
_AWAY = re.compile(
    r"error sending request|[Cc]onnection (refused|reset|closed)|tcp connect|timed? ?out|dns error|HTTP error|"
    r"after \d+ retries|RetryError|error decoding response body|connection error"
)
_UNTRUSTED = re.compile(r"certificate|UnknownIssuer|invalid peer")
_NO_CONDITIONS = re.compile(r"NotImplemented|501 Not Implemented|not implemented")
_KEYS = "See that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are those of somebody who may read and write the bucket"


def explain(text: str, address: str) -> ArchiveError | None:  # noqa: PLR0911
    """The error of ours for the text of one of a client's; None for texts that say nothing of the server."""
    if _NO_BUCKET.search(text):
        return ServerUnsuited(address, "this bucket is not there", "Make it, or correct the address")
    if _REFUSED.search(text):
        return AccessDenied(address, "it does not take these keys, or they may not do this", _KEYS)
    if _DENIED.search(text):
        return AccessDenied(address, "these keys may not do this", _KEYS)
    if _FULL.search(text):
        return DiskFull(address)
    if _REDIRECTED.search(text):
        return ServerUnsuited(address, "the bucket is in another region", "Set AWS_REGION to the bucket's")
    if _UNTRUSTED.search(text):
        advice = "Let this machine trust the authority that signed its certificate"
        return ServerUnsuited(address, "the server's certificate is not trusted", advice)
    if _NO_CONDITIONS.search(text):
        return make_unconditional_error(address)
    status = _STATUS.search(text)
    if status or _AWAY.search(text):
        answer = (status.group(1) or status.group(2)).strip() if status else ""
        return ServerUnreachable(address, f"it answers {answer}" if answer else "no answer")
    return None


def make_unconditional_error(address: str) -> ServerUnsuited:
    """Of a server that writes objects whatever it is told to look at first."""
    what = "this object storage does not know conditional writes, so that two writers could destroy the archive"
    return ServerUnsuited(address, what, "Use one that does (If-None-Match and If-Match), or a newer version of it")


@contextmanager
def translating(address: str) -> Iterator[None]:
    """Turn what obstore raises into errors of ours; FileNotFoundError of a missing object, and what conditions make,
    stay as they are."""
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    try:
        yield
    except (HistoseekError, AlreadyExistsError, PreconditionError):
        raise
    except FileNotFoundError as error:
        known = explain(str(error), address) if _NO_BUCKET.search(str(error)) else None
        if known is None:
            raise
        raise known from error
    except (BaseError, OSError, ValueError) as error:
        known = explain(f"{type(error).__name__}: {error}", address)
        raise known or DamagedArchive(address, " ".join(str(error).split())[:200]) from error
