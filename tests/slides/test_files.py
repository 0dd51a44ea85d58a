"""Finding slides and telling them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from histoseek.errors import NoSlidesFound, SlideNotFound
from histoseek.slides.sources.file import WHOLE_BYTES, FileSource
from histoseek.slides.sources.registry import discover


def test_folders_are_walked_and_names_decide(tmp_path: Path) -> None:
    for name in ("b.svs", "deep/a.TIFF", "notes.txt", ".hidden.svs", ".cache/c.svs", "slide.mrxs", "slide/Data.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = discover([tmp_path, tmp_path / "b.svs", tmp_path / "notes.txt"])
    assert [source.local_path().relative_to(tmp_path).as_posix() for source in found.slides] == [
        "b.svs",
        "deep/a.TIFF",
        "notes.txt",
        "slide.mrxs",
    ]


def test_broken_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.svs").touch()
    (tmp_path / "b.svs").symlink_to(tmp_path / "nowhere.svs")
    found = discover([tmp_path])
    assert [source.name for source in found.slides] == ["a.svs"]
    assert [(skip.source.name, "leads nowhere" in skip.reason) for skip in found.skipped] == [("b.svs", True)]


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(SlideNotFound):
        discover([tmp_path / "nowhere"])
    with pytest.raises(NoSlidesFound):
        discover([tmp_path])


def test_a_dicom_series_counts_once(shared_data: Path) -> None:
    found = discover([shared_data / "slides" / "openslide_dicom"])
    assert [source.name for source in found.slides] == ["boxes_0.dcm"]
    assert [(skip.source.name, "boxes_0.dcm" in skip.reason) for skip in found.skipped] == [("boxes_1.dcm", True)]


def fingerprint(path: Path) -> str:
    return FileSource(path).fingerprint()


def test_fingerprint_follows_content_not_place(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"one")
    (tmp_path / "b.svs").write_bytes(b"one")
    (tmp_path / "c.svs").write_bytes(b"two")
    assert fingerprint(tmp_path / "a.svs") == fingerprint(tmp_path / "b.svs") != fingerprint(tmp_path / "c.svs")


def test_fingerprint_of_a_large_file_sees_head_tail_and_size(tmp_path: Path) -> None:
    path, data = tmp_path / "large.svs", bytearray(WHOLE_BYTES + 1000)
    path.write_bytes(data)
    seen = {fingerprint(path)}
    for place in (10, len(data) - 10):
        changed = data.copy()
        changed[place] = 1
        path.write_bytes(changed)
        seen.add(fingerprint(path))
    path.write_bytes(data + b"\0")
    seen.add(fingerprint(path))
    assert len(seen) == 4


def test_mirax_data_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "s.mrxs").write_bytes(b"x")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "Data0000.dat").write_bytes(b"1")
    before = fingerprint(tmp_path / "s.mrxs")
    (tmp_path / "s" / "Data0000.dat").write_bytes(b"2")
    assert fingerprint(tmp_path / "s.mrxs") != before
