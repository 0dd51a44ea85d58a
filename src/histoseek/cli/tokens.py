"""`histoseek tokens`: who may use the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from histoseek.cli.options import JsonOption

if TYPE_CHECKING:
    from histoseek.server.security.tokens import Token, TokenStore

tokens = typer.Typer(no_args_is_help=True, help="Manage the access tokens of the server.")

StateOption = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="FOLDER|ADDRESS",
        envvar="HISTOSEEK_SERVER_STATE",
        help="Folder or address where the server keeps its state.",
        show_default="~/.local/share/histoseek/server",
    ),
]


@tokens.callback()
def root() -> None:
    """Manage the access tokens of the server."""


@tokens.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Owner of the token, as the audit log names it.")],
    role: Annotated[
        Literal["read", "write"], typer.Option(help="read: browse and search; write: also change archives.")
    ] = "read",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it. It cannot be shown again: the server keeps only a digest."""
    new = _open_store(state).add(name, role)
    print(json.dumps({"token": new.text, **_describe(new.token)}, indent=1) if as_json else new.text)


@tokens.command("list")
def list_(state: StateOption = None, as_json: JsonOption = False) -> None:
    """List the tokens with their roles and when they were made, last used and revoked."""
    all_tokens = _open_store(state).list_tokens()
    if as_json:
        print(json.dumps([_describe(token) for token in all_tokens], indent=1))
        return
    for token in all_tokens:
        print(_format_token(token))
    if not all_tokens:
        print("No tokens. Make one with `histoseek tokens add NAME`.")


@tokens.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the token.")],
    state: StateOption = None,
) -> None:
    """Revoke a token and its browser sessions at once, on running servers too."""
    print(_format_token(_open_store(state).revoke(name)))


def _open_store(state: str | None) -> TokenStore:
    from histoseek.server.security.tokens import TokenStore
    from histoseek.server.settings import choose_state
    from histoseek.server.state.database import State

    folder, address = choose_state(state, None)
    return TokenStore(State(folder, address=address))


def _format_token(token: Token) -> str:
    used = (
        f"last used {token.last_used:%Y-%m-%d} in the hour from {token.last_used:%H:%M}"
        if token.last_used
        else "never used"
    )
    end = f", revoked {token.revoked:%Y-%m-%d %H:%M}" if token.revoked else ""
    return f"{token.name}: {token.role}, id {token.token_id}, made {token.created:%Y-%m-%d %H:%M}, {used}{end} (UTC)"


def _describe(token: Token) -> dict[str, str | None]:
    return {
        "token_id": token.token_id,
        "name": token.name,
        "role": token.role,
        "created": token.created.isoformat(),
        "last_used": token.last_used.isoformat() if token.last_used else None,
        "revoked": token.revoked.isoformat() if token.revoked else None,
    }
