"""`histoseek serve`: the page and the REST API for one or several archives."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from histoseek.cli.options import read_defaults, read_settings
from histoseek.errors import MissingExtra
from histoseek.sandbox.confinement import Confinement
from histoseek.server.settings import ServerSettings, UploadLimits, choose_state, name_archives

DEFAULTS = read_defaults(ServerSettings)

ArchivesArgument = Annotated[
    list[str], typer.Argument(metavar="ARCHIVE", help="Folders or addresses of the archives to serve.")
]
HostOption = Annotated[
    str, typer.Option(help="Address to listen on; any address but a loopback one needs a proxy with TLS.")
]
PortOption = Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")]
WorkersOption = Annotated[int, typer.Option(help="Number of server processes.")]
StateOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|ADDRESS",
        envvar="HISTOSEEK_SERVER_STATE",
        help="Folder for tokens, uploads and feedback; or postgresql://host/database/NAME, for several servers.",
        show_default="~/.local/share/histoseek/server",
    ),
]
StateFolderOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for uploads and the audit log where --state is an address; all servers must share it.",
        show_default="~/.local/share/histoseek/server",
    ),
]
WriteOption = Annotated[bool, typer.Option("--write", help="Let tokens with the role `write` change archives.")]
ImportFolderOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Folder whose slides may be indexed, and where indexed uploads are kept."),
]
UploadOption = Annotated[int, typer.Option(min=1, help="Size of the largest slide that may be uploaded, in MB.")]
AnonymousOption = Annotated[bool, typer.Option("--no-token", help="Require no token; only on loopback addresses.")]
RequireSandboxOption = Annotated[
    bool,
    typer.Option(
        "--require-sandbox",
        envvar="HISTOSEEK_REQUIRE_SANDBOX",
        help="Serve only where the processes that open uploads are confined in every way.",
    ),
]
AllowedHostsOption = Annotated[
    list[str] | None,
    typer.Option("--allowed-host", metavar="NAME", help="Another host name to answer to. Repeatable."),
]
TrustProxyOption = Annotated[
    bool, typer.Option("--trust-proxy", help="Trust X-Forwarded-For and X-Forwarded-Proto: they come from your proxy.")
]
JsonLogsOption = Annotated[bool, typer.Option("--json-logs", help="Write logs as JSON lines.")]


def serve(
    context: typer.Context,
    archives: ArchivesArgument,
    host: HostOption = DEFAULTS.host,
    port: PortOption = DEFAULTS.port,
    workers: WorkersOption = DEFAULTS.workers,
    state: StateOption = None,
    state_folder: StateFolderOption = None,
    write: WriteOption = DEFAULTS.write,
    import_folder: ImportFolderOption = None,
    upload_mb: UploadOption = DEFAULTS.uploads.file_bytes // 2**20,
    allow_anonymous: AnonymousOption = DEFAULTS.allow_anonymous,
    require_sandbox: RequireSandboxOption = DEFAULTS.require_sandbox,
    allowed_hosts: AllowedHostsOption = None,
    trust_proxy: TrustProxyOption = DEFAULTS.trust_proxy,
    json_logs: JsonLogsOption = DEFAULTS.json_logs,
) -> None:
    """Serve archives to browsers and programs: a web page and a REST API.

    Archives are read-only unless you give --write. The first start makes a token and prints it once; `histoseek tokens`
    makes more.
    """
    _require_packages()
    from histoseek.server.run import run_server

    folder, address = choose_state(state, state_folder)
    settings = read_settings(
        context,
        ServerSettings,
        archives=name_archives(archives),
        state=folder,
        state_address=address,
        import_folder=import_folder.resolve() if import_folder else None,
        allowed_hosts=tuple(allowed_hosts or ()),
        uploads=UploadLimits(file_bytes=upload_mb * 2**20),
    )
    run_server(settings, _print_address)


def _require_packages() -> None:
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "fastapi", "server") from error


def _print_address(settings: ServerSettings, token: str | None, confinement: Confinement) -> None:
    """Print how uploads are confined, where the page is, and the token if it is new: it is printed this once."""
    from histoseek.server.web_page import is_built

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{settings.port}/"
    print(f"Serving {', '.join(settings.archives)} for research and education; not a medical device.")
    if not is_built():
        print("The page is not built in this checkout: run `make page`. The REST API works without it.")
    if confinement.is_complete:
        print("Uploads are opened in a sandbox that holds: " + ", ".join(asdict(confinement)) + ".")
    else:
        print("Uploads are opened in a sandbox that does not hold: " + ", ".join(confinement.list_open()) + ".")
    if token:
        print(f"Open {address}#token={token}")
        print("This token is shown only once and has all rights; `histoseek tokens add NAME` makes others.")
    elif settings.allow_anonymous:
        print(f"Open {address} (no token is required)")
    else:
        print(f"Open {address} with a token; `histoseek tokens add NAME` makes one")
