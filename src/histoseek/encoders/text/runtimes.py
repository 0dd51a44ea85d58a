"""What computes a text encoder: OpenVINO or ONNX Runtime where they can, torch elsewhere.

The ONNX file is made once per weights and kept in the cache folder: exported by torch, or drawn by the encoder itself.
Later runs import neither torch nor transformers, which saves a command-line search most of its start-up time (see
load_prepared).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.devices import computes_bfloat16, has_openvino, thread_count
from histoseek.encoders.text.base import Reading, TextCard, TextEncoder
from histoseek.encoders.text.encoding import Batches, TowerEncoder, encode_in_windows, read_apart, read_passages
from histoseek.encoders.text.engines import Engine, OnnxEngine, OpenVinoEngine
from histoseek.encoders.token_rows import TextTokenizer
from histoseek.errors import EncoderError, MissingExtra
from histoseek.files import write_atomic
from histoseek.settings import Settings, get_settings

if TYPE_CHECKING:
    from torch import Tensor

    from histoseek.encoders.text.tower import TextTower

log = logging.getLogger(__name__)

VECTORS, STATES = "vectors", "states"
"""The outputs of an exported model: one vector for each text, and one for each token."""

_GRAPH = 2
"""Counts up whenever models are exported differently."""


def load_prepared(
    card: TextCard,
    weights_hash: str,
    tokenizer: TextTokenizer,
    tower: Callable[[], TextTower],
    graph: Callable[[], bytes] | None = None,
) -> TextEncoder:
    """The encoder in the runtime that the settings ask for.

    graph: gives the ONNX model, from `ids` and `mask` to VECTORS and STATES, without torch, where that is known.
    "auto" takes OpenVINO where it is installed and the processor computes in bfloat16 (cosines to float32 are above
    .999, so archives may mix them), else ONNX Runtime (a process with MiniLM has its first vector after 0.6 s instead
    of 5 s), and torch when the export's packages are missing. Raises MissingExtra, EncoderError.
    """
    settings = get_settings()
    if settings.has_gpu or settings.runtime == "torch":
        return TowerEncoder(tower())
    try:
        model = _prepare_once(card, weights_hash, graph or (lambda: _export(tower)), settings)
    except MissingExtra as error:
        if settings.runtime != "auto" or error.package not in ("onnx", "onnxscript"):
            raise
        log.warning("%s is not installed: texts are encoded by torch, which is slow to start", error.package)
        return TowerEncoder(tower())
    return PreparedTextEncoder(card, weights_hash, tokenizer, _choose_engine(settings)(model, settings), settings)


def _choose_engine(settings: Settings) -> Callable[[Path, Settings], Engine]:
    if settings.runtime == "openvino" or (settings.runtime == "auto" and has_openvino() and computes_bfloat16()):
        return OpenVinoEngine
    return OnnxEngine


class PreparedTextEncoder:
    """A text encoder whose model was exported, in an engine on the CPU."""

    def __init__(
        self, card: TextCard, weights_hash: str, tokenizer: TextTokenizer, engine: Engine, settings: Settings
    ) -> None:
        self.card = card
        self.weights_hash = weights_hash
        self.engine = engine.name
        self._tokenizer = tokenizer
        self._vectors = Batches(partial(engine.run, output=VECTORS), thread_count(settings))
        self._states = Batches(partial(engine.run, output=STATES), thread_count(settings))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [B, dimension] of length one; raises InputError for an empty text."""
        return encode_in_windows(self.card, self._tokenizer, self._vectors, texts)

    def read(self, texts: Sequence[Sequence[str]]) -> list[Reading]:
        """Vectors of texts and of their passages; raises InputError for a text without words."""
        if self.card.pooling != "mean":
            return read_apart(self.encode, texts)
        return read_passages(self.card, self._tokenizer, self.encode, self._states, texts)


def _prepare_once(card: TextCard, weights_hash: str, graph: Callable[[], bytes], settings: Settings) -> Path:
    path = settings.cache_dir / "onnx" / f"{card.name}-{card.version}-{weights_hash}-{_GRAPH}.onnx"
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, graph())
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


def _export(make_tower: Callable[[], TextTower]) -> bytes:
    _require_exporter()
    import torch

    from histoseek.encoders.text.tower import Tokens

    tower = make_tower()

    class TensorTower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = tower

        def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            states = self.tower.states(Tokens(ids, mask))
            return self.tower.pool(states, mask), states

    # Fused attention is exported with a test for rows that attend to nothing, a fifth of all time; there are none here.
    tower.transformer.set_attn_implementation("eager")
    sizes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=tower.card.context_tokens)}
    example = (torch.ones((2, 8), dtype=torch.int64), torch.ones((2, 8), dtype=torch.bool))
    with _silence_exporter():
        program = torch.onnx.export(
            TensorTower().eval(),
            example,
            input_names=["ids", "mask"],
            output_names=[VECTORS, STATES],
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
