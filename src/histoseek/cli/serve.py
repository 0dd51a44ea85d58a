"""`histoseek serve`: the page and the REST API for one or several archives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.errors import MissingExtra

if TYPE_CHECKING:
    from histoseek.server.settings import ServerSettings


def serve(
    archives: Annotated[list[Path], typer.Argument(metavar="ARCHIVE...", help="Folders of archives.")],
    host: Annotated[str, typer.Option(help="The address to listen on; others than loopback need a proxy with TLS.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8750,
    workers: Annotated[int, typer.Option(help="Number of server processes.")] = 1,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder for tokens, uploads and feedback.  [default: ~/.local/share/histoseek/server]"),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Let tokens of the role write change archives.")] = False,
    import_folder: Annotated[
        Path | None, typer.Option(help="Folder whose slides may be indexed, and in which indexed uploads are kept.")
    ] = None,
    upload_mb: Annotated[int, typer.Option(min=1, help="The largest slide that may be uploaded.")] = 4096,
    no_token: Annotated[bool, typer.Option("--no-token", help="Require no token; only on loopback addresses.")] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A further host name to answer to; repeatable.")
    ] = None,
    trust_proxy: Annotated[
        bool, typer.Option("--trust-proxy", help="Trust X-Forwarded-For and -Proto, which your proxy sets.")
    ] = False,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Log in JSON lines.")] = False,
) -> None:
    """Serve archives: a page for browsers, and a REST API. Archives are only read, unless --write is given.

    The first start makes a token and shows it once; `histoseek tokens` makes more.
    """
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtra("uvicorn", "server") from error
    from histoseek.server.run import run_server
    from histoseek.server.settings import ServerSettings, UploadLimits, get_default_state_folder, name_archives

    settings = ServerSettings(
        archives=name_archives(archives),
        state=(state or get_default_state_folder()).absolute(),
        host=host,
        port=port,
        workers=workers,
        write=write,
        import_folder=import_folder.resolve() if import_folder else None,
        allow_anonymous=no_token,
        allowed_hosts=tuple(allowed_host or ()),
        trust_proxy=trust_proxy,
        json_logs=json_logs,
        uploads=UploadLimits(file_bytes=upload_mb * 2**20),
    )
    run_server(settings, _say)


def _say(settings: ServerSettings, token: str | None) -> None:
    """Print where the page is, and the token if it is new: it is shown only this once."""
    from histoseek.server.web_page import is_built

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{settings.port}/"
    print(f"Serving {', '.join(settings.archives)} for research and education; not a medical device.")
    if not is_built():
        print("The page is not built in this checkout: run `make page`. The REST API works without it.")
    if token:
        print(f"Open {address}#token={token}")
        print("This token is shown only once and has all rights; `histoseek tokens add NAME` makes others.")
    elif settings.allow_anonymous:
        print(f"Open {address} (no token is required)")
    else:
        print(f"Open {address} with a token; `histoseek tokens add NAME` makes one")
