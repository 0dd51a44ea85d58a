"""What the server of forks of tests/elsewhere.py imports and reads once, for all processes that are forked from it."""

from __future__ import annotations

import importlib
import os
import pkgutil
from contextlib import suppress

from lancedb import background_loop

import histoseek.cli
from histoseek.archive.report_index import index_report

_ROOMS = (
    "histoseek.api",
    "histoseek.archive.reencode",
    "histoseek.archive.indexing.ingest",
    "histoseek.archive.indexing.updating",
    "histoseek.archive.stores.lance.store",
    "histoseek.evaluation.evaluate",
    "histoseek.mosaics.numba_kernels",
    "histoseek.search.calibrate",
    "histoseek.search.search",
)
_COMMANDS = (module.name for module in pkgutil.iter_modules(histoseek.cli.__path__, "histoseek.cli."))
_LIBRARIES = ("pandas", "cv2", "h5py", "tifffile", "onnxruntime", "torch")

for _module in (*_ROOMS, *_COMMANDS):
    importlib.import_module(_module)
for _module in _LIBRARIES:
    with suppress(ImportError):
        importlib.import_module(_module)
index_report("Colon, biopsy: adenocarcinoma.")
os.fsync = os.fstat  # as in conftest.py
# It warns of forks: nothing of it has begun to work here.
background_loop._FORK_WARNED = True
