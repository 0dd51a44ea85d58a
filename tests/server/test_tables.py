from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.server.http.downloads import make_file_name
from histoseek.tables import to_csv, to_json

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "=cmd|' /C calc'!A0"]
)
def test_no_cell_is_a_formula(cell: str) -> None:
    assert read(to_csv(["note"], [[cell]])) == [["note"], [f"'{cell}"]]
    assert read(to_csv([cell], [])) == [[f"'{cell}"]]


def test_numbers_stay_numbers() -> None:
    assert to_csv(["a", "b", "c", "d"], [[-1, -0.5, None, True]]) == "a,b,c,d\r\n-1,-0.5,,True\r\n"


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=6))
def test_csv_brings_back_every_cell(rows: list[list[str]]) -> None:
    found = read(to_csv(["x", "y"], rows))[1:]
    assert [[cell.removeprefix("'") for cell in row] for row in found] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    assert not any(cell.lstrip(" ")[:1] in tuple("=+-@\t\r\n") for row in found for cell in row if cell.strip(" "))


@given(st.lists(st.tuples(TEXTS, st.none() | st.integers() | st.booleans()), max_size=6))
def test_json_brings_back_every_cell(rows: list[tuple[str, int | None]]) -> None:
    assert json.loads(to_json(["x", "y"], rows)) == [{"x": one, "y": other} for one, other in rows]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("for the seminar", "collection-for-the-seminar.csv"),
        ("Nieren, Frühjahr 2026", "collection-Nieren-Fruhjahr-2026.csv"),
        ('../../x"; filename="y\r\nSet-Cookie: z', "collection-x-filename-y-Set-Cookie-z.csv"),
        ("\u814e\u81d3", "collection.csv"),
        ("x" * 200, f"collection-{'x' * 60}.csv"),
    ],
)
def test_files_have_safe_names(name: str, file: str) -> None:
    assert make_file_name("collection", name, "csv") == file
