"""From addresses to sources: paths of any spelling, file:// addresses, and schemes that are not known."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from histoseek.api import Archive
from histoseek.errors import InputError, SlideNotFound, UnknownScheme
from histoseek.search.queries import SlideFile, TileImage
from histoseek.slides.slide import open_slide
from histoseek.slides.sources.file import FileSource
from histoseek.slides.sources.registry import discover, existing_source, parse_source, source_name
from tests.cli.process import refused

ODD_NAMES = (
    "slide: 1.svs",
    "C:\\slides\\a.svs",
    "C://slides/a.svs",
    "50%20.svs",
    "a#1?b=c.svs",
    "s3:/bucket/a.svs",
    "file:a.svs",
    "deep//folder/./a.svs",
    "../a.svs",
    "Präparat µ.svs",
)
UNKNOWN = ("s3://bucket/a.svs", "https://host/a.svs", "S3://bucket/a.svs", "dicom+web://host/studies/1")
CHARACTERS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)) | st.sampled_from(":/\\%#?. "))

OTHER_SCHEMES = st.text(string.ascii_letters, min_size=2, max_size=8).filter(lambda scheme: scheme.lower() != "file")


@given(CHARACTERS)
def test_every_path_comes_back_from_its_uri(text: str) -> None:
    source = parse_source(Path(text))
    assert source == FileSource(Path(text))
    assert source.uri == str(Path(text))
    assert parse_source(source.uri) == source
    assert (source.name, source.stem, source.parts) == (Path(text).name, Path(text).stem, Path(text).parts)


@given(CHARACTERS)
def test_a_file_address_names_the_same_file_as_its_path(text: str) -> None:
    path = Path("/slides") / text
    assert parse_source(path.as_uri()) == parse_source(str(path)) == FileSource(path)


@given(
    st.text(string.ascii_letters, min_size=2, max_size=8).filter(lambda scheme: scheme.lower() != "file"), CHARACTERS
)
def test_every_other_scheme_is_refused_in_one_line(scheme: str, rest: str) -> None:
    with pytest.raises(UnknownScheme, match=f"cannot be opened from {scheme.lower()}:// addresses. Give a path"):
        parse_source(f"{scheme}://{rest}")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_texts_without_a_scheme_are_paths(name: str) -> None:
    assert parse_source(name) == FileSource(Path(name))
    assert source_name(name) == Path(name).name


@pytest.mark.parametrize("address", ["file://host/a.svs", "file://a.svs", "file://"])
def test_file_addresses_of_other_machines_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="names no file of this machine"):
        parse_source(address)


@pytest.mark.parametrize("name", ["slide: 1%20#2.png", "C:\\slides\\a.png", "50%.png"])
def test_slides_of_odd_names_are_opened_and_discovered(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for address in (name, tmp_path / name, (tmp_path / name).as_uri(), f"./{name}"):
        with open_slide(address, 0.5) as slide:
            assert (slide.size.width, slide.size.height) == (40, 30)
    assert parse_source(name).uri == name
    assert [source.uri for source in discover([name, "."]).slides] == [str(tmp_path / name)]


def test_a_link_is_a_source_of_its_own_with_the_content_of_its_target(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    link = parse_source(tmp_path / "b.png")
    assert (link.name, link.exists()) == ("b.png", True)
    assert link.fingerprint() == parse_source(tmp_path / "a.png").fingerprint()
    with pytest.raises(SlideNotFound):
        parse_source(tmp_path / "c.png").open()


@pytest.mark.parametrize("address", UNKNOWN)
def test_unknown_schemes_are_refused_before_anything_is_opened(address: str, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    for use in (open_slide, SlideFile, lambda one: TileImage(one, 0.5), lambda one: discover([tmp_path / "none", one])):
        with pytest.raises(UnknownScheme):
            use(address)
    archive = Archive.create(tmp_path / "archive")
    with pytest.raises(UnknownScheme):
        archive.index([tmp_path / "a.png", address])
    assert len(archive) == 0
    assert source_name(address) == address.rpartition("/")[2]
    assert existing_source(address) is None


def test_the_command_line_says_what_to_give_instead(tmp_path: Path) -> None:
    line = refused("index", "s3://bucket/a.svs", "--archive", tmp_path / "archive")
    assert line == (
        "error: s3://bucket/a.svs: slides cannot be opened from s3:// addresses. "
        "Give a path, or an address that begins with file://"
    )
    assert not (tmp_path / "archive").exists()
