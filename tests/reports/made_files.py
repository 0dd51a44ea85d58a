"""Small workbooks and PDFs, written by hand."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

Cell = str | bool | float | date


def workbook(
    path: Path,
    rows: Sequence[Sequence[Cell]],
    more: Mapping[str, Sequence[Sequence[Cell]]] | None = None,
    hidden: str = "",
    merged: Sequence[str] = (),
) -> None:
    """The smallest Excel file: a sheet "S" and more by their names, with inline texts and numbers; dates as ISO dates.

    hidden: the name of a sheet that is not shown; merged: areas of "S" that are one cell, "A1:A2".
    """
    areas = "".join(f'<mergeCell ref="{area}"/>' for area in merged)
    sheets = {"S": rows, **(more or {})}
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    states = {hidden: ' state="hidden"'}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"{states.get(name, "")}/>'
        for number, name in enumerate(sheets, start=1)
    )
    links = "".join(
        f'<Relationship Id="r{number}" Type="{office}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    )
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r0" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        for number, grid in enumerate(sheets.values(), start=1):
            sheet = "".join(f"<row>{''.join(map(_write_cell, row))}</row>" for row in grid)
            book.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData>'
                + (f"<mergeCells>{areas}</mergeCells>" if areas and number == 1 else "")
                + "</worksheet>",
            )


def _write_cell(value: Cell) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    kind, shown = ("d", value.isoformat()) if isinstance(value, date) else ("n", value)
    return f'<c t="{kind}"><v>{shown}</v></c>'


def pdf(path: Path, content: str) -> None:
    """A PDF of one page, with `content` as its drawing commands."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    data, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj{body}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    data += f"xref\n0 6\n0000000000 65535 f \n{table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(data)}\n%%EOF"
    path.write_bytes(data.encode("latin-1"))
