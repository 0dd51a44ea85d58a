"""With whom collections are shared: named colleagues, or everybody on the server, to read or to edit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from histoseek.errors import InputError
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row, Transaction

Access = Literal["own", "edit", "read"]
"""What a caller may do with a collection."""

SharedAccess = Literal["edit", "read"]

EVERYBODY = "*"
"""Stands among names for everybody on the server; no token can have this name."""

LEFT = "left"
"""Stands for the access of who took a collection off the own list that is shared with everybody."""

MAX_PEOPLE = 100
_MAX_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Share:
    """A colleague, by the name of a token, and what the colleague may do."""

    name: str
    access: SharedAccess


@dataclass(frozen=True, slots=True)
class Sharing:
    """With whom a collection is shared; everybody: what all others on the server may do, None for nothing."""

    people: tuple[Share, ...] = ()
    everybody: SharedAccess | None = None


def settle_access(is_owner: bool, named: str | None, general: str | None) -> Access | None:
    """What a caller may do, by what is shared with this name and with everybody; None: not even know of it."""
    if is_owner:
        return "own"
    given = {named, general}
    return "edit" if "edit" in given else "read" if "read" in given else None


def read_sharing(state: State, collection_id: str) -> Sharing:
    """With whom a collection is shared, by name."""
    return _parse_sharing(
        state.read(
            "SELECT grantee, access FROM collection_shares WHERE collection_id = ? AND access <> ? ORDER BY grantee",
            (collection_id, LEFT),
        )
    )


def list_sharings(state: State, owner: str) -> dict[str, Sharing]:
    """With whom each collection of an owner is shared; nothing of those that are not."""
    rows = state.read(
        "SELECT collection_id, grantee, access FROM collection_shares WHERE access <> ? AND collection_id IN"
        " (SELECT collection_id FROM collections WHERE owner = ?) ORDER BY collection_id, grantee",
        (LEFT, owner),
    )
    grouped = itertools.groupby(rows, key=lambda row: str(row["collection_id"]))
    return {collection_id: _parse_sharing(list(shares)) for collection_id, shares in grouped}


def _parse_sharing(rows: Sequence[Row]) -> Sharing:
    people = tuple(Share(row["grantee"], row["access"]) for row in rows if row["grantee"] != EVERYBODY)
    return Sharing(people, next((row["access"] for row in rows if row["grantee"] == EVERYBODY), None))


def put_sharing(connection: Transaction, collection_id: str, owner: str, sharing: Sharing) -> None:
    """Share a collection with these and no others; raises InputError.

    Whether a token has a name is not looked up: who shares does not learn who is on the server.
    """
    _check(owner, sharing)
    connection.execute("DELETE FROM collection_shares WHERE collection_id = ? AND access <> ?", (collection_id, LEFT))
    shares = [(share.name, share.access) for share in sharing.people]
    if sharing.everybody is not None:
        shares.append((EVERYBODY, sharing.everybody))
    connection.executemany(
        "INSERT INTO collection_shares (collection_id, grantee, access) VALUES (?, ?, ?)"
        " ON CONFLICT (collection_id, grantee) DO UPDATE SET access = excluded.access",
        [(collection_id, grantee, access) for grantee, access in shares],
    )


def leave(connection: Transaction, collection_id: str, name: str) -> None:
    """Give up what is shared with a name, and no longer list what is shared with everybody."""
    connection.execute("DELETE FROM collection_shares WHERE collection_id = ? AND grantee = ?", (collection_id, name))
    connection.execute(
        "INSERT INTO collection_shares (collection_id, grantee, access)"
        " SELECT collection_id, ?, ? FROM collection_shares WHERE collection_id = ? AND grantee = ?",
        (name, LEFT, collection_id, EVERYBODY),
    )


def _check(owner: str, sharing: Sharing) -> None:
    names = [share.name for share in sharing.people]
    if len(names) > MAX_PEOPLE:
        raise InputError("share", f"{len(names)} people are too many", "Share with everybody on the server")
    if len(set(names)) < len(names):
        raise InputError("share", "a name is there twice", "Give each name once")
    if owner in names:
        raise InputError("share", "it is yours already", "Give the names of others")
    if any(not name.strip() or len(name) > _MAX_NAME_LENGTH or name == EVERYBODY for name in names):
        raise InputError("share", "a name is no name of a token", "Give it as your colleague sees it in the page")
