"""The way into training; importing this module needs no torch."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError, MissingExtra
from histoseek.files import write_atomic
from histoseek.progress import Reporter
from histoseek.training.pairs import PairedSlides, TrainingPair, require_contrast, require_each_once
from histoseek.training.slides.settings import ALL_LAYERS, TrainingSettings
from histoseek.training.split import Split, split_pairs

if TYPE_CHECKING:
    from histoseek.encoders.text.tower import TextTower
    from histoseek.encoders.weights import Weights
    from histoseek.training.slides.data.targets import TrainingData
    from histoseek.training.slides.result import TrainingResult

SMALL_TEXT_ENCODER = "small"
"""In place of a text encoder's name: one that is made for the training, and trained from scratch."""

_PACKAGES = {"torch": "torch", "nystrom_attention": "nystrom-attention", "matplotlib": "matplotlib"}


def train(
    slides: PairedSlides,
    text_spec: str,
    settings: TrainingSettings,
    work: Path,
    reporter: Reporter,
    compared: Sequence[Weights] = (),
) -> TrainingResult:
    """Train on pairs with the text encoder `text_spec`; goes on from the checkpoint in `work` when there is one.

    The parts are written there as split.csv; the encoder of SMALL_TEXT_ENCODER, all of which is trained, goes into the
    folder beside it. compared: weights that are judged on the test part, too.

    Under torchrun every process calls it with the same arguments and gets the same result; `is_first_process` tells
    which should write it. Raises MissingExtra; InputError for pairs that teach nothing or cannot be split;
    ConfigurationError for settings or compared weights that do not fit the pairs, or a checkpoint of another training;
    BadFeatureFile; EncoderError. KeyboardInterrupt passes through, with a checkpoint left behind.
    """
    require_packages()
    split = prepare_split(slides.pairs, settings)
    from histoseek.training.loop import WorkFolder
    from histoseek.training.slides.data.targets import ReportTargets, TrainingData
    from histoseek.training.slides.evaluation.comparison import Beside
    from histoseek.training.slides.training_session import run_training
    from histoseek.training.split_table import format_split

    data = TrainingData(split, ReportTargets.from_split(split, settings))
    if text_spec == SMALL_TEXT_ENCODER:
        settings = replace(settings, text_layers=ALL_LAYERS)
    tower, spec = _load_text_encoder(text_spec, data, work.with_suffix(".text"), settings.seed)
    if is_first_process():
        with WorkFolder(work).guard_writes():
            write_atomic(work / "split.csv", format_split(split).encode())
    beside = Beside(slides.features, slides.centre, tuple(compared))
    return replace(run_training(data, tower, settings, work, reporter, beside), text_spec=spec)


def _load_text_encoder(text_spec: str, data: TrainingData, folder: Path, seed: int) -> tuple[TextTower, str]:
    """The tower to train, and what loads it: for SMALL_TEXT_ENCODER a new one in the folder."""
    from histoseek.encoders.text.registry import load_tower

    if text_spec != SMALL_TEXT_ENCODER:
        return load_tower(text_spec), text_spec
    from histoseek.training.small_text import make_small_text_encoder

    reports, patients = zip(*((pair.report, pair.patient_id) for pair in data.split.train), strict=True)
    phrases = [prompt.text for prompt in data.targets.prompts]
    if is_first_process():
        spec = make_small_text_encoder(folder, reports, patients, phrases, seed=seed)
        return load_tower(spec), spec
    with tempfile.TemporaryDirectory() as own:  # the same bytes, without waiting for the first process
        spec = make_small_text_encoder(Path(own) / "text", reports, patients, phrases, seed=seed)
        return load_tower(spec), spec


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
