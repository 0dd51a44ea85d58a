"""What a notebook shows: run by a real kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    "import histoseek\n"
    "archive = histoseek.Archive.create('a.archive')\n"
    "with histoseek.show_progress('slides') as reporter:\n"
    "    report = archive.index(SLIDES, COHORT + '/metadata.csv', reporter=reporter)",
    "results = archive.search(like='SIM-0000-00', k=3)\nresults",
    "print(results)",
    "print(len(str(results).splitlines()))",
)


@pytest.fixture(scope="module")
def outputs(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[nbformat.NotebookNode]]:
    """What each cell put out."""
    notebook = nbformat.v4.new_notebook()
    slides = [str(path) for path in sorted(cohort.glob("*.tiff"))[::2]]
    cells = (f"COHORT, SLIDES = {str(cohort)!r}, {slides!r}", *CELLS)
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    folder = tmp_path_factory.mktemp("notebook")
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in notebook.cells[1:]]


def test_progress_is_a_bar_below_the_cell(outputs: list[list[nbformat.NotebookNode]]) -> None:
    bars = [output["data"]["text/html"] for output in outputs[0] if output["output_type"] == "display_data"]
    whole = next(bar for bar in bars if bar.startswith("<div>slides"))
    assert "<progress" in whole
    assert "5 of 5" in whole
    assert "/s" in whole


def test_results_are_a_table_with_pictures_of_slides_and_matches(outputs: list[list[nbformat.NotebookNode]]) -> None:
    page = outputs[1][0]["data"]["text/html"]
    assert page.count("<tr>") == 4
    assert page.count('alt="slide"') == 3
    assert page.count('alt="matched region"') == 9
    assert "http" not in page


def test_results_as_text_are_the_same_table(outputs: list[list[nbformat.NotebookNode]]) -> None:
    text = outputs[2][0]["text"]
    lines = text.splitlines()
    assert lines[0].split()[0] == "rank"
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert int(outputs[3][0]["text"]) == len(lines)
