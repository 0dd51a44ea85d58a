"""Where models compute, and with how many threads, as the settings say; shared by all kinds of encoders."""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError
from histoseek.settings import Settings

if TYPE_CHECKING:
    import torch


_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime, told to send its makers nothing: by default it notes each start, and sends the notes."""
    os.environ[_NO_TELEMETRY] = "1"
    import onnxruntime

    return onnxruntime


def thread_count(settings: Settings) -> int:
    """Threads to compute with: as set, else the cores this process may use."""
    return settings.threads or len(os.sched_getaffinity(0))


def prepare_torch(settings: Settings) -> torch.device:
    """Torch's device, with the number of its threads set; raises ConfigurationError without the GPU that is set."""
    import torch

    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("HISTOSEEK_DEVICE=cuda", "torch finds no GPU", "Use HISTOSEEK_DEVICE=cpu")
    torch.set_num_threads(thread_count(settings))
    return torch.device(settings.device)
