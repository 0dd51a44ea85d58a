"""What computes a tile encoder: ONNX Runtime where it can, torch elsewhere.

Both take RGB tiles as uint8 [B, S, S, 3] and normalise inside the graph. The ONNX file is made once per weights and
kept in the cache folder: exported by torch, which later runs then do without, or drawn by the encoder itself.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.devices import import_onnxruntime, prepare_torch, thread_count
from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.encoders.tile.preparation import prepare_pixels
from histoseek.errors import EncoderError, MissingExtra
from histoseek.files import write_atomic
from histoseek.settings import Settings, get_settings

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)


def load_prepared(
    card: TileCard, weights_hash: str, module: Callable[[], nn.Module], graph: Callable[[], bytes] | None = None
) -> TileEncoder:
    """The encoder in the runtime that the settings ask for; `module` maps normalised [B, 3, S, S] to [B, D].

    graph: gives the ONNX model of pixels, uint8 [B, S, S, 3], to features [B, D] without torch, where that is known.
    "auto" takes ONNX Runtime (8 times torch's rate for lite0 on a CPU, see benchmarks/RESULTS.md) and falls back to
    torch when the export's packages are missing.
    """
    settings = get_settings()
    if settings.device == "cuda" or settings.runtime == "torch":
        return TorchEncoder(card, weights_hash, module(), settings)
    try:
        model = _prepare_once(card, weights_hash, graph or (lambda: _export(module(), card)), settings.cache_dir)
        return OnnxEncoder(card, weights_hash, model, settings)
    except MissingExtra as error:
        if settings.runtime == "onnx" or error.package not in ("onnx", "onnxscript"):
            raise
        log.warning("%s is not installed: tiles are encoded by torch, which is slower", error.package)
        return TorchEncoder(card, weights_hash, module(), settings)


class OnnxEncoder:
    """A tile encoder in ONNX Runtime on the CPU."""

    runtime = "onnx"

    def __init__(self, card: TileCard, weights_hash: str, model: Path, settings: Settings) -> None:
        ort = import_onnxruntime()
        self.card = card
        self.weights_hash = weights_hash
        options = ort.SessionOptions()
        options.intra_op_num_threads = thread_count(settings)
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [B, D] of tiles [B, S, S, 3]."""
        pixels = prepare_pixels(pixels, self.card.preparation)
        features: NDArray[np.float32] = self._session.run(None, {"pixels": pixels})[0]
        return features


class TorchEncoder:
    """A tile encoder in torch, on the CPU or a GPU."""

    runtime = "torch"

    def __init__(self, card: TileCard, weights_hash: str, module: nn.Module, settings: Settings) -> None:
        import torch

        self.card = card
        self.weights_hash = weights_hash
        self._device = prepare_torch(settings)
        prepared = _add_normalisation(module, card).eval().to(self._device)
        self._module = prepared.to(memory_format=torch.channels_last)

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [B, D] of tiles [B, S, S, 3]."""
        import torch

        pixels = prepare_pixels(pixels, self.card.preparation)
        with torch.inference_mode():
            features: Tensor = self._module(torch.from_numpy(pixels).to(self._device))
        return features.float().cpu().numpy()


def _add_normalisation(module: nn.Module, card: TileCard) -> nn.Module:
    import torch

    class Normalised(torch.nn.Module):
        scale: Tensor
        shift: Tensor

        def __init__(self) -> None:
            super().__init__()
            mean, std = torch.tensor(card.preparation.mean), torch.tensor(card.preparation.std)
            self.register_buffer("scale", (1 / (255 * std)).view(1, 3, 1, 1))
            self.register_buffer("shift", (-mean / std).view(1, 3, 1, 1))
            self.inner = module

        def forward(self, pixels: Tensor) -> Tensor:
            features: Tensor = self.inner(pixels.permute(0, 3, 1, 2).float() * self.scale + self.shift)
            return features

    return Normalised()


def _prepare_once(card: TileCard, weights_hash: str, graph: Callable[[], bytes], cache: Path) -> Path:
    path = cache / "onnx" / f"{card.name.replace(':', '-')}-{card.version}-{weights_hash}.onnx"
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, graph())
        except OSError as error:
            advice = "Set HISTOSEEK_CACHE_DIR to a folder that can be written"
            raise EncoderError(str(path), "cannot keep the prepared model there", advice) from error
    return path


def _export(module: nn.Module, card: TileCard) -> bytes:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", card.extra) from error
    import torch

    prepared = _add_normalisation(module, card).eval()
    example = torch.zeros((2, card.preparation.input_px, card.preparation.input_px, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            prepared,
            (example,),
            input_names=["pixels"],
            output_names=["features"],
            dynamic_shapes=({0: torch.export.Dim("tiles")},),
            dynamo=True,
            verbose=False,
        )
    data: bytes = program.model_proto.SerializeToString()
    return data
