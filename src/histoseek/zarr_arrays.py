"""Arrays in Zarr folders (formats 2 and 3, sharded ones too), read piece by piece, from this machine's disk alone.

Not by the library: it reads through an event loop with threads, which a confined process may not have, and takes what
chunks declare for granted. What is stored is decoded by imagecodecs, never into more than its chunk holds.
"""

from __future__ import annotations

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import require_memory

NodeAttributes = Mapping[str, Any]
_Decode = Callable[[bytes, int], bytes]
_MOST_METADATA_BYTES = 4 * 2**20
_MOST_AXES = 8
_MISSING = 2**64 - 1
_KINDS = "biuf"
_GZIP = 31
"""Of `zlib`: a stream with gzip's header."""


class ZarrError(ValueError):
    """A Zarr folder that can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class _Shards:
    """Chunks that lie together in one file: how many along each axis, and how the index of them is stored."""

    counts: tuple[int, ...]
    index_first: bool
    index_checksum: bool


@dataclass(frozen=True, slots=True)
class ZarrArray:
    """An array in a folder; nothing of it is read before it is asked for.

    chunks: what is decoded at once; files_from and separator: how the files of chunks, or of shards, are named.
    """

    folder: Path
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: NodeAttributes
    fill: float
    order: tuple[int, ...]
    decoders: tuple[_Decode, ...]
    prefix: str
    separator: str
    shards: _Shards | None

    def read(self, region: Sequence[slice] | None = None) -> NDArray[Any]:
        """The values of a region, given by a slice of each axis with start and stop within it; all without.

        Raises ZarrError for chunks that are damaged, TooLarge for more than one file may take.
        """
        bounds = [
            one.indices(size)[:2]
            for one, size in zip(region or (slice(None),) * len(self.shape), self.shape, strict=True)
        ]
        shape = tuple(max(0, stop - start) for start, stop in bounds)
        require_memory(self.folder, f"an array of shape {shape}", prod(shape) * self.dtype.itemsize)
        require_memory(self.folder, f"a chunk of shape {self.chunks}", prod(self.chunks) * self.dtype.itemsize)
        out = np.full(shape, self.fill, self.dtype)
        for place in self._list_chunks(bounds):
            chunk = self._load(place)
            if chunk is not None:
                _paste(out, chunk, place, self.chunks, bounds)
        return out

    def _list_chunks(self, bounds: Sequence[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
        if any(stop <= start for start, stop in bounds):
            return
        ranges = (
            range(start // edge, -(-stop // edge)) for (start, stop), edge in zip(bounds, self.chunks, strict=True)
        )
        yield from product(*ranges)

    def _load(self, place: tuple[int, ...]) -> NDArray[Any] | None:
        """A chunk, None where nothing is stored of it."""
        data = self._read_whole(place) if self.shards is None else self._read_from_shard(place, self.shards)
        if data is None:
            return None
        wanted = prod(self.chunks) * self.dtype.itemsize
        for decode in self.decoders:
            try:
                data = decode(data, wanted)
            except Exception as error:  # each codec has errors of its own
                raise ZarrError(f"a chunk that cannot be decoded ({type(error).__name__})") from error
        if len(data) != wanted:
            raise ZarrError(f"a chunk of {len(data):,} bytes, wanted {wanted:,}")
        stored = np.frombuffer(data, self.dtype).reshape([self.chunks[axis] for axis in self.order])
        return stored.transpose(np.argsort(self.order))

    def _read_whole(self, place: tuple[int, ...]) -> bytes | None:
        try:
            return self._find_file(place).read_bytes()
        except FileNotFoundError:
            return None

    def _read_from_shard(self, place: tuple[int, ...], shards: _Shards) -> bytes | None:
        outer = tuple(index // count for index, count in zip(place, shards.counts, strict=True))
        inner = tuple(index % count for index, count in zip(place, shards.counts, strict=True))
        index_bytes = 16 * prod(shards.counts)
        try:
            with self._find_file(outer).open("rb") as file:
                tail = index_bytes + (4 if shards.index_checksum else 0)
                file.seek(0 if shards.index_first else -tail, 0 if shards.index_first else 2)
                table = np.frombuffer(file.read(index_bytes), "<u8").reshape(*shards.counts, 2)
                start, length = (int(value) for value in table[inner])
                if start == _MISSING:
                    return None
                file.seek(start)
                return file.read(min(length, 2 * prod(self.chunks) * self.dtype.itemsize + 2**16))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, OverflowError) as error:
            raise ZarrError("a shard whose index is damaged") from error

    def _find_file(self, place: tuple[int, ...]) -> Path:
        return self.folder / (self.prefix + self.separator.join(map(str, place)))


def open_array(folder: Path) -> ZarrArray:
    """The array in a folder; raises ZarrError for what is none, or is stored in a way that is not read here."""
    try:
        if (folder / "zarr.json").is_file():
            return _parse_format3(folder, _read_json(folder / "zarr.json"))
        return _parse_format2(folder, _read_json(folder / ".zarray"))
    except ZarrError:
        raise
    except (KeyError, TypeError, AttributeError, OverflowError, ValueError) as error:
        raise ZarrError(f"an array whose description is damaged ({folder.name})") from error


def read_attributes(folder: Path) -> NodeAttributes:
    """The attributes of a group or array; empty where there are none."""
    for name, key in (("zarr.json", "attributes"), (".zattrs", None)):
        if (folder / name).is_file():
            content = _read_json(folder / name)
            attributes = content.get(key, {}) if key else content
            return attributes if isinstance(attributes, dict) else {}
    return {}


def is_zarr(folder: Path) -> bool:
    """Whether a folder is one of Zarr's groups or arrays."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def find_child(folder: Path, path: str) -> Path:
    """The folder of a part that an attribute names; raises ZarrError for names that lead elsewhere."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise ZarrError(f"a part named {path!r}")
    return folder.joinpath(*parts)


def _paste(
    out: NDArray[Any],
    chunk: NDArray[Any],
    place: tuple[int, ...],
    edges: tuple[int, ...],
    bounds: Sequence[tuple[int, int]],
) -> None:
    target, source = [], []
    for index, edge, (start, stop) in zip(place, edges, bounds, strict=True):
        first, last = max(start, index * edge), min(stop, (index + 1) * edge)
        target.append(slice(first - start, last - start))
        source.append(slice(first - index * edge, last - index * edge))
    out[tuple(target)] = chunk[tuple(source)]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_METADATA_BYTES:
            raise ZarrError(f"a description larger than {_MOST_METADATA_BYTES // 2**20} MiB ({path.name})")
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ZarrError(f"no array in {path.parent.name!r}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ZarrError(f"a description that is damaged ({path.name})") from error
    if not isinstance(content, dict):
        raise ZarrError(f"a description that is damaged ({path.name})")
    return content


def _parse_format2(folder: Path, data: Mapping[str, Any]) -> ZarrArray:
    shape, chunks = _parse_shape(data["shape"]), _parse_shape(data["chunks"])
    if data.get("filters"):
        raise ZarrError(f"an array with the filter {data['filters'][0].get('id')!r}, which is not read here")
    compressor = data["compressor"]
    decoders = (_find_decoder(str(compressor["id"])),) if compressor else ()
    axes = tuple(range(len(shape)))
    separator = "/" if data.get("dimension_separator", ".") == "/" else "."
    return ZarrArray(
        folder=folder,
        shape=shape,
        chunks=_require_fit(chunks, shape),
        dtype=_parse_dtype(data["dtype"]),
        attributes=read_attributes(folder),
        fill=_parse_fill(data.get("fill_value")),
        order=axes[::-1] if data.get("order") == "F" else axes,
        decoders=decoders,
        prefix="",
        separator=separator,
        shards=None,
    )


def _parse_format3(folder: Path, data: Mapping[str, Any]) -> ZarrArray:
    if data.get("node_type") != "array":
        raise ZarrError(f"no array in {folder.name!r}")
    shape = _parse_shape(data["shape"])
    if data["chunk_grid"]["name"] != "regular":
        raise ZarrError(f"chunks in a grid {data['chunk_grid']['name']!r}, which is not read here")
    chunks = _require_fit(_parse_shape(data["chunk_grid"]["configuration"]["chunk_shape"]), shape)
    encoding = data["chunk_key_encoding"]
    separators = {"default": "/", "v2": "."}
    separator = encoding.get("configuration", {}).get("separator", separators[encoding["name"]])
    codecs, shards = list(data["codecs"]), None
    if len(codecs) == 1 and codecs[0]["name"] == "sharding_indexed":
        settings = codecs[0]["configuration"]
        inner = _require_fit(_parse_shape(settings["chunk_shape"]), shape)
        shards, chunks, codecs = _parse_shards(settings, chunks, inner), inner, list(settings["codecs"])
    order, endian, decoders = _parse_codecs(codecs, len(shape))
    prefix = f"c{separator}" if encoding["name"] == "default" else ""
    return ZarrArray(
        folder=folder,
        shape=shape,
        chunks=chunks,
        dtype=_parse_dtype(data["data_type"]).newbyteorder(endian),
        attributes=data.get("attributes") or {},
        fill=_parse_fill(data.get("fill_value")),
        order=order,
        decoders=decoders,
        prefix=prefix,
        separator="/" if separator == "/" else ".",
        shards=shards,
    )


def _parse_shards(settings: Mapping[str, Any], outer: tuple[int, ...], inner: tuple[int, ...]) -> _Shards:
    if any(large % small for large, small in zip(outer, inner, strict=True)):
        raise ZarrError("shards that no whole number of chunks fills")
    names = [codec["name"] for codec in settings["index_codecs"]]
    if names not in (["bytes"], ["bytes", "crc32c"]):
        raise ZarrError(f"an index of shards stored as {', '.join(names)}, which is not read here")
    counts = tuple(large // small for large, small in zip(outer, inner, strict=True))
    return _Shards(counts, settings.get("index_location", "end") == "start", len(names) == 2)


def _parse_codecs(
    codecs: Sequence[Mapping[str, Any]], axes: int
) -> tuple[tuple[int, ...], Literal["<", ">"], tuple[_Decode, ...]]:
    """Order of the axes as stored, byte order, and the decoders in the order in which they are applied."""
    order, decoders = tuple(range(axes)), list[_Decode]()
    endian: Literal["<", ">"] = "<"
    for codec in codecs:
        name, settings = codec["name"], codec.get("configuration") or {}
        if name == "transpose":
            order = tuple(order[int(axis)] for axis in settings["order"])
        elif name == "bytes":
            endian = ">" if settings.get("endian") == "big" else "<"
        else:
            decoders.append(_find_decoder(str(name)))
    if sorted(order) != list(range(axes)):
        raise ZarrError("axes in an order that is none")
    return order, endian, tuple(reversed(decoders))


def _parse_shape(values: Sequence[Any]) -> tuple[int, ...]:
    shape = tuple(int(value) for value in values)
    if len(shape) > _MOST_AXES or any(not 0 <= size < 2**48 for size in shape):
        raise ZarrError(f"an array of shape {shape}")
    return shape


def _require_fit(chunks: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(chunks) != len(shape) or any(edge < 1 for edge in chunks):
        raise ZarrError(f"chunks of shape {chunks} in an array of shape {shape}")
    return chunks


def _parse_dtype(name: object) -> np.dtype[Any]:
    try:
        kind = np.dtype(name if isinstance(name, str) else "O")
    except TypeError as error:
        raise ZarrError(f"values of type {name}, which are not read here") from error
    if kind.kind not in _KINDS:
        raise ZarrError(f"values of type {name}, which are not read here")
    return kind


def _parse_fill(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) else 0.0


def _find_decoder(name: str) -> _Decode:
    decoders: dict[str, _Decode] = {
        "blosc": _decode_blosc,
        "zstd": _decode_zstd,
        "lz4": _decode_lz4,
        "zlib": lambda data, size: zlib.decompressobj().decompress(data, size + 1),
        "gzip": lambda data, size: zlib.decompressobj(_GZIP).decompress(data, size + 1),
        "bz2": lambda data, size: bz2.BZ2Decompressor().decompress(data, size + 1),
        "lzma": lambda data, size: lzma.LZMADecompressor(memlimit=2**28).decompress(data, size + 1),
        "crc32c": lambda data, size: data[:-4],
    }
    if name not in decoders:
        raise ZarrError(f"chunks compressed by {name!r}, which is not read here (known are {', '.join(decoders)})")
    return decoders[name]


def load_decoders() -> tuple[object, ...]:
    """Load the libraries that decode chunks: a confined process can't do so any more."""
    from imagecodecs import blosc_decode, lz4_decode, zstd_decode

    return blosc_decode, lz4_decode, zstd_decode


def _decode_blosc(data: bytes, size: int) -> bytes:
    from imagecodecs import blosc_decode

    declared = int.from_bytes(data[4:8], "little")
    if declared != size:
        raise ZarrError(f"a chunk that declares {declared:,} bytes, wanted {size:,}")
    return bytes(blosc_decode(data, numthreads=1, out=size))


def _decode_zstd(data: bytes, size: int) -> bytes:
    from imagecodecs import zstd_decode

    return bytes(zstd_decode(data, out=size))


def _decode_lz4(data: bytes, size: int) -> bytes:
    from imagecodecs import lz4_decode

    return bytes(lz4_decode(data, header=True, out=size))
