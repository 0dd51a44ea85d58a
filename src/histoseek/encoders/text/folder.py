"""A model's folder as the Hugging Face libraries lay it out; reading its facts needs no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histoseek.encoders.text.base import Pooling
from histoseek.errors import EncoderError

_LONGEST_CONTEXT = 8192
_USUAL_CONTEXT = 512
_POOLINGS: dict[object, Pooling] = {"mean": "mean", "cls": "cls"}
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

    def config(self, name: str = "config.json") -> dict[str, Any]:
        """One of its JSON files, {} where there is none; raises EncoderError for a damaged one."""
        path = self.path / name
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise EncoderError(str(path), "not JSON", "Download the file again") from error
        if not isinstance(content, dict):
            raise EncoderError(str(path), "not a JSON object", "Download the file again")
        return content

    def pooling(self) -> Pooling:
        """As histoseek.json or sentence-transformers' files say, else "mean"; EncoderError for another kind."""
        self._refuse_other_modules()
        stated = self.config("histoseek.json").get("pooling") or _stated_pooling(self.config("1_Pooling/config.json"))
        if stated not in _POOLINGS:
            raise EncoderError(str(self.path), f"pooling {stated!r} is not supported", "Use a model with mean or cls")
        return _POOLINGS[stated]

    def context_tokens(self, positions: int) -> int:
        """Most tokens to read at once, as the folder's files say, for a model with `positions` position vectors."""
        stated = (
            self.config("histoseek.json").get("context_tokens")
            or self.config("sentence_bert_config.json").get("max_seq_length")
            or self.config("tokenizer_config.json").get("model_max_length")
            or _USUAL_CONTEXT
        )
        context = int(min(stated, positions, _LONGEST_CONTEXT))
        if context < 8:
            raise EncoderError(str(self.path), f"a context of {context} tokens", "At least 8 are needed")
        return context

    def fingerprint(self, *facts: object) -> str:
        """Hash of what decides on the vectors: weights, config, tokenizer, and `facts`; 16 hex digits."""
        files = [*self.weights(), self.path / "config.json", self.path / "tokenizer.json", self.path / "vocab.txt"]
        return fingerprint(files, *facts)

    def _refuse_other_modules(self) -> None:
        path = self.path / "modules.json"
        if not path.is_file():
            return
        kinds = {str(module["type"]).rpartition(".")[2] for module in json.loads(path.read_bytes())}
        if kinds - _PLAIN_MODULES:
            what = f"has parts that are not supported: {', '.join(sorted(kinds - _PLAIN_MODULES))}"
            raise EncoderError(str(self.path), what, "Use a model of transformer, pooling and normalisation only")


def fingerprint(files: list[Path], *facts: object) -> str:
    """SHA-256 over those of the files that exist, and over `facts`; first 16 hex digits."""
    total = hashlib.sha256(repr(facts).encode())
    for path in files:
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def _stated_pooling(config: dict[str, Any]) -> object:
    """From both the older (one flag per mode) and the newer form of sentence-transformers' pooling file."""
    if not config:
        return "mean"
    if "pooling_mode" in config:
        return config["pooling_mode"]
    modes = {
        key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token"): on
        for key, on in config.items()
        if key.startswith("pooling_mode_")
    }
    return "+".join(mode for mode, on in modes.items() if on)
