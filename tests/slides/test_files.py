"""Finding slides and telling them apart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from histoseek.errors import NoSlidesFound, SlideNotFound, UnreadableSlide
from histoseek.slides.sources.file import WHOLE_BYTES, FileSource
from histoseek.slides.sources.folder_walk import describe_passed_over
from histoseek.slides.sources.registry import discover, parse_source


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def list_names(*folders: Path) -> list[str]:
    return [source.name for source in discover(folders).slides]


def test_folders_are_walked_and_names_decide(tmp_path: Path) -> None:
    names = ("b.svs", "deep/a.TIFF", "notes.txt", ".hidden.svs", ".cache/c.svs", "slide.mrxs")
    touch(tmp_path, *names, "slide/Slidedat.ini", "slide/Data.png")
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
    assert found.notes == (f"{tmp_path / 'b.svs'}: a link that leads nowhere",)
    assert found.passed_over == {"broken links": 1}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.czi", ".czi (not read by histoseek)"),
        ("deep/a.VSI", ".vsi (not read by histoseek)"),
        ("a.isyntax", ".isyntax (not read by histoseek)"),
        ("a.embeddings.zarr/grids/0.0", ".zarr folders (no slides)"),
        ("all.zip", ".zip (unpack first)"),
        ("all.tar.gz", ".gz (unpack first)"),
        (".cache/c.svs", "hidden folders"),
        ("._a.svs", "hidden files"),
        ("@eaDir/s.svs/SYNOPHOTO_THUMB_XL.jpg", "folders of thumbnails and deleted files"),
        ("$RECYCLE.BIN/$R1.svs", "folders of thumbnails and deleted files"),
        ("deep/#recycle/old.svs", "folders of thumbnails and deleted files"),
        ("notes.txt", ".txt (no slides)"),
        ("README", "other files (no slides)"),
        ("1.2.840.10008", "other files (no slides)"),
    ],
)
def test_what_is_no_slide_is_counted(tmp_path: Path, name: str, reason: str) -> None:
    touch(tmp_path, "s.svs", name)
    found = discover([tmp_path])
    assert [source.name for source in found.slides] == ["s.svs"]
    assert found.passed_over == {reason: 1}


def test_many_endings_are_lumped_together(tmp_path: Path) -> None:
    touch(tmp_path, "s.svs", *(f"{n}.{ending}" for ending in "abcdefgh" for n in range(3)), "more.a")
    counts = discover([tmp_path]).passed_over
    assert counts[".a (no slides)"] == 4
    assert counts["other files (no slides)"] == 9
    assert sum(counts.values()) == 25
    assert describe_passed_over(counts).startswith("4 .a (no slides), 3 .b (no slides), ")


def test_the_line_names_what_may_be_slides_first() -> None:
    counts = {".txt (no slides)": 9000, "unreadable folders": 1, "hidden files": 2, ".czi (not read by histoseek)": 3}
    line = "3 .czi (not read by histoseek), 1 unreadable folder, 2 hidden files, 9,000 .txt (no slides)"
    assert describe_passed_over(counts) == line


def test_an_empty_folder_says_what_it_holds_instead(tmp_path: Path) -> None:
    touch(tmp_path, "a.czi", "b.czi")
    with pytest.raises(NoSlidesFound, match=r"passed over: 2 \.czi \(not read by histoseek\)"):
        discover([tmp_path])


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "nas/B.svs", "nas/deep/C.svs", "links/A.svs")
    links = tmp_path / "links"
    (links / "site").symlink_to(tmp_path / "nas")
    (links / "again").symlink_to("site")
    (tmp_path / "nas" / "back").symlink_to(links)
    (tmp_path / "nas" / "self").symlink_to(".")
    assert list_names(links) == ["A.svs", "B.svs", "C.svs"]
    assert discover([links]).passed_over == {}
    assert list_names(links, tmp_path / "nas") == list_names(tmp_path / "nas", links) == ["A.svs", "B.svs", "C.svs"]
    everything = [source.uri for source in discover([tmp_path]).slides]
    assert everything == [str(tmp_path / name) for name in ("links/A.svs", "nas/B.svs", "nas/deep/C.svs")]


def test_a_link_out_of_the_folder_to_one_above_it_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "other/B.svs", "mine/A.svs")
    (tmp_path / "mine" / "up").symlink_to(tmp_path)
    found = discover([tmp_path / "mine"])
    assert [source.name for source in found.slides] == ["A.svs"]
    assert found.passed_over == {"looping links": 1}


def test_a_loop_in_a_folder_without_slides_does_not_hide_that(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to(tmp_path)
    with pytest.raises(NoSlidesFound):
        discover([tmp_path])


def test_a_folder_given_with_the_one_around_it(tmp_path: Path) -> None:
    touch(tmp_path, "inner/A.svs")
    assert list_names(tmp_path / "inner", tmp_path, tmp_path / "inner" / "A.svs") == ["A.svs"]


def test_folders_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.svs", "locked/b.svs")
    scan = os.scandir

    def refuse(path: str) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover([tmp_path])
    assert [source.name for source in found.slides] == ["a.svs"]
    assert found.passed_over == {"unreadable folders": 1}
    assert found.notes == (f"{tmp_path / 'locked'}: the folder cannot be read (Permission denied)",)
    with pytest.raises(NoSlidesFound, match="passed over: 1 unreadable folder"):
        discover([tmp_path / "locked"])


def test_sockets_and_pipes_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs")
    os.mkfifo(tmp_path / "b.svs")
    assert discover([tmp_path]).passed_over == {"special files (sockets, pipes, devices)": 1}


def test_only_the_data_of_a_mirax_slide_is_left_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "2021.mrxs", "2021.05/case.tif", "2021/Slidedat.ini", "2021/Data0000.dat", "2021/preview.jpg")
    touch(tmp_path, "2021/more/deep.tif", "2022.mrxs", "2022/other.tif")
    found = discover([tmp_path])
    assert [source.name for source in found.slides] == ["deep.tif", "case.tif", "2021.mrxs", "other.tif", "2022.mrxs"]
    assert found.passed_over == {
        "data folders of MIRAX slides": 1,
        "other files in data folders of MIRAX slides": 1,
    }


def test_folders_of_an_empty_file_and_of_names_in_any_bytes(tmp_path: Path) -> None:
    touch(tmp_path, os.fsdecode(b"Pr\xe4p/a\xff\xe4.svs"))
    (source,) = discover([tmp_path]).slides
    assert source.uri == f"file://{tmp_path}/Pr%E4p/a%FF%E4.svs"
    assert parse_source(source.uri) == source
    assert (source.name, source.stem, source.parts[-2:]) == (
        r"a\xff\xe4.svs",
        r"a\xff\xe4",
        (r"Pr\xe4p", r"a\xff\xe4.svs"),
    )
    with pytest.raises(UnreadableSlide, match="the file is empty"):
        source.fingerprint()


def test_counts_of_one_are_singular() -> None:
    counts = {"broken links": 1, "hidden folders": 1, "data folders of MIRAX slides": 1, "other files (no slides)": 1}
    line = "1 broken link, 1 data folder of MIRAX slides, 1 hidden folder, 1 other file (no slides)"
    assert describe_passed_over(counts) == line


def test_messages_hold_nothing_that_a_terminal_obeys() -> None:
    error = SlideNotFound("a\x1b[31m\udce4.svs")
    assert str(error).startswith(r"a\x1b[31m\xe4.svs: no such file")


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(SlideNotFound):
        discover([tmp_path / "nowhere"])
    with pytest.raises(NoSlidesFound):
        discover([tmp_path])


def test_a_dicom_series_counts_once(shared_data: Path) -> None:
    found = discover([shared_data / "slides" / "openslide_dicom"])
    assert [source.name for source in found.slides] == ["boxes_0.dcm"]
    assert found.passed_over["further files of DICOM series"] == 1


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
