"""Prepared (ONNX) models on the processor, each run in one thread: shared by the encoders of tiles and of texts."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal

from histoseek.encoders.devices import import_onnxruntime, load_openvino
from histoseek.errors import EncoderError

_DAMAGED = ("a damaged prepared model", "Delete the file: it is made anew")


def open_onnx_session(model: Path) -> Any:
    """ONNX Runtime's session of a model; raises EncoderError for a damaged file."""
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors share no class
        raise EncoderError(str(model), *_DAMAGED) from error


class OpenVinoModel:
    """OpenVINO's model, of which each thread has a request of its own; threads: that run at once."""

    def __init__(self, model: Path, precision: Literal["bf16", "f32"], threads: int) -> None:
        """Raises EncoderError for a damaged file, MissingExtra."""
        core = load_openvino()
        options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads}
        try:
            self._model = core.compile_model(str(model), "CPU", options)
        except Exception as error:  # the library's errors share no class
            raise EncoderError(str(model), *_DAMAGED) from error
        self._of_thread = threading.local()

    @property
    def request(self) -> Any:
        """This thread's request."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        return self._of_thread.request
