"""`histoseek train`: teach a slide encoder from slide-report pairs."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from histoseek.cli.align import print_recalls
from histoseek.cli.options import JsonOption
from histoseek.errors import ConfigurationError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoseek.encoders.weights import FeatureSpace, Weights
    from histoseek.training.pairs import TrainingPair
    from histoseek.training.slides.result import TrainingResult
    from histoseek.training.slides.settings import TrainingSettings

_UNKNOWN = "unknown"


def train(
    out: Annotated[Path, typer.Option(help="Where the weights go: FILE.safetensors, with a card beside it.")],
    archive: Annotated[Path | None, typer.Option(help="Train on the slides and reports of this archive.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="CSV with slide_id, report, and perhaps patient_id.")] = None,
    features: Annotated[Path | None, typer.Option(help="Folder of feature files for --pairs.")] = None,
    features_encoder: Annotated[str, typer.Option(help="What made the feature files.")] = _UNKNOWN,
    visible: Annotated[bool, typer.Option("--visible", help="Train on what a slide can show of each report.")] = False,
    slide_encoder: Annotated[str, typer.Option(help="Family of the slide encoder.")] = "pathsearch",
    text_encoder: Annotated[str, typer.Option(help="Text encoder to begin with.")] = "minilm",
    text_layers: Annotated[int, typer.Option(help="Last layers of it that are trained.")] = 3,
    epochs: Annotated[int, typer.Option(help="Most epochs.")] = 200,
    batch: Annotated[int, typer.Option(help="Pairs a step, over all processes.")] = 256,
    micro_batch: Annotated[int, typer.Option(help="Most pairs a pass [what fits].")] = 0,
    tiles: Annotated[int, typer.Option(help="Tiles drawn from a slide in a step.")] = 512,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 8e-5,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.")] = 0.05,
    dropout: Annotated[float, typer.Option(help="In the slide encoder.")] = 0.1,
    diversity: Annotated[float, typer.Option(help="Weight of the mosaic diversity loss.")] = 1.0,
    dimension: Annotated[int, typer.Option(help="Dimension of the shared space.")] = 768,
    mosaic_size: Annotated[int, typer.Option(help="Mosaic vectors of a slide.")] = 16,
    patience: Annotated[int, typer.Option(help="Epochs without gain before it stops.")] = 20,
    seed: Annotated[int, typer.Option(help="Same seed, same result on a CPU.")] = 0,
    precision: Annotated[Literal["auto", "fp32", "bf16"], typer.Option(help="auto: bf16 on a GPU.")] = "auto",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: the GPU, if there is one.")] = "auto",
    data: Annotated[str, typer.Option(help="What the data are, for the card.")] = "not stated",
    licence: Annotated[str, typer.Option(help="The weights' licence, for the card.")] = "not stated",
    as_json: JsonOption = False,
) -> None:
    """Train a slide encoder together with the last layers of a text encoder.

    Patients are split into train, validation and test parts; the test part is used once, in the end. Can be
    interrupted; the same command continues and ends with the same weights. For several processes start it with
    `torchrun --nproc-per-node N -m histoseek train ...`.
    """
    from histoseek.training.slides.settings import TrainingSettings

    settings = TrainingSettings(
        slide_encoder=slide_encoder,
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        tiles=tiles,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        dropout=dropout,
        diversity=diversity,
        text_layers=text_layers,
        dimension=dimension,
        mosaic_size=mosaic_size,
        patience=patience,
        seed=seed,
        precision=precision,
        device=device,
    )
    found, space = _pairs(archive, pairs, features, features_encoder)
    found = _visible(found) if visible else found
    _run(out, found, space, text_encoder, settings, data=data, licence=licence, as_json=as_json)


def _run(
    out: Path,
    pairs: Sequence[TrainingPair],
    space: FeatureSpace,
    text_encoder: str,
    settings: TrainingSettings,
    *,
    data: str,
    licence: str,
    as_json: bool,
) -> None:
    from histoseek.progress import terminal_progress
    from histoseek.training.slides.card import make_weights
    from histoseek.training.slides.train import is_first_process, train

    path = _weights_path(out)
    with terminal_progress("steps", total=None) as reporter:
        result = train(pairs, text_encoder, settings, path.with_suffix(".training"), reporter)
    if not is_first_process():
        return
    weights = make_weights(result, path.stem, text_encoder, space, data=data, licence=licence)
    _save(weights, path)
    _tell(result, weights, path, as_json)


def _pairs(
    archive: Path | None, table: Path | None, features: Path | None, features_encoder: str
) -> tuple[Sequence[TrainingPair], FeatureSpace]:
    """The pairs, and what their features are."""
    from histoseek.encoders.weights import FeatureSpace
    from histoseek.training.pairs import archive_pairs, read_pairs

    if (archive is None) == (table is None) or (table is None) != (features is None):
        what = "needs either --archive, or --pairs with --features"
        raise ConfigurationError("train", what, "Give an archive with reports, or a table and a folder of features")
    if table is not None and features is not None:
        return read_pairs(table, features), FeatureSpace(features_encoder)
    from histoseek.api import Archive

    opened = Archive.open(archive or Path())
    space, recipe = opened.settled_space, opened.recipe
    made = FeatureSpace(recipe.encoder.removeprefix("features:"), recipe.spacing_um_per_px, space.tile_edge_px)
    return archive_pairs(opened), made


def _visible(pairs: Sequence[TrainingPair]) -> Sequence[TrainingPair]:
    """The pairs with what a slide can show; a language model helps to tell where the settings name one."""
    from histoseek.reports.visible.language_model import create_judge
    from histoseek.settings import get_settings
    from histoseek.training.pairs import visible_pairs

    settings = get_settings()
    judge = create_judge(settings.language_model_url, settings.language_model_name)
    if judge and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        what = "a language model may answer each process differently"
        raise ConfigurationError("--visible", what, "Unset HISTOSEEK_LANGUAGE_MODEL_URL, or train in one process")
    return visible_pairs(pairs, judge)


def _weights_path(out: Path) -> Path:
    from histoseek.encoders.weights import SUFFIX
    from histoseek.files import write_atomic

    path = out if out.suffix == SUFFIX else out.with_name(out.name + SUFFIX)
    if path.exists():
        raise ConfigurationError(f"--out {path}", "is there already", "Choose another name, or move it away")
    try:
        path.with_suffix(".training").mkdir(parents=True, exist_ok=True)
        write_atomic(path.with_suffix(".training") / ".writable", b"")
    except OSError as error:
        raise ConfigurationError(
            f"--out {path}", error.strerror or "cannot be written", "Choose another place"
        ) from error
    (path.with_suffix(".training") / ".writable").unlink(missing_ok=True)
    return path


def _save(weights: Weights, path: Path) -> None:
    from histoseek.encoders.weights import save_weights

    try:
        save_weights(weights, path)
    except OSError as error:
        advice = "Choose another place for --out; the training itself is kept"
        raise WeightsError(path, error.strerror or "cannot be written", advice) from error


def _tell(result: TrainingResult, weights: Weights, path: Path, as_json: bool) -> None:
    from histoseek.jsonable import plain

    if as_json:
        parts = {"card": weights.card, "validation": result.validation, "test": result.test, "notes": result.notes}
        print(json.dumps(_without_nan(plain(parts)), indent=1))
        return
    for note in result.notes:
        print(f"note: {note}")
    print(f"best epoch {result.best_epoch} of {result.epochs}; {weights.card.data}")
    for title, score in (("untrained", result.test.before), ("trained", result.test.after)):
        print(f"test part, {title} (contrastive loss {score.contrastive:.3f}):")
        print_recalls([recall for recall in score.recalls if recall.queries])
    print(f"weights: {path}; log, plot and checkpoint: {path.with_suffix('.training')}")
    print(f"use them with: histoseek reencode --archive DIR --weights {path}")


def _without_nan(value: object) -> object:
    """JSON knows no NaN: a figure without queries is null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
