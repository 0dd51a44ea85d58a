"""How a server runs: one frozen object that its processes hand on as JSON."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.archive.remote.address import ArchiveAddress, hide_password
from histoseek.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

ENVIRONMENT = "HISTOSEEK_SERVER_SETTINGS"
"""The variable in which `histoseek serve` hands the settings to its worker processes."""

_SUFFIX = ".archive"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")


def get_default_state_folder() -> Path:
    """Where a server keeps its state by default."""
    return Path.home() / ".local" / "share" / "histoseek" / "server"


def choose_state(state: str | None, folder: Path | None) -> tuple[Path, str]:
    """The folder of a server's files and the address of its database, "" where that lies in the folder, too.

    state: a folder or an address as the user gave it; folder: for files beside an address. Raises ConfigurationError.
    """
    address = "" if state is None or not state.lower().startswith("postgresql:") else state
    if folder is not None and not address:
        raise ConfigurationError("--state-folder", "is for a --state at an address", "Give the folder as --state")
    given = folder if address else Path(state) if state else None
    return (given or get_default_state_folder()).absolute(), address


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a minute by kind, for each identity; failed logins for each client address."""

    searches: int = 300
    tiles: int = 12_000
    uploads: int = 30
    others: int = 1_200
    failed_logins: int = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take; sizes in bytes, times in seconds.

    body_pause_s: how long a client may send nothing of a body; body_s, upload_s: for the whole body of a request, of an
    upload; read_s: how long a client may take nothing of an answer; search_s: how long a search may wait for its turn,
    and any request be worked on; searches: at the same time in one process; connections, address_connections: in one
    process, and of one address in one; event_streams: of one identity in one process.
    """

    rates: Rates = field(default_factory=Rates)
    json_bytes: int = 2**20
    address_bytes: int = 8192
    body_pause_s: float = 15.0
    body_s: float = 30.0
    upload_s: float = 1800.0
    read_s: float = 60.0
    search_s: float = 60.0
    searches: int = 2
    connections: int = 1000
    address_connections: int = 250
    event_streams: int = 20


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What uploads may take: one slide, one report, all of one identity, all together; when they go; what reading one
    may cost."""

    file_bytes: int = 4 * 2**30
    report_bytes: int = 50_000_000
    identity_bytes: int = 8 * 2**30
    total_bytes: int = 32 * 2**30
    identity_count: int = 100
    keep_s: float = 24 * 3600.0
    sandbox_s: float = 60.0
    sandbox_bytes: int = 4 * 2**30


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How one server runs.

    archives: folder or address by the name that requests use; state: folder of tokens, uploads and judgements;
    state_address: of the database that has tokens, sessions, jobs, judgements and collections instead, for several
    servers; write: archives may be changed; import_folder: what index jobs may read; allow_anonymous: no token is
    required; require_sandbox: uploads are opened only where the whole sandbox holds; allowed_hosts: host names to
    answer to beside loopback ones; trust_proxy: X-Forwarded-For and -Proto come from a proxy of yours.

    Raises ConfigurationError for what does not fit together.
    """

    archives: Mapping[str, str | Path] = field(repr=False)
    state: Path = field(default_factory=get_default_state_folder)
    state_address: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 8750
    workers: int = 1
    write: bool = False
    import_folder: Path | None = None
    allow_anonymous: bool = False
    require_sandbox: bool = False
    allowed_hosts: tuple[str, ...] = ()
    trust_proxy: bool = False
    json_logs: bool = False
    limits: Limits = field(default_factory=Limits)
    uploads: UploadLimits = field(default_factory=UploadLimits)

    def __post_init__(self) -> None:
        object.__setattr__(self, "archives", {name: str(place) for name, place in self.archives.items()})
        for name in self.archives:
            _check_name(name)
        if self.allow_anonymous and not is_loopback(self.host):
            raise ConfigurationError(
                "--no-token", f"would open {self.host} to everyone", "Leave it out, or listen on 127.0.0.1"
            )
        if not 0 <= self.port <= 65_535:
            raise ConfigurationError("--port", f"{self.port} is not a port number", "Give one from 1 to 65535")
        if self.workers < 1:
            raise ConfigurationError("--workers", "a server needs at least one worker", "Give 1 or more")
        if self.import_folder and not self.write:
            raise ConfigurationError("--import-folder", "a read-only server indexes nothing", "Add --write")

    @property
    def metrics_folder(self) -> Path:
        """Where worker processes of this server put their counts."""
        return self.state / f"metrics-{self.port}"

    def to_json(self) -> str:
        """The settings as one line."""
        return _get_adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> ServerSettings:
        """The settings that `to_json` wrote; raises ConfigurationError."""
        from pydantic import ValidationError

        try:
            return _get_adapter().validate_json(text)
        except ValidationError as error:
            raise ConfigurationError(
                ENVIRONMENT, f"{error.error_count()} errors in the settings", "Start with `histoseek serve`"
            ) from error

    @classmethod
    def from_environment(cls) -> ServerSettings:
        """The settings that the starting process left for its workers; raises ConfigurationError."""
        text = os.environ.get(ENVIRONMENT)
        if text is None:
            raise ConfigurationError(ENVIRONMENT, "is not set", "Start with `histoseek serve`")
        return cls.from_json(text)

    def write_to_environment(self) -> None:
        """Leave the settings for the workers that this process starts."""
        os.environ[ENVIRONMENT] = self.to_json()


def name_archives(places: Iterable[str | Path]) -> dict[str, str]:
    """Archives by the last parts of their folders and addresses, without `.archive`; raises ConfigurationError for
    equal or odd names."""
    archives: dict[str, str] = {}
    for place in places:
        address = ArchiveAddress.parse(place)
        shown = str(address) if address.is_remote else str(Path(place).resolve())
        name = shown.partition("?")[0].rstrip("/").rpartition("/")[2].removesuffix(_SUFFIX)
        _check_name(name)
        if name in archives:
            taken = hide_password(archives[name])
            raise ConfigurationError(str(address), f"the name {name!r} is taken by {taken}", "Rename one of the two")
        archives[name] = address.text if address.is_remote else shown
    return archives


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"archive {name!r}", "this name can't be part of a URL", "Rename the folder: use letters, digits and . _ -"
        )


@lru_cache(maxsize=1)
def _get_adapter() -> TypeAdapter[ServerSettings]:
    from pydantic import TypeAdapter

    return TypeAdapter(ServerSettings)
