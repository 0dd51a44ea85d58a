"""The course of a training as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from histoseek.errors import MissingExtra
from histoseek.files import write_atomic
from histoseek.training.slides.history import EpochRow


def write_plot(rows: Sequence[EpochRow], best_epoch: int, path: Path) -> None:
    """Draw losses and validation recalls over the epochs (PNG); raises MissingExtra without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "train") from error
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, recalls = figure.subplots(1, 2)
    epochs = [row.epoch for row in rows]
    losses.plot(epochs, [row.train_contrastive for row in rows], marker=".", label="train")
    losses.plot(epochs, [row.validation_contrastive for row in rows], marker=".", label="validation")
    losses.set_ylabel("contrastive loss")
    recalls.plot(epochs, [row.slide_to_report_r5 for row in rows], marker=".", label="slide to report")
    recalls.plot(epochs, [row.text_to_slide_r5 for row in rows], marker=".", label="text to slide")
    recalls.plot(epochs, [row.slide_to_slide_r5 for row in rows], marker=".", label="slide to slide")
    recalls.set_ylabel("validation recall at 5")
    recalls.set_ylim(0, 1)
    for axes in (losses, recalls):
        axes.axvline(best_epoch, color="grey", linestyle=":", label="best epoch")
        axes.set_xlabel("epoch")
        axes.legend()
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    write_atomic(path, picture.getvalue())
