"""Changes to the metadata of one slide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from histoseek.archive.schema import RECORD_COLUMNS, MetadataValue, StoredSlide, cast_value
from histoseek.errors import InputError

_FIXED = ("slide_id", "uri", "file_fingerprint", "width", "height", "spacing_um_per_px", "tile_count", "created")


def changed(slide: StoredSlide, changes: Mapping[str, MetadataValue], types: Mapping[str, pa.DataType]) -> StoredSlide:
    """A slide with changed metadata; types: of the archive's columns.

    Raises InputError for a column that is not there or can't be set, and for a value that does not fit.
    """
    for column in changes:
        if column in _FIXED or column == "updated":
            raise InputError(f"column {column}", "is set by the archive itself", "Index the slide again")
        if column not in types:
            known = ", ".join(name for name in types if name not in _FIXED)
            raise InputError(f"column {column}", "the archive has no such column", f"Columns are: {known}")
    cast = {column: cast_value(column, value, types[column]) for column, value in changes.items()}
    own: dict[str, Any] = {name: value for name, value in cast.items() if name in RECORD_COLUMNS}
    extra = {**slide.record.extra, **{name: value for name, value in cast.items() if name not in own}}
    return replace(slide, record=replace(slide.record, **own, extra=extra, updated=datetime.now(UTC)))
