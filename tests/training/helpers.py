"""A training small enough for tests: slides of a few kinds, a text tower of a few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from histoseek.encoders.bag import Bag
from histoseek.encoders.features.feature_files import write_features
from histoseek.encoders.text.base import TextCard
from histoseek.encoders.text.tower import TextTower
from histoseek.encoders.token_rows import TokenRows
from histoseek.encoders.weights import FeatureSpace
from histoseek.progress import Reporter, SilentReporter
from histoseek.training.pairs import PairedSlides, TrainingPair
from histoseek.training.slides.data.targets import ReportTargets, TrainingData
from histoseek.training.slides.result import TrainingResult
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.slides.train import prepare_split
from histoseek.training.slides.training_session import run_training

FEATURES = 24
WORDS = ("ductal", "lobular", "papillary", "mucinous", "clear", "squamous", "benign", "atypical")
CARD = TextCard("tiny", "1", 16, 8, "mean", "tests", "none", False, "train", "always")

SMALL = TrainingSettings(
    epochs=4,
    batch=12,
    tiles=16,
    learning_rate=2e-3,
    dimension=32,
    mosaic_size=4,
    sizes={"heads": 4, "gate_dimension": 8},
    text_layers=1,
    seed=3,
    device="cpu",
    checkpoint_steps=1,
)


SMALL_FGCR = TrainingSettings(
    model="fgcr",
    epochs=2,
    batch=12,
    tiles=16,
    learning_rate=2e-3,
    dimension=16,
    mosaic_size=12,
    sizes={"depth": 2, "heads": 2, "head_dimension": 8, "mlp_dimension": 16, "scales": (4, 8)},
    text_layers=1,
    seed=3,
    device="cpu",
    checkpoint_steps=1,
)


class WordTokenizer:
    """One token a word, at most 8; special tokens are none."""

    special_ids: tuple[int, ...] = (0,)
    mask_id: int | None = None

    def first_windows(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1 + sum(word.encode()) % 97 for word in text.split()[:8]] for text in texts]

    def rows(self, windows: Sequence[Sequence[int]]) -> TokenRows:
        ids = np.zeros((len(windows), max(map(len, windows))), np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
        return TokenRows(ids, ids > 0)

    def longer_than_context(self, texts: Sequence[str]) -> int:
        return sum(len(text.split()) > 8 for text in texts)


class WordTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_hidden_layers=2)
        self.words = nn.Embedding(98, 16)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        hidden = self.words(input_ids)
        for layer in self.layers:
            hidden = hidden + layer(hidden).tanh()
        return SimpleNamespace(last_hidden_state=hidden)


def tiny_tower() -> TextTower:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TextTower(CARD, "0" * 16, WordTokenizer(), WordTransformer())


def write_pairs(
    folder: Path, patients: int = 40, slides: int = 1, tiles: int = 24, prefix: str = "s"
) -> tuple[TrainingPair, ...]:
    """Patients with slides of one of eight kinds each; a third of a slide's tiles show its kind, the rest noise."""
    rng = np.random.default_rng(5)
    kinds = rng.standard_normal((len(WORDS), FEATURES)) * 2
    pairs = []
    for patient in range(patients):
        kind = patient % len(WORDS)
        for slide in range(slides):
            name = f"{prefix}{patient:03d}-{slide}"
            features = rng.standard_normal((tiles, FEATURES))
            features[: tiles // 3] += kinds[kind]
            write_features(_bag(features.astype(np.float32)), folder / f"{name}.h5")
            report = f"{WORDS[kind]} carcinoma"
            pairs.append(TrainingPair(name, f"c{patient:03d}", f"p{patient:03d}", report, folder / f"{name}.h5"))
    return tuple(pairs)


def slides_of(pairs: Sequence[TrainingPair]) -> PairedSlides:
    return PairedSlides(tuple(pairs), FeatureSpace("test"))


def train_small(
    pairs: Sequence[TrainingPair],
    work: Path,
    reporter: Reporter | None = None,
    base: TrainingSettings = SMALL,
    tower: TextTower | None = None,
    **changes: object,
) -> TrainingResult:
    settings = replace(base, **changes)
    split = prepare_split(pairs, settings)
    data = TrainingData(split, ReportTargets.from_split(split, settings))
    return run_training(data, tower or tiny_tower(), settings, work, reporter or SilentReporter())


class InterruptingReporter:
    """Raises KeyboardInterrupt, as Ctrl-C would, after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def expect(self, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def advance(self, items: int = 1) -> None:
        if items == 1:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        yield self


def _bag(features: np.ndarray) -> Bag:
    count = len(features)
    side = int(np.ceil(np.sqrt(count)))
    coords = np.stack([np.arange(count) % side, np.arange(count) // side], 1).astype(np.int32) * 256
    return Bag(features, coords, np.ones(count, np.float32), 256, 0.5, "test")
