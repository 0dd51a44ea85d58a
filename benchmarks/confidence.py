"""How far probabilities and votes can be believed, on real tiles: patients are held out of the archive.

Each archive's patients are split into five parts; each part is held out once of an archive that is calibrated on the
rest and asked with the part's slides. Then labels are held out as well, which leaves only "none of these". Run:
    python benchmarks/confidence.py DATA --out FOLDER
Archives that --out has already (benchmarks/ranking.py makes the same) are used again.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crossmodal import real_archive
from numpy.typing import NDArray
from real.run import TASKS, image_archive

from histoseek.api import Archive
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import name_owner, read_value
from histoseek.archive.tuning_file import Tuning, write_tuning
from histoseek.evaluation.cohort import load_cohort
from histoseek.evaluation.tuning.fitted import fit_ranking
from histoseek.evaluation.tuning.slides import read_slides
from histoseek.ranking.reliability import BINS
from histoseek.ranking.settings import RankingSettings
from histoseek.search.calibrate import calibrate
from histoseek.search.queries import SlideFile
from histoseek.search.results import SearchResults
from histoseek.statistics.intervals import percentile_interval

FOLDS = 5
SHOWN, VOTERS = 5, 15
TUNED_PARTS, SETTINGS = 2, RankingSettings(label_strength=1.0)
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    truth: str
    owner: str
    results: SearchResults

    @property
    def said(self) -> Floats:
        """What is said of the label of each result."""
        return np.array([one.probability for one in self.results.results[:SHOWN]], float)

    @property
    def same(self) -> Floats:
        column = str(self.results.calibrated_for)
        return np.array([read_value(one.record, column) == self.truth for one in self.results.results[:SHOWN]], float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lung = image_archive(TASKS[0], given.data, given.out)
    many = real_archive(given.data, given.out)
    nsclc = image_archive(TASKS[1], given.data, given.out)
    questions = (
        ("Lung, LC25000, tiles", lung, "diagnosis"),
        ("Diagnosis among all pseudo-slides", many, "diagnosis"),
        ("NSCLC, TCGA tiles", nsclc, "class_label"),
    )
    found = {name: list(answers(archive, label, given.out)) for name, archive, label in questions}
    print("\n".join(reliability(found)), end="\n\n")
    print("\n".join(coverage(found)), end="\n\n")
    print("\n".join(unknown_labels(lung, given.out)), end="\n\n")
    tuned = {
        "as it is": learn_by_heart,
        "fitted anew without each fifth": learn_tuned,
    }
    found = {
        f"LC25000, tuned, calibrated {name}": list(answers(lung, "diagnosis", given.out, TUNED_PARTS, learn=learn))
        for name, learn in tuned.items()
    }
    print("\n".join(reliability(found)))


def learn_by_heart(archive: Archive, label: str) -> None:
    """Calibrate a tuned archive as if it did not know its own slides."""
    tune_closely(archive, label)
    calibrate(archive, label)


def learn_tuned(archive: Archive, label: str) -> None:
    tune_closely(archive, label)
    archive.calibrate(label)


def tune_closely(archive: Archive, label: str) -> None:
    """Rank by settings that are given, not chosen: `tune` tries them, too."""
    cohort = load_cohort(archive, label)
    everyone = np.arange(len(cohort))
    fitted = fit_ranking(SETTINGS, read_slides(cohort, everyone), everyone)
    space = archive.require_space().slides_fingerprint
    write_tuning(archive.layout, Tuning(space, len(cohort), "", label, SETTINGS, fitted.metric, fitted.fusion))


def answers(
    archive: ArchiveFolder,
    label: str,
    out: Path,
    parts: int = FOLDS,
    without: Collection[str] = (),
    learn: Callable[[Archive, str], object] = Archive.calibrate,
) -> Iterator[Answer]:
    """What the archive says of each slide, or of those of the first parts, asked without its part of the patients, and
    without some labels."""
    records = [record for record in archive.records() if read_value(record, label)]
    owners = sorted({name_owner(record) for record in records})
    drawn = np.array_split(np.random.default_rng(0).permutation(owners), FOLDS)
    for number, part in enumerate(drawn[:parts]):
        held = [record for record in records if name_owner(record) in set(part)]
        away = [record for record in records if record not in held and read_value(record, label) in without]
        known = Archive.open(_copy(archive.path, out / f"{archive.path.name}.{number}"))
        known.remove([record.slide_id for record in (*held, *away)])
        learn(known, label)
        for record in held:
            query = SlideFile(record.uri, record.spacing_um_per_px or None, record.patient_id)
            results = known.search(query, k=VOTERS, vote=label)
            yield Answer(read_value(record, label), name_owner(record), results)
        shutil.rmtree(known.path)


def reliability(found: dict[str, list[Answer]]) -> Iterator[str]:
    yield (
        "| archive | held-out queries | base rate | ECE | Brier | base rate's Brier | gain in Brier | likeliest label "
        "right | none of these |"
    )
    yield "| --- " * 9 + "|"
    for name, some in found.items():
        yield f"| {name} | {' | '.join(figures(some))} |"


def figures(some: Sequence[Answer]) -> Iterator[str]:
    """Queries whose label nobody else has are asked, too: "none of these" is right there."""
    patients = {owner: row for row, owner in enumerate(dict.fromkeys(one.owner for one in some))}
    rows = np.array([patients[one.owner] for one in some for _ in one.said])
    said, same = np.concatenate([one.said for one in some]), np.concatenate([one.same for one in some])
    base = same.mean()

    def measure(weights: Floats) -> Floats:
        return np.stack([_measure(said, same, base, one[rows]) for one in weights])

    values = measure(np.ones((1, len(patients))))[0]
    low, high = percentile_interval(measure, len(patients), seed=0)
    ece, brier, gain = (f"{value:.3f} ({a:.3f} to {b:.3f})" for value, a, b in zip(values, low, high, strict=True))
    right = np.mean([one.results.labels.shares[0].label == one.truth for one in some if one.results.labels])
    none = np.mean([one.results.labels.none for one in some if one.results.labels])
    yield from (str(len(some)), f"{base:.3f}", ece, brier, f"{((base - same) ** 2).mean():.3f}", gain)
    yield from (f"{right:.3f}", f"{none:.3f}")


def _measure(said: Floats, same: Floats, base: float, weights: Floats) -> Floats:
    """The expected calibration error, the Brier score, and what the base rate's has more."""
    shares = weights / weights.sum()
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], said)
    brier = (shares * (said - same) ** 2).sum()
    ece = np.abs(np.bincount(bins, shares * (said - same), BINS)).sum()
    return np.array([ece, brier, (shares * (base - same) ** 2).sum() - brier])


def coverage(found: dict[str, list[Answer]]) -> Iterator[str]:
    """Share of right votes among those that are surest, by how many of all queries they are."""
    yield f"| archive | {' | '.join(f'{share:.0%} answered' for share in COVERAGES)} | abstentions |"
    yield "| --- " * (len(COVERAGES) + 2) + "|"
    for name, some in found.items():
        tallies = [(one.results.vote_.calibrated, one.truth) for one in some if one.results.vote_]
        said = [(tally, truth) for tally, truth in tallies if tally]
        order = np.argsort([-tally.share for tally, _ in said], kind="stable")
        right = np.array([tally.shares[0].label == truth for tally, truth in said])[order]
        shares = [right[: max(1, round(share * len(right)))].mean() for share in COVERAGES]
        abstained = np.mean([tally.abstains is not None for tally, _ in said])
        yield f"| {name} | {' | '.join(f'{share:.3f}' for share in shares)} | {abstained:.3f} |"


def unknown_labels(lung: ArchiveFolder, out: Path) -> Iterator[str]:
    """What is said of slides of a diagnosis that the archive has not, beside those of the others."""
    yield "| taken out | asked | none of these: slides of it, of the others | AUC | votes that abstain |"
    yield "| --- " * 5 + "|"
    for name in sorted({read_value(record, "diagnosis") for record in lung.records()}):
        some = list(answers(lung, "diagnosis", out, parts=1, without=(name,)))
        said = np.array([one.results.labels.none if one.results.labels else 1.0 for one in some])
        foreign = np.array([one.truth == name for one in some])
        above = (said[foreign][:, None] > said[~foreign]).mean()
        votes = [one.results.vote_.calibrated for one in some if one.results.vote_]
        abstain = np.array([tally is None or tally.abstains is not None for tally in votes])
        means = f"{said[foreign].mean():.3f}, {said[~foreign].mean():.3f}"
        asked = f"{foreign.sum()}, {(~foreign).sum()}"
        abstentions = f"{abstain[foreign].mean():.3f}, {abstain[~foreign].mean():.3f}"
        yield f"| {name} | {asked} | {means} | {above:.3f} | {abstentions} |"


def _copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


if __name__ == "__main__":
    main()
