"""Prepared models: ONNX files in the cache folder, drawn by the encoder itself or exported by torch, and their int8.

Each takes RGB tiles as uint8 [B, S, S, 3] and normalises inside the graph. Those of more than 2 GB have their weights
in a second file beside them, as ONNX wants it.
"""

from __future__ import annotations

import logging
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.devices import import_onnxruntime
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.runtimes.model import Model
from histoseek.errors import EncoderError, MissingExtra
from histoseek.files import write_atomic

if TYPE_CHECKING:
    from torch import Tensor, nn

_LARGEST_FILE = 2**31 - 2**24
"""Bytes of weights that an ONNX file may hold itself, less room for the rest."""

_QUANTISED = ["MatMul", "Gemm"]
"""Convolutions stay in float32: ONNX Runtime computes them slower in int8 (benchmarks/RESULTS.md)."""


def has_graph(model: Model, cache: Path) -> bool:
    """Whether there is a prepared model, or what it takes to make one."""
    if model.graph is not None or _path_of(model, cache, "").is_file():
        return True
    return all(find_spec(package) is not None for package in ("onnx", "onnxscript", "torch"))


def prepare_graph(model: Model, cache: Path) -> Path:
    """The ONNX file of a model, made if it isn't there; raises MissingExtra, EncoderError."""
    return _make_once(_path_of(model, cache, ""), lambda path: _write_graph(model, path))


def prepare_int8(model: Model, cache: Path) -> Path:
    """The same with its matrix products in int8; raises EncoderError for a network that has none to speak of."""
    exact = prepare_graph(model, cache)
    return _make_once(_path_of(model, cache, "-int8"), lambda path: quantise(exact, path, model.card.name))


def quantise(exact: Path, path: Path, name: str) -> None:
    """Write a model in int8: weights of matrix products per channel, what goes into them as it comes (dynamic).

    By ONNX Runtime's own tool. Weights keep seven of eight bits: processors without VNNI add two products of eight bits
    in sixteen, which would overflow there and give other vectors than elsewhere. Raises MissingExtra without `onnx`.
    """
    import_onnxruntime()
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "torch") from error
    large = exact.stat().st_size + sum(file.stat().st_size for file in exact.parent.glob(f"{exact.name}*.data"))
    with _silenced("root"):
        quantize_dynamic(
            exact,
            path,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=large > _LARGEST_FILE,
        )
    if not any("Integer" in node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node):
        path.unlink()
        raise EncoderError(name, "has no matrix products that int8 would speed up", "Use --precision float32 or auto")


def _path_of(model: Model, cache: Path, suffix: str) -> Path:
    name = model.card.name.replace(":", "-")
    return cache / "onnx" / f"{name}-{model.card.version}-{model.weights_hash}{suffix}.onnx"


def _make_once(path: Path, write: Callable[[Path], None]) -> Path:
    """A file that is written under another name first, and so is complete where it is there."""
    if not path.is_file():
        unfinished = path.with_name(f"{path.stem}-{secrets.token_hex(4)}.onnx")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(unfinished)
            unfinished.replace(path)
        except OSError as error:
            advice = "Set HISTOSEEK_CACHE_DIR to a folder that can be written"
            raise EncoderError(str(path), "cannot keep the prepared model there", advice) from error
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def _write_graph(model: Model, path: Path) -> None:
    if model.graph is not None:
        write_atomic(path, model.graph())
    else:
        _export(model.module(), model.card, path)


def add_normalisation(module: nn.Module, card: TileCard) -> nn.Module:
    """The network behind the normalisation of its card: pixels, uint8 [B, S, S, 3], to features [B, D]."""
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

    return Normalised().eval()


def _export(module: nn.Module, card: TileCard, path: Path) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", card.extra) from error
    import torch

    example = torch.zeros((2, card.preparation.input_px, card.preparation.input_px, 3), dtype=torch.uint8)
    with _silenced("torch.onnx"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            add_normalisation(module, card),
            (example,),
            input_names=["pixels"],
            output_names=["features"],
            dynamic_shapes=({0: torch.export.Dim("tiles")},),
            dynamo=True,
            verbose=False,
        )
    if sum(4 * parameter.numel() for parameter in module.parameters()) > _LARGEST_FILE:
        program.save(str(path), external_data=True)
    else:
        write_atomic(path, program.model_proto.SerializeToString())


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Without a library's advice, which users can do nothing about."""
    logger = logging.getLogger(None if name == "root" else name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
