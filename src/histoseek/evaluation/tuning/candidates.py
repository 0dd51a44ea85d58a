"""The settings that tuning tries: stage by stage, each built on the best before it, not all there could be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from histoseek.ranking.settings import PLAIN, DiffusionSettings, RankingSettings

Stage = Callable[[RankingSettings], list[RankingSettings]]

SHRINKAGES, FINER_SHRINKAGES = (0.4, 0.8), (0.6, 0.9)
"""Of the covariance within labels: what is nearer to 1 trusts it less."""

LOCAL_SHARES = (0.1, 0.3, 0.6)

STRENGTHS, FINER_STRENGTHS = (0.1, 1.0), (0.3, 3.0)
"""Of the ridge of the directions that tell labels apart: the larger, the less labels are trusted."""

NEIGHBOURS = (5, 15)
OTHER_DAMPINGS = (0.5, 0.95)
DIFFUSION_SHARES = (0.5, 0.9)
_FIRST_DAMPING = 0.8

GLOBAL = RankingSettings(distance="global")


def list_stages(sites: Sequence[str], erasable: Sequence[str] = ()) -> tuple[Stage, ...]:
    """What is tried after the plain default, in order; sites: the columns that vectors may be freed of; erasable:
    those of them that can be erased."""
    return (
        _vary_distance,
        _vary_metric,
        _join_metrics,
        lambda best: _vary_sites(best, sites, erasable),
        _vary_diffusion,
        _vary_damping,
        _refine,
    )


def count_learned(settings: RankingSettings) -> tuple[int, int, float, float]:
    """How much is learned or set otherwise than by default; of two settings the smaller one is the simpler.

    First the parts that were added to plain ranking (labels, columns of sites, the graph), then another distance, then
    how far labels are trusted, and the graph's share.
    """
    learned = (settings.shrinkage, settings.label_strength, settings.erased, settings.centred, settings.diffusion)
    parts = sum(part is not None for part in learned)
    is_other = (settings.distance, settings.local_share) != (PLAIN.distance, PLAIN.local_share)
    trust = 0.0 if settings.shrinkage is None else 1 - settings.shrinkage
    trust += 0.0 if settings.label_strength is None else 1 / (1 + settings.label_strength)
    return parts, int(is_other), trust, settings.diffusion.share if settings.diffusion else 0.0


def describe_settings(settings: RankingSettings) -> str:
    """Settings in words, as a table shows them."""
    parts = [settings.distance if settings.distance == "global" else f"{settings.distance} {settings.local_share:g}"]
    if settings.erased:
        parts.append(f"without {settings.erased}")
    if settings.centred:
        parts.append(f"centred by {settings.centred}")
    if settings.shrinkage is not None:
        parts.append(f"whitened within labels, shrinkage {settings.shrinkage:g}")
    if settings.label_strength is not None:
        parts.append(f"stretched along labels, strength {settings.label_strength:g}")
    if settings.diffusion:
        graph = settings.diffusion
        parts.append(f"graph {graph.share:g} of {graph.neighbours} neighbours, damping {graph.damping:g}")
    return ", ".join(parts)


def _vary_distance(best: RankingSettings) -> list[RankingSettings]:
    shared = [
        replace(best, distance=name, local_share=share)
        for name in ("symmetric", "maxsim", "rare")
        for share in LOCAL_SHARES
    ]
    return [*shared, replace(best, distance="global", local_share=PLAIN.local_share)]


def _vary_metric(best: RankingSettings) -> list[RankingSettings]:
    """Under a metric another distance may be the best, so that of global vectors alone is tried, too."""
    bases = dict.fromkeys((best, GLOBAL))
    whitened = [replace(base, shrinkage=shrinkage) for base in bases for shrinkage in SHRINKAGES]
    return whitened + [replace(base, label_strength=strength) for base in bases for strength in STRENGTHS]


def _join_metrics(best: RankingSettings) -> list[RankingSettings]:
    """Both ways in which labels can make a metric, one after the other."""
    return [
        replace(best, shrinkage=shrinkage, label_strength=strength)
        for shrinkage in SHRINKAGES
        for strength in STRENGTHS
    ]


def _vary_sites(best: RankingSettings, sites: Sequence[str], erasable: Sequence[str]) -> list[RankingSettings]:
    """Each column centred apart, erased where it can be, or both, with and without what was learned of labels."""
    bases = dict.fromkeys((best, replace(best, shrinkage=None, label_strength=None)))
    freed = [(None, site) for site in sites] + [pair for site in erasable for pair in ((site, None), (site, site))]
    return [replace(base, erased=erased, centred=centred) for base in bases for erased, centred in freed]


def _vary_diffusion(best: RankingSettings) -> list[RankingSettings]:
    graphs = [
        DiffusionSettings(share, neighbours, _FIRST_DAMPING) for neighbours in NEIGHBOURS for share in DIFFUSION_SHARES
    ]
    return [replace(best, diffusion=graph) for graph in graphs]


def _vary_damping(best: RankingSettings) -> list[RankingSettings]:
    if best.diffusion is None:
        return []
    return [
        replace(best, diffusion=replace(best.diffusion, damping=damping, share=share))
        for damping in OTHER_DAMPINGS
        for share in DIFFUSION_SHARES
    ]


def _refine(best: RankingSettings) -> list[RankingSettings]:
    """With all parts chosen: how far labels are trusted, and the local share, once more."""
    refined = []
    if best.shrinkage is not None:
        refined += [replace(best, shrinkage=shrinkage) for shrinkage in FINER_SHRINKAGES]
    if best.label_strength is not None:
        refined += [replace(best, label_strength=strength) for strength in FINER_STRENGTHS]
    if best.distance != GLOBAL.distance:
        refined += [replace(best, local_share=share) for share in LOCAL_SHARES]
    return refined


def count_most(stages: Sequence[Stage]) -> int:
    """About how many settings are tried, for showing how long it will take."""
    graph = DiffusionSettings(DIFFUSION_SHARES[0], NEIGHBOURS[0], _FIRST_DAMPING)
    fullest = RankingSettings(shrinkage=SHRINKAGES[0], label_strength=STRENGTHS[0], diffusion=graph)
    return sum(len(stage(fullest)) for stage in stages)
