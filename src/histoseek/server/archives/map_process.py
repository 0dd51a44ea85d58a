"""One map of an archive, made beside the server:

`python -m histoseek.server.archives.map_process ARCHIVE FILE [LABEL]`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from histoseek.api import Archive
from histoseek.files import write_atomic
from histoseek.rest.archives import Map
from histoseek.search.maps.overview import overview
from histoseek.server.logs import place_of

_NICE = 10


def main(archive: Path, path: Path, label: str | None) -> None:
    """Lay an archive out, and write the map; searches of the server go first."""
    os.nice(_NICE)
    found = overview(Archive.open(archive), label)
    made = Map(
        slide_ids=found.slide_ids,
        x=tuple(found.x.tolist()),
        y=tuple(found.y.tolist()),
        labels=found.labels,
        label=label,
        method=found.method,
        sampled=found.is_sample,
        slides=found.slides,
    )
    write_atomic(path, made.model_dump_json().encode())


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
    except Exception as error:
        # The server's log takes what is told here: neither paths nor labels belong there.
        sys.exit(f"no map: {place_of(error)}")
