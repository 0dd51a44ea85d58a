"""`histoseek adapt-text`: fit a text encoder to the language of your own reports."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from histoseek.cli.options import JsonOption, pairs
from histoseek.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from histoseek.reports.files.document import ReportBatch
    from histoseek.training.text.adapt import Adaptation
    from histoseek.training.text.folder import AdaptationCard
    from histoseek.training.text.settings import AdaptSettings

_REFUSALS_SHOWN = 5


def adapt_text(
    reports: Annotated[list[Path], typer.Option(help="Reports: tables, texts, PDFs, folders. Several times.")],
    out: Annotated[Path, typer.Option(help="New folder for the adapted encoder.")],
    column: Annotated[list[str] | None, typer.Option(help="What a column holds: NAME=ROLE. Several times.")] = None,
    text_encoder: Annotated[str, typer.Option(help="Text encoder to begin with.")] = "minilm",
    vocabulary: Annotated[Path | None, typer.Option(help="Your own vocabulary file, laid over ours.")] = None,
    epochs: Annotated[int, typer.Option(help="Most epochs.")] = 5,
    batch: Annotated[int, typer.Option(help="Pairs a step.")] = 32,
    layers: Annotated[int, typer.Option(help="Last layers that are trained.")] = 6,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 5e-5,
    temperature: Annotated[float, typer.Option(help="Of the contrastive loss.")] = 0.05,
    statements: Annotated[float, typer.Option(help="Short statements of the vocabulary for each report.")] = 1.0,
    blend: Annotated[float, typer.Option(help="Share of the adapted weights, above 0; the rest: those before.")] = 0.5,
    patience: Annotated[int, typer.Option(help="Epochs without gain before it stops.")] = 2,
    seed: Annotated[int, typer.Option(help="Same seed, same result on a CPU.")] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: the GPU, if there is one.")] = "auto",
    data: Annotated[str, typer.Option(help="What the reports are, for the card.")] = "not stated",
    licence: Annotated[str, typer.Option(help="The weights' licence, for the card.")] = "not stated",
    as_json: JsonOption = False,
) -> None:
    """Adapt a text encoder to your own reports, with the vocabulary's help.

    Identifiers are replaced first. A share of the cases is held out and chooses the best epoch. Can be interrupted;
    the same command continues and ends with the same weights. Use the result with `--text-encoder`.
    """
    from histoseek.training.text.settings import AdaptSettings

    settings = AdaptSettings(
        epochs=epochs,
        batch=batch,
        layers=layers,
        learning_rate=learning_rate,
        temperature=temperature,
        statements=statements,
        blend=blend,
        patience=patience,
        seed=seed,
        device=device,
    )
    _check_out(out)
    read = _read(reports, column)
    adaptation = _run(read, out, text_encoder, vocabulary, settings)
    card = _save(adaptation, read, out, data, licence)
    _tell(adaptation, card, read, out, as_json)


def _check_out(out: Path) -> None:
    """Refuse what could not be written in the end, before hours are spent."""
    from histoseek.files import write_atomic
    from histoseek.training.text.adapt import require_packages

    require_packages()
    from histoseek.training.text.folder import require_empty

    require_empty(out)
    work = _work(out)
    try:
        work.mkdir(parents=True, exist_ok=True)
        write_atomic(work / ".writable", b"")
        (work / ".writable").unlink(missing_ok=True)
        if not any(work.iterdir()):
            work.rmdir()
    except OSError as error:
        raise ConfigurationError(f"--out {out}", error.strerror or "cannot be written", "Choose another") from error


def _work(out: Path) -> Path:
    return out.with_name(out.name + ".training")


def _read(reports: list[Path], column: list[str] | None) -> ReportBatch:
    from histoseek.reports.files.report_columns import ReportColumns
    from histoseek.reports.files.report_reader import read_reports

    columns = ReportColumns.from_roles(pairs(column, "--column")) if column else None
    found = read_reports(reports, columns)
    if not found.reports:
        refused = f"; {found.refused[0]}" if found.refused else ""
        raise InputError("--reports", f"no report in what was given{refused}", "Give files or folders with reports")
    return found


def _run(
    read: ReportBatch, out: Path, text_encoder: str, vocabulary: Path | None, settings: AdaptSettings
) -> Adaptation:
    from histoseek.progress import terminal_progress
    from histoseek.reports.concepts.vocabulary import load_vocabulary
    from histoseek.training.text.adapt import adapt

    words = load_vocabulary(vocabulary)
    with terminal_progress("steps", total=None) as reporter:
        return adapt(read.reports, text_encoder, settings, words, _work(out), reporter)


def _save(adaptation: Adaptation, read: ReportBatch, out: Path, data: str, licence: str) -> AdaptationCard:
    from histoseek.training.text.folder import save_adaptation

    hashes = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in read.files]
    return save_adaptation(adaptation, out, files_sha256=hashes, data=data, licence=licence)


def _tell(adaptation: Adaptation, card: AdaptationCard, read: ReportBatch, out: Path, as_json: bool) -> None:
    from histoseek.jsonable import plain

    notes = (*adaptation.notes, *(str(refusal) for refusal in read.refused[:_REFUSALS_SHOWN]))
    if as_json:
        print(json.dumps(plain({"card": card, "notes": notes, "refused": len(read.refused)}), indent=1))
        return
    for note in notes:
        print(f"note: {note}")
    first, best = (adaptation.epochs[epoch].validation_loss for epoch in (0, adaptation.best_epoch))
    print(f"{card.reports} reports; different texts: {card.train.texts} to train, {card.validation.texts} held out")
    print(f"validation loss {first:.3f} before, {best:.3f} in epoch {card.best_epoch} of {len(card.epochs) - 1}")
    print(f"encoder and card: {out}; log and checkpoint: {_work(out)}")
    print(f"use it with: histoseek reencode --archive DIR --text-encoder {card.load_with}")
