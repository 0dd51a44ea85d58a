"""`histoseek archive`: copy archives between folders and servers, and compare them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from histoseek.cli.options import JsonOption
from histoseek.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from histoseek.archive.moving.copy import CopyReport

archive = typer.Typer(
    no_args_is_help=True, help="Copy archives between folders and servers, compare them, let others use them."
)

_FirstArgument = Annotated[
    str, typer.Argument(metavar="A", help="Folder or address of an archive.", show_default=False)
]


@archive.callback()
def root() -> None:
    """Copy archives between folders and servers, compare them, let others use them."""


@archive.command()
def copy(
    source: _FirstArgument,
    target: Annotated[str, typer.Argument(metavar="B", help="Folder or address of the copy.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Copy an archive to a folder, or to an address such as postgresql://host/database/archive, and compare both.

    The archive is only read, and may be searched and written meanwhile: the copy shows it as it was at one moment. You
    can interrupt it; the same command continues. Nothing is to be seen at the new place before the copy is whole.
    """
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress

    with show_progress("parts", total=None) as reporter:
        report = Archive.open(source).copy_to(target, reporter)
    print(json.dumps(plain(report), indent=1) if as_json else _format(report))


@archive.command()
def check(
    source: _FirstArgument,
    other: Annotated[str, typer.Argument(metavar="B", help="Folder or address of another.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Compare two archives: all rows, cached features and files of the embedding space; exit code 1 if they differ."""
    from histoseek.api import Archive
    from histoseek.archive.moving.comparison import describe_differences
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress

    with show_progress("parts", total=None) as reporter:
        comparison = Archive.open(source).compare_with(Archive.open(other), reporter)
    if as_json:
        print(json.dumps({"same": comparison.is_same, **plain(comparison)}, indent=1))
    else:
        lines = [f"{comparison.slides} slides compared", *describe_differences(comparison)]
        print(*lines, *["the archives are the same"] * comparison.is_same, sep="\n")
    if not comparison.is_same:
        raise typer.Exit(1)


@archive.command("grant")
def grant_rights(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of an archive on PostgreSQL.", show_default=False)],
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role of the database.", show_default=False)],
    right: Annotated[
        Literal["read", "write", "none"], typer.Argument(metavar="read|write|none", show_default=False)
    ] = "read",
) -> None:
    """Let a role of the database read an archive on PostgreSQL, or write it, too, or neither; no other archive."""
    from histoseek.archive.remote.address import ArchiveAddress, hide_password

    if ArchiveAddress.parse(address).scheme != "postgresql":
        advice = "Elsewhere, rights are those of files, buckets and users of the server"
        raise ConfigurationError(hide_password(address), "rights are granted on PostgreSQL alone", advice)
    try:
        from histoseek.archive.remote.postgres.grants import grant
    except ImportError as error:
        raise MissingExtra(error.name or "psycopg", "postgres") from error
    grant(address, role, right)
    may = {"read": "may read", "write": "may read and write", "none": "may neither read nor write"}[right]
    print(f"{role} {may} {hide_password(address)}")


def _format(report: CopyReport) -> str:
    again = ", continued" if report.continued else ""
    line = f"{report.slides} slides copied and compared in {report.seconds:.1f} s{again}"
    return "\n".join([line, *report.notes])
