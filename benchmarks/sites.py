"""A metric without the site: retrieval from other sites, and what vectors still tell of the site, before and after.

Queries are patients that neither the metric nor the classifier of sites has seen (five folds); a query's site is known.
Sites are planted (by the simulator, in the vectors of real tiles) and real (LC25000, TCGA; MoNuSeg, CryoNuSeg).
Deterministic; a few minutes on two cores:
    python benchmarks/sites.py DATA --out FOLDER
Archives that --out has already (benchmarks/real/run.py makes the same) are used again.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real.run import TASKS, image_archive

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.evaluation.cohort import load_cohort, make_codes
from histoseek.evaluation.neighbours import Fold, join_neighbours, rank
from histoseek.evaluation.scores import Scores, score
from histoseek.evaluation.significance import SystemComparison, compare
from histoseek.ranking.column_erasure import find_column_fault
from histoseek.ranking.fit_metric import MetricSample, fit_metric
from histoseek.ranking.group_centring import fit_group_offsets, measure_reach
from histoseek.ranking.metric import NO_GROUP, Metric, find_nearest_groups
from histoseek.ranking.settings import RankingSettings
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort
from histoseek.statistics.clustering import normalise_rows
from histoseek.statistics.intervals import divide, percentile_interval, sum_by_row

FOLDS, DEPTH, FIRST = 5, 10, 5
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Slides:
    """Slides as this benchmark sees them; vectors: global ones, float32 [n, D]; others: codes, int64 [n]."""

    name: str
    vectors: Floats
    labels: Ints
    patients: Ints
    sites: Ints


@dataclass(frozen=True)
class Way:
    """A way to free vectors of sites; blind: labels are not told, so that what they tell of sites goes as well.

    by_name: the site of a query is read from its column, not from its vector."""

    name: str
    settings: RankingSettings
    blind: bool = False
    by_name: bool = True


WAYS = (
    Way("plain", RankingSettings()),
    Way("centred", RankingSettings(centred="site")),
    Way("centred, the query's site by its vector", RankingSettings(centred="site"), by_name=False),
    Way("centred, labels not told", RankingSettings(centred="site"), blind=True),
    Way("erased", RankingSettings(erased="site")),
    Way("erased, labels not told", RankingSettings(erased="site"), blind=True),
    Way("centred and erased", RankingSettings(centred="site", erased="site")),
    Way("labels", RankingSettings(label_strength=1.0)),
    Way("erased, labels", RankingSettings(erased="site", label_strength=1.0)),
)


@dataclass(frozen=True)
class Outcome:
    """all_, other: with slides of any site, and with those of other sites alone; own: the share of the first results
    that is of the query's own site; told: which held-out slides' sites a linear classifier tells, bool [n]."""

    all_: Scores
    other: Scores
    own: float
    told: NDArray[np.bool_]


class Mapped:
    """A system of the harness: cosines of vectors that are mapped already."""

    name = "mapped"

    def __init__(self, vectors: Floats) -> None:
        self.vectors = vectors

    def fit(self, database: Ints) -> None:
        """Nothing is fitted here: the metric is, on a fold's known patients."""

    def distances(self, queries: Ints, database: Ints) -> Floats:
        return np.clip(1 - self.vectors[queries] @ self.vectors[database].T, 0, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lung = read_slides("Lung tiles of LC25000", image_archive(TASKS[0], given.data, given.out), "diagnosis", None)
    sets = [read_slides("Simulated slides of three sites", simulated_archive(given.out), "diagnosis", "site")]
    for share, text in ((0.0, "unrelated to labels"), (0.8, "that go with labels in 80 %"), (1.0, "that are labels")):
        sets.append(plant(lung, f"LC25000 with three planted sites {text}", share))
    both = image_archive(TASKS[4], given.data, given.out)
    sets.append(read_slides("Lung tiles of LC25000 and TCGA", both, "diagnosis", "site"))
    organs = image_archive(TASKS[3], given.data, given.out)
    sets.append(read_slides("Organs, MoNuSeg (FFPE) and CryoNuSeg (frozen)", organs, "organ", "site"))
    for slides in sets:
        print("\n".join(section(slides)), flush=True)


def simulated_archive(out: Path) -> Archive:
    path, folder = out / "sites.archive", out / "sites"
    if path.exists():
        return Archive.open(path)
    write_cohort(CohortSpec(patients=60, slides_per_patient=1, sites=3, size_px=1024, site_effect=1.5), folder)
    archive = Archive.create(path, Recipe(), text_encoder="none")
    archive.index([folder], folder / "metadata.csv")
    return archive


def read_slides(name: str, archive: Archive, label: str, site: str | None) -> Slides:
    cohort = load_cohort(archive, label)
    sites = make_codes([str(value) for value in cohort.read_column(site)]) if site else np.zeros(len(cohort), np.int64)
    return Slides(name, cohort.global_vectors, cohort.labels, cohort.patients, sites)


def plant(slides: Slides, name: str, share: float) -> Slides:
    """The slides with three sites, each of which scales dimensions and shifts vectors; share: of the slides whose site
    goes with their label, the others' are drawn."""
    rng = np.random.default_rng(1)
    count, dimension = slides.vectors.shape
    sites = np.where(rng.random(count) < share, slides.labels, rng.integers(3, size=count))
    gains = 1 + 0.3 * rng.standard_normal((3, dimension))
    shifts = 0.5 * normalise_rows(rng.standard_normal((3, dimension)).astype(np.float32))
    vectors = normalise_rows((slides.vectors * gains[sites] + shifts[sites]).astype(np.float32))
    return Slides(name, vectors - vectors.mean(0), slides.labels, slides.patients, sites)


def section(slides: Slides) -> list[str]:
    facts = f"{len(slides.labels)} slides of {len(set(slides.patients))} patients or groups"
    names = [f"label {label}" for label in slides.labels]
    fault = find_column_fault([f"site {site}" for site in slides.sites], slides.patients.tolist(), names)
    lines = [
        f"\n### {slides.name}\n",
        f"{facts}; {'`tune` would not erase the site: ' + fault if fault else 'both can be told apart'}.\n",
    ]
    heads = ("way", "MAP@5, all", "difference", "mMV@5, all", "difference", "MAP@5, other sites alone", "difference")
    lines += [f"| {' | '.join(heads)} | own site | site told |", "| --- " * 9 + "|"]
    plain: Outcome | None = None
    for way in WAYS:
        found = measure(slides, way)
        cells = [cell(found.all_), "", cell(found.all_, "mMV@5"), "", cell(found.other), ""]
        if plain is not None:
            cells[1], cells[5] = (gap(*pair, slides) for pair in ((found.all_, plain.all_), (found.other, plain.other)))
            cells[3] = gap(found.all_, plain.all_, slides, "mMV@5")
        plain = plain or found
        lines.append(f"| {way.name} | {' | '.join(cells)} | {found.own:.2f} | {balance(found.told, slides)} |")
    by_label = tell_sites(np.eye(slides.labels.max() + 1, dtype=np.float32)[slides.labels], slides)
    lines.append(f"\nSite told from the label alone: {balance(by_label, slides)}. {placed(slides)}")
    return lines


def placed(slides: Slides) -> str:
    """Where held-out slides are placed by their vectors alone."""
    found = np.full(len(slides.labels), NO_GROUP)
    for held in deal(slides.patients):
        known = np.flatnonzero(~held)
        vectors, sites, owners = slides.vectors[known], slides.sites[known], slides.patients[known]
        reach = measure_reach(vectors, sites, owners, slides.sites.max() + 1)
        offsets = fit_group_offsets(vectors, sites, owners, slides.sites.max() + 1, slides.labels[known])
        found[held] = find_nearest_groups(slides.vectors[held], reach.centres, reach.radii, offsets)
    right, none = np.mean(found == slides.sites), np.mean(found == NO_GROUP)
    return f"By their vectors alone {right:.3f} of held-out slides are placed at their site, {none:.3f} at none."


def tell_sites(vectors: Floats, slides: Slides) -> NDArray[np.bool_]:
    told = np.zeros(len(vectors), np.bool_)
    for held in deal(slides.patients):
        told[held] = predict(vectors[~held], slides.sites[~held], vectors[held]) == slides.sites[held]
    return told


def balance(told: NDArray[np.bool_], slides: Slides) -> str:
    """Balanced accuracy with its interval over patients."""
    kinds = np.eye(slides.sites.max() + 1)[slides.sites]
    owners = make_codes([str(patient) for patient in slides.patients])
    sums, counts = (sum_by_row(part, owners, int(owners.max()) + 1) for part in (kinds * told[:, None], kinds))

    def average(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.nanmean(divide(weights @ sums, weights @ counts), axis=1, keepdims=True)

    low, high = percentile_interval(average, len(sums), 0)
    return f"{average(np.ones((1, len(sums))))[0, 0]:.2f} ({low[0]:.2f} to {high[0]:.2f})"


def measure(slides: Slides, way: Way) -> Outcome:
    """Each fold's patients asked in the whole archive, under the metric of all other patients."""
    all_, other, told = [], [], np.zeros(len(slides.labels), np.bool_)
    for held in deal(slides.patients):
        vectors = map_slides(slides, way, np.flatnonzero(~held), held)
        queries, everyone = np.flatnonzero(held), np.arange(len(held))
        for found, exclusions in ((all_, (slides.patients,)), (other, (slides.patients, slides.sites))):
            found.append(rank(Mapped(vectors), Fold(queries, everyone, exclusions), slides.labels, DEPTH))
        told[held] = predict(vectors[~held], slides.sites[~held], vectors[held]) == slides.sites[held]
    classes = [str(label) for label in range(slides.labels.max() + 1)]
    joined = [join_neighbours(found) for found in (all_, other)]
    scores = [score(one, slides.labels, classes, slides.patients) for one in joined]
    first, queries = joined[0].slides[:, :FIRST], joined[0].queries
    own = float((slides.sites[first] == slides.sites[queries][:, None]).mean())
    return Outcome(scores[0], scores[1], own, told)


def deal(patients: Ints) -> list[NDArray[np.bool_]]:
    """The held-out slides of each fold."""
    drawn = np.random.default_rng(0).permutation(np.unique(patients))
    return [np.isin(patients, part) for part in np.array_split(drawn, FOLDS)]


def map_slides(slides: Slides, way: Way, known: Ints, held: NDArray[np.bool_]) -> Floats:
    """All slides under the metric of the known ones; those held out have a site by name, or by their vectors."""
    names = [f"site {site}" for site in slides.sites]
    labels = np.zeros_like(slides.labels) if way.blind else slides.labels
    values = [names[place] for place in known.tolist()]
    sample = MetricSample(
        slides.vectors[known], slides.vectors[known], labels[known], slides.patients[known], values, values
    )
    metric = fit_metric(way.settings, sample)
    asked = [name if way.by_name or not out else None for name, out in zip(names, held, strict=True)]
    return metric.global_map(slides.vectors, find_groups(metric, asked, slides.vectors))


def find_groups(metric: Metric, values: list[str | None], vectors: Floats) -> Ints:
    return metric.find_groups(values, vectors) if metric.groups else np.full(len(vectors), NO_GROUP, np.int64)


def predict(train: Floats, targets: Ints, asked: Floats) -> Ints:
    """Sites by ridge regression in which each counts the same."""
    sizes = np.bincount(targets)
    weights = 1 / sizes[targets] / (sizes > 0).sum()
    aims, mean = np.eye(len(sizes))[targets], weights @ train
    centred, roots = (train - mean).astype(np.float64), np.sqrt(weights)[:, None]
    gram = (centred * roots) @ (centred * roots).T
    gram[np.diag_indices(len(gram))] += 0.1 * np.trace(gram) / len(gram)
    solved = np.linalg.solve(gram, roots * (aims - weights @ aims))
    return (((asked - mean) @ (centred * roots).T) @ solved + weights @ aims).argmax(1)


def cell(scores: Scores, metric: str = "MAP@5") -> str:
    one = scores.get_metric(metric)
    return f"{one.value:.3f} ({one.low:.2f} to {one.high:.2f})" if one.queries else "no query has an answer"


def gap(first: Scores, second: Scores, slides: Slides, metric: str = "MAP@5") -> str:
    found = difference(first, second, slides, metric)
    return f"{found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f})" if np.isfinite(found.difference) else ""


def difference(first: Scores, second: Scores, slides: Slides, metric: str) -> SystemComparison:
    return next(one for one in compare(first, second, slides.patients, 0) if one.metric == metric)


if __name__ == "__main__":
    main()
