"""Every distance on real tiles, patient-wise: parts as they are and standardised, by the local part's share.

Slides are single tiles or fields (archives of benchmarks/real/run.py), and pseudo-slides of many overlapping tiles
(that of benchmarks/crossmodal.py). Archives that --out has already are used again. Run:
    python benchmarks/ranking.py DATA --out FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crossmodal import real_archive
from real.run import TASKS, image_archive

from histoseek.archive.folder import ArchiveFolder
from histoseek.evaluation.cohort import Cohort, load_cohort
from histoseek.evaluation.neighbours import rank
from histoseek.evaluation.protocols import make_folds
from histoseek.evaluation.scores import Scores, score
from histoseek.evaluation.settings import ProtocolSpec
from histoseek.evaluation.significance import compare
from histoseek.mosaics.distances import DISTANCES, SignatureBlock
from histoseek.mosaics.part_weights import (
    DEFAULT_SHARE,
    SHARES,
    ComparedParts,
    PartStatistics,
    choose_share,
    fuse_parts,
    measure_parts,
)

SHOWN = ("mMV@1", "mMV@3", "mMV@5")
FUSED = ("symmetric", "maxsim")
BASE = "symmetric, as it is"
TRIED = (DEFAULT_SHARE, 0.5)
DEPTH = 10


@dataclass(frozen=True)
class Question:
    name: str
    archive: ArchiveFolder
    label: str
    where: str | None = None


@dataclass(frozen=True)
class Parts:
    """Both parts of one distance between all slides, [n, n]."""

    local: np.ndarray
    global_: np.ndarray


@dataclass(frozen=True)
class Table:
    """A system of known distances."""

    name: str
    total: np.ndarray

    def fit(self, database: np.ndarray) -> None:
        """Nothing is fitted here."""

    def distances(self, queries: np.ndarray, database: np.ndarray) -> np.ndarray:
        return self.total[np.ix_(queries, database)].astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for question in questions(given.data, given.out):
        print(section(question), flush=True)


def questions(data: Path, out: Path) -> list[Question]:
    lung, nsclc, colon, organ = (image_archive(task, data, out) for task in TASKS[:4])
    many = real_archive(data, out)
    return [
        Question("Lung, LC25000, single tiles", lung, "diagnosis"),
        Question("NSCLC, TCGA, single tiles", nsclc, "class_label"),
        Question("Organ, MoNuSeg, fields", organ, "organ", "uri LIKE '%/monuseg/%'"),
        Question("Colon grade, GlaS, fields", colon, "class_label"),
        Question("Lung, LC25000, 9 tiles a slide", many, "diagnosis", "slide_id LIKE 'lung%'"),
        Question("Colon grade, GlaS, overlapping tiles", many, "diagnosis", "slide_id LIKE 'glas%'"),
        Question("Diagnosis, MoNuSeg, overlapping tiles", many, "diagnosis", "slide_id LIKE 'monuseg%'"),
        Question("Diagnosis among all pseudo-slides", many, "diagnosis"),
    ]


def section(question: Question) -> str:
    cohort = load_cohort(question.archive, question.label, question.where)
    signatures = [stored.signature for stored in cohort.read_slides(range(len(cohort)))]
    block = SignatureBlock.from_signatures(signatures)
    parts = {name: compared([distance.parts(one, block) for one in signatures]) for name, distance in DISTANCES.items()}
    apart = cohort.patients[:, None] != cohort.patients
    statistics = {name: measure_parts(parts[name].local, parts[name].global_, apart) for name in FUSED}
    raw = {name: distance.fusion.total(parts[name].local, parts[name].global_) for name, distance in DISTANCES.items()}
    grids = {name: by_share(parts[name], statistics[name]) for name in FUSED}
    shown = {f"{name}, as it is" if name in FUSED else name: total for name, total in raw.items()}
    shown |= {f"{name}, standardised, {share}": grids[name][SHARES.index(share)] for name in FUSED for share in TRIED}
    vectors = np.mean([len(one.mosaic) for one in signatures])
    patients = len(set(cohort.patients.tolist()))
    facts = f"{len(cohort)} slides, {patients} patients or groups, {len(cohort.classes)} labels"
    lines = [f"### {question.name}", "", f"{facts}, {vectors:.1f} mosaic vectors a slide.", ""]
    lines += table(shown, cohort)
    lines += ["", f"| local share | {' | '.join(str(share) for share in SHARES)} |", "| --- " * (len(SHARES) + 1) + "|"]
    for name in FUSED:
        found = [scored(total, cohort) for total in grids[name]]
        for column in (SHOWN[0], SHOWN[2]):
            lines.append(f"| {name}, {column} | {' | '.join(f'{one.get_metric(column).value:.3f}' for one in found)} |")
    return "\n".join([*lines, "", *(choice(name, parts[name], statistics[name], cohort) for name in FUSED), ""])


def compared(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> Parts:
    return Parts(np.stack([local for local, _ in found]), np.stack([global_ for _, global_ in found]))


def by_share(parts: Parts, statistics: tuple[PartStatistics, PartStatistics]) -> list[np.ndarray]:
    return [fuse_parts(*statistics, share).total(parts.local, parts.global_) for share in SHARES]


def scored(total: np.ndarray, cohort: Cohort) -> Scores:
    (fold,) = make_folds(cohort, ProtocolSpec())
    neighbours = rank(Table("", total), fold, cohort.labels, DEPTH)
    return score(neighbours, cohort.labels, cohort.classes, cohort.patients)


def table(totals: dict[str, np.ndarray], cohort: Cohort) -> list[str]:
    """Figures with 95 % intervals over patients, and the paired difference to the present default."""
    found = {name: scored(total, cohort) for name, total in totals.items()}
    lines = [f"| distance | {' | '.join(SHOWN)} | mMV@5 less that of {BASE} |", "| --- " * (len(SHOWN) + 2) + "|"]
    for name, one in found.items():
        cells = [f"{m.value:.3f} ({m.low:.2f} to {m.high:.2f})" for m in (one.get_metric(column) for column in SHOWN)]
        pairs = {pair.metric: pair for pair in compare(one, found[BASE], cohort.patients, 0)}
        pair = pairs["mMV@5"]
        apart = "" if name == BASE else f"{pair.difference:+.3f} ({pair.low:+.3f} to {pair.high:+.3f}), p {pair.p:.2f}"
        lines.append(f"| {name} | {' | '.join(cells)} | {apart} |")
    return lines


def choice(name: str, parts: Parts, statistics: tuple[PartStatistics, PartStatistics], cohort: Cohort) -> str:
    owners, labels = cohort.patients, cohort.labels
    found = choose_share(ComparedParts(parts.local, parts.global_, owners, owners, labels, labels), statistics)
    if found is None:
        return f"{name}: no query can be answered.  "
    return (
        f"{name}: `calibrate` takes the share {found.share}; of the first five results have the label on patients held "
        f"out: {found.fitted:.3f} fitted, {found.stated:.3f} with the stated share (standard error of the difference "
        f"{found.error:.3f}).  "
    )


if __name__ == "__main__":
    main()
