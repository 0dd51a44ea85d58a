"""Search for words: which rows have a token, in pieces that commits add, and BM25 over them.

A piece has a token's rows of one commit, or of many once they were joined, as numbers of 32 bits each: how far the row
is from the first, how often it has the token, and how many tokens it has.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.stores.base import TextHit
from histoseek.archive.stores.postgres.columns import pack_text
from histoseek.archive.stores.postgres.tables import StoreTables, prefer_indexes
from histoseek.archive.stores.postgres.versions import Version

_SATURATION, _LENGTH_SHARE = 1.2, 0.75
"""BM25's k1 and b, those of the embedded engine."""

_DECIMALS = 4
_MOST_BYTES_OF_TOKEN = 500
_MOST_ALIKE = 50
_PIECES_AT_ONCE = 20_000
_KEPT_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Postings:
    """The rows with a token: rows int64 [n], counts and lengths float64 [n]."""

    rows: NDArray[np.int64]
    counts: NDArray[np.float64]
    lengths: NDArray[np.float64]


@dataclass
class PostingsCache:
    """What was read of one version's postings, up to a bound."""

    _held: dict[str, Postings] = field(default_factory=dict)
    _bytes: int = 0
    _guard: Lock = field(default_factory=Lock)

    def find(self, tokens: Iterable[str]) -> dict[str, Postings]:
        """Those of some tokens that are held."""
        with self._guard:
            return {token: self._held[token] for token in tokens if token in self._held}

    def keep(self, read: Mapping[str, Postings]) -> None:
        """Hold some more, instead of all others where these would be too many."""
        with self._guard:
            size = sum(24 * len(one.rows) for one in read.values())
            if self._bytes + size > _KEPT_BYTES:
                self._held, self._bytes = {}, 0
            if size <= _KEPT_BYTES:
                self._held.update(read)
                self._bytes += size


def count_tokens(tokens: str | None) -> int | None:
    """How many a row has; None for a row without."""
    return len(tokens.split()) if tokens is not None else None


def add_words(connection: Connection, tables: StoreTables, rows: Sequence[tuple[int, str | None]]) -> None:
    """Note the tokens of new rows, whose numbers ascend."""
    pieces: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    first = rows[0][0] if rows else 0
    for number, tokens in rows:
        words = (tokens or "").split()
        for token, count in Counter(words).items():
            pieces[token].append((number - first, count, len(words)))
    _copy(
        connection,
        tables,
        ((_make_key(token), first, np.array(own, "<u4").tobytes()) for token, own in pieces.items()),
    )


def join_words(connection: Connection, tables: StoreTables, removed: NDArray[np.int64]) -> None:
    """Make one piece of all that a token has, without rows that were removed."""
    connection.execute(
        tables.write("DECLARE pieces NO SCROLL CURSOR FOR SELECT token, first_row, postings FROM {words} ORDER BY 1, 2")
    )
    connection.execute(tables.write("DELETE FROM {words}"))
    rest: list[tuple[str, int, bytes]] = []
    while pieces := connection.execute(f"FETCH {_PIECES_AT_ONCE} FROM pieces", binary=True).fetchall():
        rest += [(str(token), int(str(first)), bytes(own)) for token, first, own in pieces]  # type: ignore[call-overload]
        last = rest[-1][0]
        _copy(connection, tables, _join([one for one in rest if one[0] != last], removed))
        rest = [one for one in rest if one[0] == last]
    _copy(connection, tables, _join(rest, removed))
    connection.execute("CLOSE pieces")


def read_postings(
    connection: Connection, tables: StoreTables, version: Version, tokens: Sequence[str], ended: NDArray[np.int64]
) -> dict[str, Postings]:
    """Of each token the rows of a version, none of tokens that no row has; ended: rows that are not of it any more."""
    keys = {_make_key(token): token for token in tokens}
    prefer_indexes(connection)
    found = connection.execute(
        tables.write(
            "SELECT token, first_row, postings FROM {words} WHERE token = ANY(%s::text[]) AND first_row < %s ORDER BY 1"
        ),
        (list(keys), version.next_row),
        binary=True,
    ).fetchall()
    result = {}
    for key, pieces in groupby(found, key=lambda row: str(row[0])):
        table = _stack((first, own) for _, first, own in pieces)
        table = table[(table[:, 0] < version.next_row) & ~np.isin(table[:, 0], ended)]
        if len(table):
            result[keys[key]] = Postings(table[:, 0], table[:, 1].astype(np.float64), table[:, 2].astype(np.float64))
    return result


def score_rows(
    weights: Mapping[str, float], postings: Mapping[str, Postings], version: Version
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows that have any of some tokens, ascending, and their scores."""
    if not postings:
        return np.zeros(0, np.int64), np.zeros(0)
    mean = version.words / version.worded
    scores = np.zeros(version.next_row)
    for token, own in postings.items():
        rarity = math.log((version.worded - len(own.rows) + 0.5) / (len(own.rows) + 0.5) + 1)
        norm = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * own.lengths / mean)
        scores[own.rows] += weights[token] * rarity * (_SATURATION + 1) * own.counts / (own.counts + norm)
    rows = np.flatnonzero(scores)
    return rows, np.round(scores[rows], _DECIMALS)


def name_best(
    connection: Connection,
    tables: StoreTables,
    rows: NDArray[np.int64],
    scores: NDArray[np.float64],
    count: int,
) -> list[TextHit]:
    """The best of some rows, ties by id."""
    least = -np.partition(-scores, count - 1)[count - 1] if 0 < count < len(scores) else -math.inf
    text = "SELECT slide_id, _row FROM {slides} WHERE _row = ANY(%s) ORDER BY slide_id LIMIT %s"
    hits: list[TextHit] = []
    prefer_indexes(connection)
    for chosen in (scores > least, scores == least):
        numbers = rows[chosen].tolist()
        if not numbers:
            continue
        by_row = dict(zip(numbers, scores[chosen].tolist(), strict=True))
        named = connection.execute(tables.write(text), (numbers, count - len(hits)), binary=True).fetchall()
        hits += [TextHit(str(slide_id), by_row[int(str(row))]) for slide_id, row in named]
    return sorted(hits, key=lambda hit: (-hit.score, hit.slide_id))[:count]


def find_alike(connection: Connection, tables: StoreTables, weights: Mapping[str, float]) -> dict[str, float]:
    """The tokens that are spelled almost like some, at most two letters away and with the same first letter, with the
    weights of those."""
    found: dict[str, float] = {}
    for token, weight in weights.items():
        letters = 2 if len(token) > 5 else 1
        known = connection.execute(
            tables.write(
                "SELECT DISTINCT token FROM {words} WHERE token ^@ %s AND char_length(token) BETWEEN %s AND %s"
            ),
            (pack_text(token[:1]), len(token) - letters, len(token) + letters),
            binary=True,
        ).fetchall()
        far = {str(one): Levenshtein.distance(token, str(one), score_cutoff=letters) for (one,) in known}
        near = sorted((distance, one) for one, distance in far.items() if distance <= letters)
        for _, one in near[:_MOST_ALIKE]:
            found[one] = max(weight, found.get(one, 0.0))
    return found


def _copy(connection: Connection, tables: StoreTables, pieces: Iterable[tuple[str, int, bytes]]) -> None:
    statement = tables.write("COPY {words} (token, first_row, postings) FROM STDIN (FORMAT BINARY)")
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["text", "int8", "bytea"])
        for piece in pieces:
            copy.write_row(piece)


def _join(pieces: Sequence[tuple[str, int, bytes]], removed: NDArray[np.int64]) -> Iterator[tuple[str, int, bytes]]:
    for token, own in groupby(pieces, key=lambda piece: piece[0]):
        table = _stack((first, numbers) for _, first, numbers in own)
        table = table[~np.isin(table[:, 0], removed)]
        if not len(table):
            continue
        first = int(table[0, 0])
        table[:, 0] -= first
        yield token, first, table.astype("<u4").tobytes()


def _stack(pieces: Iterable[tuple[object, object]]) -> NDArray[np.int64]:
    """Row, count and length, [n, 3], the rows ascending."""
    parts = []
    for first, numbers in pieces:
        assert isinstance(numbers, bytes)
        part = np.frombuffer(numbers, "<u4").reshape(-1, 3).astype(np.int64)
        part[:, 0] += int(str(first))
        parts.append(part)
    table = np.concatenate(parts)
    return table[np.argsort(table[:, 0], kind="stable")]


def _make_key(token: str) -> str:
    """What a token is called in the table: an index takes no long ones."""
    packed = pack_text(token)
    if len(packed.encode()) <= _MOST_BYTES_OF_TOKEN:
        return packed
    return f" {hashlib.sha256(packed.encode()).hexdigest()}"
