"""All systems by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from histoseek.errors import ConfigurationError
from histoseek.evaluation.cohort import Cohort
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

ALL = "all"


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
        "maxsim": lambda parts: MaxSim(parts.cohort),
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
    """The names of all systems, ours first."""
    return tuple(_SYSTEMS)


def make_systems(names: Sequence[str], cohort: Cohort, seed: int) -> list[System]:
    """Systems over a cohort, in the order asked and each once; "all" stands for those not named before it.

    Raises ConfigurationError for an unknown name.
    """
    unique_names = dict.fromkeys(
        system_name for name in names for system_name in (list_systems() if name == ALL else (name,))
    )
    unknown_name = next((name for name in unique_names if name not in _SYSTEMS), None)
    if unknown_name is not None:
        raise ConfigurationError(unknown_name, "there is no such system", f"Choose from: {', '.join((*_SYSTEMS, ALL))}")
    parts = _Parts(cohort, BagReader(cohort), seed)
    return [_SYSTEMS[name](parts) for name in unique_names]
