"""Bearer tokens: 256 random bits each, of which the server keeps only a digest."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from histoseek.errors import InputError
from histoseek.server.clock import Clock, to_datetime
from histoseek.server.errors import Overloaded
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row, Transaction

Role = Literal["read", "write"]
"""What a token may do: look and search; or change archives too, where the server lets anyone."""

FIRST_NAME = "first"
_SHAPE = re.compile(r"hs_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")
_COARSE_S = 3600.0
_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; last_used to the hour, so that it is no log of somebody's work."""

    token_id: str
    name: str
    role: Role
    created: datetime
    last_used: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made, with its text, which is nowhere else and can't be shown again."""

    token: Token
    text: str = field(repr=False)


class TokenStore:
    """The tokens in the server's state."""

    def __init__(self, state: State, clock: Clock = time.time) -> None:
        self._state = state
        self._clock = clock

    def add(self, name: str, role: Role) -> NewToken:
        """Make a token; its name, of letters, digits and `._@-`, stands in the audit log.

        Raises InputError for a name that is odd, or that a token in use has.
        """
        with self._state.open_transaction() as connection:
            return self._insert(connection, name, role)

    def create_first(self) -> str | None:
        """The text of a new token with all rights when there has never been one; None when there has."""
        with self._state.open_transaction() as connection:
            if connection.execute("SELECT 1 FROM tokens LIMIT 1").fetchone():
                return None
            return self._insert(connection, FIRST_NAME, "write").text

    def list_tokens(self) -> tuple[Token, ...]:
        """All tokens, also revoked ones, in the order in which they were made."""
        return tuple(_parse_token(row) for row in self._state.read("SELECT * FROM tokens ORDER BY created, token_id"))

    def revoke(self, name_or_id: str) -> Token:
        """Make a token useless from now on, with the sessions begun with it; raises InputError when there is none."""
        with self._state.open_transaction() as connection:
            rows = connection.execute(
                "UPDATE tokens SET revoked = ? WHERE revoked IS NULL AND (token_id = ? OR name = ?) RETURNING *",
                (self._clock(), name_or_id, name_or_id),
            ).fetchall()
        if not rows:
            raise InputError(
                f"token {name_or_id!r}", "no token in use has this name or id", "See `histoseek tokens list`"
            )
        return _parse_token(rows[0])

    def verify(self, text: str) -> Token | None:
        """The token whose text this is; None when it is no token, or a revoked one."""
        shape = _SHAPE.fullmatch(text)
        rows = self._select(shape[1]) if shape else []
        digest = rows[0]["digest"] if rows else _NO_DIGEST
        if not hmac.compare_digest(_compute_digest(text), digest) or not rows:
            return None
        self._note_use(rows[0])
        return _parse_token(rows[0])

    def find_active(self, token_id: str) -> Token | None:
        """The token of this id, for a session that began with it, unless it is revoked."""
        rows = self._select(token_id)
        if not rows:
            return None
        self._note_use(rows[0])
        return _parse_token(rows[0])

    def _select(self, token_id: str) -> Sequence[Row]:
        return self._state.read("SELECT * FROM tokens WHERE token_id = ? AND revoked IS NULL", (token_id,))

    def _insert(self, connection: Transaction, name: str, role: Role) -> NewToken:
        _check_name_and_role(name, role)
        token_id = secrets.token_hex(8)
        text = f"hs_{token_id}_{secrets.token_urlsafe(32)}"
        row = connection.execute(
            "INSERT INTO tokens (token_id, name, role, digest, created) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING RETURNING *",
            (token_id, name, role, _compute_digest(text), self._clock()),
        ).fetchone()
        if row is None:
            raise InputError(
                f"token {name!r}", "there is one of this name already", "Revoke it first, or choose another name"
            )
        return NewToken(_parse_token(row), text)

    def _note_use(self, row: Row) -> None:
        hour = self._clock() // _COARSE_S * _COARSE_S
        if row["last_used"] is None or row["last_used"] < hour:
            with suppress(Overloaded), self._state.open_transaction() as connection:
                connection.execute("UPDATE tokens SET last_used = ? WHERE token_id = ?", (hour, row["token_id"]))


def _check_name_and_role(name: str, role: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"token {name!r}", "not a valid name for a token", "Use up to 64 letters, digits, spaces and . _ @ -"
        )
    if role not in get_args(Role):
        raise InputError(f"role {role!r}", "there is no such role", f"Choose one of: {', '.join(get_args(Role))}")


def _compute_digest(text: str) -> bytes:
    """SHA-256 is enough: texts have 256 random bits, so there is nothing to guess that a slow hash would slow down."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _parse_token(row: Row) -> Token:
    last_used, revoked = row["last_used"], row["revoked"]
    return Token(
        row["token_id"],
        row["name"],
        row["role"],
        to_datetime(row["created"]),
        None if last_used is None else to_datetime(last_used),
        None if revoked is None else to_datetime(revoked),
    )
