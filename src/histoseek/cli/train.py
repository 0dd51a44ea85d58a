"""`histoseek train`: teach a slide encoder from slide-report pairs."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.align import print_side_by_side
from histoseek.cli.options import (
    UNSTATED,
    BaseTextEncoderOption,
    DataOption,
    EpochsOption,
    JsonOption,
    LearningRateOption,
    LicenceOption,
    PatienceOption,
    SplitOption,
    TrainingSeedOption,
    read_defaults,
    read_settings,
)
from histoseek.errors import ConfigurationError, WeightsError
from histoseek.training.compute import Device, Precision
from histoseek.training.slides.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoseek.encoders.alignment import Floats
    from histoseek.encoders.weights import FeatureSpace, Weights
    from histoseek.training.pairs import TrainingPair
    from histoseek.training.slides.result import TrainingResult

DEFAULTS = read_defaults(TrainingSettings)
_UNKNOWN = "unknown"

OutOption = Annotated[
    Path, typer.Option(metavar="FILE", help="File for the weights (.safetensors); their card is written beside it.")
]
ArchiveOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Train on the slides and reports of this archive.")
]
PairsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Train on this CSV table: slide_id, report and, if known, patient_id."),
]
FeaturesOption = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder of the feature files for --pairs.")]
FeaturesEncoderOption = Annotated[
    str, typer.Option(metavar="NAME", help="Tile encoder that the feature files were made with.")
]
VisibleOption = Annotated[
    bool, typer.Option("--visible", help="Train only on what can be seen on a slide, not on the rest of each report.")
]
SlideEncoderOption = Annotated[str, typer.Option(help="Family of the slide encoder.")]
TextLayersOption = Annotated[int, typer.Option(help="Number of last layers of the text encoder to train.")]
BatchOption = Annotated[int, typer.Option(help="Pairs per step, over all processes.")]
MicroBatchOption = Annotated[
    int, typer.Option(help="Maximum number of pairs per forward pass; 0 for as many as fit into memory.")
]
TilesOption = Annotated[int, typer.Option(help="Tiles drawn from each slide per step.")]
WeightDecayOption = Annotated[float, typer.Option(help="Weight decay of the AdamW optimizer.")]
DropoutOption = Annotated[float, typer.Option(help="Dropout rate in the slide encoder.")]
DiversityOption = Annotated[float, typer.Option(help="Weight of the loss that keeps mosaic vectors diverse.")]
DimensionOption = Annotated[int, typer.Option(help="Dimension of the space that slides and texts share.")]
MosaicSizeOption = Annotated[int, typer.Option(help="Number of mosaic vectors per slide.")]
PrecisionOption = Annotated[Precision, typer.Option(help="auto: bf16 on a GPU that has it, fp32 elsewhere.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: the GPU if there is one.")]


def train(
    context: typer.Context,
    out: OutOption,
    archive: ArchiveOption = None,
    pairs: PairsOption = None,
    features: FeaturesOption = None,
    features_encoder: FeaturesEncoderOption = _UNKNOWN,
    visible: VisibleOption = False,
    slide_encoder: SlideEncoderOption = DEFAULTS.slide_encoder,
    text_encoder: BaseTextEncoderOption = "minilm",
    text_layers: TextLayersOption = DEFAULTS.text_layers,
    epochs: EpochsOption = DEFAULTS.epochs,
    batch: BatchOption = DEFAULTS.batch,
    micro_batch: MicroBatchOption = DEFAULTS.micro_batch,
    tiles: TilesOption = DEFAULTS.tiles,
    learning_rate: LearningRateOption = DEFAULTS.learning_rate,
    weight_decay: WeightDecayOption = DEFAULTS.weight_decay,
    dropout: DropoutOption = DEFAULTS.dropout,
    diversity: DiversityOption = DEFAULTS.diversity,
    dimension: DimensionOption = DEFAULTS.dimension,
    mosaic_size: MosaicSizeOption = DEFAULTS.mosaic_size,
    patience: PatienceOption = DEFAULTS.patience,
    split: SplitOption = None,
    seed: TrainingSeedOption = DEFAULTS.seed,
    precision: PrecisionOption = DEFAULTS.precision,
    device: DeviceOption = DEFAULTS.device,
    data: DataOption = UNSTATED,
    licence: LicenceOption = UNSTATED,
    as_json: JsonOption = False,
) -> None:
    """Train a slide encoder on slides and their reports.

    The last layers of a text encoder are trained with it. Patients are split into a training, a validation and a test
    part, used once, in the end, beside the pooled encoder that needs no training. Interrupt it if you must: the command
    continues and ends with the same weights. For several processes: `torchrun --nproc-per-node N -m histoseek train`.
    """
    settings = read_settings(context, TrainingSettings)
    pair_list, space, centre = _load_pairs(archive, pairs, features, features_encoder)
    pair_list = _select_visible(pair_list) if visible else pair_list
    _run(out, pair_list, space, centre, text_encoder, settings, data=data, licence=licence, as_json=as_json)


def _run(
    out: Path,
    pairs: Sequence[TrainingPair],
    space: FeatureSpace,
    centre: Floats | None,
    text_encoder: str,
    settings: TrainingSettings,
    *,
    data: str,
    licence: str,
    as_json: bool,
) -> None:
    from histoseek.progress import show_progress
    from histoseek.training.slides.card import make_weights
    from histoseek.training.slides.train import is_first_process, train

    path = _prepare_path(out)
    with show_progress("steps", total=None) as reporter:
        result = train(pairs, text_encoder, settings, path.with_suffix(".training"), reporter, centre)
    if not is_first_process():
        return
    weights = make_weights(result, path.stem, text_encoder, space, data=data, licence=licence)
    _save(weights, path)
    _print_result(result, weights, path, as_json)


def _load_pairs(
    archive: Path | None, table: Path | None, features: Path | None, features_encoder: str
) -> tuple[Sequence[TrainingPair], FeatureSpace, Floats | None]:
    """The pairs, what their features are, and the centre of an archive that encodes its slides without training."""
    from histoseek.encoders.weights import FeatureSpace
    from histoseek.training.pairs import archive_pairs, read_pairs

    if (archive is None) == (table is None) or (table is None) != (features is None):
        what = "needs either --archive, or --pairs with --features"
        raise ConfigurationError("train", what, "Give an archive with reports, or a table and a folder of features")
    if table is not None and features is not None:
        return read_pairs(table, features), FeatureSpace(features_encoder), None
    from histoseek.api import Archive
    from histoseek.archive.space.centre import read_centre
    from histoseek.encoders.slide.registry import find_fitted_family

    opened = Archive.open(archive or Path())
    space, recipe = opened.require_space(), opened.recipe
    feature_space = FeatureSpace(recipe.encoder.removeprefix("features:"), recipe.spacing_um_per_px, space.tile_edge_px)
    is_pooled = find_fitted_family(space.slide_encoder) is not None
    centre = read_centre(opened.layout, space.slide_weights) if is_pooled else None
    return archive_pairs(opened), feature_space, centre


def _select_visible(pairs: Sequence[TrainingPair]) -> Sequence[TrainingPair]:
    """The pairs with what a slide can show; a language model helps to decide where the settings name one."""
    from histoseek.reports.visible.language_model import create_judge
    from histoseek.settings import get_settings
    from histoseek.training.pairs import visible_pairs

    settings = get_settings()
    judge = create_judge(settings.language_model_url, settings.language_model_name)
    if judge and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        what = "a language model may answer each process differently"
        raise ConfigurationError("--visible", what, "Unset HISTOSEEK_LANGUAGE_MODEL_URL, or train in one process")
    return visible_pairs(pairs, judge)


def _prepare_path(out: Path) -> Path:
    """The file of the weights; raises ConfigurationError, before hours are spent, where it can't be written."""
    from histoseek.encoders.weights import SUFFIX
    from histoseek.files import write_atomic

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


def _save(weights: Weights, path: Path) -> None:
    from histoseek.encoders.weights import save_weights

    try:
        save_weights(weights, path)
    except OSError as error:
        advice = "Choose another place for --out; the training itself is kept"
        raise WeightsError(path, error.strerror or "cannot be written", advice) from error


def _print_result(result: TrainingResult, weights: Weights, path: Path, as_json: bool) -> None:
    from histoseek.jsonable import plain

    if as_json:
        parts = {
            "card": weights.card,
            "validation": result.validation,
            "test": result.test,
            "baselines": result.baselines,
            "notes": result.notes,
        }
        print(json.dumps(_replace_nan(plain(parts)), indent=1))
        return
    for note in result.notes:
        print(f"note: {note}")
    print(f"best epoch {result.best_epoch} of {result.epochs}; {weights.card.data}")
    test = len({pair.patient_id for pair in result.split.test})
    print(f"all on the same {len(result.split.test)} slides of {test} patients held out (test part):")
    judged = {each.name: each.recalls for each in result.baselines}
    judged |= {"random network": result.test.before.recalls, "trained": result.test.after.recalls}
    print_side_by_side(judged)
    print(
        f"contrastive loss {result.test.before.contrastive:.3f} at random, {result.test.after.contrastive:.3f} trained"
    )
    print(f"weights: {path}; log, plot, split and checkpoint: {path.with_suffix('.training')}")
    print(f"use them with: histoseek reencode --archive DIR --weights {path}")


def _replace_nan(value: object) -> object:
    """JSON knows no NaN: a figure without queries is null."""
    if isinstance(value, dict):
        return {key: _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
