"""One map of an archive, made beside the server:

`HISTOSEEK_ARCHIVE=ADDRESS python -m histoseek.server.archives.map_process FILE [LABEL]`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from histoseek.api import Archive
from histoseek.files import write_atomic
from histoseek.garbage import collect_seldom
from histoseek.rest.archives import Map
from histoseek.search.maps.overview import overview
from histoseek.server.logs import locate_error

_NICE = 10


def main(archive: str, path: Path, label: str | None) -> None:
    """Lay an archive out, and write the map; searches of the server go first."""
    os.nice(_NICE)
    collect_seldom()
    layout = overview(Archive.open(archive), label)
    archive_map = Map(
        slide_ids=layout.slide_ids,
        x=tuple(layout.x.tolist()),
        y=tuple(layout.y.tolist()),
        labels=layout.labels,
        label=label,
        method=layout.method,
        sampled=layout.is_sample,
        slides=layout.slides,
    )
    write_atomic(path, archive_map.model_dump_json().encode())


if __name__ == "__main__":
    try:
        main(os.environ["HISTOSEEK_ARCHIVE"], Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
    except Exception as error:
        # This goes to the server's log, where neither paths nor labels belong.
        sys.exit(f"no map: {locate_error(error)}")
