"""What computes a text encoder: ONNX Runtime where it can, torch elsewhere.

The ONNX file is exported once per weights and kept in the cache folder. Later runs import neither torch nor
transformers, which saves a command-line search most of its start-up time (see load_prepared).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.devices import thread_count
from histoseek.encoders.text.base import TextCard, TextEncoder
from histoseek.encoders.text.encoding import TowerEncoder, encode_in_windows
from histoseek.encoders.text.token_rows import TextTokenizer, TokenRows
from histoseek.errors import EncoderError, MissingExtra
from histoseek.files import write_atomic
from histoseek.settings import Settings, get_settings

if TYPE_CHECKING:
    from torch import Tensor

    from histoseek.encoders.text.tower import TextTower

log = logging.getLogger(__name__)


def load_prepared(
    card: TextCard, weights_hash: str, tokenizer: TextTokenizer, tower: Callable[[], TextTower]
) -> TextEncoder:
    """The encoder in the runtime that the settings ask for.

    "auto" takes ONNX Runtime (a process with MiniLM has its first vector after 0.6 s instead of 5 s), and torch when
    the export's packages are missing. Raises MissingExtra, EncoderError.
    """
    settings = get_settings()
    if settings.device == "cuda" or settings.runtime == "torch":
        return TowerEncoder(tower())
    try:
        return OnnxTextEncoder(
            card, weights_hash, tokenizer, _export_once(card, weights_hash, tower, settings), settings
        )
    except MissingExtra as error:
        if settings.runtime == "onnx" or error.package not in ("onnx", "onnxscript"):
            raise
        log.warning("%s is not installed: texts are encoded by torch, which is slow to start", error.package)
        return TowerEncoder(tower())


class OnnxTextEncoder:
    """A text encoder in ONNX Runtime on the CPU."""

    def __init__(
        self, card: TextCard, weights_hash: str, tokenizer: TextTokenizer, model: Path, settings: Settings
    ) -> None:
        import onnxruntime as ort

        self.card = card
        self.weights_hash = weights_hash
        self._tokenizer = tokenizer
        options = ort.SessionOptions()
        options.intra_op_num_threads = thread_count(settings)
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library's errors share no class
            raise EncoderError(str(model), "a damaged prepared model", "Delete the file: it is made anew") from error

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [B, dimension] of length one; raises InputError for an empty text."""
        return encode_in_windows(self.card, self._tokenizer, self._forward, texts)

    def _forward(self, rows: TokenRows) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = self._session.run(None, {"ids": rows.ids, "mask": rows.mask})[0]
        return vectors


def _export_once(card: TextCard, weights_hash: str, tower: Callable[[], TextTower], settings: Settings) -> Path:
    path = settings.cache_dir / "onnx" / f"{card.name}-{card.version}-{weights_hash}.onnx"
    if not path.is_file():
        _require_exporter()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, _export(tower()))
        except OSError as error:
            advice = "Set HISTOSEEK_CACHE_DIR to a folder that can be written"
            raise EncoderError(str(path), "cannot keep the prepared model there", advice) from error
    return path


def _require_exporter() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "torch") from error


def _export(tower: TextTower) -> bytes:
    import torch

    from histoseek.encoders.text.tower import Tokens

    class OfTensors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = tower

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            vectors: Tensor = self.tower(Tokens(ids, mask))
            return vectors

    sizes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=tower.card.context_tokens)}
    example = (torch.ones((2, 8), dtype=torch.int64), torch.ones((2, 8), dtype=torch.bool))
    with _silence_exporter():
        program = torch.onnx.export(
            OfTensors().eval(),
            example,
            input_names=["ids", "mask"],
            output_names=["vectors"],
            dynamic_shapes=(sizes, sizes),
            dynamo=True,
            verbose=False,
        )
    data: bytes = program.model_proto.SerializeToString()
    return data


@contextmanager
def _silence_exporter() -> Iterator[None]:
    """Without the exporter's warnings, which users can do nothing about."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
