"""What holds the files of an archive on a server: chosen by the scheme of its address."""

from __future__ import annotations

from collections.abc import Callable

from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.remote.base import RemoteFiles
from histoseek.errors import ConfigurationError, MissingExtra


def _open_milvus(address: ArchiveAddress) -> RemoteFiles:
    from histoseek.archive.remote.milvus.files import MilvusFiles

    return MilvusFiles(address.text)


def _open_postgres(address: ArchiveAddress) -> RemoteFiles:
    try:
        from histoseek.archive.remote.postgres.files import PostgresFiles
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise MissingExtra("psycopg", "postgres") from error

    return PostgresFiles.open(address.text)


def _open_objects(address: ArchiveAddress) -> RemoteFiles:
    from histoseek.archive.remote.objects.files import ObjectFiles

    return ObjectFiles.open(address.text)


FILES: dict[str, Callable[[ArchiveAddress], RemoteFiles]] = {
    "milvus": _open_milvus,
    "postgresql": _open_postgres,
    "s3": _open_objects,
}
"""What opens the files of an archive, by the scheme of addresses."""


def open_files(address: ArchiveAddress) -> RemoteFiles:
    """The files of an archive on a server, be there any or none yet; raises ConfigurationError, MissingExtra."""
    if address.scheme not in FILES:
        what = f"no archives at {address.scheme}:// addresses in this version"
        raise ConfigurationError(str(address), what, "Give the path of a folder")
    return FILES[address.scheme](address)
