"""What a tuning costs queries of another data set: lung tiles of LC25000 and of TCGA, each asked by the other.

The archive of one data set is tuned by diagnosis and asked with the other's tiles: as searches do (strangers are ranked
plainly), by the tuning all the same, and plainly. Intervals and tests over patients or groups of the queries. Minutes:
    python benchmarks/carried_over.py DATA --out FOLDER
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from real.run import TASKS, image_archive

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord, name_owner, read_value
from histoseek.encoders.bag import load_bag
from histoseek.evaluation.neighbours import Neighbours
from histoseek.evaluation.per_query import NAMES, compute_values
from histoseek.search.queries import EncodedSlide
from histoseek.statistics.paired_tests import bootstrap, permutation_test

LABEL, DEPTH = "diagnosis", 10
WAYS = {"as searches do": None, "tuned": "tuned", "plain": "symmetric"}
SHOWN = ("top-1", "mMV@5", "MAP@5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    both = image_archive(TASKS[-1], given.data, given.out)
    sites = sorted({str(record.site) for record in both.records()})
    print(f"| archive | asked by | ranking | {' | '.join(SHOWN)} | ranked plainly |\n{'| --- ' * (len(SHOWN) + 4)}|")
    for site in sites:
        print("\n".join(ask(both, site, given.out)), flush=True)


def ask(both: Archive, site: str, out: Path) -> list[str]:
    """The archive without a site, asked with that site's slides."""
    path = out / f"without-{site}.archive"
    shutil.rmtree(path, ignore_errors=True)
    home = Archive.open(shutil.copytree(both.path, path))
    strangers = [record for record in both.records() if record.site == site]
    home.remove([record.slide_id for record in strangers])
    known = home.records()
    labels = sorted({read_value(record, LABEL) for record in known})
    queries = [record for record in strangers if read_value(record, LABEL) in labels]
    outcome = home.tune(LABEL)
    values, plainly = {}, {}
    for name, distance in WAYS.items():
        values[name], plainly[name] = rank(both, home, queries, known, labels, distance)
    owners = np.unique([name_owner(record) for record in queries], return_inverse=True)[1]
    columns = [NAMES.index(name) for name in SHOWN]
    lines = []
    for name, each in values.items():
        difference = (each - values["plain"])[:, columns]
        low, high = bootstrap(difference, owners, 0, least=-1)
        p = permutation_test(difference, owners, 0)
        cells = [f"{np.nanmean(each[:, column]):.3f}" for column in columns]
        if name != "plain":
            means = np.nanmean(difference, axis=0)
            cells = [
                f"{cell} ({mean:+.3f}, {a:+.3f} to {b:+.3f}, p {chance:.3f})"
                for cell, mean, a, b, chance in zip(cells, means, low, high, p, strict=True)
            ]
        others = ", ".join(sorted({str(record.site) for record in known}))
        lines.append(f"| {others} | {site} | {name} | {' | '.join(cells)} | {plainly[name]} of {len(queries)} |")
    return [*lines, f"\n{outcome.verdict}; {outcome.tuning.settings}\n"]


def rank(
    both: Archive,
    home: Archive,
    queries: Sequence[SlideRecord],
    known: Sequence[SlideRecord],
    labels: Sequence[str],
    distance: str | None,
) -> tuple[np.ndarray, int]:
    """What each query is worth by the harness's own measures, and how many were ranked plainly."""
    place = {record.slide_id: row for row, record in enumerate(known)}
    codes = np.array([labels.index(read_value(record, LABEL)) for record in (*known, *queries)])
    slides, distances, plainly = [], [], 0
    for record in queries:
        bag = load_bag(both.layout.bag(record.slide_id))
        query = EncodedSlide(bag, record.slide_id, record.spacing_um_per_px, record.patient_id)
        found = home.search(query, k=DEPTH, distance=distance)
        plainly += found.query.distance == "symmetric"
        slides.append([place[result.slide_id] for result in found.results])
        distances.append([1 - result.score for result in found.results])
    asked = np.arange(len(queries)) + len(known)
    relevant = np.bincount(codes[: len(known)], minlength=len(labels))[codes[asked]]
    eligible = np.full(len(queries), len(known))
    ranked = Neighbours(asked, np.array(slides), np.array(distances, np.float32), eligible, relevant)
    return compute_values(ranked, codes), plainly


if __name__ == "__main__":
    main()
