"""Where an archive lies: a folder's path, or an address such as postgresql://host/database/archive."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from urllib.parse import unquote

from histoseek.arguments import describe
from histoseek.errors import ConfigurationError, InputError

SCHEMES = ("postgresql", "milvus", "s3")
"""Of addresses that an engine serves; everything else is a folder's path."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+:/+)([^/?#]*)@")
_PARAMETER = re.compile(r"(?<=[?&])([^=&#]+)=[^&#]*")
_SECRETS = ("password", "token", "secret")
_PORTS = re.compile(r"(\[[^\]]*\]|[^:,]*)(:\d*)?(,(\[[^\]]*\]|[^:,]*)(:\d*)?)*")
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class ArchiveAddress:
    """text: as it was given, for engines alone; scheme: "" of a folder."""

    text: str
    scheme: str

    @classmethod
    def parse(cls, address: Path | str | ArchiveAddress) -> ArchiveAddress:
        """Raises InputError for what is neither path nor address, ConfigurationError for a scheme without an engine."""
        if isinstance(address, cls):
            return address
        if not isinstance(address, str | PathLike):
            raise InputError("archive", f"{describe(address)} is no path of a folder", "Give its path")
        text = str(address)
        match = _SCHEME.match(text)
        if match is None:
            return cls(text, "")
        scheme, rest = match.group(1).lower(), text[match.end() :].lstrip("/")
        if scheme not in SCHEMES:
            supported = ", ".join(("paths of folders", *(f"{name}:// addresses" for name in SCHEMES)))
            what = f"no store for {scheme}:// addresses"
            raise ConfigurationError(hide_password(text), what, f"Supported are: {supported}")
        # A path object has lost one of the slashes.
        return cls(f"{scheme}://{rest}", scheme)

    def __str__(self) -> str:
        return hide_password(self.text)

    def __repr__(self) -> str:
        return f"ArchiveAddress({str(self)!r})"

    @property
    def is_remote(self) -> bool:
        """Whether the archive lies on a server."""
        return bool(self.scheme)

    @property
    def folder(self) -> Path:
        """Where its files are worked with on this machine: of a folder itself, of an address a place in the cache."""
        if not self.is_remote:
            return Path(self.text).absolute()
        from histoseek.settings import get_settings  # which --help does without

        # The same whatever the password is, and another one for another address, even where both are shown alike.
        digest = hashlib.sha256(_hide_secrets(self.text).encode()).hexdigest()[:_DIGITS]
        return get_settings().cache_dir / "archives" / digest


def hide_password(text: str) -> str:
    """An address as it may be shown and logged: also one that can't be read, since its password has a slash, say."""
    scheme, mark, rest = text.partition("://") if "://" in text else text.partition(":/")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, _, parameters = rest[len(authority) :].partition("?")
    is_odd = "@" not in authority and (not _PORTS.fullmatch(authority) or ("@" in parameters and not path))
    if mark and ":" in authority and (is_odd or "@" in path):
        left = f"@{rest.rpartition('@')[2]}" if "@" in rest else rest[len(authority) :]
        return f"{scheme}{mark}{authority.partition(':')[0]}:***{left}"
    return _hide_secrets(text)


def _hide_secrets(text: str) -> str:
    """An address without what it has in the places of passwords and keys."""
    return _PARAMETER.sub(_hide_parameter, _USER.sub(_hide_user, text))


def _hide_user(match: re.Match[str]) -> str:
    name, has_password, _ = match[2].partition(":")
    shown = f"{name}:***" if has_password else name if match[1].startswith("postgresql") else "***"
    return f"{match[1]}{shown}@"


def _hide_parameter(match: re.Match[str]) -> str:
    is_secret = any(part in unquote(match[1]).lower() for part in _SECRETS)
    return f"{match[1]}=***" if is_secret else match[0]
