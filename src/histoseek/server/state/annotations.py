"""Annotations of slides: each its owner's, who may let everybody on the server see it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from histoseek.annotations.geojson import Annotation, make_feature, parse_feature
from histoseek.errors import InputError
from histoseek.server.clock import Clock, to_datetime
from histoseek.server.errors import Conflict, NotFound
from histoseek.server.state.clean_texts import clean_texts
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row, Transaction

MAX_OF_SLIDE = 2000
"""Annotations that one owner has on a slide."""

MAX_OF_OWNER = 50_000
"""Annotations that one owner has on all slides together."""

MAX_VERTICES_OF_SLIDE = 200_000
"""Of one owner's annotations on a slide."""

MAX_VERTICES_OF_OWNER = 1_000_000
"""Of one owner's annotations on all slides together."""

MAX_SHOWN = 5000
MAX_VERTICES_SHOWN = 400_000
"""Of a slide's annotations that are given at once: the caller's come first."""

OF_UPLOADS = ""
"""Stands for the archive of uploads: no archive has this name."""


@dataclass(frozen=True, slots=True)
class AnnotatedSlide:
    """What annotations lie on: a slide of an archive, or an upload (of OF_UPLOADS) until it expires.

    expires: when annotations of it are forgotten, in seconds since 1970; None for slides of archives.
    """

    archive: str
    slide_id: str
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """An annotation with its owner; version: goes up with each change; is_shared: others on this server see it."""

    annotation_id: str
    owner: str
    annotation: Annotation
    is_shared: bool
    version: int
    created: datetime
    updated: datetime


class AnnotationStore:
    """Annotations in the server's state. An owner is the name of a token, as of collections."""

    def __init__(self, state: State, clock: Clock = time.time) -> None:
        self._state = state
        self._clock = clock

    def list(self, owner: str, slide: AnnotatedSlide) -> tuple[StoredAnnotation, ...]:
        """An owner's annotations of a slide, then those that others share, the oldest first; as many as are shown."""
        order = "ORDER BY CASE WHEN owner = ?3 THEN 0 ELSE 1 END, created, annotation_id"
        rows = self._state.read(
            f"SELECT * FROM (SELECT *, SUM(vertices) OVER ({order}) AS so_far FROM annotations"
            " WHERE archive = ?1 AND slide_id = ?2 AND (owner = ?3 OR shared = 1)) AS listed"
            f" WHERE so_far <= ?4 {order} LIMIT ?5",
            (slide.archive, slide.slide_id, owner, MAX_VERTICES_SHOWN, MAX_SHOWN),
        )
        return tuple(map(_parse_row, rows))

    def add(
        self, owner: str, slide: AnnotatedSlide, annotations: Sequence[Annotation], is_shared: bool = False
    ) -> tuple[StoredAnnotation, ...]:
        """Keep new annotations; raises InputError where that is too many, or too many vertices."""
        now = self._clock()
        # A microsecond between each keeps those of a file in its order.
        rows = [
            _make_row(owner, slide, one, is_shared, now + place * 1e-6)
            for place, one in enumerate(_remove_identifiers(annotations))
        ]
        with self._state.open_transaction() as connection:
            _check_room(connection, owner, slide, len(rows), sum(one.shape.vertex_count for one in annotations))
            connection.executemany(
                "INSERT INTO annotations (annotation_id, archive, slide_id, owner, feature, vertices, shared, version,"
                " created, updated, expires) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
                rows,
            )
        mine = {stored.annotation_id: stored for stored in self.list(owner, slide)}
        return tuple(mine[str(row[0])] for row in rows)

    def replace(
        self,
        owner: str,
        slide: AnnotatedSlide,
        annotation_id: str,
        version: int,
        annotation: Annotation,
        is_shared: bool,
    ) -> StoredAnnotation:
        """Put an annotation in place of what it was at `version`.

        Raises NotFound, also for another's; InputError as `add` does; Conflict when it was changed since that version.
        """
        before = self._get(owner, slide, annotation_id)
        (clean,), growth = _remove_identifiers([annotation], before.annotation), annotation.shape.vertex_count
        with self._state.open_transaction() as connection:
            _check_room(connection, owner, slide, 0, growth - before.annotation.shape.vertex_count)
            cursor = connection.execute(
                "UPDATE annotations SET feature = ?, vertices = ?, shared = ?, version = version + 1, updated = ?"
                " WHERE annotation_id = ? AND owner = ? AND version = ?",
                (_dump(clean), growth, int(is_shared), self._clock(), annotation_id, owner, version),
            )
            if not cursor.rowcount:
                raise Conflict("annotation", "it was changed in the meantime", "Load it again, and repeat your change")
        return self._get(owner, slide, annotation_id)

    def delete(self, owner: str, slide: AnnotatedSlide, annotation_id: str) -> None:
        """Delete an annotation; raises NotFound, also for another's."""
        with self._state.open_transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM annotations WHERE archive = ? AND slide_id = ? AND owner = ? AND annotation_id = ?",
                (slide.archive, slide.slide_id, owner, annotation_id),
            )
            if not cursor.rowcount:
                raise _make_not_found()

    def list_slides(self, archive: str) -> frozenset[str]:
        """The slides of an archive that have any annotation."""
        rows = self._state.read("SELECT DISTINCT slide_id FROM annotations WHERE archive = ?", (archive,))
        return frozenset(row["slide_id"] for row in rows)

    def forget_slide(self, archive: str, slide_id: str) -> int:
        """Delete all annotations of a slide, whoever made them; how many."""
        with self._state.open_transaction() as connection:
            return connection.execute(
                "DELETE FROM annotations WHERE archive = ? AND slide_id = ?", (archive, slide_id)
            ).rowcount

    def forget_expired(self) -> int:
        """Delete the annotations of uploads whose time is over; how many."""
        with self._state.open_transaction() as connection:
            return connection.execute("DELETE FROM annotations WHERE expires <= ?", (self._clock(),)).rowcount

    def _get(self, owner: str, slide: AnnotatedSlide, annotation_id: str) -> StoredAnnotation:
        rows = self._state.read(
            "SELECT * FROM annotations WHERE archive = ? AND slide_id = ? AND owner = ? AND annotation_id = ?",
            (slide.archive, slide.slide_id, owner, annotation_id),
        )
        if not rows:
            raise _make_not_found()
        return _parse_row(rows[0])


def _check_room(connection: Transaction, owner: str, slide: AnnotatedSlide, more: int, more_vertices: int) -> None:
    count, here = connection.execute(
        "SELECT count(*), coalesce(sum(vertices), 0) FROM annotations WHERE archive = ? AND slide_id = ? AND owner = ?",
        (slide.archive, slide.slide_id, owner),
    ).fetchone()
    count_everywhere, everywhere = connection.execute(
        "SELECT count(*), coalesce(sum(vertices), 0) FROM annotations WHERE owner = ?", (owner,)
    ).fetchone()
    limits = (
        (count + more, MAX_OF_SLIDE, "annotations on this slide"),
        (here + more_vertices, MAX_VERTICES_OF_SLIDE, "vertices on this slide"),
        (count_everywhere + more, MAX_OF_OWNER, "annotations on all slides"),
        (everywhere + more_vertices, MAX_VERTICES_OF_OWNER, "vertices on all slides"),
    )
    for wanted, most, what in limits:
        if wanted > most:
            raise InputError("annotations", f"you would have more than {most} {what}", "Delete some of them first")


def _make_row(
    owner: str, slide: AnnotatedSlide, annotation: Annotation, is_shared: bool, now: float
) -> tuple[str | int | float | None, ...]:
    shown = (str(uuid.uuid4()), slide.archive, slide.slide_id, owner, _dump(annotation))
    return (*shown, annotation.shape.vertex_count, int(is_shared), now, now, slide.expires)


def _dump(annotation: Annotation) -> str:
    return json.dumps(make_feature(annotation), ensure_ascii=False, separators=(",", ":"))


def _parse_row(row: Row) -> StoredAnnotation:
    return StoredAnnotation(
        annotation_id=row["annotation_id"],
        owner=row["owner"],
        annotation=parse_feature(json.loads(row["feature"])),
        is_shared=bool(row["shared"]),
        version=row["version"],
        created=to_datetime(row["created"]),
        updated=to_datetime(row["updated"]),
    )


def _remove_identifiers(annotations: Sequence[Annotation], present: Annotation | None = None) -> list[Annotation]:
    """The annotations with placeholders for persons in what was written; present: what is stored already."""
    known = {present.label, present.name, present.note} if present else set()
    written = {text for one in annotations for text in (one.label, one.name, one.note)} - known
    clean = {text: text for text in known} | dict(clean_texts(written, "annotations"))
    return [replace(one, label=clean[one.label], name=clean[one.name], note=clean[one.note]) for one in annotations]


def _make_not_found() -> NotFound:
    return NotFound("annotation", "there is none of this id on this slide that is yours", "List those of the slide")
