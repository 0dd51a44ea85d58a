"""Where in object storage an archive lies, and how it is reached."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from histoseek.archive.remote.address import hide_password
from histoseek.errors import ConfigurationError

_FORM = "Write s3://bucket/prefix, the prefix of letters, digits and -_.+=@ between slashes"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9_+=@.-]+(/[A-Za-z0-9_+=@.-]+)*")
_KEYS_ADVICE = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_OTHER_KEYS = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_SKIP_SIGNATURE")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_TRUE = ("1", "true", "yes", "on", "y")

CONNECT_S = 5
SILENCE_S = 20
"""A server that says nothing for so long is asked again."""


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An archive's bucket, and what the keys of its objects begin with."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, address: str) -> ObjectPlace:
        """Raises ConfigurationError."""
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/")
        redacted = hide_password(address)
        if "@" in bucket:
            raise ConfigurationError(redacted, "keys don't belong into an address", _KEYS_ADVICE)
        if not _BUCKET.fullmatch(bucket):
            raise ConfigurationError(redacted, "this is no name of a bucket", _FORM)
        if not _PREFIX.fullmatch(prefix) or any(set(part) == {"."} for part in prefix.split("/")):
            raise ConfigurationError(redacted, "this is no prefix of an archive in a bucket", _FORM)
        return cls(bucket, prefix)

    @property
    def address(self) -> str:
        """As it is shown."""
        return f"s3://{self.bucket}/{self.prefix}"


def read_environment() -> Mapping[str, str]:
    """The variables of the environment that say where object storage is, and with which keys it is opened.

    Raises ConfigurationError where keys are missing, or would go over the network as they are.
    """
    names = {name: value for name, value in os.environ.items() if name.startswith("AWS_") and value}
    if not all(name in names for name in _KEYS) and not any(name in names for name in _OTHER_KEYS):
        missing = " and ".join(name for name in _KEYS if name not in names)
        raise ConfigurationError(missing, "not set, so that object storage can't be opened", "Set it to your key")
    endpoint = next((names[name] for name in _ENDPOINTS if name in names), "https://")
    if not endpoint.startswith("https://") and names.get("AWS_ALLOW_HTTP", "").lower() not in _TRUE:
        advice = "Give an address that begins with https://, or set AWS_ALLOW_HTTP=true within a network that you trust"
        raise ConfigurationError("AWS_ENDPOINT_URL", "is not encrypted, or no address", advice)
    return names
