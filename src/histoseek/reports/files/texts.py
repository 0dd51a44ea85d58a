"""Report files: which there are, and those that hold one text each: plain text, Markdown, PDF."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.bounds import describe_exhaustion, format_bytes
from histoseek.errors import HistoseekError, InputError
from histoseek.reports.files.encodings import clean_characters, find_encoding
from histoseek.slides.sources.folder_walk import is_system_folder

if TYPE_CHECKING:
    from pypdf import PdfReader

LONGEST_TEXT = 1_000_000
"""Most characters of one report: about 300 pages. Longer ones are refused; they are exports gone wrong."""

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".tab"))
WORKBOOK_SUFFIXES = frozenset((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"))
TEXT_SUFFIXES = frozenset((".txt", ".text", ".md"))
_LINES_SUFFIXES = frozenset((".jsonl", ".ndjson"))
_OFFICE = {
    ".doc": "a Word file",
    ".docx": "a Word file",
    ".docm": "a Word file",
    ".dot": "a Word file",
    ".dotx": "a Word file",
    ".rtf": "a Rich Text file",
    ".odt": "an OpenDocument text",
}
_REPORT_SUFFIXES = TABLE_SUFFIXES | WORKBOOK_SUFFIXES | TEXT_SUFFIXES | _LINES_SUFFIXES | {".json", ".pdf", *_OFFICE}
_MOST_BYTES_A_CHARACTER = 4
_LARGEST_PDF_BYTES = 50_000_000
_MOST_PAGES = 5_000
_MOST_CONTENT_BYTES = 2**26
_FOREIGN = {
    b"{\\rtf": "a Rich Text file",
    b"PK\x03\x04": "a Word or zip file",
    b"\xd0\xcf\x11\xe0": "an old Word or Office file",
    b"<!DOCTYPE html": "a web page",
    b"<html": "a web page",
}


def list_report_files(path: Path, passed_over: Counter[str]) -> Iterator[Path]:
    """The file itself, or in a folder all files of a known kind, in order; hidden ones and lock files are left out.

    Among them are office texts and links that lead nowhere or to other folders, for `require_readable` to refuse.
    passed_over: takes how many files there are of each other kind.
    """
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        parts = file.relative_to(path).parts
        if any(part.startswith((".", "~$")) for part in parts) or any(map(is_system_folder, parts[:-1])):
            continue
        ending = file.suffix.lower()
        if (file.is_file() and ending in _REPORT_SUFFIXES) or (file.is_symlink() and not file.is_file()):
            yield file
        elif file.is_file():
            passed_over[f"{ending or 'other files'} (no reports)"] += 1


def require_readable(path: Path) -> None:
    """Raise InputError for links that lead to no file."""
    if path.is_symlink() and not path.exists():
        raise InputError(str(path), "a link to a file that does not exist", "Fix the link, or give the file itself")
    if path.is_dir():
        raise InputError(str(path), "a link to a folder", "Give the folder itself")


def read_text(path: Path) -> tuple[str, str]:
    """The text of a plain file, and its encoding. Raises InputError: no text, too long, another kind of file."""
    with path.open("rb") as file:
        head = file.read(32)
    foreign = next((kind for mark, kind in _FOREIGN.items() if head.lower().startswith(mark.lower())), None)
    if foreign:
        kind = _OFFICE.get(path.suffix.lower(), foreign)
        raise InputError(str(path), f"not plain text but {kind}", "Save it as plain text or PDF")
    size_bytes = path.stat().st_size
    if size_bytes > LONGEST_TEXT * _MOST_BYTES_A_CHARACTER:
        raise _refuse_length(path, f"{size_bytes / 1e6:.1f} MB")
    encoding = find_encoding(path)
    return _check_text(path, path.read_text(encoding=encoding.codec, errors=encoding.errors)), encoding.name


def read_pdf(path: Path) -> str:
    """The text layer of a PDF, its pages in order. Raises InputError: damaged, locked, too large, pictures only."""
    from pypdf import PdfReader

    if path.stat().st_size > _LARGEST_PDF_BYTES:
        raise _refuse_length(path, f"{path.stat().st_size / 1e6:.0f} MB")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path)
        is_locked = reader.is_encrypted and not reader.decrypt("")
        pages = [] if is_locked else list(_extract_pages(path, reader))
    except HistoseekError:
        raise
    except Exception as error:  # a damaged PDF makes the reader fail in many ways, and some quote what they read
        what = f"not a readable PDF ({describe_exhaustion(error) or type(error).__name__})"
        raise InputError(str(path), what, "Print it to PDF again") from error
    if is_locked:
        raise InputError(str(path), "a PDF protected by a password", "Save it without the password")
    if not any(page.strip() for page in pages):
        advice = "Run text recognition (OCR) over it first, or give the report as text"
        raise InputError(str(path), f"a PDF without text: {len(pages)} pages of pictures only", advice)
    return _check_text(path, "\n\n".join(pages))


def _extract_pages(path: Path, reader: PdfReader) -> Iterator[str]:
    """The texts of pages, up to what one report may have."""
    pages, characters, content_bytes = len(reader.pages), 0, 0
    if pages > _MOST_PAGES:
        raise _refuse_length(path, f"{pages:,} pages")
    for page in reader.pages:
        content = page.get_contents()
        content_bytes += len(content.get_data()) if content else 0
        if content_bytes > _MOST_CONTENT_BYTES:
            raise _refuse_length(path, f"pages of more than {format_bytes(_MOST_CONTENT_BYTES)}")
        text = page.extract_text()
        characters += len(text)
        if characters > LONGEST_TEXT:
            raise _refuse_length(path, f"more than {characters:,} characters")
        yield text


def _check_text(path: Path, text: str) -> str:
    text = clean_characters(text)
    if not text:
        raise InputError(str(path), "empty", "Give a file with text in it")
    if len(text) > LONGEST_TEXT:
        raise _refuse_length(path, f"{len(text):,} characters")
    return text


def _refuse_length(path: Path, size: str) -> InputError:
    advice = "Give one report per file, or a table with one report per row"
    return InputError(str(path), f"{size}; a report may have at most {LONGEST_TEXT:,} characters", advice)
