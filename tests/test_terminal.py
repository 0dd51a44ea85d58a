"""Tables fit their terminal, lose what matters least, and break no word; elsewhere every value is whole."""

from __future__ import annotations

import io
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.progress import show_progress
from histoseek.terminal import TableColumn, format_table, get_terminal_width, shorten_middle

COLUMNS = (
    TableColumn("slide", "name"),
    TableColumn("case", "name", drop=3),
    TableColumn("organ", "text", drop=4),
    TableColumn("diagnosis", "text"),
    TableColumn("tiles", drop=2),
    TableColumn("file", "name", drop=1),
)
LONG = "TCGA-BH-A0BZ-01Z-00-DX1.45EB3E93-A871-49C6-9EAE-90D98AE01913"
ROWS = (
    (LONG, "TCGA-BH-A0BZ", "breast", "infiltrating ductal carcinoma", "2048", f"{LONG}.svs"),
    ("SIM-0000-00", "SIM-0000", "lymph node", "adenocarcinoma", "54", "SIM-0000-00.tiff"),
)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_tables_fit_and_break_no_word(width: int) -> None:
    lines = format_table(COLUMNS, ROWS, width).splitlines()
    assert all(len(line) <= width for line in lines)
    words = {word for row in ROWS for cell in row for word in cell.split()} | {one.heading for one in COLUMNS}
    shown = {word for line in lines if not line.startswith("no room for") for word in line.split()}
    assert all(word in words or "…" in word for word in shown)
    assert {"adenocarcinoma", "SIM-0000-00", "carcinoma"} <= shown


def test_what_matters_least_goes_first_and_is_named() -> None:
    left_out = {width: format_table(COLUMNS, ROWS, width).splitlines()[-1] for width in (60, 80, 100)}
    assert left_out == {
        60: "no room for: case, organ, tiles, file",
        80: "no room for: tiles, file",
        100: "no room for: file",
    }
    assert "no room" not in format_table(COLUMNS, ROWS, 200)


def test_long_names_lose_their_middle() -> None:
    assert shorten_middle(LONG, 21) == f"TCGA-BH-A0…{LONG[-10:]}"
    assert shorten_middle("SIM-0000-00", 11) == "SIM-0000-00"


def test_without_a_terminal_values_are_whole_and_rows_are_lines() -> None:
    report = "Lung, biopsy:\nsquamous cell carcinoma. " * 20
    table = format_table([TableColumn("slide", "name"), TableColumn("report", "text")], [(LONG, report)], None)
    assert table.splitlines() == [f"{'slide':{len(LONG)}}  report", f"{LONG}  {' '.join(report.split())}"]


def test_texts_end_after_some_lines() -> None:
    lines = format_table([TableColumn("report", "text")], [("word " * 200,)], 24).splitlines()
    assert lines[1:] == ["word word word word word"[:24]] * 3 + ["word word word word …"]


def test_columns_without_values_go_first_and_unmentioned() -> None:
    columns = (TableColumn("slide", "name"), TableColumn("probability", drop=9), TableColumn("case", "name", drop=1))
    assert format_table(columns, [("S" * 30, "", "C" * 20)], 50).splitlines()[0].split() == ["slide", "case"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in format_table([TableColumn("slide")], [("a\x1b[31mb",)], 80)


def test_brackets_are_no_markup() -> None:
    assert "[bold]x[/bold]" in format_table([TableColumn("slide")], [("[bold]x[/bold]",)], 80)


def test_an_empty_table_is_its_headings() -> None:
    assert format_table(COLUMNS, [], 80) == "slide  case  organ  diagnosis  tiles  file"


@settings(max_examples=80)
@given(st.lists(st.tuples(*[st.text(max_size=50)] * len(COLUMNS)), max_size=4), st.integers(20, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    for line in format_table(COLUMNS, rows, width).splitlines():
        wide = sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in line if not unicodedata.combining(one))
        assert wide <= width


def test_the_width_is_that_of_the_terminal_or_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert get_terminal_width() == 72
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert get_terminal_width() is None


def test_bars_are_shown_from_the_first_report_on(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = io.StringIO()
    errors.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", errors)
    with show_progress("slides", total=2):
        pass
    assert errors.getvalue() == ""
    with show_progress("slides", total=2) as reporter:
        reporter.advance(2)
    assert "slides" in errors.getvalue()
    assert "2/2" in errors.getvalue()
