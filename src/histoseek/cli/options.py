"""Options that several commands share, and how the values of options become settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import typer

from histoseek.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from histoseek.reports.privacy.deidentify import DeidentifyChoice

    Settings = TypeVar("Settings", bound=DataclassInstance)

ArchiveOption = Annotated[
    str,
    typer.Option(
        "--archive",
        envvar="HISTOSEEK_ARCHIVE",
        help="Folder of the archive, or its address on a server.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
WhereOption = Annotated[
    str | None, typer.Option("--where", help="Filter on the metadata, e.g. \"organ = 'lung' AND age > 50\".")
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=64, help="Number of threads that read tiles.")]
TrustOption = Annotated[
    bool | None,
    typer.Option(
        "--trust/--confine",
        help="Read files in this very process, not in a confined one.",
        show_default="--confine, or HISTOSEEK_TRUST",
    ),
]
DownloadOption = Annotated[
    bool,
    typer.Option(
        "--download",
        help="Download encoders that are not on this machine, gated ones with your token (HF_TOKEN).",
        show_default="HISTOSEEK_DOWNLOAD",
    ),
]
AcceptUnknownOption = Annotated[
    bool,
    typer.Option(
        "--accept-unknown-weights",
        help="Take weights of a published encoder whose SHA-256 nobody knows: fine-tuned ones.",
        show_default="HISTOSEEK_ACCEPT_UNKNOWN_WEIGHTS",
    ),
]
ReportsOption = Annotated[
    list[Path] | None,
    typer.Option("--reports", help="Report file or folder: tables, JSON, Excel, text, PDF. Repeatable."),
]
ReportColumnsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--report-columns",
        metavar="NAME=ROLE,...",
        help="What the columns of report tables hold, e.g. Text=report,Case=case_id. Repeatable.",
    ),
]
UNSTATED = "not stated"
"""What a weights card says where nobody said anything."""

RenameOption = Annotated[
    list[str] | None, typer.Option("--rename", metavar="OLD=NEW", help="Rename a column of the tables. Repeatable.")
]
KeepPenOption = Annotated[
    bool | None,
    typer.Option(
        "--keep-pen/--drop-pen",
        help="Take what looks like pen marks for tissue, where a stain is mistaken for ink.",
        show_default="--drop-pen",
    ),
]
KeepIdentifiersOption = Annotated[
    bool,
    typer.Option("--keep-identifiers", help="Store reports without replacing names, dates and numbers of people."),
]
DeidentifyOption = Annotated[
    Literal["rules", "presidio"],
    typer.Option("--deidentify", help="How identifiers are found: by rules, or by Presidio's model as well."),
]
NowOption = Annotated[
    bool,
    typer.Option(
        "--now/--later",
        help="Erase all bytes of what was there before this returns, or let the first command do so that comes "
        "HISTOSEEK_HISTORY_MINUTES later.",
        show_default="--later",
    ),
]
LabelOption = Annotated[str, typer.Option(metavar="COLUMN", help="Metadata column with the labels.")]
EpochsOption = Annotated[int, typer.Option(help="Maximum number of epochs.")]
LearningRateOption = Annotated[float, typer.Option(help="Peak learning rate.")]
PatienceOption = Annotated[int, typer.Option(help="Stop after this many epochs without improvement.")]
SplitOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV with slide_id or patient_id, and part (train, validation or test): the parts, instead of a draw.",
    ),
]
TrainingSeedOption = Annotated[
    int,
    typer.Option(
        help="Random seed; on a CPU the same seed gives the same result with as many threads (HISTOSEEK_THREADS) and "
        "the same versions."
    ),
]
BaseTextEncoderOption = Annotated[str, typer.Option("--text-encoder", help="Text encoder to start from.")]
DataOption = Annotated[str, typer.Option(help="Description of the data, for the card.")]
LicenceOption = Annotated[str, typer.Option(help="Licence of the weights, for the card.")]

SamePatientOption = Annotated[bool, typer.Option("--same-patient", help="Keep slides of the query's own patient.")]

DEFAULT_WORKERS = min(4, os.cpu_count() or 1)


def read_settings(context: typer.Context, kind: type[Settings], **others: Any) -> Settings:
    """Settings from the parameters of a command that bear the names of their fields, and others; raises what the
    settings raise for values that they refuse."""
    values = {field.name: context.params[field.name] for field in fields(kind) if field.name in context.params}
    return kind(**{**values, **others})


def read_defaults(kind: type[Settings]) -> Settings:
    """The defaults of settings by the names of their fields: of those, too, that have fields without a default, or
    import much when they are made."""
    defaults = {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(kind)
    }
    return cast("Settings", SimpleNamespace(**defaults))


def settle_weights_options(download: bool, accept_unknown_weights: bool) -> None:
    """Let the settings be as two options say, for this process and those that it starts."""
    from histoseek.settings import change_settings

    if download:
        change_settings(download="1")
    if accept_unknown_weights:
        change_settings(accept_unknown_weights="1")


def choose_deidentification(keep_identifiers: bool, deidentify: str) -> DeidentifyChoice:
    """What two options say of identifiers in reports. Raises InputError when they contradict each other."""
    if deidentify == "presidio":
        if keep_identifiers:
            raise InputError("--keep-identifiers", "contradicts --deidentify presidio", "Give one of the two")
        return "presidio"
    return not keep_identifiers


def parse_pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping; raises InputError naming the option."""
    pairs = {}
    for text in texts or ():
        name, equals, value = text.rpartition("=") if option == "--spacing-of" else text.partition("=")
        if not (name and equals):
            raise InputError(f"{option} {text!r}", "is not NAME=VALUE", f"Write for instance {option} name=value")
        pairs[name] = value
    return pairs


def parse_pair_lists(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE,NAME=VALUE` texts as a mapping; raises InputError naming the option."""
    return parse_pairs([part for text in texts or () for part in text.split(",")], option)


def parse_numbers(texts: Sequence[str] | None, option: str) -> dict[str, float | tuple[int, ...]]:
    """`NAME=NUMBER` texts, or `NAME=N,N,...`, as numbers by name; raises InputError naming the option."""
    numbers: dict[str, float | tuple[int, ...]] = {}
    for name, value in parse_pairs(texts, option).items():
        try:
            numbers[name] = tuple(map(int, value.split(","))) if "," in value else float(value)
        except ValueError as error:
            what = "is not NAME=NUMBER"
            raise InputError(f"{option} '{name}={value}'", what, f"Write for instance {option} {name}=1") from error
    return numbers


def parse_spacings(texts: Sequence[str] | None) -> dict[str, float]:
    """`FILE=0.25` texts as um/px by file; raises InputError for what is not a positive number."""
    spacings = {}
    for name, value in parse_pairs(texts, "--spacing-of").items():
        try:
            spacing = float(value)
        except ValueError:
            spacing = 0.0
        if not 0 < spacing < float("inf"):
            raise InputError(f"--spacing-of '{name}={value}'", "is not a positive number of µm/px", "Write FILE=0.25")
        spacings[name] = spacing
    return spacings
