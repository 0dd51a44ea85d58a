from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from histoseek.annotations.geojson import Annotation
from histoseek.annotations.shapes import parse_shape
from histoseek.errors import InputError
from histoseek.server.errors import Conflict, NotFound
from histoseek.server.state import annotations
from histoseek.server.state.annotations import OF_UPLOADS, AnnotatedSlide, AnnotationStore
from histoseek.server.state.database import State

SLIDE, OTHER = AnnotatedSlide("kidney", "a"), AnnotatedSlide("kidney", "b")
POINT = Annotation(parse_shape("Point", [3, 4], "test"), label="Mitosis", note="at the edge")
LINE = Annotation(parse_shape("LineString", [[0, 0], [3, 4]], "test"))


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    times = iter(range(1000, 100_000))
    return AnnotationStore(State(tmp_path / "state"), lambda: float(next(times)))


def test_annotations_are_kept_in_their_order(store: AnnotationStore) -> None:
    made = store.add("ann", SLIDE, [POINT]) + store.add("ann", SLIDE, [LINE])
    assert [one.annotation for one in made] == [POINT, LINE]
    assert store.list("ann", SLIDE) == made
    assert store.list("ann", OTHER) == ()
    assert {one.version for one in made} == {1}


def test_others_see_only_what_is_shared_and_change_nothing(store: AnnotationStore) -> None:
    (mine,) = store.add("ann", SLIDE, [POINT])
    (shared,) = store.add("ann", SLIDE, [LINE], is_shared=True)
    (his,) = store.add("bob", SLIDE, [LINE])
    assert store.list("bob", SLIDE) == (his, shared)
    for attempt in (
        lambda: store.delete("bob", SLIDE, shared.annotation_id),
        lambda: store.replace("bob", SLIDE, shared.annotation_id, 1, POINT, True),
        lambda: store.replace("bob", SLIDE, mine.annotation_id, 1, POINT, True),
        lambda: store.delete("ann", OTHER, mine.annotation_id),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert store.list("ann", SLIDE) == (mine, shared)


def test_two_tabs_do_not_overwrite_each_other(store: AnnotationStore) -> None:
    (made,) = store.add("ann", SLIDE, [POINT])
    changed = store.replace("ann", SLIDE, made.annotation_id, 1, replace(POINT, note="in the centre"), True)
    assert (changed.version, changed.is_shared, changed.annotation.note) == (2, True, "in the centre")
    with pytest.raises(Conflict):
        store.replace("ann", SLIDE, made.annotation_id, 1, LINE, False)
    assert store.list("ann", SLIDE) == (changed,)


def test_persons_in_notes_are_replaced_unless_they_were_there(store: AnnotationStore) -> None:
    named = replace(POINT, note="Patient: Schmidt, Anna. Invasive front.", name="Patient: Schmidt, Anna")
    (made,) = store.add("ann", SLIDE, [named])
    assert "Schmidt" not in made.annotation.note + made.annotation.name
    assert "nvasive front" in made.annotation.note
    again = store.replace("ann", SLIDE, made.annotation_id, 1, made.annotation, False)
    assert again.annotation == made.annotation


def test_what_one_has_is_bounded(store: AnnotationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "MAX_OF_SLIDE", 2)
    (made, _) = store.add("ann", SLIDE, [POINT, POINT])
    with pytest.raises(InputError, match="more than 2 annotations"):
        store.add("ann", SLIDE, [POINT])
    store.add("ann", OTHER, [POINT])
    monkeypatch.setattr(annotations, "MAX_VERTICES_OF_OWNER", 3)
    with pytest.raises(InputError, match="more than 3 vertices"):
        store.replace("ann", SLIDE, made.annotation_id, 1, LINE, False)
    monkeypatch.setattr(annotations, "MAX_VERTICES_OF_SLIDE", 2)
    with pytest.raises(InputError, match="2 vertices on this slide"):
        store.replace("ann", SLIDE, made.annotation_id, 1, LINE, False)
    monkeypatch.setattr(annotations, "MAX_VERTICES_SHOWN", 1)
    assert store.list("ann", SLIDE) == (made,)


def test_slides_are_forgotten_with_everybody_s(store: AnnotationStore) -> None:
    store.add("ann", SLIDE, [POINT])
    store.add("bob", SLIDE, [POINT])
    kept = store.add("ann", OTHER, [POINT])
    assert store.list_slides("kidney") == {"a", "b"}
    assert store.forget_slide("kidney", "a") == 2
    assert store.list_slides("kidney") == {"b"}
    assert store.list("ann", OTHER) == kept


def test_annotations_of_uploads_end_with_them(store: AnnotationStore) -> None:
    store.add("ann", AnnotatedSlide(OF_UPLOADS, "old", expires=1.0), [POINT])
    young = store.add("ann", AnnotatedSlide(OF_UPLOADS, "young", expires=1e9), [POINT])
    kept = store.add("ann", SLIDE, [POINT])
    assert store.forget_expired() == 1
    assert store.list("ann", AnnotatedSlide(OF_UPLOADS, "young")) == young
    assert store.list("ann", SLIDE) == kept
