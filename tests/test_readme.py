"""What the README shows is what happens."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

README = Path(__file__).resolve().parents[1] / "README.md"
PYTHON = README.parent / "docs" / "python.md"


def test_the_python_example_runs(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert example
    shutil.copytree(cohort, tmp_path / "slides")
    monkeypatch.chdir(tmp_path)
    exec(compile(example.group(1), "README.md", "exec"), {})  # noqa: S102 - our own README
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "10 slides added"
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]


def test_the_examples_of_open_archives_run(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("anndata", reason="anndata comes with the extra `tables`")
    text = (README.parent / "docs" / "archive.md").read_text()
    shutil.copytree(indexed, tmp_path / "slides.archive")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(example, "archive.md", "exec"), names)  # noqa: S102 - our own page
    assert capsys.readouterr().out == "10 True 2\n"
    assert (tmp_path / "slides.h5ad").is_file()


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", README.read_text())
    assert links
    assert all((README.parent / link).exists() for link in links)


def test_what_the_docs_show_of_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cohort(CohortSpec(patients=12, slides_per_patient=2, sites=2, size_px=768), tmp_path / "slides")
    monkeypatch.chdir(tmp_path)
    pieces = re.findall(r"```python\n(.*?)```", PYTHON.read_text(), re.DOTALL)
    assert len(pieces) >= 4
    namespace: dict[str, object] = {}
    for piece in pieces:
        exec(compile(piece, PYTHON.name, "exec"), namespace)  # noqa: S102 - our own docs
    out = capsys.readouterr().out
    assert out.startswith("24 slides []")
    assert "24 slides in the space" in out
    assert (tmp_path / "report" / "evaluation.html").is_file()
    assert namespace["archive"].space.slide_encoder == "pooled-1"
