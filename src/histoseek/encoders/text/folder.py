"""A model's folder as the Hugging Face libraries lay it out; reading its facts needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import require_file_bytes
from histoseek.encoders.packaged_files import digest_file
from histoseek.encoders.text.base import Pooling
from histoseek.errors import EncoderError

_OWN = "histoseek.json"
_JSON_COPIES = 25
"""How many times its file a JSON of small values takes in memory."""

_TENSOR_COPIES = 3
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

_AGAIN = "Download the file again"
_SHORTEST_CONTEXT = 8
_LONGEST_CONTEXT = 8192
_USUAL_CONTEXT = 512
_OLD_MODES = {"cls_token": "cls", "mean_tokens": "mean"}
_PLAIN_MODULES = {"Transformer", "Pooling", "Normalize"}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder with config.json, tokenizer files and weights as safetensors, one file or several."""

    path: Path

    def check(self) -> None:
        """Raise EncoderError, naming what is missing, when a model cannot be loaded from here."""
        if not self.path.is_dir():
            raise EncoderError(str(self.path), "no such folder", "Give a folder with config.json and model.safetensors")
        if not (self.path / "config.json").is_file():
            raise EncoderError(str(self.path), "no config.json in it", "Download the whole model folder")
        if not self.weights():
            what = "no weights as .safetensors in it"
            raise EncoderError(str(self.path), what, "Pickled weights are not read: convert them to safetensors")

    def weights(self) -> list[Path]:
        """Its weights files."""
        return sorted(self.path.glob("model*.safetensors"))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """All tensors of numbers that are not whole ones, as float32; raises EncoderError for damaged weights, and
        TooLarge."""
        from safetensors import SafetensorError, deserialize

        tensors: dict[str, NDArray[np.float32]] = {}
        for path in self.weights():
            require_file_bytes(path, _TENSOR_COPIES)
            try:
                stored: list[tuple[str, dict[str, Any]]] = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
                parts = [part for part in stored if part[1]["dtype"] in _FLOATS]
                tensors |= {name: _read_floats(part) for name, part in parts}
            except (OSError, SafetensorError, ValueError) as error:
                what = f"cannot be loaded ({type(error).__name__})"
                raise EncoderError(str(self.path), what, "Download it again") from error
        return tensors

    def config(self, name: str = "config.json") -> dict[str, Any]:
        """One of its JSON files, {} where there is none; raises EncoderError for a damaged one."""
        content = self._json(name, {})
        if not isinstance(content, dict):
            raise EncoderError(str(self.path / name), "not a JSON object", _AGAIN)
        return content

    def pooling(self) -> Pooling:
        """As histoseek.json or sentence-transformers' files say, else "mean"; EncoderError for another kind."""
        self._refuse_other_modules()
        stated = self.config(_OWN).get("pooling") or _read_pooling(self.config("1_Pooling/config.json"))
        if stated not in ("mean", "cls"):
            raise EncoderError(str(self.path), f"pooling {stated!r} is not supported", "Use a model with mean or cls")
        return "mean" if stated == "mean" else "cls"

    def context_tokens(self, positions: int) -> int:
        """Most tokens to read at once, as the folder's files say, for a model with `positions` position vectors.

        Raises EncoderError when histoseek.json asks for more than those, or for what is no number of tokens.
        """
        limit = min(positions, _LONGEST_CONTEXT)
        configured = self.config(_OWN).get("context_tokens")
        stated = configured or (
            self.config("sentence_bert_config.json").get("max_seq_length")
            or self.config("tokenizer_config.json").get("model_max_length")
            or _USUAL_CONTEXT
        )
        if (
            not isinstance(stated, int | float)
            or min(stated, limit) < _SHORTEST_CONTEXT
            or (configured and configured > limit)
        ):
            what = f"a context of {stated} tokens does not fit the model"
            raise EncoderError(str(self.path), what, f"It can be {_SHORTEST_CONTEXT} to {limit}")
        return int(min(stated, limit))

    def fingerprint(self, *facts: object) -> str:
        """Hash of what decides on the vectors: weights, config, tokenizer, and `facts`; 16 hex digits."""
        files = [*self.weights(), self.path / "config.json", self.path / "tokenizer.json", self.path / "vocab.txt"]
        return hash_files(files, *facts)

    def _refuse_other_modules(self) -> None:
        modules = self._json("modules.json", [])
        try:
            kinds = {str(module["type"]).rpartition(".")[2] for module in modules}
        except (TypeError, KeyError) as error:
            raise EncoderError(str(self.path / "modules.json"), "not a list of modules", _AGAIN) from error
        if kinds - _PLAIN_MODULES:
            what = f"has parts that are not supported: {', '.join(sorted(kinds - _PLAIN_MODULES))}"
            raise EncoderError(str(self.path), what, "Use a model of transformer, pooling and normalisation only")

    def _json(self, name: str, default: object) -> Any:
        path = self.path / name
        if not path.is_file():
            return default
        try:
            require_file_bytes(path, _JSON_COPIES)
            return json.loads(path.read_bytes())
        except (OSError, RecursionError, ValueError) as error:
            raise EncoderError(str(path), "not JSON", _AGAIN) from error


def _read_floats(part: Mapping[str, Any]) -> NDArray[np.float32]:
    if part["dtype"] == "BF16":  # the upper half of a float32
        numbers = (np.frombuffer(part["data"], "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        numbers = np.frombuffer(part["data"], _FLOATS[part["dtype"]]).astype(np.float32, copy=False)
    return numbers.reshape(part["shape"])


def hash_files(files: list[Path], *facts: object) -> str:
    """SHA-256 over those of the files that exist, and over `facts`; first 16 hex digits."""
    total = hashlib.sha256(repr(facts).encode())
    for path in files:
        if path.is_file():
            total.update(bytes.fromhex(digest_file(path)))
    return total.hexdigest()[:16]


def _read_pooling(config: dict[str, Any]) -> object:
    """From both the older (one flag per mode) and the newer form of sentence-transformers' pooling file."""
    if not config:
        return "mean"
    if "pooling_mode" in config:
        return config["pooling_mode"]
    flags = {key.removeprefix("pooling_mode_"): on for key, on in config.items() if key.startswith("pooling_mode_")}
    modes = [_OLD_MODES.get(key, key) for key, on in flags.items() if on]
    return modes[0] if len(modes) == 1 else modes
