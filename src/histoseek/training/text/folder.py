"""An adapted encoder as a folder that `minilm@` and `transformers@` load, with a card of what it was trained on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from safetensors.torch import save

from histoseek._version import __version__
from histoseek.encoders.text.folder import ModelFolder
from histoseek.encoders.text.tower import TextTower
from histoseek.errors import EncoderError
from histoseek.files import fsync_path, write_atomic
from histoseek.training.new_folder import writing_folder
from histoseek.training.text.adapt import Adaptation
from histoseek.training.text.corpus import CorpusText, ReplacedKind
from histoseek.training.text.history import AdaptEpoch
from histoseek.training.text.settings import AdaptSettings

CARD = "adaptation.json"
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt"),
    *("added_tokens.json", "spiece.model", "sentencepiece.bpe.model"),
)


@dataclass(frozen=True, slots=True)
class PartCount:
    """How many texts of how many groups of cases a part of the corpus has."""

    texts: int
    groups: int


@dataclass(frozen=True, slots=True)
class AdaptationCard:
    """What an adapted encoder says about itself: counts and hashes of the texts, never text.

    load_with: how to name it for `--text-encoder`; weights: hash as archives know it; texts_sha256: over the hashes
    of the de-identified texts; report_files_sha256: of the files they were read from; replaced: identifiers taken
    out; licence: of the weights, as the user states it; created: UTC.
    """

    load_with: str
    base_encoder: str
    base_weights: str
    weights: str
    settings: AdaptSettings
    reports: int
    train: PartCount
    validation: PartCount
    texts_sha256: str
    report_files_sha256: tuple[str, ...]
    replaced: tuple[ReplacedKind, ...]
    vocabulary: str
    best_epoch: int
    epochs: tuple[AdaptEpoch, ...]
    seconds: float
    data: str
    licence: str
    version: str
    created: str


def save_adaptation(
    adaptation: Adaptation, folder: Path, *, files_sha256: Sequence[str], data: str, licence: str
) -> AdaptationCard:
    """Write the folder, whole or not at all, and return its card.

    Raises ConfigurationError when it is not empty or cannot be written, EncoderError when the base has no tokenizer.
    """
    with writing_folder(folder) as temporary:
        return _fill(temporary, adaptation, folder, files_sha256, data, licence)


def _fill(
    temporary: Path, adaptation: Adaptation, folder: Path, files_sha256: Sequence[str], data: str, licence: str
) -> AdaptationCard:
    _write_model(adaptation.tower, temporary)
    kind = _loader(adaptation.tower)
    base = adaptation.tower.card
    weights = ModelFolder(temporary).fingerprint(base.pooling, base.context_tokens)
    card = _card(adaptation, f"{kind}@{os.path.abspath(folder)}", weights, files_sha256, data, licence)  # noqa: PTH100
    write_atomic(temporary / CARD, json.dumps(asdict(card), indent=1, allow_nan=False).encode())
    return card


def _write_model(tower: TextTower, temporary: Path) -> None:
    base = Path(str(tower.transformer.name_or_path))
    copied = [name for name in _TOKENIZER_FILES if (base / name).is_file()]
    if not copied:
        raise EncoderError(str(base), "no tokenizer files in it", "Add the model's tokenizer.json")
    for name in copied:
        shutil.copyfile(base / name, temporary / name)
    tower.transformer.config.save_pretrained(temporary)
    tensors = {name: value.contiguous() for name, value in tower.transformer.state_dict().items()}
    write_atomic(temporary / "model.safetensors", save(tensors, {"format": "pt"}))
    facts = {"pooling": tower.card.pooling, "context_tokens": tower.card.context_tokens}
    write_atomic(temporary / "histoseek.json", json.dumps(facts).encode())
    for path in temporary.iterdir():
        fsync_path(path)


def _loader(tower: TextTower) -> str:
    """MiniLM's own loader also has the ONNX runtime, which starts much faster."""
    return "minilm" if tower.card.name == "minilm" else "transformers"


def _card(
    adaptation: Adaptation, load_with: str, weights: str, files_sha256: Sequence[str], data: str, licence: str
) -> AdaptationCard:
    corpus, split = adaptation.corpus, adaptation.split
    return AdaptationCard(
        load_with=load_with,
        base_encoder=adaptation.text_encoder,
        base_weights=adaptation.base_weights,
        weights=weights,
        settings=adaptation.settings,
        reports=corpus.reports,
        train=_count(split.train),
        validation=_count(split.validation),
        texts_sha256=corpus.sha256,
        report_files_sha256=tuple(sorted(files_sha256)),
        replaced=corpus.replaced,
        vocabulary=adaptation.vocabulary,
        best_epoch=adaptation.best_epoch,
        epochs=adaptation.epochs,
        seconds=round(adaptation.seconds, 1),
        data=data,
        licence=licence,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _count(texts: Sequence[CorpusText]) -> PartCount:
    return PartCount(len(texts), len({text.group for text in texts}))
