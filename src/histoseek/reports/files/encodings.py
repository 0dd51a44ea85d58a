"""Bytes of unknown encoding to clean text; what is not text at all is refused."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from histoseek.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = (
    *("cp1252", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1251", "koi8_r", "cp1253", "cp1254"),
    *("cp1255", "cp1256", "cp1250", "iso8859_2", "tis_620"),
)
_MIXED = "histoseek.western"
_SAMPLE_BYTES = 65_536
_CHUNK_BYTES = 1 << 20
_WESTERN = frozenset("äöüßéèêëàâîïôûùçñáíóúìòãõåæøœÄÖÜÉÈÀÇÅØÆÑÁÍÓÚŒ°±µ²³×½¼¾·§«»¿¡–—‘’“”„‚•…€™®\xa0ªº")  # noqa: RUF001
_SUPERSCRIPT_IN_WORD = re.compile(r"[a-z][²³µ°¿ªº][a-z]")
_MAC_SIGNS = frozenset(b"\xa1\xa7\xa8\xa9\xae\xaf\xb1\xb5\xbe\xbf\xca\xcf\xd0\xd1\xd2\xd3\xd4\xd5")
_MAC_LETTERS = frozenset("éèàçäöüßÄÖÜÉ".encode("mac_roman"))
_LONELY = re.compile(r"(?<![a-z])(?!\bà\b)[^\W\d_a-zA-Z\u00aa\u00ba\u00b5](?![a-z])")
"""An accented letter without a plain small one beside it, but for the word à."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\ufeff\ufffe\uffff]")
_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL_BYTES = bytes({*range(32)} - {9, 10, 11, 12, 13, 26, 27})


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to decode a file: what `open` takes as encoding and errors; name: what to call it before users."""

    codec: str
    errors: str
    name: str


def find_encoding(path: Path) -> Encoding:
    """Find a file's encoding: its mark, UTF-8, UTF-16 without a mark, then single-byte and East Asian code pages.

    UTF-8 with stray bytes of Windows' western code page in it is read as both ("utf-8 with cp1252").
    Raises InputError when the file is empty or holds no text.
    """
    with path.open("rb") as file:
        head = file.read(8192)
    if not head.strip(b"\x00 \t\r\n"):
        raise InputError(str(path), "empty", "Give a file with text in it")
    mark_codec = next((codec for mark, codec in _MARKS if head.startswith(mark)), None)
    if mark_codec:
        return _check_decodes(path, Encoding(mark_codec, "replace", mark_codec.removesuffix("-sig")))
    wide = _guess_utf16(head)
    if wide:
        return _check_decodes(path, Encoding(wide, "replace", wide))
    if len(head.translate(None, _CONTROL_BYTES)) < len(head):
        raise InputError(str(path), "not text but binary data", "Save it as text, a table, Excel or PDF")
    return _detect_unmarked(path)


def clean_characters(text: str) -> str:
    """Text in composed form (NFC) with plain line ends and spaces, without control characters; any script is kept."""
    text = _CONTROLS.sub("", _BREAKS.sub("\n", text)).replace("\xa0", " ").strip()
    # JSON can hold halves of characters, which no text can be stored with.
    return text if text.isascii() else unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))


def clean_id(text: str) -> str:
    """An id without what cannot be seen (controls, marks of writing direction, joiners) and halves of characters."""
    if text.isascii() and text.isprintable():
        return text.strip()
    composed = unicodedata.normalize("NFC", text)
    return "".join(c for c in composed if unicodedata.category(c) not in ("Cc", "Cf", "Cs")).strip()


def _check_decodes(path: Path, encoding: Encoding) -> Encoding:
    with path.open(encoding=encoding.codec, errors=encoding.errors) as file:
        head = file.read(4096)
    if "\x00" in head or head.count("\ufffd") > len(head) // 50:
        raise InputError(str(path), f"not text, although it is marked as {encoding.name}", "Save it again as UTF-8")
    if not head.strip():
        raise InputError(str(path), "empty", "Give a file with text in it")
    return encoding


def _guess_utf16(head: bytes) -> str | None:
    """UTF-16 of mostly western text has a zero in every other byte."""
    pairs = len(head) // 2
    for codec, zeros, others in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if pairs >= 4 and zeros.count(0) > 0.7 * pairs and others.count(0) == 0:
            return codec
    return None


def _detect_unmarked(path: Path) -> Encoding:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _detect_code_page(path)
    return Encoding("utf-8", "strict", "utf-8")


def _detect_code_page(path: Path) -> Encoding:
    lines = tuple(_sample_lines(path))
    utf8 = sum(_is_utf8(line) for line in lines)
    if utf8 and utf8 * 4 >= len(lines) - utf8:
        return Encoding("utf-8", _MIXED, "utf-8 with cp1252")
    sample = b"\n".join(lines)
    western = sample.decode("cp1252", errors="replace")
    accented = [character for character in western if not character.isascii()]
    if set(accented) <= _WESTERN and len(accented) < 0.25 * len(western) and not _SUPERSCRIPT_IN_WORD.search(western):
        return Encoding("cp1252", "replace", "cp1252")
    if _is_mac_roman(sample):
        return Encoding("mac_roman", "replace", "mac_roman")
    best = from_bytes(sample, cp_isolation=list(_CANDIDATES), threshold=0.9).best()
    codec = best.encoding if best else "cp1252"
    return Encoding(codec, "replace", codec)


def _is_mac_roman(sample: bytes) -> bool:
    """Whether what no western code page of Windows explains is the letters and quotes of old Macs."""
    high = [byte for byte in sample if byte > 0x7F]
    known = all(byte < 0xA0 or byte in _MAC_SIGNS for byte in high) and any(byte in _MAC_LETTERS for byte in high)
    # Elsewhere these bytes are halves of Chinese or Japanese characters, with anything beside them.
    return known and len(high) < 0.25 * len(sample) and not _LONELY.search(sample.decode("mac_roman"))


def _sample_lines(path: Path) -> Iterator[bytes]:
    budget = _SAMPLE_BYTES
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                yield line[:budget].rstrip(b"\r\n")
                budget -= len(line)
            if budget <= 0:
                return


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decode_western(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are not UTF-8 by Windows' western code page."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error(_MIXED, _decode_western)
