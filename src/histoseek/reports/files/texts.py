"""Report files: which there are, and those that hold one text each: plain text, Markdown, PDF."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from histoseek.errors import InputError
from histoseek.reports.files.encodings import clean_text, file_encoding

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
_KNOWN = TABLE_SUFFIXES | WORKBOOK_SUFFIXES | TEXT_SUFFIXES | _LINES_SUFFIXES | {".json", ".pdf", *_OFFICE}
_MOST_BYTES_A_CHARACTER = 4
_LARGEST_PDF_BYTES = 50_000_000
_FOREIGN = {
    b"{\\rtf": "a Rich Text file",
    b"PK\x03\x04": "a Word or zip file",
    b"\xd0\xcf\x11\xe0": "an old Word or Office file",
    b"<!DOCTYPE html": "a web page",
    b"<html": "a web page",
}


def report_files(path: Path) -> Iterator[Path]:
    """The file itself, or in a folder all files of a known kind, in order; hidden ones and lock files are left out.

    Among them are office texts and links that lead nowhere or to other folders, for `require_readable` to refuse.
    """
    if not path.is_dir():
        yield path
        return
    for found in sorted(path.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in found.relative_to(path).parts)
        is_report = found.is_file() and found.suffix.lower() in _KNOWN
        if not hidden and (is_report or (found.is_symlink() and not found.is_file())):
            yield found


def require_readable(path: Path) -> None:
    """Raise InputError for links that lead to no file."""
    if path.is_symlink() and not path.exists():
        raise InputError(str(path), "a link to a file that is not there", "Mend the link, or give the file itself")
    if path.is_dir():
        raise InputError(str(path), "a link to a folder", "Give the folder itself")


def whole_text(path: Path) -> tuple[str, str]:
    """The text of a plain file, and its encoding. Raises InputError: no text, too long, another kind of file."""
    with path.open("rb") as file:
        head = file.read(32)
    foreign = next((what for mark, what in _FOREIGN.items() if head.lower().startswith(mark.lower())), None)
    if foreign:
        what = _OFFICE.get(path.suffix.lower(), foreign)
        raise InputError(str(path), f"no plain text but {what}", "Save it as plain text or PDF")
    size_bytes = path.stat().st_size
    if size_bytes > LONGEST_TEXT * _MOST_BYTES_A_CHARACTER:
        raise _too_long(path, f"{size_bytes / 1e6:.1f} MB")
    encoding = file_encoding(path)
    return _checked(path, path.read_text(encoding=encoding.codec, errors=encoding.errors)), encoding.name


def pdf_text(path: Path) -> str:
    """The text layer of a PDF, its pages in order. Raises InputError: damaged, locked, too large, pictures only."""
    from pypdf import PdfReader

    if path.stat().st_size > _LARGEST_PDF_BYTES:
        raise _too_long(path, f"{path.stat().st_size / 1e6:.0f} MB")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path)
        locked = reader.is_encrypted and not reader.decrypt("")
        pages = [] if locked else [page.extract_text() for page in reader.pages]
    except Exception as error:  # a damaged PDF makes the reader fail in many ways, and some quote what they read
        what = f"not a readable PDF ({type(error).__name__})"
        raise InputError(str(path), what, "Print it to PDF again") from error
    if locked:
        raise InputError(str(path), "a PDF locked by a password", "Save it without the password")
    if not any(page.strip() for page in pages):
        advice = "Run text recognition (OCR) over it first, or give the report as text"
        raise InputError(str(path), f"a PDF without text: {len(pages)} pages of pictures only", advice)
    return _checked(path, "\n\n".join(pages))


def _checked(path: Path, text: str) -> str:
    text = clean_text(text)
    if not text:
        raise InputError(str(path), "empty", "Give a file with text in it")
    if len(text) > LONGEST_TEXT:
        raise _too_long(path, f"{len(text):,} characters")
    return text


def _too_long(path: Path, size: str) -> InputError:
    advice = "Give one report a file, or a table with one report a row"
    return InputError(str(path), f"{size}; one report may have {LONGEST_TEXT:,} characters", advice)
