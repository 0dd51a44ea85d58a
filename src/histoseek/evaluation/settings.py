"""What to evaluate and by which protocol: typed, and checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from histoseek.errors import ConfigurationError

ProtocolName = Literal["leave-one-patient-out", "leave-one-site-out", "k-fold", "fixed"]
PROTOCOLS: tuple[ProtocolName, ...] = ("leave-one-patient-out", "leave-one-site-out", "k-fold", "fixed")

DEFAULT_SYSTEMS = ("symmetric", "pathsearch-paper", "global", "maxsim", "mean-pooled", "majority", "random")


@dataclass(frozen=True, slots=True)
class ProtocolSpec:
    """How to split.

    site_column: what counts as a site in leave-one-site-out; folds: of k-fold, drawn by patients with the seed; sets:
    CSV with slide_id and role (query or database) for fixed sets.
    """

    name: ProtocolName = "leave-one-patient-out"
    site_column: str = "site"
    folds: int = 5
    sets: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in PROTOCOLS:
            raise ConfigurationError(
                "--protocol", f"{self.name!r} is not a protocol", f"Choose from: {', '.join(PROTOCOLS)}"
            )
        if self.folds < 2:
            raise ConfigurationError("--folds", f"{self.folds} is too few", "Ask for at least two")
        if (self.name == "fixed") != (self.sets is not None):
            raise ConfigurationError("--sets", "goes with --protocol fixed, and only with it", "Give both or neither")


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """What to evaluate.

    label: column of the right answers; systems: the first is the one that others are compared with; site_columns: what
    could give a data set away, checked where the archive has it; map_columns: to colour the 2-d map by, none for no
    map; worst: how many of the first system's worst queries are kept. held_out: weights, or a table of parts, whose
    training patients are no queries; by default the archive's own weights. all_patients: they are queries all the same,
    as fixed sets always are.
    """

    label: str = "diagnosis"
    systems: tuple[str, ...] = DEFAULT_SYSTEMS
    protocol: ProtocolSpec = field(default_factory=ProtocolSpec)
    where: str | None = None
    patient_is_slide: bool = False
    site_columns: tuple[str, ...] = ("site",)
    map_columns: tuple[str, ...] = ()
    worst: int = 6
    seed: int = 0
    held_out: str | None = None
    all_patients: bool = False

    def __post_init__(self) -> None:
        if not self.systems:
            raise ConfigurationError("--systems", "names no system", "Name at least one")
