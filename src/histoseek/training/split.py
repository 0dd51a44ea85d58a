"""Train, validation and test parts that share no patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from histoseek.training.pairs import TrainingPair


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the patients that go to each part; they sum to one."""

    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15

    def __post_init__(self) -> None:
        shares = (self.train, self.validation, self.test)
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            what = f"shares of the parts are {shares}"
            raise ConfigurationError("split", what, "Give three positive shares that sum to one")


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts; no patient is in two of them, and the test part is for the last evaluation alone."""

    train: tuple[TrainingPair, ...]
    validation: tuple[TrainingPair, ...]
    test: tuple[TrainingPair, ...]


def split_pairs(pairs: Sequence[TrainingPair], seed: int, shares: Shares) -> Split:
    """Split by patients, the same for any order of the pairs; raises InputError when a part would be empty."""
    patients = sorted({pair.patient_id for pair in pairs})
    train, validation, test = split_patients(patients, seed, shares)
    if not train:
        what = f"{len(patients)} patients make no train, validation and test part that share none"
        raise InputError("pairs", what, "Give pairs of at least three patients, and a larger share to train")
    return Split(
        train=tuple(pair for pair in pairs if pair.patient_id in train),
        validation=tuple(pair for pair in pairs if pair.patient_id in validation),
        test=tuple(pair for pair in pairs if pair.patient_id in test),
    )


def split_patients(patients: Sequence[str], seed: int, shares: Shares) -> tuple[set[str], set[str], set[str]]:
    """Patients to train on, for validation and for the test, of each of the last two at least one, as far as there are
    any; patients: each once, in an order that is the same every time."""
    import numpy as np

    held_out = [max(1, round(share * len(patients))) for share in (shares.validation, shares.test)]
    shuffled = [patients[i] for i in np.random.default_rng(seed).permutation(len(patients))]
    first, last = held_out[0], sum(held_out)
    return set(shuffled[last:]), set(shuffled[:first]), set(shuffled[first:last])
