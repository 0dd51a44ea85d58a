"""Texts of report files over REST."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from tests.reports import made_files
from tests.server.running import RunningServer

DRAWN = "BT /F 12 Tf 20 200 Td (Patient: Jane Doe. Papillary renal cell carcinoma, grade 2.) Tj ET"


def test_the_text_of_a_pdf_has_no_names(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "S-21-4711.pdf"
    made_files.pdf(path, DRAWN)
    read = client.read_report(path)
    assert read.name == "S-21-4711.pdf"
    assert "Papillary renal cell carcinoma, grade 2." in read.text
    assert "Doe" not in read.text


def test_a_file_named_after_the_patient_is_not(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "Doe, Jane.txt"
    path.write_text("Mrs. Doe has a papillary carcinoma.", encoding="utf-8")
    read = client.read_report(path)
    assert "Doe" not in read.name + read.text


def test_nothing_of_a_report_is_kept(client: Client, kept_server: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("Nephrectomy: zorblax carcinoma.", encoding="utf-8")
    client.read_report(path)
    assert not list((kept_server.state / "uploads").rglob("*.txt"))
    assert client.list_uploads() == ()
    assert b"zorblax" not in b"".join(f.read_bytes() for f in kept_server.state.rglob("*") if f.is_file())


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("report.docx", b"PK\x03\x04", 415, ".pdf"),
        ("report.txt", b"PK\x03\x04 and so on", 422, "Save it as plain text or PDF"),
        ("report.pdf", b"no PDF at all", 422, "not a readable PDF"),
        ("report.pdf", b"", 422, "not a readable PDF"),
        ("report.txt", b"  \n ", 422, "empty"),
        ("..", b"text", 415, ".txt"),
    ],
)
def test_what_has_no_text_is_refused(raw: httpx2.Client, name: str, content: bytes, status: int, said: str) -> None:
    answer = raw.post("/texts", params={"filename": name}, content=content)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert "/uploads/" not in answer.text


def test_large_bodies_are_refused(raw: httpx2.Client) -> None:
    answer = raw.post("/texts", params={"filename": "a.pdf"}, content=bytes(50_000_001))
    assert answer.status_code == 413


def test_reading_needs_a_token(kept_server: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("text", encoding="utf-8")
    with Client(kept_server.url) as nobody, pytest.raises(ServerProblem) as caught:
        nobody.read_report(path)
    assert caught.value.problem.status == 401
