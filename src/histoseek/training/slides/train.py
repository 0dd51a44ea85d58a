"""The way into training; importing this module needs no torch."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError, MissingExtra
from histoseek.files import write_atomic
from histoseek.progress import Reporter
from histoseek.training.pairs import TrainingPair, require_contrast, require_each_once
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.split import Split, split_pairs

if TYPE_CHECKING:
    from histoseek.encoders.alignment import Floats
    from histoseek.training.slides.result import TrainingResult

_PACKAGES = {"torch": "torch", "nystrom_attention": "nystrom-attention", "matplotlib": "matplotlib"}


def train(
    pairs: Sequence[TrainingPair],
    text_spec: str,
    settings: TrainingSettings,
    work: Path,
    reporter: Reporter,
    centre: Floats | None = None,
) -> TrainingResult:
    """Train on pairs with the text encoder `text_spec`; goes on from the checkpoint in `work` when there is one.

    The parts are written there as split.csv. centre: of the archive that the pairs are from, for the pooled encoder
    beside which the trained one is judged.

    Under torchrun every process calls it with the same arguments and gets the same result; `is_first_process` tells
    which should write it. Raises MissingExtra; InputError for pairs that teach nothing or cannot be split;
    ConfigurationError for settings that do not fit the pairs, or a checkpoint of another training; BadFeatureFile;
    EncoderError. KeyboardInterrupt passes through, with a checkpoint left behind.
    """
    require_packages()
    split = prepare_split(pairs, settings)
    from histoseek.encoders.text.registry import load_tower
    from histoseek.training.loop import WorkFolder
    from histoseek.training.slides.data import ReportTargets, TrainingData
    from histoseek.training.slides.training_session import run_training
    from histoseek.training.split_table import format_split

    targets = ReportTargets.from_split(split, settings)
    tower = load_tower(text_spec)
    if is_first_process():
        with WorkFolder(work).guard_writes():
            write_atomic(work / "split.csv", format_split(split).encode())
    return run_training(TrainingData(split, targets), tower, settings, work, reporter, centre)


def require_packages() -> None:
    """Raise MissingExtra when a package that training needs is not installed."""
    for module, package in _PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtra(package, "train") from error


def prepare_split(pairs: Sequence[TrainingPair], settings: TrainingSettings) -> Split:
    """The parts of a training, checked: raises InputError or ConfigurationError as `train` does."""
    require_each_once(pairs, "pairs")
    require_contrast(pairs, "pairs")
    if settings.split is not None:
        from histoseek.training.split_table import apply_split

        split = apply_split(pairs, settings.split)
    else:
        split = split_pairs(pairs, settings.seed, settings.shares)
    require_contrast(split.train, "train part")
    if settings.batch > len(split.train):
        what = f"larger than the train part of {len(split.train)} pairs"
        raise ConfigurationError(f"batch={settings.batch}", what, f"At most {len(split.train)} is possible here")
    return split


def is_first_process() -> bool:
    """Whether this is the process that writes files: always, but under torchrun only that of rank 0."""
    return os.environ.get("RANK", "0") == "0"
