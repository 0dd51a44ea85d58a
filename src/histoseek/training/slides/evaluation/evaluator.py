"""What a model makes of a part of the pairs: its losses and recalls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoseek.training.compute import Compute, mix_seed
from histoseek.training.pairs import TrainingPair
from histoseek.training.recall_at_k import RecallAtK, recalls
from histoseek.training.slides.data.loader import BagLoader, move_bags
from histoseek.training.slides.data.sampling import EVALUATION
from histoseek.training.slides.data.targets import ReportTargets
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.learner import Learner, UnreadPairs
from histoseek.training.slides.learning.losses import alike_pairs, contrastive_loss
from histoseek.training.slides.learning.model import SlideTextModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartScore:
    """Losses of all pairs of a part as one batch, unweighted, by name, and recalls."""

    losses: Mapping[str, float]
    recalls: tuple[RecallAtK, ...]


class Evaluator:
    """Scores parts with the tiles of one fixed draw, `chunk` slides or reports at a time."""

    def __init__(self, loader: BagLoader, targets: ReportTargets, world: World, compute: Compute, seed: int) -> None:
        self._loader = loader
        self._targets = targets
        self._world = world
        self._compute = compute
        self._seed = seed

    @torch.no_grad()
    def score(self, learner: Learner, pairs: Sequence[TrainingPair], chunk: int) -> PartScore:
        """The score of some pairs; every process embeds its share, and all get the same score."""
        learner.train(False)
        slides, texts, sums = self._embed(learner, pairs, chunk)
        contrastive = contrastive_loss(slides, texts, learner.model.logit_scale, _find_alike(pairs, slides.device))
        values = (float(contrastive), *(float(loss) for loss in sums / len(pairs)))
        measured = recalls(slides.cpu().numpy(), texts.cpu().numpy(), pairs, self._seed)
        return PartScore(dict(zip(learner.names, values, strict=True)), measured)

    @torch.no_grad()
    def embed_reports(self, model: SlideTextModel, pairs: Sequence[TrainingPair], chunk: int) -> NDArray[np.float32]:
        """Report vectors [n, T] of length one by the text tower alone, as it stands in the model; equal texts are read
        once."""
        model.eval()
        reports = {pair.text_key: pair.report for pair in pairs}
        part = list(reports.values())[self._world.share(len(reports))]
        rows = [torch.empty(0, model.text_model.card.dimension, device=self._compute.device)]
        for texts in _chunks(part, chunk):
            with self._compute.autocast():
                vectors = model.text_model(model.text_model.tokens(texts)).float()
            rows.append(torch.nn.functional.normalize(vectors, dim=-1))
        row = {key: i for i, key in enumerate(reports)}
        gathered = self._world.gather(torch.cat(rows))[[row[pair.text_key] for pair in pairs]]
        return np.asarray(gathered.cpu().numpy(), np.float32)

    def _embed(self, learner: Learner, pairs: Sequence[TrainingPair], chunk: int) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of slides and of reports [n, D], and the sums of the objective's losses."""
        device, begin = self._compute.device, self._world.share(len(pairs)).start
        chunks = list(_chunks(pairs[self._world.share(len(pairs))], chunk))
        empty = torch.empty(0, learner.model.architecture.dimension, device=device)
        vectors, sums = [(empty, empty)], torch.zeros(len(learner.objective.names), device=device)
        for some, bags in zip(chunks, self._loader.batches(chunks, EVALUATION), strict=True):
            reports = [pair.report for pair in some]
            unread = UnreadPairs(move_bags(bags, device), reports, self._targets.find(some), begin)
            with self._compute.autocast():
                made = learner.embed(unread, mix_seed(self._seed, 0))
                sums += learner.measure(made)
            vectors.append(made.vectors)
            begin += len(some)
        slides, texts = (self._world.gather(torch.cat(rows)) for rows in zip(*vectors, strict=True))
        return slides, texts[_find_first_of_text(pairs)], self._world.sum(sums)


def pair_codes(pairs: Sequence[TrainingPair]) -> tuple[Tensor, Tensor]:
    """Case and text codes of pairs, int64 [n] each; equal codes mean the same case or text."""
    names = ([pair.case_id for pair in pairs], [pair.text_key for pair in pairs])
    cases, texts = (torch.from_numpy(np.unique(each, return_inverse=True)[1]) for each in names)
    return cases, texts


def _find_alike(pairs: Sequence[TrainingPair], device: torch.device) -> Tensor:
    return alike_pairs(*pair_codes(pairs)).to(device)


def _find_first_of_text(pairs: Sequence[TrainingPair]) -> list[int]:
    """For each pair the first with its text: by that one's vector, equal texts tie exactly."""
    first: dict[str, int] = {}
    return [first.setdefault(pair.text_key, place) for place, pair in enumerate(pairs)]


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
