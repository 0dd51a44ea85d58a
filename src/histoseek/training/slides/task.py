"""What the training of a slide encoder gives to the loop: batches of pairs, their gradients, validation."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from histoseek.errors import MissingExtra
from histoseek.files import write_atomic
from histoseek.training.compute import Compute
from histoseek.training.loop import Moment, TrainingTask
from histoseek.training.progress import Progress
from histoseek.training.slides.data.loader import BagLoader
from histoseek.training.slides.data.targets import TrainingData
from histoseek.training.slides.evaluation.evaluator import Evaluator, pair_codes
from histoseek.training.slides.history import EpochRow, agree_on_row, epoch_row
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.learner import Learner
from histoseek.training.slides.learning.losses import MOST_LOGIT_SCALE
from histoseek.training.slides.learning.step import Batch, LearningStep
from histoseek.training.slides.recipes import CONTRASTIVE, find_recipe
from histoseek.training.slides.settings import TrainingSettings

_CPU_BYTES = 4 * 2**30
"""What the activations of a micro-batch may take on a CPU, unless the settings say otherwise."""


class SlideTask(TrainingTask[Batch, EpochRow]):
    """Teaches on the train part, measures on the validation part; never sees the test part."""

    row_type = EpochRow

    def __init__(
        self,
        learner: Learner,
        data: TrainingData,
        loader: BagLoader,
        settings: TrainingSettings,
        world: World,
        compute: Compute,
    ) -> None:
        self._learner, self._loader, self._targets, self._settings = learner, loader, data.targets, settings
        self._evaluator = Evaluator(loader, data.targets, world, compute, settings.seed)
        self._world = world
        self._train, self._validation = data.split.train, data.split.validation
        self._codes = pair_codes(data.split.train)
        micro_batch = choose_micro_batch(settings, world)
        self._progress = Progress[EpochRow](micro_batch)
        self._step = LearningStep(learner, world, compute, settings.seed, micro_batch)

    @property
    def steps(self) -> int:
        """Steps of an epoch; pairs that do not fill a last batch wait for another epoch's order."""
        return len(self._train) // self._settings.batch

    def parameters(self) -> list[nn.Parameter]:
        """Those of model and objective."""
        return self._learner.list_trained_parameters()

    def state(self) -> dict[str, Tensor]:
        """That of the model, under published names, and of the objective."""
        return self._learner.collect_trained_state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self._learner.load_trained_state(state)

    def resume(self, progress: Progress[EpochRow]) -> None:
        """Go on with micro-batches as small as they had become."""
        self._step.micro_batch = min(self._step.micro_batch, progress.micro_batch or self._step.micro_batch)
        progress.micro_batch = self._step.micro_batch
        self._progress = progress

    def batches(self, epoch: int, begin: int) -> Iterator[Batch]:
        """All pairs in an order of the epoch's own; of each batch this process loads its share."""
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(len(self._train))
        size = self._settings.batch
        batches = [order[at * size : (at + 1) * size] for at in range(begin, self.steps)]
        local_pairs = [[self._train[i] for i in rows[self._world.share(size)]] for rows in batches]
        for rows, pairs, bags in zip(batches, local_pairs, self._loader.batches(local_pairs, epoch), strict=True):
            codes = (code[torch.from_numpy(rows)] for code in self._codes)
            yield Batch(bags, tuple(pair.report for pair in pairs), self._targets.find(pairs), *codes)

    def backward(self, batch: Batch, step: int) -> tuple[float, ...]:
        """All losses; notes when memory ran out on the way."""
        losses = self._step.gradients(batch, step)
        if self._step.micro_batch != self._progress.micro_batch:
            self._progress.micro_batch = self._step.micro_batch
            self._progress.notes.append(
                f"memory ran out in step {step + 1}: from there on, micro-batches of {self._step.micro_batch}"
            )
        return losses

    def finish_step(self) -> None:
        """Stop the temperature at its limit and move the normalisation's statistics."""
        with torch.no_grad():
            self._learner.model.logit_scale.clamp_(max=MOST_LOGIT_SCALE)
        self._step.update_statistics()

    def measure(self, moment: Moment) -> EpochRow:
        """Losses and recalls of the validation part, the same in all processes."""
        score = self._evaluator.score(self._learner, self._validation, self._progress.micro_batch)
        scale = float(self._learner.model.logit_scale.detach().exp())
        return agree_on_row(epoch_row(moment, scale, score), self._world)

    def plot(self, progress: Progress[EpochRow], path: Path) -> None:
        """Losses and recalls over the epochs."""
        write_plot(progress.rows, progress.best_epoch, path)


def choose_micro_batch(settings: TrainingSettings, world: World) -> int:
    """The micro-batch to begin with: as set, else a process's whole share of the batch, on a CPU what is safe there.

    A GPU says when memory runs out; on a CPU the system ends the process without a word.
    """
    share = -(-settings.batch // world.size)
    slide_bytes = find_recipe(settings.model).floats_per_tile * 4 * settings.dimension * settings.tiles
    safe = max(1, _CPU_BYTES // slide_bytes) if world.device.type == "cpu" else share
    return min(settings.micro_batch or safe, share)


def write_plot(rows: Sequence[EpochRow], best_epoch: int, path: Path) -> None:
    """Draw losses and validation recalls over the epochs (PNG); raises MissingExtra without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "train") from error
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    contrast, others, recalls = figure.subplots(1, 3)
    epochs = [row.epoch for row in rows]
    for number, name in enumerate(rows[0].train):
        axes, colour, title = contrast if name == CONTRASTIVE else others, f"C{number}", name.replace("_", " ")
        axes.plot(epochs, [row.train[name] for row in rows], marker=".", color=colour, label=f"{title}, train")
        validation = [row.validation[name] for row in rows]
        axes.plot(epochs, validation, marker=".", linestyle="--", color=colour, label=f"{title}, validation")
    contrast.set_ylabel("loss between slides and reports")
    others.set_ylabel("other losses, unweighted")
    recalls.plot(epochs, [row.slide_to_report_r5 for row in rows], marker=".", label="slide to report")
    recalls.plot(epochs, [row.text_to_slide_r5 for row in rows], marker=".", label="text to slide")
    recalls.plot(epochs, [row.slide_to_slide_r5 for row in rows], marker=".", label="slide to slide")
    recalls.set_ylabel("validation recall at 5")
    recalls.set_ylim(0, 1)
    for axes in (contrast, others, recalls):
        axes.axvline(best_epoch, color="grey", linestyle=":", label="best epoch")
        axes.set_xlabel("epoch")
        axes.legend()
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    write_atomic(path, picture.getvalue())
