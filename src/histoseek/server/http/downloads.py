"""Files to download: their names, and tables as CSV or JSON."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from fastapi import Query, Response

from histoseek.tables import Cell, to_csv, to_json

TableFormat = Annotated[Literal["csv", "json"], Query(alias="format")]
TABLE_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}, "application/json": {}}}}
"""What a route that gives a table answers, for its description."""

_MAX_NAME = 60


def respond_with_table(
    kind: str, name: str, as_: Literal["csv", "json"], columns: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> Response:
    """A table as a file, called after its kind and name."""
    headers = name_attachment(kind, name, as_)
    if as_ == "csv":
        # Without a byte order mark spreadsheets take the file for text of an older encoding.
        return Response(to_csv(columns, rows).encode("utf-8-sig"), media_type="text/csv", headers=headers)
    return Response(to_json(columns, rows), media_type="application/json", headers=headers)


def name_attachment(kind: str, name: str, suffix: str) -> dict[str, str]:
    """The header of a file to be saved under a name out of any text."""
    return {"Content-Disposition": f'attachment; filename="{make_file_name(kind, name, suffix)}"'}


def make_file_name(kind: str, name: str, suffix: str) -> str:
    """A name for a file out of any text, safe in a header and in file systems: "kind-Name-of-it.suffix", in ASCII."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "-", plain)[:_MAX_NAME].strip("-")
    return f"{kind}-{words}.{suffix}" if words else f"{kind}.{suffix}"
