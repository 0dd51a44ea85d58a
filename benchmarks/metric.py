"""A metric from labels: which form helps held-out patients, which carries over to another data set, and what it takes.

Cosine of global vectors; queries are patients that the metric has not seen (five folds). All settings are shown:
what an archive gets is chosen inside folds by `histoseek tune`. Deterministic; a few minutes on two cores:
    python benchmarks/metric.py DATA --out FOLDER
Archives that --out has already (benchmarks/real/run.py makes the same) are used again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from real.run import TASKS, image_archive
from sites import Mapped, Slides, Way, cell, gap, map_slides, measure, read_slides

from histoseek.evaluation.neighbours import Fold, rank
from histoseek.evaluation.scores import Scores, score
from histoseek.ranking.fit_metric import MetricSample, fit_metric
from histoseek.ranking.metric import NO_GROUP
from histoseek.ranking.settings import RankingSettings
from histoseek.statistics.clustering import normalise_rows

GRID = (
    (None, None),
    (None, 3.0),
    (None, 1.0),
    (None, 0.3),
    (None, 0.1),
    (0.95, None),
    (0.8, None),
    (0.5, None),
    (0.95, 1.0),
    (0.8, 1.0),
    (0.8, 0.1),
)
SHOWN = ("top-1", "mMV@5", "MAP@5")
MANY, DIMENSION, LABELS = 10_000, 1280, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for task in TASKS[:4]:
        slides = read_slides(task.name, image_archive(task, given.data, given.out), task.label, None)
        facts = f"{len(slides.labels)} slides of {len(set(slides.patients))} patients or groups"
        print(f"\n### {task.name}\n\n{facts}.\n", *table(slides), sep="\n", flush=True)
    both = read_slides(TASKS[4].name, image_archive(TASKS[4], given.data, given.out), "diagnosis", "site")
    for asking, name in enumerate(("labels of TCGA, asked by LC25000", "labels of LC25000, asked by TCGA")):
        print(f"\n### {name}\n", *table(both, asking), sep="\n", flush=True)
    print("\n### Time\n", *times(), sep="\n")


def table(slides: Slides, asking: int | None = None) -> list[str]:
    """Figures of each way; asking: the data set whose slides ask the other's alone, None for held-out patients."""
    heads = [part for name in SHOWN for part in (name, "difference")]
    lines = [f"| way | {' | '.join(heads)} |", "| --- " * (len(heads) + 1) + "|"]
    plain: Scores | None = None
    for whitened, strength in GRID:
        settings = RankingSettings(shrinkage=whitened, label_strength=strength)
        found = measure(slides, Way("", settings)).all_ if asking is None else ask(slides, settings, asking)
        cells = [f"whitened {whitened or 'no'}, strength {strength or 'none'}"]
        for name in SHOWN:
            cells += [cell(found, name), gap(found, plain, slides, name) if plain else ""]
        plain = plain or found
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def ask(slides: Slides, settings: RankingSettings, asking: int) -> Scores:
    """One data set's slides asked in the other: nothing of the asking one is in the metric."""
    held = slides.sites == asking
    vectors = map_slides(slides, Way("", settings), np.flatnonzero(~held), held)
    fold = Fold(np.flatnonzero(held), np.flatnonzero(~held), (slides.patients,))
    neighbours = rank(Mapped(vectors), fold, slides.labels, 10)
    classes = [str(label) for label in range(slides.labels.max() + 1)]
    return score(neighbours, slides.labels, classes, slides.patients)


def times() -> list[str]:
    """Seconds of processor time, of all threads, to fit many drawn slides and to map as many vectors."""
    rng = np.random.default_rng(0)
    labels, places = rng.integers(LABELS, size=MANY), [f"site {site}" for site in rng.integers(8, size=MANY)]
    centres = rng.standard_normal((LABELS, DIMENSION)).astype(np.float32)
    vectors = normalise_rows(centres[labels] + rng.standard_normal((MANY, DIMENSION), np.float32))
    sample = MetricSample(vectors, vectors, labels, np.arange(MANY), places, places)
    ways = {
        "whitened 0.8": RankingSettings(shrinkage=0.8),
        "strength 1": RankingSettings(label_strength=1.0),
        "erased": RankingSettings(erased="site"),
        "centred": RankingSettings(centred="site"),
        "all four": RankingSettings(shrinkage=0.8, label_strength=1.0, erased="site", centred="site"),
    }
    lines = [f"| {MANY:,} slides, {DIMENSION} dimensions | fitted, s | directions | mapped, s |", "| --- " * 4 + "|"]
    for name, settings in ways.items():
        started = time.process_time()
        metric = fit_metric(settings, sample)
        fitted = time.process_time()
        metric.global_map(vectors, np.full(MANY, NO_GROUP))
        mapped = time.process_time() - fitted
        directions = 0 if metric.global_map.inward is None else len(metric.global_map.inward)
        lines.append(f"| {name} | {fitted - started:.1f} | {directions} | {mapped:.2f} |")
    return lines


if __name__ == "__main__":
    main()
