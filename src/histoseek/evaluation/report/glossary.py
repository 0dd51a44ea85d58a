"""What the figures of an evaluation mean, in a line each."""

from __future__ import annotations

from collections.abc import Iterable

_MEANINGS = {
    "top-1": "share of queries whose nearest slide has the right label",
    "mMV": "share of queries whose first k slides vote for the right label (ties go to the nearer label)",
    "recall": "share of queries with a right slide among the first k",
    "fraction": "share of all right slides that are among the first k",
    "MAP": "mean average precision of the first k: right slides count more the earlier they come",
    "nDCG": "gain of the right slides of the first k, less the later they come, as a share of the best possible",
    "balanced accuracy": "accuracy of the vote of the first five, every class counting the same",
    "macro-F1": "F1 of the vote of the first five, averaged over classes",
    "macro": "the same figure averaged over classes instead of queries, so that rare classes count as much",
}

TERMS = (
    ("95 % interval", "from resampling whole patients; slides of one patient are not independent evidence"),
    ("chance", "what a random order of the same slides would give"),
    ("p", "how often a difference as large arises when the two systems are swapped at random, patient by patient"),
    ("p (Holm)", "p corrected for all metrics of all systems compared; below 0.05 a difference is called significant"),
    ("CMC", "cumulative match curve: share of queries with a right slide among the first k, for every k"),
    ("risk-coverage", "error of the vote when only the surest queries are answered; lower, and rising late, is better"),
    ("calibration error", "how far the share of the vote lies from how often it is right, on average; 0 is best"),
    ("patient left out", "no query meets a slide of its own patient, nor a copy of its own file"),
)
"""Further terms of the page, each with its meaning."""


def explain_metric(metric: str) -> str:
    """What a metric is, by its name with or without "@k"; "" for an unknown one."""
    if metric in _MEANINGS:
        return _MEANINGS[metric]
    if metric.startswith("macro "):
        return f"{_MEANINGS['macro']}: {explain_metric(metric.removeprefix('macro '))}"
    family, _, depth = metric.partition("@")
    return _MEANINGS.get(family, "").replace("first k", f"first {depth}" if depth else "first k")


def list_glossary(metrics: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """A line for each family of metrics, in the order met, and then for the further terms."""
    families = dict.fromkeys("macro ..." if name.startswith("macro ") else _name_family(name) for name in metrics)
    lines = ((name, _MEANINGS.get(name.removesuffix(" ...").removesuffix("@k"), "")) for name in families)
    return (*((name, text) for name, text in lines if text), *TERMS)


def _name_family(metric: str) -> str:
    family, at, _ = metric.partition("@")
    return f"{family}@k" if at else family
