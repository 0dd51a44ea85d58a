"""Engines that compute a prepared model on the processor: ONNX Runtime and OpenVINO.

Each run takes one thread, and as many run at once as there are threads: tiles are independent, and threads that share
one tile's layers wait for each other at every layer, longest on a machine with other work.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from histoseek.encoders.devices import thread_count
from histoseek.encoders.prepared_models import OpenVinoModel, open_onnx_session
from histoseek.encoders.tile.runtimes.model import Floats, Pixels, Precision, read_resident_bytes
from histoseek.settings import Settings

_MOST = 8
"""Tiles in one run: more are no faster on a processor and take more memory."""


class OnnxEngine:
    """ONNX Runtime; int8 where the prepared model is in it."""

    most = _MOST

    def __init__(self, graph: Path, precision: Precision, settings: Settings) -> None:
        self.name = f"onnx {precision}"
        self.parallel = thread_count(settings)
        self.batch_memory_bytes = settings.batch_memory_mb * 2**20
        self._session = open_onnx_session(graph)

    def run(self, pixels: Pixels) -> Floats:
        """Features [B, D] of pixels [B, S, S, 3]."""
        features: Floats = self._session.run(None, {"pixels": pixels})[0]
        return features

    def take_memory(self) -> int:
        """Bytes of this process."""
        return read_resident_bytes()


class OpenVinoEngine:
    """OpenVINO, in float32 or bfloat16."""

    most = _MOST

    def __init__(self, graph: Path, precision: Precision, settings: Settings) -> None:
        self.name = f"openvino {precision}"
        self.parallel = thread_count(settings)
        self.batch_memory_bytes = settings.batch_memory_mb * 2**20
        self._model = OpenVinoModel(graph, "bf16" if precision == "bf16" else "f32", self.parallel)

    def run(self, pixels: Pixels) -> Floats:
        """Features [B, D] of pixels [B, S, S, 3]."""
        request = self._model.request
        request.infer([np.ascontiguousarray(pixels)], share_inputs=True)
        return np.array(request.get_output_tensor(0).data, np.float32)

    def take_memory(self) -> int:
        """Bytes of this process."""
        return read_resident_bytes()
