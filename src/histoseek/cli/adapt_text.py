"""`histoseek adapt-text`: fit a text encoder to the language of your own reports."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import (
    UNSTATED,
    BaseTextEncoderOption,
    DataOption,
    EpochsOption,
    JsonOption,
    LearningRateOption,
    LicenceOption,
    PatienceOption,
    TrainingSeedOption,
    parse_pairs,
    read_defaults,
    read_settings,
)
from histoseek.errors import ConfigurationError, InputError
from histoseek.training.compute import Device
from histoseek.training.text.settings import AdaptSettings

if TYPE_CHECKING:
    from histoseek.reports.files.document import ReportBatch
    from histoseek.training.text.adapt import Adaptation
    from histoseek.training.text.folder import AdaptationCard

DEFAULTS = read_defaults(AdaptSettings)
_MOST_REFUSALS = 5

ReportsOption = Annotated[
    list[Path],
    typer.Option(metavar="PATH", help="Report file or folder: tables, JSON, Excel, text, PDF. Repeatable."),
]
OutOption = Annotated[Path, typer.Option(metavar="FOLDER", help="New folder for the adapted encoder.")]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=ROLE", help="What a column of report tables holds, e.g. Text=report. Repeatable."),
]
VocabularyOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Your own vocabulary, which extends the one of histoseek.")
]
BatchOption = Annotated[int, typer.Option(help="Pairs per step.")]
LayersOption = Annotated[int, typer.Option(help="Number of last layers to train.")]
TemperatureOption = Annotated[float, typer.Option(help="Temperature of the contrastive loss.")]
StatementsOption = Annotated[
    float, typer.Option(help="Number of short statements from the vocabulary to train on for each report.")
]
BlendOption = Annotated[
    float, typer.Option(help="Share of the adapted weights in the result, above 0; the rest are the original ones.")
]
DeviceOption = Annotated[Device, typer.Option(help="auto: the GPU if there is one.")]


def adapt_text(
    context: typer.Context,
    reports: ReportsOption,
    out: OutOption,
    column: ColumnOption = None,
    text_encoder: BaseTextEncoderOption = "minilm",
    vocabulary: VocabularyOption = None,
    epochs: EpochsOption = DEFAULTS.epochs,
    batch: BatchOption = DEFAULTS.batch,
    layers: LayersOption = DEFAULTS.layers,
    learning_rate: LearningRateOption = DEFAULTS.learning_rate,
    temperature: TemperatureOption = DEFAULTS.temperature,
    statements: StatementsOption = DEFAULTS.statements,
    blend: BlendOption = DEFAULTS.blend,
    patience: PatienceOption = DEFAULTS.patience,
    seed: TrainingSeedOption = DEFAULTS.seed,
    device: DeviceOption = DEFAULTS.device,
    data: DataOption = UNSTATED,
    licence: LicenceOption = UNSTATED,
    as_json: JsonOption = False,
) -> None:
    """Adapt a text encoder to the language of your own reports, with the help of the vocabulary.

    Identifiers are replaced first. Some of the cases are held out to choose the best epoch. You can interrupt it; the
    same command continues and ends with the same weights. Use the result with `--text-encoder`.
    """
    settings = read_settings(context, AdaptSettings)
    _check_out(out)
    report_batch = _read_reports(reports, column)
    adaptation = _run(report_batch, out, text_encoder, vocabulary, settings)
    card = _save(adaptation, report_batch, out, data, licence)
    _print_adaptation(adaptation, card, report_batch, out, as_json)


def _check_out(out: Path) -> None:
    """Raise ConfigurationError for a folder that could not be written in the end, before hours are spent."""
    from histoseek.files import write_atomic
    from histoseek.training.text.adapt import require_packages

    require_packages()
    from histoseek.training.new_folder import require_empty

    require_empty(out)
    work = _name_work_folder(out)
    try:
        work.mkdir(parents=True, exist_ok=True)
        write_atomic(work / ".writable", b"")
        (work / ".writable").unlink(missing_ok=True)
        if not any(work.iterdir()):
            work.rmdir()
    except OSError as error:
        raise ConfigurationError(f"--out {out}", error.strerror or "cannot be written", "Choose another") from error


def _name_work_folder(out: Path) -> Path:
    return out.with_name(out.name + ".training")


def _read_reports(reports: list[Path], column: list[str] | None) -> ReportBatch:
    from histoseek.reports.files.report_columns import ReportColumns
    from histoseek.reports.files.report_reader import read_reports

    columns = ReportColumns.from_roles(parse_pairs(column, "--column")) if column else None
    batch = read_reports(reports, columns)
    if not batch.reports:
        refused = f"; {batch.refused[0]}" if batch.refused else ""
        raise InputError("--reports", f"hold no usable report{refused}", "Give files or folders with reports")
    return batch


def _run(
    reports: ReportBatch, out: Path, text_encoder: str, vocabulary: Path | None, settings: AdaptSettings
) -> Adaptation:
    from histoseek.progress import show_progress
    from histoseek.reports.concepts.vocabulary import load_vocabulary
    from histoseek.training.text.adapt import adapt

    words = load_vocabulary(vocabulary)
    with show_progress("steps", total=None) as reporter:
        return adapt(reports.reports, text_encoder, settings, words, _name_work_folder(out), reporter)


def _save(adaptation: Adaptation, reports: ReportBatch, out: Path, data: str, licence: str) -> AdaptationCard:
    from histoseek.training.text.folder import save_adaptation

    hashes = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in reports.files]
    return save_adaptation(adaptation, out, files_sha256=hashes, data=data, licence=licence)


def _print_adaptation(
    adaptation: Adaptation, card: AdaptationCard, reports: ReportBatch, out: Path, as_json: bool
) -> None:
    from histoseek.jsonable import plain

    notes = (*adaptation.notes, *(str(refusal) for refusal in reports.refused[:_MOST_REFUSALS]))
    if as_json:
        print(json.dumps(plain({"card": card, "notes": notes, "refused": len(reports.refused)}), indent=1))
        return
    for note in notes:
        print(f"note: {note}")
    first, best = (adaptation.epochs[epoch].validation_loss for epoch in (0, adaptation.best_epoch))
    print(f"{card.reports} reports; distinct texts: {card.train.texts} to train on, {card.validation.texts} held out")
    print(f"validation loss {first:.3f} before, {best:.3f} in epoch {card.best_epoch} of {len(card.epochs) - 1}")
    print(f"encoder and card: {out}; log and checkpoint: {_name_work_folder(out)}")
    print(f"use it with: histoseek reencode --archive DIR --text-encoder {card.load_with}")
