"""From slides with reports to a file of trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.library import weights_path
from histoseek.encoders.weights import SUFFIX, Weights, load_weights, save_weights
from histoseek.errors import ConfigurationError, WeightsError
from histoseek.files import write_atomic
from histoseek.progress import Reporter, SilentReporter
from histoseek.training.pairs import PairedSlides
from histoseek.training.slides.card import make_weights
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.slides.train import is_first_process, train

if TYPE_CHECKING:
    from histoseek.training.slides.result import TrainingResult

UNSTATED = "not stated"


@dataclass(frozen=True, slots=True)
class TrainedEncoder:
    """Weights that were trained, where they lie, and the result of the training."""

    weights: Weights
    path: Path
    result: TrainingResult


def train_slide_encoder(
    slides: PairedSlides,
    out: Path | str,
    settings: TrainingSettings | None = None,
    text_encoder: str = "minilm",
    *,
    compare_with: Sequence[Path | str] = (),
    data: str = UNSTATED,
    licence: str = UNSTATED,
    reporter: Reporter | None = None,
) -> TrainedEncoder | None:
    """Train a slide encoder and write its weights with their card to `out`; None in all processes but the first.

    The folder beside it (`.training`) keeps the log, the split and the checkpoint: the same call continues a training
    that was interrupted. compare_with: weights of earlier trainings, files or names in the library, that are judged on
    the test part, too; data, licence: for the card. Raises ConfigurationError for a file that is there or can't be
    written, UnknownWeights, WeightsError when weights can't be read, or can't be saved in the end, and what `train`
    raises.
    """
    path = _prepare_path(Path(out))
    work = path.with_suffix(".training")
    settings = settings or TrainingSettings()
    compared = [load_weights(weights_path(str(spec))) for spec in compare_with]
    result = train(slides, text_encoder, settings, work, reporter or SilentReporter(), compared)
    if not is_first_process():
        return None
    weights = make_weights(result, path.stem, result.text_spec, slides.features, data=data, licence=licence)
    try:
        save_weights(weights, path)
    except OSError as error:
        advice = "Choose another place for it; the training itself is kept"
        raise WeightsError(path, error.strerror or "cannot be written", advice) from error
    return TrainedEncoder(weights, path, result)


def _prepare_path(out: Path) -> Path:
    """The file of the weights; raises ConfigurationError, before hours are spent, where it can't be written."""
    path = out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)
    if path.exists():
        raise ConfigurationError(f"--out {path}", "already exists", "Choose another name, or move it away")
    try:
        path.with_suffix(".training").mkdir(parents=True, exist_ok=True)
        write_atomic(path.with_suffix(".training") / ".writable", b"")
    except OSError as error:
        raise ConfigurationError(
            f"--out {path}", error.strerror or "cannot be written", "Choose another place"
        ) from error
    (path.with_suffix(".training") / ".writable").unlink(missing_ok=True)
    return path
