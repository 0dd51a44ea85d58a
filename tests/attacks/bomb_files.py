"""Small files that declare, or unfold to, far more than a machine has: written by hand, a function for each."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile

from tests.reports.made_files import workbook

Write = Callable[[Path], None]

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PDF_PAGES = 40


def write_far_cell(path: Path) -> None:
    _write_sheet(path, '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def write_far_rows_without_places(path: Path) -> None:
    """Cells that take their place from the one before."""
    cells = "<c><v>1</v></c>" * 16_000
    _write_sheet(path, f'<row>{cells}</row><row r="1048576"><c><v>1</v></c></row>')


def write_unfolding_sheet(path: Path) -> None:
    """A sheet of 1 GiB of blanks."""
    _write_sheet(path, "", padding_mb=1024)


def write_unfolding_strings(path: Path) -> None:
    """Ten million shared strings."""
    _write_sheet(path, '<row r="1"><c r="A1" t="s"><v>0</v></c></row>')
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book, book.open("xl/sharedStrings.xml", "w") as part:
        part.write(f'<sst xmlns="{_MAIN}">'.encode())
        for _ in range(100):
            part.write(b"<si><t>a</t></si>" * 100_000)
        part.write(b"</sst>")


def write_merged_sheet(path: Path) -> None:
    """Columns merged over all rows, again and again."""
    rows = "".join(f'<row r="{row}"><c r="A{row}"><v>1</v></c></row>' for row in range(1, 60_001))
    areas = '<mergeCell ref="A1:A60000"/>' * 20_000
    _write_sheet(path, rows, f"<mergeCells>{areas}</mergeCells>")


def write_entity_sheet(path: Path) -> None:
    _write_sheet(path, '<row r="1"><c r="A1" t="str"><v>&lol9;</v></c></row>', head=_make_entities())


def write_repeated_rows(path: Path) -> None:
    """An OpenDocument sheet with one cell for every place there is."""
    office = "urn:oasis:names:tc:opendocument:xmlns"
    names = f'xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0" xmlns:text="{office}:text:1.0"'
    cell = '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" office:value="1"/>'
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    sheets = f'<office:spreadsheet><table:table table:name="S">{row}</table:table></office:spreadsheet>'
    body = f"<office:body>{sheets}</office:body>"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("content.xml", f"<office:document-content {names}>{body}</office:document-content>")


def write_deep_json(path: Path) -> None:
    path.write_text('[{"slide_id": ' + "[" * 3_000_000 + "]" * 3_000_000 + "}]")


def write_many_values(path: Path) -> None:
    """A JSON of a hundred million empty objects."""
    with path.open("w") as file:
        file.write('[{"slide_id": "a"}')
        for _ in range(1000):
            file.write(",{}" * 100_000)
        file.write("]")


def write_many_names(path: Path) -> None:
    """Objects of which each has a name of its own."""
    path.write_text(json.dumps([{"slide_id": str(row), f"column {row}": 1} for row in range(60_000)]))


def write_large_number(path: Path) -> None:
    path.write_text('[{"slide_id": "a", "age": ' + "9" * 2_000_000 + "}]")


def write_many_columns(path: Path) -> None:
    path.write_text("slide_id" + "," * 150_000_000)


def write_many_cells(path: Path) -> None:
    with path.open("w") as file:
        file.write("slide_id," + ",".join(f"column {number}" for number in range(9_999)) + "\n")
        for _ in range(6_000):
            file.write("," * 9_999 + "\n")


def write_unfolding_pdf(path: Path) -> None:
    """Pages of one content that unfolds to 70 MB of text operators."""
    text = b"BT /F1 12 Tf (abc) Tj ET " * 2_800_000
    content = zlib.compress(text, 9)
    kids = " ".join(f"{number} 0 R" for number in range(4, 4 + _PDF_PAGES))
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {_PDF_PAGES}/Kids[{kids}]>>".encode(),
        f"<</Length {len(content)}/Filter/FlateDecode>>stream\n".encode() + content + b"\nendstream",
        *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 3 0 R>>"] * _PDF_PAGES,
    ]
    data = b"%PDF-1.4\n"
    places = []
    for number, part in enumerate(parts, start=1):
        places.append(len(data))
        data += f"{number} 0 obj".encode() + part + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    head = f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}trailer<</Root 1 0 R/Size {len(parts) + 1}>>"
    path.write_bytes(data + f"{head}\nstartxref\n{len(data)}\n%%EOF".encode())


def write_empty_features(path: Path) -> None:
    """The 22 GB of features of which nothing is stored."""
    with h5py.File(path, "w") as file:
        file.create_dataset("features", (5_500_000, 1024), "f4", chunks=(64, 1024))
        file.create_dataset("coords", (5_500_000, 2), "i4", chunks=(64, 2))


def write_thin_features(path: Path) -> None:
    """Features of which one piece in 80,000 is stored."""
    with h5py.File(path, "w") as file:
        features = file.create_dataset("features", (5_500_000, 1024), "f4", chunks=(64, 1024), compression="gzip")
        features[:64] = 1


def write_external_features(path: Path) -> None:
    """Features that are the bytes of another file of this machine."""
    with h5py.File(path, "w") as file:
        outside = [("/etc/passwd", 0, 400)]
        file.create_dataset("features", (10, 10), "f4", external=outside)


def write_linked_features(path: Path) -> None:
    other = path.with_suffix(".other")
    with h5py.File(other, "w") as file:
        file["features"] = np.ones((10, 10), "f4")
    with h5py.File(path, "w") as file:
        file["features"] = h5py.ExternalLink(other.name, "/features")


def write_softly_linked_features(path: Path) -> None:
    """Features behind a link that leads out by another."""
    other = path.with_suffix(".other")
    with h5py.File(other, "w") as file:
        file["features"] = np.ones((10, 10), "f4")
    with h5py.File(path, "w") as file:
        file["outside"] = h5py.ExternalLink(other.name, "/")
        file["features"] = h5py.SoftLink("/outside/features")


def write_virtual_features(path: Path) -> None:
    other = path.with_suffix(".other")
    with h5py.File(other, "w") as file:
        file["features"] = np.ones((10, 10), "f4")
    layout = h5py.VirtualLayout((10, 10), "f4")
    layout[:] = h5py.VirtualSource(other.name, "features", (10, 10))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("features", layout)


def write_circular_features(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["features"] = h5py.SoftLink("/feats")
        file["feats"] = h5py.SoftLink("/features")


def write_many_objects(path: Path) -> None:
    """Two hundred thousand objects beside the features, in a file without features."""
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(200_000):
            file[f"part {number}"] = h5py.SoftLink("/nowhere")


def write_expanded_tensor(path: Path) -> None:
    """One number seen as 40 GB of them."""
    import torch

    torch.save({"features": torch.ones(1).expand(10_000_000, 1024)}, path)


def write_sparse_tensor(path: Path) -> None:
    import torch

    shape = 5_000_000, 1024
    torch.save({"features": torch.sparse_coo_tensor([[0], [0]], [1.0], shape, check_invariants=True)}, path)


def write_allocating_pickle(path: Path) -> None:
    """A pickle that calls bytearray with a number of ten gigabytes."""
    pickle = b"\x80\x02cbuiltins\nbytearray\n\x8a\x05" + (10 * 10**9).to_bytes(5, "little") + b"\x85R."
    _write_torch(path, pickle)


def write_unfolding_tensor(path: Path) -> None:
    """A storage of 4 GB of zeros, deflated."""
    import torch

    torch.save({"features": torch.ones(4, 4)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            if not name.endswith("data/0"):
                archive.writestr(name, data)
                continue
            with archive.open(name, "w", force_zip64=True) as part:
                for _ in range(4096):
                    part.write(bytes(2**20))


def write_long_header(path: Path) -> None:
    """A safetensors file whose header is a terabyte."""
    path.write_bytes(struct.pack("<Q", 2**40) + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}')


def write_large_tensor(path: Path) -> None:
    """A safetensors file that says its four bytes are 4 TB."""
    header = b'{"visual.a":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def write_large_png(path: Path) -> None:
    _write_png(path, 60_000, 60_000)


def write_png_texts(path: Path) -> None:
    """Text chunks that unfold to 500 MB each."""
    text = b"Comment\0\0" + zlib.compress(bytes(500 * 2**20), 9)
    _write_png(path, 64, 64, [(b"zTXt", text)] * 8)


def write_many_frames(path: Path) -> None:
    _write_png(path, 12_000, 12_000, [(b"acTL", struct.pack(">II", 1_000_000, 0))])


def write_large_jpeg(path: Path) -> None:
    path.write_bytes(_make_jpeg_header(65_000, 65_000) + bytes(100))


def write_many_scans(path: Path) -> None:
    """A progressive JPEG that goes over 12,000 x 12,000 px three thousand times."""
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + b"\x7f" * 8
    path.write_bytes(_make_jpeg_header(12_000, 12_000, progressive=True) + scan * 3000 + b"\xff\xd9")


def write_large_picture(path: Path) -> None:
    """A tiled TIFF of two thousand million pixels a side, with one tile."""
    _write_tiff(path, {256: 2**31 - 1, 257: 2**31 - 1, 322: 256, 323: 256})


def write_wide_picture(path: Path) -> None:
    _write_tiff(path, {256: 2_000_000, 257: 2_000_000, 322: 256, 323: 256})


def write_large_tiles(path: Path) -> None:
    _write_tiff(path, {256: 100_000, 257: 100_000, 322: 65_536, 323: 65_536})


def write_large_strip(path: Path) -> None:
    """One strip of 60,000 x 60,000 px."""
    _write_tiff(path, {256: 60_000, 257: 60_000, 278: 60_000}, strips=True)


def write_circular_directories(path: Path) -> None:
    _write_tiff(path, {256: 512, 257: 512, 322: 256, 323: 256}, following=8)


def write_many_directories(path: Path) -> None:
    """A hundred thousand pages of one tag."""
    data = b"II*\0" + struct.pack("<I", 8)
    for number in range(100_000):
        place = 8 + 18 * number
        data += struct.pack("<HHHIII", 1, 256, 4, 1, 16, place + 18 if number < 99_999 else 0)
    path.write_bytes(data)


def write_long_tag(path: Path) -> None:
    """A description of 4 GB."""
    _write_tiff(path, {256: 512, 257: 512, 322: 256, 323: 256}, description=2**32 - 1)


def write_lying_tile(path: Path) -> None:
    """A tile of 256 x 256 px whose JPEG says that it has 65,000 x 65,000."""
    pixels = np.zeros((512, 512, 3), np.uint8)
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", compression="jpeg", ome=True)
    data = bytearray(path.read_bytes())
    for marker in (b"\xff\xc0\x00\x11\x08\x01\x00\x01\x00", b"\xff\xc0\x00\x11\x08\x00\x10\x00\x10"):
        place = data.find(marker)
        while place >= 0:
            data[place + 5 : place + 9] = struct.pack(">HH", 65_000, 65_000)
            place = data.find(marker, place + 1)
    path.write_bytes(data)


def write_entity_description(path: Path) -> None:
    """An OME-XML of nested entities."""
    xml = (
        _make_entities() + '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image Name="&lol9;"/></OME>'
    )
    pixels = np.zeros((512, 512, 3), np.uint8)
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", description=xml, metadata=None)


def write_deep_vocabulary(path: Path) -> None:
    path.write_text('version = "1.0"\nwords = ' + "[" * 200_000 + "]" * 200_000)


BOMBS: tuple[tuple[str, str, Write], ...] = (
    ("far-cell.xlsx", "reports", write_far_cell),
    ("far-rows-without-places.xlsx", "reports", write_far_rows_without_places),
    ("unfolding-sheet.xlsx", "reports", write_unfolding_sheet),
    ("unfolding-strings.xlsx", "reports", write_unfolding_strings),
    ("merged-again-and-again.xlsx", "reports", write_merged_sheet),
    ("entities.xlsx", "metadata", write_entity_sheet),
    ("repeated-rows.ods", "metadata", write_repeated_rows),
    ("deep.json", "reports", write_deep_json),
    ("many-values.json", "metadata", write_many_values),
    ("many-names.json", "metadata", write_many_names),
    ("large-number.json", "metadata", write_large_number),
    ("many-columns.csv", "metadata", write_many_columns),
    ("many-cells.csv", "metadata", write_many_cells),
    ("unfolding.pdf", "reports", write_unfolding_pdf),
    ("deep.toml", "vocabulary", write_deep_vocabulary),
    ("empty-features.h5", "features", write_empty_features),
    ("thin-features.h5", "features", write_thin_features),
    ("external-storage.h5", "features", write_external_features),
    ("external-link.h5", "features", write_linked_features),
    ("link-to-external-link.h5", "features", write_softly_linked_features),
    ("virtual-dataset.h5", "features", write_virtual_features),
    ("circular-links.h5", "features", write_circular_features),
    ("many-objects.h5", "features", write_many_objects),
    ("expanded-tensor.pt", "features", write_expanded_tensor),
    ("sparse-tensor.pt", "features", write_sparse_tensor),
    ("allocating-pickle.pt", "features", write_allocating_pickle),
    ("unfolding-tensor.pt", "features", write_unfolding_tensor),
    ("empty-slide-features.h5", "slide features", write_empty_features),
    ("thin-slide-features.h5", "slide features", write_thin_features),
    ("external-storage-slides.h5", "slide features", write_external_features),
    ("external-link-slides.h5", "slide features", write_linked_features),
    ("virtual-slides.h5", "slide features", write_virtual_features),
    ("circular-links-slides.h5", "slide features", write_circular_features),
    ("expanded-slides.pt", "slide features", write_expanded_tensor),
    ("sparse-slides.pt", "slide features", write_sparse_tensor),
    ("allocating-slides.pt", "slide features", write_allocating_pickle),
    ("allocating-slides.pkl", "slide features", write_allocating_pickle),
    ("allocating-checkpoint.pt", "checkpoint", write_allocating_pickle),
    ("long-header.safetensors", "checkpoint", write_long_header),
    ("large-tensor.safetensors", "checkpoint", write_large_tensor),
    ("large.png", "slide", write_large_png),
    ("texts.png", "slide", write_png_texts),
    ("many-frames.png", "slide", write_many_frames),
    ("large.jpg", "slide", write_large_jpeg),
    ("many-scans.jpg", "slide", write_many_scans),
    ("large-picture.tif", "slide", write_large_picture),
    ("wide-picture.svs", "slide", write_wide_picture),
    ("large-tiles.tif", "slide", write_large_tiles),
    ("large-strip.tif", "slide", write_large_strip),
    ("circular-directories.tif", "slide", write_circular_directories),
    ("many-directories.tif", "slide", write_many_directories),
    ("long-tag.tif", "slide", write_long_tag),
    ("lying-tile.ome.tif", "slide", write_lying_tile),
    ("entities.ome.tif", "slide", write_entity_description),
)
"""Name of the file, the reader that meets it, and what writes it."""

QUICK = frozenset(name for name, _, _ in BOMBS) - {
    *("unfolding-sheet.xlsx", "unfolding-strings.xlsx", "many-values.json", "many-columns.csv", "many-cells.csv"),
    *("unfolding.pdf", "many-objects.h5", "unfolding-tensor.pt", "texts.png", "merged-again-and-again.xlsx"),
}
"""Those that are written in a moment."""


def _write_sheet(path: Path, rows: str, behind: str = "", head: str = "", padding_mb: int = 0) -> None:
    """A workbook of one sheet with these rows."""
    workbook(path, [["a"]])
    with zipfile.ZipFile(path) as book:
        parts = {entry.filename: book.read(entry) for entry in book.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, data in parts.items():
            if name != "xl/worksheets/sheet1.xml":
                book.writestr(name, data)
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            part.write(f'{head}<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData>{behind}'.encode())
            for _ in range(padding_mb):
                part.write(b" " * 2**20)
            part.write(b"</worksheet>")


def _make_entities() -> str:
    entities = '<!ENTITY lol0 "lol">' + "".join(
        f'<!ENTITY lol{level} "{f"&lol{level - 1};" * 10}">' for level in range(1, 10)
    )
    return f'<?xml version="1.0"?><!DOCTYPE a [{entities}]>'


def _write_torch(path: Path, pickle: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/version", b"3\n")


def _write_png(path: Path, width: int, height: int, chunks: list[tuple[bytes, bytes]] | None = None) -> None:
    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = (b"IDAT", zlib.compress(bytes(1 + 3 * width), 9))
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in (head, *(chunks or ()), rows, (b"IEND", b"")):
        data += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    path.write_bytes(data)


def _make_jpeg_header(width: int, height: int, progressive: bool = False) -> bytes:
    quantised = b"\xff\xdb\x00\x43\x00" + bytes([1] * 64)
    frame = bytes([0xFF, 0xC2 if progressive else 0xC0, 0, 11, 8]) + struct.pack(">HH", height, width)
    counts = bytes([0, 1, *[0] * 14])
    table = b"\xff\xc4" + struct.pack(">H", 19 + 1) + b"\x00" + counts + b"\x00"
    return b"\xff\xd8" + quantised + frame + b"\x01\x01\x11\x00" + table


def _write_tiff(
    path: Path, tags: dict[int, int], strips: bool = False, following: int = 0, description: int = 0
) -> None:
    """A directory of one page of 8-bit RGB with a few hundred bytes of deflated pixels."""
    pixels = zlib.compress(bytes(2**16), 9)
    places = {273: 8192, 279: len(pixels)} if strips else {324: 8192, 325: len(pixels)}
    numbers = {258: 8, 259: 8, 262: 2, 277: 3, 284: 1, **tags, **places}
    entries = [(number, 4, 1, value) for number, value in numbers.items()]
    if description:
        entries.append((270, 2, description, 512))
    data = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for entry in sorted(entries):
        data += struct.pack("<HHII", *entry)
    data += struct.pack("<I", following)
    path.write_bytes(data.ljust(8192, b"\0") + pixels)
