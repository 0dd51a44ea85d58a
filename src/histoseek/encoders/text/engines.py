"""Engines that compute a prepared (ONNX) text encoder on the CPU: ONNX Runtime, or OpenVINO in bfloat16.

Each run takes one thread, and as many run at once as there are threads: matrices of a few windows of text are too
small to share between threads, and threads that wait for each other are slowest on a machine with other work.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.devices import computes_bfloat16, import_onnxruntime, load_openvino, thread_count
from histoseek.encoders.token_rows import TokenRows
from histoseek.errors import EncoderError
from histoseek.settings import Settings


class Engine(Protocol):
    """Computes the vectors of token rows; `run` may be called from several threads. name: with the precision."""

    name: str

    def run(self, rows: TokenRows, output: str) -> NDArray[np.float32]:
        """One of the model's outputs for a batch."""


class OnnxEngine:
    """ONNX Runtime, in float32."""

    name = "onnxruntime float32"

    def __init__(self, model: Path, settings: Settings) -> None:
        """settings: unused, since each run takes one thread."""
        ort = import_onnxruntime()

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library's errors share no class
            raise EncoderError(str(model), "a damaged prepared model", "Delete the file: it is made anew") from error

    def run(self, rows: TokenRows, output: str) -> NDArray[np.float32]:
        """One of the model's outputs for a batch."""
        values: NDArray[np.float32] = self._session.run([output], {"ids": rows.ids, "mask": rows.mask})[0]
        return values


class OpenVinoEngine:
    """OpenVINO, in bfloat16 where the processor computes in it, else in float32."""

    def __init__(self, model: Path, settings: Settings) -> None:
        core = load_openvino()
        has_bfloat16 = computes_bfloat16()
        self.name = f"openvino {'bfloat16' if has_bfloat16 else 'float32'}"
        threads = thread_count(settings)
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if has_bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
        }
        try:
            self._model = core.compile_model(str(model), "CPU", options)
        except Exception as error:  # the library's errors share no class
            raise EncoderError(str(model), "a damaged prepared model", "Delete the file: it is made anew") from error
        self._of_thread = threading.local()

    def run(self, rows: TokenRows, output: str) -> NDArray[np.float32]:
        """One of the model's outputs for a batch."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        request = self._of_thread.request
        request.infer({"ids": rows.ids, "mask": rows.mask}, share_inputs=True)
        return np.array(request.get_tensor(output).data, np.float32)
