"""`histoseek upgrade`: read an archive's reports and metadata as this version does."""

from __future__ import annotations

import json

from histoseek.cli.options import ArchiveOption, JsonOption


def upgrade(archive: ArchiveOption, as_json: JsonOption = False) -> None:
    """Read the reports and metadata of an archive anew where an older version did; no slide or report file is needed.

    `histoseek index` does so by itself. You can interrupt it; the same command continues.
    """
    from histoseek.api import Archive
    from histoseek.progress import show_progress

    with show_progress("reports", total=None) as reporter:
        reread = Archive.open(archive).upgrade(reporter)
    print(json.dumps({"reread": reread}) if as_json else f"{reread} reports were read anew; metadata are up to date")
