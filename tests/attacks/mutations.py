"""Seeds of every format that is read, and altered copies of them: by bytes, and within parts of zip files and PNGs."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import tifffile
from PIL import Image

from tests.reports.made_files import pdf, workbook

_NUMBERS = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**48, 2**63)
_TOKENS = (
    b"9" * 30,
    b"-1",
    b"1e400",
    b"NaN",
    b"null",
    b"\0",
    b"[" * 50,
    b"{" * 50,
    b'"',
    b",",
    b"\xff\xfe",
    b"\xf0\x9f",
    b"\n",
)
_HEAD_BYTES = 1024
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the reader that meets it, the endings of its files, and its seeds; beside: the ending of a file that
    lies unaltered beside each, and its content."""

    name: str
    reader: str
    endings: tuple[str, ...]
    make: Callable[[Path], Sequence[bytes]]
    beside: tuple[str, Callable[[], bytes]] | None = None


def mutate(seeds: Sequence[bytes], random_: random.Random) -> bytes:
    """An altered copy of one of the seeds."""
    data = random_.choice(seeds)
    if data.startswith(b"PK\x03\x04") and random_.random() < 0.75:
        return _mutate_entry(data, random_)
    data = _mutate_bytes(data, seeds, random_)
    return _mend_png(data) if data.startswith(_PNG) and random_.random() < 0.75 else data


def _mutate_bytes(data: bytes, seeds: Sequence[bytes], random_: random.Random) -> bytes:
    altered = bytearray(data)
    for _ in range(random_.choice((1, 1, 2, 3, 5))):
        if not altered:
            break
        random_.choice(_WAYS)(altered, seeds, random_)
    return bytes(altered)


def _choose_place(data: bytearray, random_: random.Random) -> int:
    """Anywhere, half of the time where headers are."""
    most = len(data) if random_.random() < 0.5 else min(len(data), _HEAD_BYTES)
    return random_.randrange(max(1, most))


def _flip(data: bytearray, seeds: Sequence[bytes], random_: random.Random) -> None:
    for _ in range(random_.randint(1, 8)):
        data[_choose_place(data, random_)] ^= 1 << random_.randrange(8)


def _overwrite_number(data: bytearray, seeds: Sequence[bytes], random_: random.Random) -> None:
    """A length, an offset or a count becomes one of those that hurt."""
    place, width = _choose_place(data, random_), random_.choice((1, 2, 4, 8))
    number = random_.choice((*_NUMBERS, len(data), place)) & (2 ** (8 * width) - 1)
    written = number.to_bytes(width, random_.choice(("little", "big")))
    data[place : place + width] = written[: len(data) - place]


def _truncate(data: bytearray, seeds: Sequence[bytes], random_: random.Random) -> None:
    del data[random_.randrange(len(data)) :]


def _delete(data: bytearray, seeds: Sequence[bytes], random_: random.Random) -> None:
    place = _choose_place(data, random_)
    del data[place : place + random_.randint(1, 64)]


def _repeat(data: bytearray, seeds: Sequence[bytes], random_: random.Random) -> None:
    place = _choose_place(data, random_)
    data[place:place] = data[place : place + random_.randint(1, 256)] * random_.choice((1, 2, 20))


def _splice(data: bytearray, seeds: Sequence[bytes], random_: random.Random) -> None:
    other = random_.choice(seeds)
    place, start = _choose_place(data, random_), random_.randrange(len(other))
    data[place : place + 200] = other[start : start + random_.randint(1, 400)]


def _insert_token(data: bytearray, seeds: Sequence[bytes], random_: random.Random) -> None:
    place = _choose_place(data, random_)
    data[place : place + random_.randint(0, 3)] = random_.choice(_TOKENS)


_WAYS = (_flip, _overwrite_number, _overwrite_number, _truncate, _delete, _repeat, _splice, _insert_token)


def _mutate_entry(data: bytes, random_: random.Random) -> bytes:
    """A zip file with one of its entries altered, left out or written twice."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [(entry, archive.read(entry)) for entry in archive.infolist()]
    chosen = random_.randrange(len(parts))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, (entry, content) in enumerate(parts):
            if number != chosen:
                archive.writestr(entry, content)
            elif random_.random() < 0.9:
                altered = _mutate_bytes(content, [part for _, part in parts if part], random_) if content else b""
                archive.writestr(
                    entry, altered, compress_type=random_.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
                )
    return out.getvalue()


def _mend_png(data: bytes) -> bytes:
    """With right checksums, so that what is altered is looked at."""
    place, out = len(_PNG), bytearray(_PNG)
    while place + 8 <= len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        body = data[place + 4 : place + 8 + length]
        out += data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + length
    return bytes(out)


def _make_pixels(edge: int = 192) -> np.ndarray:
    return np.random.default_rng(0).integers(90, 255, (edge, edge, 3), np.uint8)


def _write_tiffs(*variants: dict[str, object], ome: bool = False, bigtiff: bool = False) -> Sequence[bytes]:
    """A picture and a smaller level of it, for each variant of how pages are written; `subifds` of the first only."""
    pixels = _make_pixels()
    seeds = []
    for variant in variants:
        out = io.BytesIO()
        below = {name: value for name, value in variant.items() if name != "subifds"}
        with tifffile.TiffWriter(out, ome=ome, bigtiff=bigtiff) as tiff:
            tiff.write(pixels, photometric="rgb", **variant)  # type: ignore[arg-type]
            tiff.write(pixels[::2, ::2], photometric="rgb", subfiletype=1, **below)  # type: ignore[arg-type]
        seeds.append(out.getvalue())
    return seeds


def make_aperio(folder: Path) -> Sequence[bytes]:
    text = "Aperio Image Library v11\n192x192 [0,0 192x192] (64x64) Q=70|AppMag = 20|MPP = 0.5"
    common = {"tile": (64, 64), "description": text, "metadata": None}
    return _write_tiffs({**common, "compression": "jpeg"}, {**common, "compression": 33005})


def make_ome(folder: Path) -> Sequence[bytes]:
    sizes = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    common = {"tile": (64, 64), "metadata": sizes, "subifds": 1}
    coded = _write_tiffs({**common, "compression": "zlib"}, {**common, "compression": "jpeg"}, ome=True)
    return [*coded, *_write_tiffs(common, ome=True, bigtiff=True)]


def make_plain_tiff(folder: Path) -> Sequence[bytes]:
    tiled = {"tile": (64, 64), "metadata": None}
    strips = {"rowsperstrip": 32, "compression": "zlib", "metadata": None}
    small = _write_tiffs({**tiled, "compression": "jpeg"}, strips, {**tiled, "compression": "jpeg2000"})
    return [*small, *_write_tiffs({**tiled, "compression": "lzw"}, bigtiff=True)]


def make_pictures(folder: Path, *formats: str) -> Sequence[bytes]:
    seeds = []
    for name in formats:
        for options in _PICTURES[name]:
            out = io.BytesIO()
            Image.fromarray(_make_pixels()).save(out, name, **options)
            seeds.append(out.getvalue())
    return seeds


_PICTURES: dict[str, tuple[dict[str, object], ...]] = {
    "PNG": ({"dpi": (50_800, 50_800)}, {"save_all": True, "append_images": []}, {"optimize": True}),
    "JPEG": ({"quality": 80}, {"quality": 70, "progressive": True, "dpi": (300, 300)}),
}


def make_hdf5(folder: Path) -> Sequence[bytes]:
    seeds = []
    variants: tuple[dict[str, object], ...] = (
        {},
        {"chunks": (10, 16), "compression": "gzip", "shuffle": True},
        {"chunks": (7, 16)},
    )
    for number, how in enumerate(variants):
        path = folder / f"{number}.h5"
        with h5py.File(path, "w", libver="latest" if number == 2 else None) as file:
            file.create_dataset("features", data=np.ones((40, 16), "f4"), **how)
            coords = file.create_dataset("coords", data=np.arange(80, dtype="i4").reshape(40, 2))
            coords.attrs.update({"patch_size": 256, "patch_size_level0": 512, "name": "slide", "level0_mpp": 0.25})
            file.attrs["encoder"] = "uni_v1"
            file.create_dataset("weights", data=np.ones(40, "f4"))
        seeds.append(path.read_bytes())
    return seeds


def make_tensors(folder: Path) -> Sequence[bytes]:
    import torch

    bag = {
        "features": torch.ones(20, 8),
        "coords": torch.zeros(20, 2, dtype=torch.int32),
        "encoder": "uni",
        "patch_size": 256,
    }
    arrays = {"feats": np.ones((20, 8), "f4"), "coords": [[0, 1]] * 20}
    return [
        _save_torch(bag, True),
        _save_torch(torch.ones(20, 8), True),
        _save_torch(arrays, True),
        _save_torch(bag, False),
    ]


def _save_torch(content: object, is_zip: bool) -> bytes:
    import torch

    out = io.BytesIO()
    torch.save(content, out, _use_new_zipfile_serialization=is_zip)
    return out.getvalue()


def _make_state() -> dict[str, object]:
    import torch

    from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
    from histoseek.encoders.slide.registry import FAMILIES

    torch.manual_seed(0)
    network = FAMILIES[0].network(PathSearchArchitecture(8, 16, 2, 2, 4))
    return {f"visual.{name}": value for name, value in network.state_dict().items()}


def make_slide_hdf5(folder: Path) -> Sequence[bytes]:
    """Of a slide as TRIDENT writes it, and of many in one."""
    path, vector = folder / "slides.h5", np.random.default_rng(0).normal(size=(1, 64)).astype("f4")
    seeds = []
    for names in (("features",), ("S1", "S2", "S3")):
        with h5py.File(path, "w") as file:
            for name in names:
                file.create_dataset(name, data=vector, compression="gzip").attrs["encoder"] = "titan"
        seeds.append(path.read_bytes())
    return seeds


def make_slide_vectors(folder: Path) -> Sequence[bytes]:
    """Tensors and arrays by slide, and rows beside names of files."""
    import pickle

    import torch

    rows = np.random.default_rng(0).normal(size=(3, 64)).astype("f4")
    tensors = {f"S{number}": torch.from_numpy(row) for number, row in enumerate(rows)}
    seeds = [_save_torch(content, True) for content in (tensors["S0"], tensors)]
    dicts = {f"S{number}": row for number, row in enumerate(rows)}, {"embeds": rows, "filenames": ["a", "b", "c"]}
    return [*seeds, *(pickle.dumps(content, protocol) for content in dicts for protocol in (2, 4))]


def make_checkpoints(folder: Path) -> Sequence[bytes]:
    return [_save_torch(_make_state(), True), _save_torch({"model": _make_state()}, False)]


def make_safetensors(folder: Path) -> Sequence[bytes]:
    from safetensors.torch import save

    return [save(_make_state())]  # type: ignore[arg-type]


def make_cards(folder: Path) -> Sequence[bytes]:
    from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
    from histoseek.encoders.weights import FeatureSpace, card_path, save_weights

    path = folder / "published.safetensors"
    path.write_bytes(make_safetensors(folder)[0])
    weights = import_checkpoint(path, ImportRequest("name", FeatureSpace("encoder"), text_encoder=None))
    save_weights(weights, folder / "own.safetensors")
    return [card_path(folder / "own.safetensors").read_bytes()]


def make_weights() -> bytes:
    """The tensors that lie beside a card."""
    with TemporaryDirectory() as folder:
        make_cards(Path(folder))
        return (Path(folder) / "own.safetensors").read_bytes()


def make_workbooks(folder: Path) -> Sequence[bytes]:
    rows = [["slide_id", "report", "age"], *([f"S{row}", "Invasive carcinoma, grade 2.", row] for row in range(1, 9))]
    workbook(folder / "a.xlsx", rows, {"T": rows}, hidden="T", merged=("A2:A3",))
    office = "urn:oasis:names:tc:opendocument:xmlns"
    names = f'xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0" xmlns:text="{office}:text:1.0"'
    body = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    manifest = f'<m:manifest xmlns:m="{office}:manifest:1.0"><m:file-entry m:full-path="/"/></m:manifest>'
    with zipfile.ZipFile(folder / "a.ods", "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("META-INF/manifest.xml", manifest)
        sheet = f'<table:table table:name="S">{body}</table:table>'
        sheets = f"<office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body>"
        book.writestr("content.xml", f"<office:document-content {names}>{sheets}</office:document-content>")
    return [(folder / "a.xlsx").read_bytes(), (folder / "a.ods").read_bytes()]


def make_pdfs(folder: Path) -> Sequence[bytes]:
    pdf(folder / "a.pdf", "BT /F1 12 Tf 72 700 Td (Invasive carcinoma of the breast, grade 2.) Tj ET")
    data = (folder / "a.pdf").read_bytes()
    return [data, data.replace(b"/Type", b"/Type ")]


def make_json(folder: Path) -> Sequence[bytes]:
    rows = [
        {"slide_id": f"S{row}", "report": "Carcinoma.", "age": row, "score": 0.5, "seen": True, "x": None}
        for row in range(6)
    ]
    lines = "\n".join(map(json.dumps, rows))
    return [
        json.dumps(rows).encode(),
        json.dumps({"data": rows}).encode(),
        json.dumps({"S1": "Text"}).encode(),
        lines.encode(),
    ]


def make_csv(folder: Path) -> Sequence[bytes]:
    plain = "slide_id,report,age,spacing\n" + "".join(
        f'S{row},"A ""report"", of\ntwo lines",{row},0.5\n' for row in range(6)
    )
    return [
        plain.encode(),
        plain.replace(",", ";").encode("utf-16"),
        b"sep=\t\n" + plain.replace(",", "\t").encode("cp1252"),
    ]


def make_splits(folder: Path) -> Sequence[bytes]:
    return [b"slide_id,patient_id,part\nS1,P1,train\nS2,P2,validation\nS3,P3,test\n"]


def make_vocabularies(folder: Path) -> Sequence[bytes]:
    text = 'version = "1.0"\n[words]\nlarge = ["big"]\n[diagnosis.carcinoma]\nname = "carcinoma"\nsynonyms = ["ca"]\n'
    return [text.encode()]


FORMATS: tuple[Format, ...] = (
    Format("Aperio SVS", "slide", (".svs",), make_aperio),
    Format("OME-TIFF", "slide", (".ome.tif",), make_ome),
    Format("plain TIFF", "slide", (".tif",), make_plain_tiff),
    Format("PNG", "slide", (".png",), lambda folder: make_pictures(folder, "PNG")),
    Format("JPEG", "slide", (".jpg",), lambda folder: make_pictures(folder, "JPEG")),
    Format("HDF5", "features", (".h5",), make_hdf5),
    Format("pt", "features", (".pt",), make_tensors),
    Format("HDF5 of slides", "slide features", (".h5",), make_slide_hdf5),
    Format("pt and pickles of slides", "slide features", (".pt", ".pkl"), make_slide_vectors),
    Format("checkpoint", "checkpoint", (".pt",), make_checkpoints),
    Format("safetensors", "checkpoint", (".safetensors",), make_safetensors),
    Format("weights card", "weights", (".json",), make_cards, (".safetensors", make_weights)),
    Format("workbook", "metadata", (".xlsx", ".ods"), make_workbooks),
    Format("PDF", "reports", (".pdf",), make_pdfs),
    Format("JSON", "metadata", (".json", ".jsonl"), make_json),
    Format("CSV", "metadata", (".csv", ".tsv"), make_csv),
    Format("CSV of reports", "reports", (".csv", ".txt"), make_csv),
    Format("split table", "split", (".csv",), make_splits),
    Format("vocabulary", "vocabulary", (".toml",), make_vocabularies),
)
