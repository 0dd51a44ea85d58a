"""All systems by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from histoseek.errors import ConfigurationError
from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.held_out import find_own_card
from histoseek.evaluation.systems.bags import BagReader
from histoseek.evaluation.systems.base import System
from histoseek.evaluation.systems.chance import MajorityClass, RandomOrder
from histoseek.evaluation.systems.hshr import Hshr
from histoseek.evaluation.systems.maxsim import MaxSim
from histoseek.evaluation.systems.mean_pooling import MeanPooled
from histoseek.evaluation.systems.modes import GlobalCosine, MosaicMatching
from histoseek.evaluation.systems.sish import Sish
from histoseek.evaluation.systems.tuned import Tuned
from histoseek.evaluation.systems.visual_words import VisualWords
from histoseek.evaluation.systems.yottixel import Yottixel
from histoseek.mosaics.distances import DEFAULT_DISTANCE

ALL = "all"

BOTH = "both"
"""The two encoders of an archive together, ranked as `symmetric` does."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What systems are made from."""

    cohort: Cohort
    bags: BagReader
    seed: int


_SYSTEMS: Mapping[str, Callable[[_Parts], System]] = MappingProxyType(
    {
        "symmetric": lambda parts: MosaicMatching(parts.cohort, "symmetric", "symmetric"),
        "closest": lambda parts: MosaicMatching(parts.cohort, "closest", "closest"),
        "rare": lambda parts: MosaicMatching(parts.cohort, "rare", "rare"),
        "pathsearch-paper": lambda parts: MosaicMatching(parts.cohort, "pathsearch-paper", "pathsearch-paper"),
        "global": lambda parts: GlobalCosine(parts.cohort),
        "local": lambda parts: MosaicMatching(parts.cohort, "local", "symmetric", local_only=True),
        "tuned": lambda parts: Tuned(parts.cohort, parts.seed),
        "maxsim": lambda parts: _make_maxsim(parts.cohort),
        "mean-pooled": lambda parts: MeanPooled(parts.cohort, parts.bags, centred=True),
        "mean-pooled-raw": lambda parts: MeanPooled(parts.cohort, parts.bags, centred=False),
        "bovw": lambda parts: VisualWords(parts.cohort, parts.bags, parts.seed),
        "yottixel": lambda parts: Yottixel(parts.bags, parts.seed),
        "sish": lambda parts: Sish(parts.cohort, parts.bags, parts.seed),
        "hshr": lambda parts: Hshr(parts.cohort, parts.bags, parts.seed),
        "majority": lambda parts: MajorityClass(parts.cohort, parts.seed),
        "random": lambda parts: RandomOrder(parts.cohort, parts.seed),
    }
)


def list_systems() -> tuple[str, ...]:
    """The names of all systems of any archive, ours first."""
    return tuple(_SYSTEMS)


def list_encoders(cohort: Cohort) -> tuple[str, str] | None:
    """What the two encoders of an archive's slides are called, None for one encoder: by their families, or "first" and
    "second" where these are the same."""
    card = find_own_card(cohort)
    if card is None or not card.parts:
        return None
    first, second = (part.family for part in card.parts)
    return ("first", "second") if first == second else (first, second)


def make_systems(names: Sequence[str], cohort: Cohort, seed: int) -> list[System]:
    """Systems over a cohort, in the order asked and each once; "all" stands for those not named before it.

    In an archive of two encoders each of them is a system, too, and BOTH. Raises ConfigurationError for an unknown
    name.
    """
    known = {**_SYSTEMS, **_list_paired_systems(cohort)}
    unique_names = dict.fromkeys(system_name for name in names for system_name in (known if name == ALL else (name,)))
    unknown_name = next((name for name in unique_names if name not in known), None)
    if unknown_name is not None:
        raise ConfigurationError(unknown_name, "there is no such system", f"Choose from: {', '.join((*known, ALL))}")
    parts = _Parts(cohort, BagReader(cohort), seed)
    return [known[name](parts) for name in unique_names]


def _list_paired_systems(cohort: Cohort) -> Mapping[str, Callable[[_Parts], System]]:
    encoders = list_encoders(cohort)
    if encoders is None:
        return {}
    shares = {BOTH: None, encoders[0]: (1.0, 0.0), encoders[1]: (0.0, 1.0)}
    return {name: partial(_match_paired, name, own) for name, own in shares.items()}


def _match_paired(name: str, shares: tuple[float, float] | None, parts: _Parts) -> System:
    return MosaicMatching(parts.cohort, name, DEFAULT_DISTANCE, shares=shares)


def _make_maxsim(cohort: Cohort) -> System:
    """The quick way, but for mosaics of two encoders, which are to be compared each by itself."""
    if cohort.archive.require_space().side_by_side is None:
        return MaxSim(cohort)
    return MosaicMatching(cohort, "maxsim", "maxsim", local_only=True)
