"""Checkpoints: all that a training needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic

import torch
from torch import Tensor

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.files import write_atomic
from histoseek.training.progress import E, Progress

FORMAT = 4
_DIGEST = 32

Identity = Mapping[str, str]
"""What a training is, part by part, mostly as hashes: resumed must be what was begun."""


@dataclass(frozen=True, slots=True)
class Checkpoint(Generic[E]):
    """A training between two steps: what it is, the trained tensors, the optimizer's state, and where it stands."""

    identity: Identity
    tensors: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    progress: Progress[E]


def hash_parts(content: object) -> str:
    """Hash of what can be written as JSON, for an identity; 16 hex digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def save_checkpoint(checkpoint: Checkpoint[E], path: Path) -> None:
    """Write a checkpoint, whole or not at all, as types that torch reads back with weights_only."""
    progress = {part.name: getattr(checkpoint.progress, part.name) for part in fields(checkpoint.progress)}
    content = {
        "format": FORMAT,
        "identity": dict(checkpoint.identity),
        "model": dict(checkpoint.tensors),
        "optimizer": checkpoint.optimizer,
        "progress": {**progress, "rows": [asdict(row) for row in checkpoint.progress.rows]},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    write_atomic(path, hashlib.sha256(data).digest() + data)


def load_checkpoint(path: Path, identity: Identity, row_type: type[E]) -> Checkpoint[E] | None:
    """Read a checkpoint of the training with this identity; None when there is none.

    Raises ConfigurationError when it is of another training or version, EncoderError when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = _verify(path.read_bytes())
        _require_format(path, content["format"])
        stored, progress = content["identity"], content["progress"]
        rows = [row_type(**row) for row in progress["rows"]]
        checkpoint = Checkpoint(stored, content["model"], content["optimizer"], Progress(**{**progress, "rows": rows}))
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise EncoderError(str(path), "not a readable checkpoint", "Remove it to start over") from error
    _require_same(path, stored, identity)
    return checkpoint


def _verify(data: bytes) -> dict[str, Any]:
    """The content behind its checksum, which torch does not check; raises ValueError when they don't fit."""
    digest, data = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("the checksum differs")
    content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return content


def _require_format(path: Path, version: int) -> None:
    if version != FORMAT:
        what = f"the checkpoint there has format {version}, this histoseek reads {FORMAT}"
        advice = "Finish that training with the histoseek that began it, or remove the file to start over"
        raise ConfigurationError(str(path), what, advice)


def _require_same(path: Path, stored: Identity, expected: Identity) -> None:
    differing = [name.replace("_", " ") for name, value in expected.items() if stored.get(name) != value]
    if differing:
        what = f"the checkpoint there was made with other {' and '.join(differing)}"
        raise ConfigurationError(str(path), what, "Use the same to go on, or remove it to start over")
