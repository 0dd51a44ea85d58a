"""What a model makes of a part of the pairs: its loss and recalls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoseek.training.compute import Compute
from histoseek.training.pairs import TrainingPair
from histoseek.training.recall_at_k import RecallAtK, recalls
from histoseek.training.slides.distributed import World
from histoseek.training.slides.loader import BagLoader, move_bags
from histoseek.training.slides.losses import alike_pairs, contrastive_loss, mosaic_similarity
from histoseek.training.slides.model import SlideTextModel
from histoseek.training.slides.sampling import EVALUATION

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartScore:
    """Losses of all pairs of a part as one batch, unweighted, and recalls."""

    contrastive: float
    diversity: float
    recalls: tuple[RecallAtK, ...]


class Evaluator:
    """Scores parts with the tiles of one fixed draw, `chunk` slides or reports at a time."""

    def __init__(self, loader: BagLoader, world: World, compute: Compute, seed: int) -> None:
        self._loader = loader
        self._world = world
        self._compute = compute
        self._seed = seed

    @torch.no_grad()
    def score(self, model: SlideTextModel, pairs: Sequence[TrainingPair], chunk: int) -> PartScore:
        """The score of some pairs; every process embeds its share, and all get the same score."""
        model.eval()
        slides, similarity = self._slides(model, pairs, chunk)
        texts = self._texts(model, pairs, chunk)
        alike = alike_pairs(*pair_codes(pairs)).to(slides.device)
        contrastive = float(contrastive_loss(slides, texts, model.logit_scale, alike))
        measured = recalls(slides.cpu().numpy(), texts.cpu().numpy(), pairs, self._seed)
        return PartScore(contrastive, float(similarity.mean()), measured)

    @torch.no_grad()
    def embed_reports(self, model: SlideTextModel, pairs: Sequence[TrainingPair], chunk: int) -> NDArray[np.float32]:
        """Report vectors [n, T] of length one by the text tower alone, as it stands in the model."""
        model.eval()

        def embed(texts: Sequence[str]) -> Tensor:
            return torch.nn.functional.normalize(model.text_model(model.text_model.tokens(texts)).float(), dim=-1)

        vectors = self._embed_texts(embed, model.text_model.card.dimension, pairs, chunk)
        return np.asarray(vectors.cpu().numpy(), np.float32)

    def _slides(self, model: SlideTextModel, pairs: Sequence[TrainingPair], chunk: int) -> tuple[Tensor, Tensor]:
        """Global vectors [n, D] and the mosaics' own similarity [n]."""
        part = pairs[self._world.share(len(pairs))]
        rows = [torch.empty(0, model.architecture.dimension, device=self._compute.device)]
        similarity = [torch.empty(0, device=self._compute.device)]
        for bags in self._loader.batches(list(_chunks(part, chunk)), EVALUATION):
            with self._compute.autocast():
                vectors = model.slides(move_bags(bags, self._compute.device))
            rows.append(vectors.global_vectors.float())
            similarity.append(mosaic_similarity(vectors.mosaics))
        return self._world.gather(torch.cat(rows)), self._world.gather(torch.cat(similarity))

    def _texts(self, model: SlideTextModel, pairs: Sequence[TrainingPair], chunk: int) -> Tensor:
        """Report vectors [n, D] in the space of the slides."""

        def embed(texts: Sequence[str]) -> Tensor:
            return model.texts(model.text_model.tokens(texts)).float()

        return self._embed_texts(embed, model.architecture.dimension, pairs, chunk)

    def _embed_texts(
        self, embed: Callable[[Sequence[str]], Tensor], dimension: int, pairs: Sequence[TrainingPair], chunk: int
    ) -> Tensor:
        """Vectors [n, D] of the reports; equal texts are embedded once, so that they tie exactly."""
        distinct, places = np.unique([pair.text_key for pair in pairs], return_index=True)
        reports = [pairs[place].report for place in places]
        row = {key: i for i, key in enumerate(distinct)}
        part = reports[self._world.share(len(reports))]
        rows = [torch.empty(0, dimension, device=self._compute.device)]
        for texts in _chunks(part, chunk):
            with self._compute.autocast():
                rows.append(embed(texts))
        return self._world.gather(torch.cat(rows))[[row[pair.text_key] for pair in pairs]]


def pair_codes(pairs: Sequence[TrainingPair]) -> tuple[Tensor, Tensor]:
    """Case and text codes of pairs, int64 [n] each; equal codes mean the same case or text."""
    names = ([pair.case_id for pair in pairs], [pair.text_key for pair in pairs])
    cases, texts = (torch.from_numpy(np.unique(each, return_inverse=True)[1]) for each in names)
    return cases, texts


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
