"""Names of uploads: what is kept of them, and which endings are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.server.uploads.errors import UnknownFormat
from histoseek.server.uploads.file_names import UPLOAD_SUFFIXES, make_display_name, require_suffix


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("biopsy.svs", "biopsy.svs"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\biopsy 7.svs", "biopsy 7.svs"),
        ("a\x00b\r\nc\u202egpj.svs", "abcgpj.svs"),
        ("/", "slide"),
        ("", "slide"),
        ("Präparat é.tiff", "Präparat é.tiff"),
    ],
)
def test_shows_the_last_part_without_control_characters(given_name: str, shown: str) -> None:
    assert make_display_name(given_name) == shown


def test_shortens_and_keeps_the_ending() -> None:
    shown = make_display_name("x" * 500 + ".svs")
    assert len(shown) == 120
    assert shown.endswith("x.svs")


@given(st.text(max_size=400))
def test_whatever_the_name_it_can_be_shown(name: str) -> None:
    shown = make_display_name(name)
    assert 1 <= len(shown) <= 120
    assert not {"/", "\\"} & set(shown)
    assert all(letter.isprintable() or letter.isspace() for letter in shown)
    assert not {"\n", "\r", "\0"} & set(shown)


@pytest.mark.parametrize("name", ["A.SVS", "b.tif", "c.dcm", "d.jpeg", "x/y.ndpi"])
def test_takes_slides_in_one_file(name: str) -> None:
    assert require_suffix(name) in UPLOAD_SUFFIXES


@pytest.mark.parametrize("name", ["slide", "a.exe", "a.svs/", ".svs", "a.mrxs", "a.vms", "a.svs.html"])
def test_refuses_other_endings(name: str) -> None:
    with pytest.raises(UnknownFormat, match="svs"):
        require_suffix(name)
