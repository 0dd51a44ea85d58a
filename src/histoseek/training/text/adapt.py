"""The way into adapting a text encoder to a user's reports; importing this module needs no torch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError, MissingExtra
from histoseek.progress import Reporter
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.files.document import Report
from histoseek.training.text.corpus import Corpus, CorpusSplit, build_corpus, split_corpus
from histoseek.training.text.settings import AdaptSettings

if TYPE_CHECKING:
    from torch import Tensor

    from histoseek.encoders.text.tower import TextTower
    from histoseek.training.checkpoint import Identity
    from histoseek.training.text.history import AdaptEpoch

_FREE = ("device", "checkpoint_steps", "blend")
"""Settings that may change on the way: they decide how it is computed, or what is made of it in the end."""

_PACKAGES = {"torch": "torch", "transformers": "transformers", "tokenizers": "tokenizers"}


@dataclass(frozen=True, slots=True)
class Adaptation:
    """An adapted tower and how it came about.

    text_encoder, base_weights: what it was adapted from, and the hash of its weights then; best_epoch: 0 when no
    epoch had a lower validation loss than the encoder before, which is then left as it was; seconds: of computing.
    """

    tower: TextTower
    text_encoder: str
    base_weights: str
    settings: AdaptSettings
    corpus: Corpus
    split: CorpusSplit
    vocabulary: str
    best_epoch: int
    epochs: tuple[AdaptEpoch, ...]
    seconds: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        lines = []
        if not self.best_epoch:
            lines.append("no epoch was better on the validation part: the weights are those of the plain encoder")
        elif len(self.epochs) - 1 < self.settings.epochs:
            lines.append(f"stopped early: no lower validation loss in {self.settings.patience} epochs")
        if len(self.split.train) < 200:
            lines.append(f"only {len(self.split.train)} different texts: gains may not carry over to other reports")
        return tuple(lines)


def adapt(
    reports: Sequence[Report],
    text_encoder: str,
    settings: AdaptSettings,
    vocabulary: Vocabulary,
    work: Path,
    reporter: Reporter,
) -> Adaptation:
    """Adapt the encoder `text_encoder` to reports; goes on from the checkpoint in `work` when there is one.

    Identifiers in the reports are replaced first. Raises MissingExtra; InputError for too few texts or one case;
    ConfigurationError for a checkpoint of another adaptation, an encoder with a projection or too few layers;
    UnknownEncoder, EncoderError. KeyboardInterrupt passes through, with a checkpoint left behind.
    """
    require_packages()
    corpus = build_corpus(reports, vocabulary)
    split = split_corpus(corpus, settings.validation, settings.seed)
    from histoseek.encoders.text.registry import load_tower

    tower = load_tower(text_encoder)
    _require_plain(tower, text_encoder)
    return _run(tower, text_encoder, settings, corpus, split, vocabulary, work, reporter)


def require_packages() -> None:
    """Raise MissingExtra when a package that this needs is not installed."""
    for module, package in _PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtra(package, "train") from error


def _run(
    tower: TextTower,
    text_encoder: str,
    settings: AdaptSettings,
    corpus: Corpus,
    split: CorpusSplit,
    vocabulary: Vocabulary,
    work: Path,
    reporter: Reporter,
) -> Adaptation:
    from histoseek.training.compute import choose_compute
    from histoseek.training.loop import TrainingLoop, WorkFolder
    from histoseek.training.text.draws import Drawer
    from histoseek.training.text.task import AdaptTask

    base = {name: value.detach().cpu().clone() for name, value in tower.state_dict().items()}
    encoder = f"{tower.card.name} {tower.card.version} {tower.weights_hash}"
    train, validation = (
        Drawer(part, vocabulary, settings.statements, settings.seed) for part in (split.train, split.validation)
    )
    identity = identify_adaptation(settings, corpus, vocabulary.fingerprint, encoder)
    task = AdaptTask(tower, train, validation, settings, choose_compute(settings.device))
    progress = TrainingLoop(task, settings, WorkFolder(work), identity, reporter).run()
    tower.load_state_dict({**base, **_blend(base, progress.best_weights, settings.blend)})
    return Adaptation(
        tower=tower.to("cpu").eval(),
        text_encoder=text_encoder,
        base_weights=tower.weights_hash,
        settings=settings,
        corpus=corpus,
        split=split,
        vocabulary=f"{vocabulary.version} {vocabulary.fingerprint}",
        best_epoch=progress.best_epoch,
        epochs=tuple(progress.rows),
        seconds=progress.seconds,
    )


def identify_adaptation(settings: AdaptSettings, corpus: Corpus, vocabulary: str, text_encoder: str) -> Identity:
    """What an adaptation is; texts enter as one hash."""
    from histoseek.training.checkpoint import hash_parts

    chosen = {name: value for name, value in asdict(settings).items() if name not in _FREE}
    texts = hash_parts([corpus.sha256, [text.group for text in corpus.texts]])
    parts = {"settings": hash_parts(chosen), "texts": texts, "vocabulary": vocabulary, "text_encoder": text_encoder}
    return {"kind": "texts", **parts}


def _blend(base: dict[str, Tensor], adapted: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    return {name: base[name] + share * (value - base[name]) for name, value in adapted.items()}


def _require_plain(tower: TextTower, text_encoder: str) -> None:
    if list(tower.proj.parameters()):
        what = "has a projection of its own, which a folder of the transformers library cannot hold"
        raise ConfigurationError(text_encoder, what, "Adapt minilm, or transformers@/folder")
