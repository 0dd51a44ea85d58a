"""Where on PostgreSQL an archive lies, and how its server is reached."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from histoseek.archive.remote.address import hide_password
from histoseek.errors import ConfigurationError

Access = Literal["write", "read"]

_ARCHIVE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}")
_FORM = "Write postgresql://[user@]host[:port]/database/archive, with an archive's name of letters, digits, _, - and ."

_PATIENCE: Mapping[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "histoseek",
}
"""A host that went silent is noticed after some ten seconds, not after hours."""

_SESSION: Mapping[str, str | int] = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "lock_timeout": "5s",
    "statement_timeout": "15min",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "synchronize_seqscans": "off",
}
"""The same in the other direction: what a client held that went silent is free again after that long."""


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """An archive on a server; address: as it may be shown; replicas: whether standbys are read where there are any."""

    address: str
    archive: str
    replicas: bool
    connection: Mapping[str, str | int] = field(repr=False)

    @classmethod
    def parse(cls, address: str) -> PostgresPlace:
        """Raises ConfigurationError, which shows no password."""
        redacted = hide_password(address)
        try:
            parts = urlsplit(address)
        except ValueError:
            raise ConfigurationError(redacted, "this address can't be read", _FORM) from None
        database, _, archive = unquote(parts.path.lstrip("/")).partition("/")
        if not database or not _ARCHIVE.fullmatch(archive):
            raise ConfigurationError(redacted, "this address names no database and archive", _FORM)
        if parts.netloc.count("@") > 1:
            what = "its user, password or host has an @ too many"
            raise ConfigurationError(redacted, what, "Write %40 for an @ in a password, or give it as PGPASSWORD")
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        hosts = parts.netloc.rpartition("@")[2].split(",")
        replicas = parameters.pop("replicas", "true" if len(hosts) > 1 else "false").lower() in ("true", "1", "yes")
        rest = f"postgresql://{parts.netloc}/{parts.path.lstrip('/').partition('/')[0]}?{urlencode(parameters)}"
        try:
            given = conninfo_to_dict(rest)
        except psycopg.ProgrammingError as error:
            # What it quotes may be a part of a password, if it is not the name of a parameter.
            reason = re.sub(r'(?<!parameter: )".*"', '"..."', str(error).splitlines()[0])
            raise ConfigurationError(redacted, f"this address can't be read ({reason})", _FORM) from None
        if not all(port.isdecimal() or not port for port in str(given.get("port") or "").split(",")):
            raise ConfigurationError(redacted, "a port is a number", _FORM)
        return cls(redacted, archive, replicas, {name: value for name, value in given.items() if value is not None})

    @property
    def schema(self) -> str:
        """Of the database, where all of the archive lies."""
        return f"histoseek_{self.archive}"

    @property
    def has_many_hosts(self) -> bool:
        """Whether another host may take over from the one that writes."""
        return "," in str(self.connection.get("host", ""))

    def make_conninfo(self, access: Access) -> str:
        """What `psycopg.connect` takes; it may hold a password."""
        arguments = {**_PATIENCE, **self.connection}
        settings = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
        arguments["options"] = f"{settings} {arguments.get('options', '')}".strip()
        if access == "write":
            arguments.setdefault("target_session_attrs", "read-write" if self.has_many_hosts else "any")
        elif self.replicas:
            arguments["target_session_attrs"] = "prefer-standby"
            arguments.setdefault("load_balance_hosts", "random")
        return make_conninfo("", **arguments)
