"""Where an adaptation stands, and its checkpoint: all that is needed to go on as if it had never stopped."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.files import write_atomic
from histoseek.training.text.corpus import Corpus
from histoseek.training.text.settings import AdaptSettings

FORMAT = 1
_DIGEST = 32
_FREE = ("device", "checkpoint_steps", "blend")
"""Settings that may change on the way: they decide how it is computed, or what is made of it in the end."""


@dataclass(frozen=True, slots=True)
class AdaptIdentity:
    """Hashes of what an adaptation is: resumed must be what was begun."""

    settings: str
    texts: str
    vocabulary: str
    text_encoder: str


@dataclass(frozen=True, slots=True)
class AdaptEpoch:
    """One epoch (0: before training): mean training loss (None for 0), validation loss, seconds since the start."""

    epoch: int
    step: int
    train_loss: float | None
    validation_loss: float
    seconds: float


@dataclass(slots=True)
class AdaptProgress:
    """In `epoch` (from 1), after `step` of its steps, whose losses add up in loss_sum; best_weights: the trained
    tensors of the epoch with the lowest validation loss, empty while that is epoch 0."""

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    rows: list[AdaptEpoch] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def close_epoch(self, row: AdaptEpoch, weights: Mapping[str, Tensor]) -> None:
        """Note an epoch, keep its weights when it is the best so far, and go on to the next."""
        if row.validation_loss < self.rows[self.best_epoch].validation_loss:
            self.best_epoch, self.best_weights = row.epoch, dict(weights)
        self.rows.append(row)
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0

    @property
    def epochs_without_gain(self) -> int:
        """Epochs since the best one."""
        return self.epoch - 1 - self.best_epoch


def adapt_identity(settings: AdaptSettings, corpus: Corpus, vocabulary: str, text_encoder: str) -> AdaptIdentity:
    """The identity of an adaptation; texts enter as one hash."""
    chosen = {name: value for name, value in asdict(settings).items() if name not in _FREE}
    cases = json.dumps([text.group for text in corpus.texts])
    hashed = [hashlib.sha256(part.encode()).hexdigest()[:16] for part in (json.dumps(chosen), corpus.sha256 + cases)]
    return AdaptIdentity(hashed[0], hashed[1], vocabulary, text_encoder)


def save_adapt_checkpoint(
    path: Path, identity: AdaptIdentity, trained: Mapping[str, Tensor], optimizer: Optimizer, progress: AdaptProgress
) -> None:
    """Write a checkpoint, whole or not at all."""
    plain = {one.name: getattr(progress, one.name) for one in fields(progress)}
    content = {
        "format": FORMAT,
        "identity": asdict(identity),
        "model": dict(trained),
        "optimizer": optimizer.state_dict(),
        "progress": {**plain, "rows": [asdict(row) for row in progress.rows]},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    write_atomic(path, hashlib.sha256(data).digest() + data)


def load_adapt_checkpoint(
    path: Path, identity: AdaptIdentity, model: nn.Module, optimizer: Optimizer
) -> AdaptProgress | None:
    """Put model and optimizer back where a checkpoint left them; None when there is no checkpoint.

    Raises ConfigurationError when it is of another adaptation, EncoderError when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = _checked(path.read_bytes())
        made, version = AdaptIdentity(**content["identity"]), content["format"]
        plain = content["progress"]
        progress = AdaptProgress(**{**plain, "rows": [AdaptEpoch(**row) for row in plain["rows"]]})
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise EncoderError(str(path), "not a readable checkpoint", "Remove it to start over") from error
    other = [name.replace("_", " ") for name, value in asdict(identity).items() if getattr(made, name) != value]
    if other or version != FORMAT:
        what = f"the checkpoint there was made with other {' and '.join(other) or 'format'}"
        raise ConfigurationError(str(path), what, "Use the same to go on, or remove it to start over")
    model.load_state_dict(content["model"], strict=False)
    optimizer.load_state_dict(content["optimizer"])
    return progress


def write_adapt_log(rows: Sequence[AdaptEpoch], path: Path) -> None:
    """Write all epochs so far as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([one.name for one in fields(AdaptEpoch)])
    table.writerows(["" if value is None else f"{value:.6g}" for value in asdict(row).values()] for row in rows)
    write_atomic(path, text.getvalue().encode())


def _checked(data: bytes) -> dict[str, Any]:
    digest, data = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("the checksum differs")
    content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return content
