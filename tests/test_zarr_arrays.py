"""Arrays in Zarr folders: every value as Zarr's own library wrote it; what is damaged or not known is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histoseek.errors import TooLarge
from histoseek.zarr_arrays import ZarrError, find_child, open_array, read_attributes

zarr = pytest.importorskip("zarr")

SHAPE, CHUNKS, SHARDS = (21, 33, 5), (4, 8, 3), (8, 16, 6)


def values(kind: str) -> np.ndarray:
    return (np.random.default_rng(0).random(SHAPE) * 200).astype(kind)


def write(path: Path, array: np.ndarray, version: int, **options: Any) -> None:
    written = zarr.create_array(
        str(path), shape=array.shape, chunks=CHUNKS, dtype=array.dtype, zarr_format=version, **options
    )
    written[:] = array
    written.attrs["stain"] = "H&E"


def compressors(version: int, name: str) -> Any:
    import numcodecs

    from_library = {"blosc": "Blosc", "zstd": "Zstd", "gzip": "GZip", "zlib": "Zlib", "bz2": "BZ2", "lz4": "LZ4"}
    if name == "none":
        return None
    if version == 2:
        return getattr(numcodecs, from_library[name])()
    return getattr(zarr.codecs, f"{name.capitalize()}Codec")()


@pytest.mark.parametrize("separator", ["/", "."])
@pytest.mark.parametrize(
    ("version", "name", "kind", "options"),
    [
        (2, "blosc", "u1", {}),
        (2, "zstd", "<f4", {"order": "F"}),
        (2, "gzip", ">u2", {}),
        (2, "lz4", "<f2", {}),
        (2, "zlib", "<i4", {}),
        (2, "bz2", "<f8", {}),
        (2, "none", "<i8", {}),
        (3, "blosc", "u1", {}),
        (3, "zstd", "<f4", {"shards": SHARDS}),
        (3, "gzip", "<f2", {"shards": SHARDS}),
        (3, "none", "<u2", {}),
        (3, "zstd", "u1", {"filters": "transpose"}),
    ],
)
def test_all_values_are_those_that_were_written(
    tmp_path: Path, version: int, name: str, kind: str, options: dict[str, Any], separator: str
) -> None:
    keys = {"name": "v2" if version == 2 else "default", "separator": separator}
    if options.get("filters") == "transpose":
        options = {"filters": [zarr.codecs.TransposeCodec(order=(2, 0, 1))]}
    array = values(kind)
    write(tmp_path / "a", array, version, compressors=compressors(version, name), chunk_key_encoding=keys, **options)
    read = open_array(tmp_path / "a")
    assert read.shape == SHAPE
    assert read.attributes == {"stain": "H&E"} == read_attributes(tmp_path / "a")
    assert np.array_equal(read.read(), array)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=3), st.booleans())
def test_a_region_is_the_part_of_the_whole(tmp_path: Path, bounds: list[tuple[int, int]], sharded: bool) -> None:
    array, path = values("u1"), tmp_path / f"sharded{sharded}"
    if not path.exists():
        write(path, array, 3, shards=SHARDS if sharded else None)
    region = tuple(slice(min(pair), max(pair)) for pair in bounds)
    assert np.array_equal(open_array(path).read(region), array[region])


@pytest.mark.parametrize("version", [2, 3])
def test_what_was_never_written_has_the_fill_value(tmp_path: Path, version: int) -> None:
    zarr.create_array(str(tmp_path / "a"), shape=SHAPE, chunks=CHUNKS, dtype="u1", fill_value=7, zarr_format=version)
    assert (open_array(tmp_path / "a").read() == 7).all()


@pytest.mark.parametrize("version", [2, 3])
def test_damaged_chunks_are_refused(tmp_path: Path, version: int) -> None:
    write(tmp_path / "a", values("u1"), version)
    chunk = next(
        file
        for file in sorted((tmp_path / "a").rglob("*"))
        if file.is_file() and file.suffix != ".json" and not file.name.startswith(".z")
    )
    chunk.write_bytes(chunk.read_bytes()[:-9])
    with pytest.raises(ZarrError, match=r"cannot be decoded|a chunk of"):
        open_array(tmp_path / "a").read()


def test_a_chunk_never_becomes_larger_than_it_is_declared(tmp_path: Path) -> None:
    import zlib

    write(tmp_path / "a", values("u1"), 2, compressors=compressors(2, "zlib"))
    (tmp_path / "a" / "0.0.0").write_bytes(zlib.compress(bytes(100_000_000)))
    with pytest.raises(ZarrError, match=r"a chunk of 97 bytes, wanted 96"):
        open_array(tmp_path / "a").read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [2**40, 2**40, 2]}, "would take"),
        ({"chunks": [2**20, 2**20, 3]}, "would take"),
        ({"chunks": [0, 1, 1]}, "chunks of shape"),
        ({"chunks": [4, 8]}, "chunks of shape"),
        ({"dtype": "|O"}, "values of type"),
        ({"dtype": [["a", "<f4"]]}, "values of type"),
        ({"compressor": {"id": "pcodec"}}, "'pcodec', which is not read here"),
        ({"filters": [{"id": "delta"}]}, "'delta', which is not read here"),
        ({"shape": "many"}, "description is damaged"),
        ({"compressor": 3}, "description is damaged"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write(tmp_path / "a", values("u1"), 2)
    description = tmp_path / "a" / ".zarray"
    description.write_text(json.dumps(json.loads(description.read_text()) | change))
    with pytest.raises((ZarrError, TooLarge), match=message):
        open_array(tmp_path / "a").read()


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '{"zarr_format": 2}'])
def test_damaged_descriptions_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / ".zarray").write_text(content)
    with pytest.raises(ZarrError):
        open_array(tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/../b", "/etc", "a//b", "a\\b", "."])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ZarrError):
        find_child(tmp_path, name)
