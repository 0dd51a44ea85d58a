"""What users said of results: kept by query, without the persons that the query's texts may name."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from histoseek.errors import InputError
from histoseek.geometry import Rect
from histoseek.server.clock import Clock, to_datetime
from histoseek.server.state.database import State
from histoseek.server.state.slide_traces import Json, SlideTraces, list_question_slides

MAX_JUDGEMENTS = 20_000
"""Of one judge."""

_NOT_TEXT = frozenset({"kind", "unit", "slide_id", "upload_id", "case_id"})
_PERSON_FIELDS = frozenset({"patient_id"})


@dataclass(frozen=True, slots=True)
class StoredJudgement:
    """Whether a slide was relevant for a query; `by`: the name of the judge's token; region: the part of the slide that
    was judged, in level-0 px, None for all of it."""

    query_key: str
    slide_id: str
    relevant: bool
    by: str
    at: datetime
    region: Rect | None = None


class FeedbackStore:
    """Judgements in the server's state: one of each judge for a slide, or a region of it, and query."""

    def __init__(self, state: State, clock: Clock = time.time) -> None:
        self._state = state
        self._key = state.derive_key("query")
        self._clock = clock

    def compute_query_key(self, query: Json) -> str:
        """What equal queries share: 128 bits, keyed, so that nobody can tell a query from its key by guessing.

        Equal are queries that differ in the order of fields, in fields that are null, in how a number is written
        (1 and 1.0), or in how Unicode composes letters.
        """
        normalised = json.dumps(_normalise(query), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hmac.digest(self._key, normalised.encode(), hashlib.sha256)[:16].hex()

    def judge(
        self, archive: str, query: Json, slide_id: str, relevant: bool, by: str, region: Rect | None = None
    ) -> StoredJudgement:
        """Keep a judgement in place of an earlier one by the same judge; the query is kept without identifiers.

        Raises InputError when the judge has given very many.
        """
        key, now = self.compute_query_key(query), self._clock()
        stored_query = json.dumps(remove_identifiers(query), sort_keys=True)
        with self._state.open_transaction() as connection:
            (count,) = connection.execute("SELECT count(*) FROM judgements WHERE judge = ?", (by,)).fetchone()
            if count >= MAX_JUDGEMENTS:
                raise InputError("feedback", f"you have {count} judgements already", "Withdraw some first")
            connection.execute("INSERT INTO judged_queries VALUES (?, ?) ON CONFLICT DO NOTHING", (key, stored_query))
            connection.execute(
                "INSERT INTO judgements (archive, query_key, slide_id, judge, place, relevant, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (archive, query_key, slide_id, judge, place)"
                " DO UPDATE SET relevant = excluded.relevant, at = excluded.at",
                (archive, key, slide_id, by, _to_place(region), relevant, now),
            )
        return StoredJudgement(key, slide_id, relevant, by, to_datetime(now), region)

    def take_back(self, archive: str, query: Json, slide_id: str, by: str, region: Rect | None = None) -> None:
        """Forget a judgement, if there is one, and the query with the last one on it."""
        key = self.compute_query_key(query)
        with self._state.open_transaction() as connection:
            connection.execute(
                "DELETE FROM judgements"
                " WHERE archive = ? AND query_key = ? AND slide_id = ? AND judge = ? AND place = ?",
                (archive, key, slide_id, by, _to_place(region)),
            )
            connection.execute(
                "DELETE FROM judged_queries WHERE query_key = ?1"
                " AND NOT EXISTS (SELECT 1 FROM judgements WHERE query_key = ?1)",
                (key,),
            )

    def list_slides(self, archive: str) -> frozenset[str]:
        """The slides of an archive that anybody judged, or made a query of that was judged."""
        rows = self._state.read("SELECT DISTINCT slide_id FROM judgements WHERE archive = ?", (archive,))
        queries = self._state.read(
            "SELECT query FROM judged_queries WHERE query_key IN (SELECT query_key FROM judgements WHERE archive = ?)",
            (archive,),
        )
        query_slides = (slide_id for row in queries for slide_id in list_question_slides(json.loads(row["query"])))
        return frozenset([*(row["slide_id"] for row in rows), *query_slides])

    def forget_slide(self, archive: str, traces: SlideTraces) -> int:
        """Forget all judgements of a slide, and queries that tell of it; how many judgements."""
        with self._state.open_transaction() as connection:
            rows = connection.execute(
                "SELECT query_key, query FROM judged_queries WHERE query_key IN"
                " (SELECT query_key FROM judgements WHERE archive = ?)",
                (archive,),
            ).fetchall()
            keys = [row["query_key"] for row in rows if traces.are_in(json.loads(row["query"]))]
            forgotten = connection.execute(
                "DELETE FROM judgements WHERE archive = ? AND slide_id = ?", (archive, traces.slide_id)
            ).rowcount
            for key in keys:
                forgotten += connection.execute(
                    "DELETE FROM judgements WHERE archive = ? AND query_key = ?", (archive, key)
                ).rowcount
            connection.execute("DELETE FROM judged_queries WHERE query_key NOT IN (SELECT query_key FROM judgements)")
        return forgotten

    def list_for_query(self, archive: str, query_key: str) -> tuple[StoredJudgement, ...]:
        """All judgements on a query, in the order in which they were given."""
        rows = self._state.read(
            "SELECT * FROM judgements WHERE archive = ? AND query_key = ? ORDER BY at, slide_id, judge, place",
            (archive, query_key),
        )
        return tuple(
            StoredJudgement(
                row["query_key"],
                row["slide_id"],
                bool(row["relevant"]),
                row["judge"],
                to_datetime(row["at"]),
                _to_region(row["place"]),
            )
            for row in rows
        )


def _to_place(region: Rect | None) -> str:
    """As it is stored: empty for the whole slide."""
    return "" if region is None else str(region)


def _to_region(place: str) -> Rect | None:
    return Rect(*map(int, place.split(","))) if place else None


def remove_identifiers(query: Json) -> Json:
    """The query with identifiers in its texts replaced by placeholders, and without its fields of patient ids."""
    from histoseek.reports.privacy.deidentify import deidentify

    if isinstance(query, str):
        return deidentify(query).text
    if isinstance(query, Mapping):
        return {
            name: value if name in _NOT_TEXT else remove_identifiers(value)
            for name, value in query.items()
            if name not in _PERSON_FIELDS
        }
    if isinstance(query, Sequence):
        return [remove_identifiers(value) for value in query]
    return query


def _normalise(query: Json) -> Json:
    if isinstance(query, str):
        return unicodedata.normalize("NFC", query)
    if isinstance(query, Mapping):
        return {name: _normalise(value) for name, value in query.items() if value is not None}
    if isinstance(query, Sequence):
        return [_normalise(value) for value in query]
    return int(query) if isinstance(query, float) and query.is_integer() else query
