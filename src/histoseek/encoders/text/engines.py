"""Engines that compute a prepared (ONNX) text encoder on the CPU: ONNX Runtime, or OpenVINO in bfloat16.

Each run takes one thread, and as many run at once as there are threads: matrices of a few windows of text are too
small to share between threads, and threads that wait for each other are slowest on a machine with other work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.devices import computes_bfloat16, thread_count
from histoseek.encoders.prepared_models import OpenVinoModel, open_onnx_session
from histoseek.encoders.token_rows import TokenRows
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
        self._session = open_onnx_session(model)

    def run(self, rows: TokenRows, output: str) -> NDArray[np.float32]:
        """One of the model's outputs for a batch."""
        values: NDArray[np.float32] = self._session.run([output], {"ids": rows.ids, "mask": rows.mask})[0]
        return values


class OpenVinoEngine:
    """OpenVINO, in bfloat16 where the processor computes in it, else in float32."""

    def __init__(self, model: Path, settings: Settings) -> None:
        has_bfloat16 = computes_bfloat16()
        self.name = f"openvino {'bfloat16' if has_bfloat16 else 'float32'}"
        self._model = OpenVinoModel(model, "bf16" if has_bfloat16 else "f32", thread_count(settings))

    def run(self, rows: TokenRows, output: str) -> NDArray[np.float32]:
        """One of the model's outputs for a batch."""
        request = self._model.request
        request.infer({"ids": rows.ids, "mask": rows.mask}, share_inputs=True)
        return np.array(request.get_tensor(output).data, np.float32)
