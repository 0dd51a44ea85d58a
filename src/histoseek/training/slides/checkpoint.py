"""Checkpoints: all that a training needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.files import write_atomic
from histoseek.training.pairs import Pair
from histoseek.training.slides.history import EpochRow, Progress
from histoseek.training.slides.model import SlideTextModel
from histoseek.training.slides.settings import TrainingSettings

FORMAT = 2
_DIGEST = 32
_FREE = ("micro_batch", "device", "precision", "checkpoint_steps", "memory_mb")
"""Settings that may change on the way: they decide how it is computed, not what."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Hashes of what a training is: resumed must be what was begun."""

    settings: str
    pairs: str
    text_encoder: str


def identity_of(settings: TrainingSettings, pairs: Sequence[Pair], text_encoder: str) -> Identity:
    """The identity of a training; the pairs' reports enter as hashes, their feature files by slide id only."""
    chosen = {name: value for name, value in asdict(settings).items() if name not in _FREE}
    ids = sorted((pair.slide_id, pair.case_id, pair.patient_id, pair.diagnosis, pair.report) for pair in pairs)
    return Identity(_hash(chosen), _hash(ids), text_encoder)


def save_checkpoint(
    path: Path, identity: Identity, model: SlideTextModel, optimizer: Optimizer, progress: Progress
) -> None:
    """Write a checkpoint, whole or not at all."""
    content = {
        "format": FORMAT,
        "identity": asdict(identity),
        "model": model.trained_state(),
        "optimizer": optimizer.state_dict(),
        "progress": _plain(progress),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    write_atomic(path, hashlib.sha256(data).digest() + data)


def load_checkpoint(path: Path, identity: Identity, model: SlideTextModel, optimizer: Optimizer) -> Progress | None:
    """Put model and optimizer back where a checkpoint left them; None when there is no checkpoint.

    Raises ConfigurationError when it is of another training, EncoderError when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = _checked(path.read_bytes())
        made, version = Identity(**content["identity"]), content["format"]
        plain = content["progress"]
        progress = Progress(**{**plain, "rows": [EpochRow(**row) for row in plain["rows"]]})
        weights, steps = content["model"], content["optimizer"]
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise EncoderError(str(path), "not a readable checkpoint", "Remove it to start over") from error
    _require_same(path, made, identity, version)
    model.load_trained_state(weights)
    optimizer.load_state_dict(steps)
    return progress


def _checked(data: bytes) -> dict[str, Any]:
    """The content behind its checksum, which torch does not check; raises ValueError when they don't fit."""
    digest, data = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("the checksum differs")
    content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return content


def _require_same(path: Path, made: Identity, wanted: Identity, version: int) -> None:
    other = [name.replace("_", " ") for name, value in asdict(wanted).items() if getattr(made, name) != value]
    if version != FORMAT:
        other = [f"format ({version}, this histoseek writes {FORMAT})"]
    if other:
        what = f"the checkpoint there was made with other {' and '.join(other)}"
        raise ConfigurationError(str(path), what, "Use the same to go on, or remove it to start over")


def _plain(progress: Progress) -> dict[str, object]:
    """As types that torch reads back with weights_only."""
    plain = {name: getattr(progress, name) for name in Progress.__slots__}
    return {**plain, "rows": [asdict(row) for row in progress.rows]}


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
