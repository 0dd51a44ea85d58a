"""Tables and how their rows find files."""

from __future__ import annotations

import csv
import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.indexing.metadata_join import join_metadata
from histoseek.archive.indexing.metadata_table import MetadataTable, load_table, make_table
from histoseek.errors import BadTable, InputError
from histoseek.slides.sources.file import FileSource


def table(folder: Path, text: str, rename: dict[str, str] | None = None) -> MetadataTable:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return load_table(folder / "t.csv", rename)


def test_columns_are_typed_and_ids_stay_text(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "\ufeffSlide_ID,Patient ID,age,ki67,seen,frozen,Note (local)\n"
        '007,0012,61,0.5,2024-05-06,true,"two\nlines"\n008,0013,,1,,false,NA\n',
        {"Patient ID": "patient_id"},
    )
    one, two = found.rows
    assert (one.slide_id, one.texts["patient_id"]) == ("007", "0012")
    assert one.extra == {"age": 61, "ki67": 0.5, "seen": date(2024, 5, 6), "frozen": True, "note_local": "two\nlines"}
    assert two.extra == {"age": None, "ki67": 1.0, "seen": None, "frozen": False, "note_local": None}
    assert found.extra_types["age"] == pa.int64()


def test_tabs_and_windows_encoding(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes("slide\tdiagnosis\na\tadénocarcinome\n".encode("cp1252"))
    assert load_table(tmp_path / "t.tsv").rows[0].texts["diagnosis"] == "adénocarcinome"


def test_semicolons(tmp_path: Path) -> None:
    assert table(tmp_path, "slide_id;organ;note\na;lung;x, y\n").rows[0].extra == {"note": "x, y"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,organ\na,lung\n", "no id column among: name, organ"),
        ("slide_id,organ\n", "no rows"),
        ("", "empty"),
        ("slide_id,organ\na,lung,extra\n", "line 2: 3 cells where the header has 2"),
        ("slide_id,organ\na\n", "line 2: 1 cell where the header has 2"),
        ("slide_id,slide\na,b\n", "two columns"),
        ("slide_id,mpp\na,fine\n", "the spacing of 'a' is 'fine'"),
        ("slide_id,mpp\na,-1\n", "the spacing of 'a'"),
        ("slide_id,organ\n,lung\n", "the row has no id"),
        ('slide_id,report\na,"one\n', "a quote opened in line 2 is not closed"),
    ],
)
def test_unusable_tables_say_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadTable, match=said):
        table(tmp_path, text)


def test_rows_of_one_id_are_one_row_or_contradict_each_other(tmp_path: Path) -> None:
    found = table(tmp_path, "slide_id,organ,age\na,lung,\nb,,\na,,61\nc,lung,\nc,colon,\n")
    assert [(row.slide_id, row.texts, row.extra) for row in found.rows] == [
        ("a", {"organ": "lung"}, {"age": 61}),
        ("b", {}, {"age": None}),
    ]
    assert "line 2 and line 4 say the same of 'a'" in found.warnings[0]
    assert [(refusal.source.line, refusal.what) for refusal in found.refused] == [
        (5, "'c' is there twice, here and in line 6, with different values of organ"),
        (6, "'c' is there twice, here and in line 5, with different values of organ"),
    ]
    assert len(table(tmp_path, "slide_id,case_id\na,c\nb,c\n").rows) == 2
    blocks = table(tmp_path, "case_id,organ\n" + "".join(f"c{number // 2},lung\n" for number in range(20)))
    assert (len(blocks.rows), len(blocks.warnings)) == (10, 4)
    assert blocks.warnings[-1].endswith("rows of 7 more ids as well")


def test_rows_find_files_by_file_slide_or_case(tmp_path: Path) -> None:
    sources = [
        FileSource(Path(p))
        for p in ("/x/one/s.svs", "/x/two/s.svs", "/x/T-1.ABC.svs", "/x/C9-A.svs", "/x/C9-B.svs", "/x/C99.svs")
    ]
    rows = table(
        tmp_path,
        "file,slide_id,case_id,organ\none/s.svs,first,,a\ns.svs,,,b\n,T-1,,c\n,,C9,d\n,nowhere,,e\n",
    )
    found = join_metadata(sources, rows)
    organs = [found.row_of[one].texts.get("organ") if one in found.row_of else None for one in sources]
    assert organs == ["a", None, "c", "d", "d", None]
    assert found.row_of[sources[0]].slide_id == "first"
    assert found.unmatched_rows == ("s.svs", "nowhere")
    assert found.sources_without_row == (sources[1], sources[5])


def test_the_manifest_of_the_real_data(shared_data: Path) -> None:
    rows = load_table(shared_data / "manifest.csv", {"patient_or_group": "patient_id"})
    sources = [FileSource(path) for path in sorted((shared_data / "tiles").rglob("*")) if path.is_file()]
    found = join_metadata(sources, rows)
    assert not found.unmatched_rows
    assert not found.sources_without_row
    field = next(one for one in sources if one.name.startswith("TCGA-18-5592"))
    assert found.row_of[field].spacing_um_per_px == 0.25
    assert found.row_of[field].texts["patient_id"] == "TCGA-18-5592"
    assert found.row_of[field].extra["table_width"] == 1000


def test_excels_unicode_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes("slide_id\tdiagnosis\r\na\tadénocarcinome\r\n".encode("utf-16"))
    (row,) = load_table(tmp_path / "t.txt").rows
    assert (row.slide_id, row.texts["diagnosis"]) == ("a", "adénocarcinome")


def test_long_cells_over_several_lines_are_read(tmp_path: Path) -> None:
    report = "A line of a report.\n" * 20_000
    found = table(tmp_path, f'slide_id,report,organ\na,"{report}",lung\n')
    assert found.rows[0].report == report.strip()
    assert found.rows[0].texts == {"organ": "lung"}


CELLS = st.one_of(
    st.none(),
    st.sampled_from(
        ["", "NA", "007", "1", "-3", "1e5", "inf", "nan", "TRUE", "false", "2024-02-29", "2024-13-01", " x "]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)) | st.sampled_from("\n\t"), max_size=5),
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
def test_rows_are_read_like_the_file_that_has_them(cells: list[tuple[str | None, ...]]) -> None:
    rows = [{"slide_id": f"s{i}", "diagnosis": a, "batch": b, "x, y": c} for i, (a, b, c) in enumerate(cells)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        by_file = load_table(path)
    by_rows = make_table(rows)
    assert repr(by_rows.rows) == repr(by_file.rows)
    assert by_rows.extra_types == by_file.extra_types


def test_rows_keep_the_types_of_their_values() -> None:
    rows = [
        {
            "slide_id": "a",
            "age": 61,
            "ki67": 0.5,
            "seen": date(2024, 5, 6),
            "frozen": True,
            "mixed": 1,
            "spacing": 0.25,
        },
        {"Slide": None, "slide_id": "b", "mixed": "two"},
    ]
    with pytest.raises(BadTable, match="metadata: two columns are called 'slide_id'"):
        make_table(rows)
    one, two = make_table([rows[0], {"slide_id": "b", "mixed": "two"}]).rows
    assert one.extra == {"age": 61, "ki67": 0.5, "seen": date(2024, 5, 6), "frozen": True, "mixed": "1"}
    assert one.spacing_um_per_px == 0.25
    assert two.extra == {"age": None, "ki67": None, "seen": None, "frozen": None, "mixed": "two"}
    with pytest.raises(BadTable, match="metadata: no rows"):
        make_table([])
    with pytest.raises(BadTable, match="metadata: no id column"):
        make_table([{"age": 3}])


def test_an_archive_is_indexed_from_rows(cohort: Path, indexed: Path, tmp_path: Path) -> None:
    def read(name: str) -> list[dict[str, str]]:
        with (cohort / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    archive = Archive.create(tmp_path / "rows.archive")
    report = archive.index([cohort], read("metadata.csv"), read("reports.csv"))
    assert (report.added, report.refused) == (10, ())
    ours, theirs = archive.records(), Archive.open(indexed).records()
    assert [(r.slide_id, r.patient_id, r.diagnosis, r.report, r.extra) for r in ours] == [
        (r.slide_id, r.patient_id, r.diagnosis, r.report, r.extra) for r in theirs
    ]
    with pytest.raises(InputError, match="paths and rows are mixed"):
        archive.index([cohort], reports=[cohort / "reports.csv", {"slide_id": "a", "report": "b"}])  # type: ignore[list-item]
