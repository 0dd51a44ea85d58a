"""Where models compute, and with how many threads, as the settings say; shared by all kinds of encoders."""

from __future__ import annotations

import os
import re
import sys
import threading
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from histoseek.errors import ConfigurationError, MissingExtra
from histoseek.settings import Settings

if TYPE_CHECKING:
    import torch


_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"

_openvino_guard = threading.Lock()


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime, told to send its makers nothing: by default it notes each start, and sends the notes."""
    os.environ[_NO_TELEMETRY] = "1"
    import onnxruntime

    return onnxruntime


def import_timm() -> ModuleType:
    """timm; raises MissingExtra."""
    return _import_beside_torchvision("timm", "timm", "models")


def import_open_clip() -> ModuleType:
    """open_clip; raises MissingExtra."""
    return _import_beside_torchvision("open_clip", "open_clip_torch", "models")


def import_transformers() -> ModuleType:
    """transformers; raises MissingExtra."""
    return _import_beside_torchvision("transformers", "transformers", "text")


def _import_beside_torchvision(name: str, package: str, extra: str) -> ModuleType:
    """A library that imports torchvision, all of it or where it is installed, and computes nothing with it."""
    try:
        _declare_vision_operators()
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(error.name or package, extra) from error


@lru_cache(maxsize=1)
def _declare_vision_operators() -> Any:
    """Declare two operators that torchvision's Python part describes, if its compiled part can't be loaded.

    That is so where torch is a build for the CPU and torchvision one for CUDA (as pip gives them): the import fails
    although nothing here computes with either. Declared for as long as the process lasts.
    """
    import torch

    path = find_spec("torchvision")
    if path is None or _loads_operators(path.origin or ""):
        return None
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def _loads_operators(package: str) -> bool:
    """Whether the compiled part of the torchvision at this place fits the torch at hand."""
    import torch

    for file in Path(package).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(file)
        except OSError:
            return False
    return True


def thread_count(settings: Settings) -> int:
    """Threads to compute with: as set, else the cores this process may use."""
    return settings.threads or len(os.sched_getaffinity(0))


def prepare_torch(settings: Settings) -> torch.device:
    """Torch's (first) device, with the number of its threads set; raises ConfigurationError without the GPU that is
    set."""
    return find_torch_device(settings.devices[0], settings)


def find_torch_device(name: str, settings: Settings) -> torch.device:
    """A device by name ("cpu", "cuda", "cuda:1"), with the number of torch's threads set; raises ConfigurationError."""
    import torch

    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            found = f"{count} of them" if count else "no GPU"
            raise ConfigurationError(f"HISTOSEEK_DEVICE={name}", f"torch finds {found}", "Use HISTOSEEK_DEVICE=cpu")
    torch.set_num_threads(thread_count(settings))
    return device


def has_openvino() -> bool:
    """Whether OpenVINO is installed; it is not imported."""
    return find_spec("openvino") is not None


def load_openvino() -> Any:
    """OpenVINO's core, made once; raises MissingExtra."""
    if not has_openvino():
        raise MissingExtra("openvino", "openvino")
    with _openvino_guard:
        return _make_openvino_core()


@lru_cache(maxsize=1)
def _make_openvino_core() -> Any:
    # Its tools, which are imported along with it, could send what they are used for: they get none of that package.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    # It makes its table of types at first use: threads that do so at once wait for each other for good.
    openvino.Type.f32.to_dtype()
    return openvino.Core()


def computes_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16 (AVX512-BF16, AMX), as OpenVINO sees it; raises
    MissingExtra."""
    return "BF16" in load_openvino().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def describe_processor() -> str:
    """The processor's name and what it computes with: two of which this is equal run programs alike."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    facts = (
        re.search(rf"^(?:{key})\s*:\s*(.*)$", text, re.MULTILINE) for key in ("model name", "model", "flags|Features")
    )
    return "; ".join(fact.group(1) for fact in facts if fact)
