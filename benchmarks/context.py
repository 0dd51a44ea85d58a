"""What a coarser spacing adds between real fields: retrieval by its share of the global cosine.

Fields of MoNuSeg (0.25 um/px; tiles at 0.5, context at 1: 224 um) and GlaS (0.62 um/px; tiles at 0.62, context at 1.24:
278 um) are indexed with `lite0`; larger fields, for a context at 2 um/px, the data do not have. Each field asks for
those of other patients; the label is the organ (MoNuSeg) or the grade (GlaS). Prints mean average precision and the
share of first results of the query's label, with the standard error of the difference from one spacing alone. Run:
    python benchmarks/context.py [DATA]
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe

SETS = (("monuseg", 0.25, 0.5, 1.0, "organ"), ("glas", 0.62, 0.62, 1.24, "diagnosis"))
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)

Doubles = NDArray[np.float64]


def measure(scores: Doubles, same: NDArray[np.bool_], others: NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
    """Average precision and whether the first result has the label, of each query that can be answered."""
    precisions, firsts = [], []
    for own, relevant, allowed in zip(scores, same, others, strict=True):
        hits = relevant[allowed][np.argsort(-own[allowed], kind="stable")]
        if hits.any():
            ranks = np.flatnonzero(hits) + 1
            precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
            firsts.append(hits[0])
    return np.array(precisions), np.array(firsts, np.float64)


def run(data: Path, name: str, spacing: float, fine: float, coarse: float, column: str) -> None:
    with (data / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if Path(row["file"]).parts[1] == name]
    row_of = {Path(row["file"]).stem: row for row in rows}
    with TemporaryDirectory() as folder:
        recipe = Recipe(spacing_um_per_px=fine, context_spacing_um_per_px=coarse, spacing_tolerance=0.05)
        archive = Archive.create(Path(folder) / "archive", recipe)
        paths = [data / row["file"] for row in rows]
        archive.index(paths, spacing_of={path.name: spacing for path in paths})
        slides = [archive.get(record.slide_id) for record in archive.records()]
    stored = [slide for slide in slides if slide.signature.context is not None]
    own = [row_of[Path(slide.record.uri).stem] for slide in stored]
    labels, patients = (np.array([row[key] for row in own]) for key in (column, "patient_or_group"))
    vectors = np.stack([slide.signature.global_vector for slide in stored]).astype(np.float64)
    contexts = np.stack([slide.signature.context for slide in stored]).astype(np.float64)
    same, others = labels[:, None] == labels, patients[:, None] != patients
    print(f"\n{name}: {len(stored)} fields, {len(set(patients))} patients, label: {column}, {fine} and {coarse} um/px")
    base = None
    for share in SHARES:
        scores = (1 - share) * vectors @ vectors.T + share * contexts @ contexts.T
        precision, first = measure(scores, same, others)
        base = precision if base is None else base
        error = np.std(precision - base, ddof=1) / np.sqrt(len(base))
        print(
            f"  share {share:.1f}: mAP {precision.mean():.3f} ({precision.mean() - base.mean():+.3f} +- {error:.3f}), "
            f"first {first.mean():.3f}, {len(base)} queries"
        )


def main() -> None:
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    for one in SETS:
        run(data, *one)


if __name__ == "__main__":
    main()
