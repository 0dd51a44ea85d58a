"""`histoseek train`: teach a slide encoder from slide-report pairs."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoseek.cli.align import print_side_by_side
from histoseek.cli.options import (
    UNSTATED,
    DataOption,
    JsonOption,
    LicenceOption,
    PatienceOption,
    SplitOption,
    TrainingSeedOption,
    parse_numbers,
    read_defaults,
    read_settings,
)
from histoseek.errors import ConfigurationError
from histoseek.training.compute import Device, Precision
from histoseek.training.slides.recipes import RECIPES, Size
from histoseek.training.slides.settings import TrainingSettings

if TYPE_CHECKING:
    from histoseek.reports.visible.rules import SentenceJudge
    from histoseek.training.pairs import PairedSlides
    from histoseek.training.slides.encoder_file import TrainedEncoder
    from histoseek.training.slides.result import BeforeAfter

DEFAULTS = read_defaults(TrainingSettings)

OutOption = Annotated[
    Path, typer.Option(metavar="FILE", help="File for the weights (.safetensors); their card is written beside it.")
]
ArchiveOption = Annotated[
    str | None, typer.Option(metavar="FOLDER|ADDRESS", help="Train on the slides and reports of this archive.")
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
ModelOption = Annotated[
    str, typer.Option("--model", help=f"Slide encoder to train: {' or '.join(recipe.model for recipe in RECIPES)}.")
]


def _by_model(name: str, text: str) -> Any:
    """An option whose default is the model's."""
    defaults = {recipe.model: f"{getattr(recipe, name):g}" for recipe in RECIPES}
    by_model = ", ".join(f"{model}: {default}" for model, default in defaults.items())
    shown = by_model if len(set(defaults.values())) > 1 else next(iter(defaults.values()))
    return typer.Option(f"--{name.replace('_', '-')}", help=text, show_default=shown)


def _list_names(kind: str) -> str:
    """The names of each model's losses or sizes, with their defaults."""
    each = ((recipe.model, getattr(recipe, kind)) for recipe in RECIPES)
    shown = (f"{model}: {', '.join(f'{k}={_show(v)}' for k, v in values.items())}" for model, values in each)
    return "; ".join(shown)


def _show(value: Size) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"


EpochsOption = Annotated[int | None, _by_model("epochs", "Maximum number of epochs.")]
BatchOption = Annotated[int | None, _by_model("batch", "Pairs per step, over all processes.")]
MicroBatchOption = Annotated[
    int, typer.Option(help="Maximum number of pairs per forward pass; 0 for as many as fit into memory.")
]
TilesOption = Annotated[int | None, _by_model("tiles", "Tiles drawn from each slide per step.")]
LearningRateOption = Annotated[float | None, _by_model("learning_rate", "Peak learning rate.")]
WeightDecayOption = Annotated[float | None, _by_model("weight_decay", "Weight decay of the AdamW optimizer.")]
DropoutOption = Annotated[float | None, _by_model("dropout", "Dropout rate in the slide encoder.")]
LossOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=WEIGHT",
        help="Weight of a loss, 0 to switch it off. Repeatable.",
        show_default=_list_names("losses"),
    ),
]
PromptsOption = Annotated[
    int | None, _by_model("prompts", "Maximum number of phrases of the vocabulary that regions are aligned with.")
]
TextEncoderOption = Annotated[
    str, typer.Option(help="Text encoder to start from; `small` for a small one that is trained from scratch.")
]
CompareOption = Annotated[
    list[str] | None,
    typer.Option(
        "--compare-with",
        metavar="WEIGHTS",
        help="Weights of an earlier training with the same split: judged on the same held-out patients. Repeatable.",
    ),
]
TextLayersOption = Annotated[
    int | None,
    _by_model("text_layers", "Last layers of the text encoder to train; -1 for all, with its word vectors."),
]
DimensionOption = Annotated[int | None, _by_model("dimension", "Dimension of the space that slides and texts share.")]
MosaicSizeOption = Annotated[int | None, _by_model("mosaic_size", "Maximum number of mosaic vectors per slide.")]
SizeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=N",
        help="Another size of the network, NAME=N,N where it has several. Repeatable.",
        show_default=_list_names("sizes"),
    ),
]
PrecisionOption = Annotated[Precision, typer.Option(help="auto: bf16 on a GPU that has it, fp32 elsewhere.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: the GPU if there is one.")]


def train(
    context: typer.Context,
    out: OutOption,
    archive: ArchiveOption = None,
    pairs: PairsOption = None,
    features: FeaturesOption = None,
    features_encoder: FeaturesEncoderOption = "unknown",
    visible: VisibleOption = False,
    model: ModelOption = DEFAULTS.model,
    text_encoder: TextEncoderOption = "minilm",
    text_layers: TextLayersOption = None,
    epochs: EpochsOption = None,
    batch: BatchOption = None,
    micro_batch: MicroBatchOption = DEFAULTS.micro_batch,
    tiles: TilesOption = None,
    learning_rate: LearningRateOption = None,
    weight_decay: WeightDecayOption = None,
    dropout: DropoutOption = None,
    loss: LossOption = None,
    prompts: PromptsOption = None,
    dimension: DimensionOption = None,
    mosaic_size: MosaicSizeOption = None,
    size: SizeOption = None,
    patience: PatienceOption = DEFAULTS.patience,
    split: SplitOption = None,
    compare_with: CompareOption = None,
    seed: TrainingSeedOption = DEFAULTS.seed,
    precision: PrecisionOption = DEFAULTS.precision,
    device: DeviceOption = DEFAULTS.device,
    data: DataOption = UNSTATED,
    licence: LicenceOption = UNSTATED,
    as_json: JsonOption = False,
) -> None:
    """Train a slide encoder, and layers of a text encoder with it, on slides and their reports.

    Patients are split into a train, a validation and a test part, which is used once, in the end. Interrupt it if you
    must: the same command continues. On several GPUs: `torchrun -m histoseek train`.
    """
    settings = _read_settings(context, loss, size)
    _run(settings, _load_slides(archive, pairs, features, features_encoder, visible), out, context.params)


def _read_settings(context: typer.Context, loss: list[str] | None, size: list[str] | None) -> TrainingSettings:
    losses, sizes = parse_numbers(loss, "--loss"), parse_numbers(size, "--size")
    return read_settings(context, TrainingSettings, losses=losses, sizes=sizes)


def _run(settings: TrainingSettings, slides: PairedSlides, out: Path, given: dict[str, Any]) -> None:
    from histoseek.progress import show_progress
    from histoseek.training.slides.encoder_file import train_slide_encoder

    others = {name: given[name] for name in ("text_encoder", "data", "licence")}
    others["compare_with"] = given["compare_with"] or ()
    with show_progress("steps", total=None) as reporter:
        trained = train_slide_encoder(slides, out, settings, reporter=reporter, **others)
    if trained is not None:
        _print_result(trained, given["as_json"])


def _load_slides(
    archive: str | None, table: Path | None, features: Path | None, features_encoder: str, visible: bool
) -> PairedSlides:
    from histoseek.training.pairs import PairedSlides

    if (archive is None) == (table is None) or (table is None) != (features is None):
        what = "needs either --archive, or --pairs with --features"
        raise ConfigurationError("train", what, "Give an archive with reports, or a table and a folder of features")
    if table is not None and features is not None:
        slides = PairedSlides.from_table(table, features, features_encoder)
    else:
        from histoseek.api import Archive

        slides = PairedSlides.from_archive(Archive.open(archive or ""))
    return slides.keep_visible(_create_judge()) if visible else slides


def _create_judge() -> SentenceJudge | None:
    """The language model that helps to decide what can be seen, where the settings name one."""
    from histoseek.reports.visible.language_model import create_judge
    from histoseek.settings import get_settings

    settings = get_settings()
    judge = create_judge(settings.language_model_url, settings.language_model_name)
    if judge and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        what = "a language model may answer each process differently"
        raise ConfigurationError("--visible", what, "Unset HISTOSEEK_LANGUAGE_MODEL_URL, or train in one process")
    return judge


def _print_result(trained: TrainedEncoder, as_json: bool) -> None:
    from histoseek.jsonable import plain

    result, weights, path = trained.result, trained.weights, trained.path
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
    judged |= {"random network": result.test.before.recalls}
    judged |= {f"{result.settings.model}, trained": result.test.after.recalls}
    print_side_by_side(judged)
    losses = [
        f"{name.replace('_', ' ')} {before:.3f}, {after:.3f}" for name, before, after in _list_losses(result.test)
    ]
    print(f"losses at random and trained: {'; '.join(losses)}")
    print(f"weights: {path}; log, plot, split and checkpoint: {path.with_suffix('.training')}")
    print(f"use them with: histoseek reencode --archive DIR --weights {path}")


def _list_losses(part: BeforeAfter) -> list[tuple[str, float, float]]:
    return [(name, loss, part.after.losses[name]) for name, loss in part.before.losses.items()]


def _replace_nan(value: object) -> object:
    """JSON knows no NaN: a figure without queries is null."""
    if isinstance(value, dict):
        return {key: _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
