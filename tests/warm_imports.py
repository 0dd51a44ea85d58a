"""What the server of forks of tests/elsewhere.py imports and reads once, for all processes that are forked from it."""

from __future__ import annotations

import importlib

from lancedb import background_loop

from histoseek.archive.report_index import index_report

for _module in (
    "histoseek.cli",
    "histoseek.api",
    "histoseek.archive.reencode",
    "histoseek.archive.indexing.ingest",
    "histoseek.archive.indexing.updating",
    "histoseek.archive.stores.lance.store",
    "histoseek.mosaics.numba_kernels",
    "histoseek.search.calibration.fit",
    "histoseek.search.search",
):
    importlib.import_module(_module)
index_report("Colon, biopsy: adenocarcinoma.")
# It warns of forks: nothing of it has begun to work here.
background_loop._FORK_WARNED = True
