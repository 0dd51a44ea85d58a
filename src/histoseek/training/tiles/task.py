"""What the adaptation of a tile encoder gives to the loop: balanced batches, their gradients, validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from histoseek.training.compute import Compute
from histoseek.training.loop import Moment, TrainingTask, require_finite
from histoseek.training.tiles.activations import Activations
from histoseek.training.tiles.cases import LabelledSlides, SlideParts
from histoseek.training.tiles.network import SplitNetwork
from histoseek.training.tiles.retrieval import average_slides, measure_precision
from histoseek.training.tiles.settings import TileAdaptSettings

Ints = NDArray[np.int64]
Vectors = NDArray[np.float32]

_LEAST_STEPS = 4
_ENCODED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class TileEpoch:
    """One epoch (0: before training): mean training loss (None for 0), MAP@5 of the validation patients, seconds."""

    epoch: int
    step: int
    train_loss: float | None
    validation_map: float
    seconds: float

    @property
    def summary(self) -> str:
        """Loss and precision in a line."""
        train = "" if self.train_loss is None else f"loss {self.train_loss:.3f}; "
        return f"epoch {self.epoch}: {train}MAP@5 of validation patients {self.validation_map:.3f}"

    def better_than(self, other: TileEpoch) -> bool:
        """By MAP@5 of the validation patients."""
        return self.validation_map > other.validation_map


@dataclass(frozen=True, slots=True)
class TileBatch:
    """Places of B tiles, and which of its views each is seen in, int64 [B]."""

    tiles: Ints
    views: Ints


class TileTask(TrainingTask[TileBatch, TileEpoch]):
    """Trains the last blocks of a network on the tiles of the train part; measures it by how well the slides of the
    validation part find those of other patients."""

    row_type = TileEpoch
    measures_start = True

    def __init__(
        self,
        network: SplitNetwork,
        activations: Activations,
        slides: LabelledSlides,
        parts: SlideParts,
        settings: TileAdaptSettings,
        compute: Compute,
    ) -> None:
        self._network, self._activations, self._slides, self._parts = network, activations, slides, parts
        self._settings, self._compute = settings, compute
        network.network.to(compute.device)
        self._trained = network.trained
        for parameter in self._trained.values():
            parameter.requires_grad_(True)
        self._tiles = np.flatnonzero(np.isin(activations.slide_of, np.array(parts.train, np.int64)))
        self._by_label = _group_by_patient(self._tiles, activations, slides)
        # What an archive subtracts before it compares: that of the encoder before, so that batches don't move it.
        self._centre = torch.from_numpy(self.encode(self._tiles).mean(axis=0)).to(compute.device)

    @property
    def steps(self) -> int:
        """Steps of an epoch: as many as see about as many tiles as there are."""
        return max(_LEAST_STEPS, -(-len(self._tiles) // self._settings.batch))

    def parameters(self) -> list[nn.Parameter]:
        """Those of the last blocks."""
        return list(self._trained.values())

    def state(self) -> dict[str, Tensor]:
        """Copies of the trained parameters on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self._trained.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self._network.network.load_state_dict(dict(state), strict=False)

    def batches(self, epoch: int, begin: int) -> Iterator[TileBatch]:
        """Drawn by seed, epoch and step alone."""
        for step in range(begin, self.steps):
            rng = np.random.default_rng([self._settings.seed, epoch, step])
            tiles = draw_balanced(self._by_label, self._settings.batch, rng)
            yield TileBatch(tiles, rng.integers(self._activations.values.shape[1], size=len(tiles)))

    def backward(self, batch: TileBatch, step: int) -> tuple[float, ...]:
        """The loss."""
        self._network.network.zero_grad(set_to_none=True)
        slides = self._activations.slide_of[batch.tiles]
        with self._compute.autocast():
            features = self._network.compute_tail(self._read(batch.tiles, batch.views))
        labels, patients = (
            torch.from_numpy(codes[slides]).to(features.device)
            for codes in (self._slides.labels, self._slides.patients)
        )
        loss = contrast_labels(features.float() - self._centre, labels, patients, self._settings.temperature)
        if not loss.requires_grad:  # a batch of one label, or of one patient each
            return (0.0,)
        loss.backward()
        value = float(loss.detach())
        require_finite((value,))
        return (value,)

    def measure(self, moment: Moment) -> TileEpoch:
        """MAP@5 of the validation patients among the slides of both parts."""
        train_loss = moment.losses[0] if moment.losses else None
        return TileEpoch(moment.epoch, moment.step, train_loss, self.measure_validation(), moment.seconds)

    def measure_validation(self) -> float:
        """Mean MAP@5 of the slides of the validation patients, who ask those of all patients but the test's."""
        database = sorted((*self._parts.train, *self._parts.validation))
        precisions = measure_precision(
            self.encode_slides(database),
            self._slides.labels,
            self._slides.patients,
            self._parts.validation,
            database,
        )
        is_known = ~np.isnan(precisions)
        return float(precisions[is_known].mean()) if is_known.any() else 0.0

    def encode_slides(self, places: Sequence[int]) -> Vectors:
        """Means of the tiles of these slides, float32 [n, D], zeros for all others."""
        tiles = np.flatnonzero(np.isin(self._activations.slide_of, np.array(places, np.int64)))
        return average_slides(self.encode(tiles), self._activations.slide_of[tiles], len(self._slides))

    def encode(self, tiles: Ints) -> Vectors:
        """Features of tiles as they are, float32 [n, D], by the weights as they are now."""
        parts = []
        with torch.inference_mode(), self._compute.autocast():
            for start in range(0, len(tiles), _ENCODED_AT_ONCE):
                batch = tiles[start : start + _ENCODED_AT_ONCE]
                features = self._network.compute_tail(self._read(batch, np.zeros(len(batch), np.int64)))
                parts.append(features.float().cpu().numpy())
        found: Vectors = np.concatenate(parts)
        return found

    def _read(self, tiles: Ints, views: Ints) -> Tensor:
        values = self._activations.values[tiles, views].astype(np.float32)
        return torch.from_numpy(values).to(self._compute.device)


def draw_balanced(by_label: Sequence[Sequence[Ints]], size: int, rng: np.random.Generator) -> Ints:
    """Tiles of a batch, as many of each label, from as many patients as there are; of many labels some are drawn.

    by_label: for each label the tiles of each of its patients.
    """
    count = min(len(by_label), max(2, size // 4))
    labels = rng.permutation(len(by_label))[:count]
    drawn = []
    for label in labels:
        patients = by_label[label]
        order = rng.permutation(len(patients))
        for slot in range(size // count):
            drawn.append(rng.choice(patients[order[slot % len(order)]]))
    return np.array(drawn, np.int64)


def contrast_labels(features: Tensor, labels: Tensor, patients: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, eq. 2) of B tiles: features [B, D], labels and patients [B].

    Tiles of one patient are neither like nor unlike: being of one block of tissue is not to be learnt. A tile without
    another patient's of its label adds nothing.
    """
    unit = functional.normalize(features, dim=1)
    is_other = patients[:, None] != patients
    is_like = (labels[:, None] == labels) & is_other
    logits = (unit @ unit.T / temperature).masked_fill(~is_other, -torch.inf)
    counts = is_like.sum(1)
    has_like = counts > 0
    if not has_like.any():
        return features.new_zeros(())
    logits, is_like, counts = logits[has_like], is_like[has_like], counts[has_like]
    likelihoods = (logits - logits.logsumexp(1, keepdim=True)).masked_fill(~is_like, 0)
    return -(likelihoods.sum(1) / counts).mean()


def _group_by_patient(tiles: Ints, activations: Activations, slides: LabelledSlides) -> list[list[Ints]]:
    labels, patients = (codes[activations.slide_of[tiles]] for codes in (slides.labels, slides.patients))
    found = []
    for label in range(len(slides.classes)):
        own = patients[labels == label]
        found.append([tiles[(labels == label) & (patients == patient)] for patient in np.unique(own)])
    return [group for group in found if group]
