"""Names of slides, files, patients and cases, looked up by a part of one: against a look at all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.search.scope.names import Name, NameIndex, get_names
from histoseek.slides.sources.registry import source_name
from tests.archive.tables import update_metadata
from tests.evaluation.archives import labelled_archive

Row = tuple[str, str, str | None, str | None]
COLUMNS = ("slide_id", "uri", "patient_id", "case_id")
ROWS: Sequence[Row] = (
    ("S-001", "/scans/2024/S-001.svs", "P1", "C1"),
    ("S-002", "/scans/2024/S-002.svs", "P1", "C1"),
    ("0123456789abcdef", "/scans/Müller HE.ndpi", "P2", None),
    ("s-003", "omero://host/7", None, "c1/b"),
    ("T", "", None, None),
)


def make_index(rows: Sequence[Row]) -> NameIndex:
    return NameIndex(
        pa.table(
            {name: pa.array(column, pa.string()) for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)}
        )
    )


def names_of(row: Row) -> list[str]:
    return [name for name in (row[0], source_name(row[1]), row[2], row[3]) if name]


def find_naively(rows: Sequence[Row], text: str) -> tuple[str, ...]:
    return tuple(sorted(row[0] for row in rows if any(text.lower() in name.lower() for name in names_of(row))))


@pytest.mark.parametrize("text", ["s-00", "S-002.SVS", "müller", "p1", "c1", "C1/B", "7", "t", "zzz", "-"])
def test_slides_are_found_by_a_part_of_any_of_their_names(text: str) -> None:
    assert make_index(ROWS).find_having(text) == find_naively(ROWS, text)


def test_nothing_is_named_by_nothing() -> None:
    index = make_index(ROWS)
    assert index.find_having(" ") == index.complete("", 5) == index.find_named("", "slide") == ()
    assert index.find_having("\ud800") == ()


def test_completions_begin_with_the_text_before_they_contain_it() -> None:
    rows = [(f"x{i}-s", f"/x{i}-s.tif", None, None) for i in range(5)] + [("s9", "/s9.tif", "s", "a s")]
    found = make_index(rows).complete("S", 3)
    assert [(name.kind, name.text) for name in found] == [
        ("slide", "s9.tif"),
        ("slide", "x0-s.tif"),
        ("slide", "x1-s.tif"),
        ("patient", "s"),
        ("case", "a s"),
    ]
    assert found[0].slide_id == found[3].slide_id == "s9"


def test_a_patient_of_several_slides_is_one_completion() -> None:
    assert make_index(ROWS).complete("p1", 9) == (Name("patient", "P1", 2, None),)


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("s-001", "slide", ("S-001",)),
        ("S-001.svs", "slide", ("S-001",)),
        ("müller he", "slide", ("0123456789abcdef",)),
        ("S-00", "slide", ()),
        ("p1", "patient", ("S-001", "S-002")),
        ("C1", "case", ("S-001", "S-002")),
    ],
)
def test_whole_names_are_told_from_parts(text: str, kind: str, wanted: tuple[str, ...]) -> None:
    assert make_index(ROWS).find_named(text, kind) == wanted  # type: ignore[arg-type]


NAMES = st.text(alphabet="aB-_. \n1/", min_size=1, max_size=6)


@given(
    st.lists(st.tuples(NAMES, NAMES, st.none() | NAMES, st.none() | NAMES), min_size=1, unique_by=lambda row: row[0]),
    NAMES,
)
def test_any_names_are_found_as_by_looking_at_each(rows: Sequence[Row], text: str) -> None:
    index = make_index(rows)
    wanted = text.lower().strip().replace("\n", " ")
    having = {
        row[0] for row in rows if wanted and any(wanted in name.lower().replace("\n", " ") for name in names_of(row))
    }
    assert set(index.find_having(text)) == having
    assert [index.slide_ids[int(place)].as_py() for place in index.find_places(text)] == sorted(having)
    exact = {row[0] for row in rows if wanted and row[2] and row[2].lower().replace("\n", " ") == wanted}
    assert set(index.find_named(text, "patient")) == exact
    found = [name.text for name in index.complete(text, 100)]
    assert all(wanted in name.lower().replace("\n", " ") for name in found)


def test_many_names_are_found_as_few_are() -> None:
    rows = [(f"slide-{i:05d}", f"/slide-{i:05d}.svs", f"p{i % 7}", None) for i in range(5000)]
    assert make_index(rows).find_having("slide") == tuple(row[0] for row in rows)
    assert make_index(rows).find_having("p3") == tuple(row[0] for row in rows[3::7])


def test_the_index_follows_the_archive(tmp_path_factory: pytest.TempPathFactory) -> None:
    archive = labelled_archive(tmp_path_factory.mktemp("names"), [0, 1], [0, 1], tiles=4)
    first = archive.read(lambda view: get_names(view.store))
    assert archive.read(lambda view: get_names(view.store)) is first
    slide_id = first.slide_ids[0].as_py()
    update_metadata(archive.store, slide_id, {"case_id": "Case 77"})
    assert archive.read(lambda view: get_names(view.store)).find_named("case 77", "case") == (slide_id,)
