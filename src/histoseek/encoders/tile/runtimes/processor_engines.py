"""Engines that compute a prepared model on the processor: ONNX Runtime and OpenVINO.

Each run takes one thread, and as many run at once as there are threads: tiles are independent, and threads that share
one tile's layers wait for each other at every layer, longest on a machine with other work.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from histoseek.encoders.devices import import_onnxruntime, load_openvino, thread_count
from histoseek.encoders.tile.runtimes.model import Floats, Pixels, Precision, read_resident_bytes
from histoseek.errors import EncoderError
from histoseek.settings import Settings

_MOST = 8
"""Tiles in one run: more are no faster on a processor and take more memory."""

_DAMAGED = ("a damaged prepared model", "Delete the file: it is made anew")


class OnnxEngine:
    """ONNX Runtime; int8 where the prepared model is in it."""

    most = _MOST

    def __init__(self, graph: Path, precision: Precision, settings: Settings) -> None:
        ort = import_onnxruntime()
        self.name = f"onnx {precision}"
        self.parallel = thread_count(settings)
        self.batch_memory_bytes = settings.batch_memory_mb * 2**20
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library's errors share no class
            raise EncoderError(str(graph), *_DAMAGED) from error

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
        core = load_openvino()
        self.name = f"openvino {precision}"
        self.parallel = thread_count(settings)
        self.batch_memory_bytes = settings.batch_memory_mb * 2**20
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": self.parallel,
            "NUM_STREAMS": self.parallel,
        }
        try:
            self._model = core.compile_model(str(graph), "CPU", options)
        except Exception as error:  # the library's errors share no class
            raise EncoderError(str(graph), *_DAMAGED) from error
        self._of_thread = threading.local()

    def run(self, pixels: Pixels) -> Floats:
        """Features [B, D] of pixels [B, S, S, 3]."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        request = self._of_thread.request
        request.infer([np.ascontiguousarray(pixels)], share_inputs=True)
        return np.array(request.get_output_tensor(0).data, np.float32)

    def take_memory(self) -> int:
        """Bytes of this process."""
        return read_resident_bytes()
