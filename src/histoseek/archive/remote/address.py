"""Where an archive lies: a folder's path, or an address such as postgresql://host/database/archive."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from histoseek.arguments import describe
from histoseek.errors import ConfigurationError, InputError

SCHEMES = ("postgresql", "milvus", "s3")
"""Of addresses that an engine serves; everything else is a folder's path."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_PASSWORD = re.compile(r"(?<=://)([^/@\s]*?):[^/\s]*@")
_LIKE_PASSWORD = re.compile(r"(:/{1,2}[^/@\s:]*):(?:[^?\n]*|[^/\s]*)@")
"""Also in an address that lost a slash, or with characters that should have been escaped."""

_PARAMETER = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&\s]*", re.IGNORECASE)
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
        name = _PARAMETER.sub(r"\1=***", _PASSWORD.sub(r"\1:***@", self.text))
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
        return get_settings().cache_dir / "archives" / digest


def hide_password(text: str) -> str:
    """An address as it may be shown and logged."""
    return _PARAMETER.sub(r"\1=***", _LIKE_PASSWORD.sub(r"\1:***@", text))
