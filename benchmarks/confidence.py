"""How far probabilities, votes and warnings can be believed, on real tiles: patients are held out of the archive.

Each archive is split by patient; the larger part is calibrated and asked with the slides of the rest. Run:
    python benchmarks/confidence.py DATA --out FOLDER
Archives that --out has already (benchmarks/ranking.py makes the same) are used again.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crossmodal import real_archive
from PIL import Image
from real.run import TASKS, image_archive

from histoseek.api import Archive
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord, name_owner, read_value
from histoseek.errors import SlideError
from histoseek.mosaics.calibration_curves import is_novel, measure_reliability
from histoseek.search.queries import SlideFile
from histoseek.search.results import SearchResults

HELD_OUT = 0.4
SHOWN, VOTERS = 5, 15
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class Answer:
    truth: str
    results: SearchResults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lung = image_archive(TASKS[0], given.data, given.out)
    many = real_archive(given.data, given.out)
    questions = (
        ("Lung, LC25000, tiles", lung, "diagnosis"),
        ("Diagnosis among all pseudo-slides", many, "diagnosis"),
    )
    print("| archive | held-out queries | base rate | ECE | Brier | base rate's Brier | flagged as unlike |")
    print("| --- " * 7 + "|")
    found = {name: answers(archive, label, given.out) for name, archive, label in questions}
    for name, some in found.items():
        print(figures(name, some))
    print(f"\n| archive | {' | '.join(f'{coverage:.0%} answered' for coverage in COVERAGES)} | abstentions |")
    print("| --- " * (len(COVERAGES) + 2) + "|")
    for name, some in found.items():
        print(curve(name, some))
    print("\n" + "\n".join(strangers(lung, given.data, given.out)))


def answers(archive: ArchiveFolder, label: str, out: Path) -> list[Answer]:
    """The archive without the held-out patients, asked with their slides."""
    known, held = split(archive.records(), label)
    part = Archive.open(_copy(archive.path, out / f"{archive.path.name}.part"))
    part.remove([record.slide_id for record in held])
    part.calibrate(label)
    asked = [SlideFile(record.uri, record.spacing_um_per_px or None, record.patient_id) for record in held]
    labels = {read_value(record, label) for record in known}
    return [
        Answer(read_value(record, label), part.search(query, k=VOTERS, vote=label))
        for record, query in zip(held, asked, strict=True)
        if read_value(record, label) in labels
    ]


def split(records: Sequence[SlideRecord], label: str) -> tuple[list[SlideRecord], list[SlideRecord]]:
    owners = sorted({name_owner(record) for record in records})
    drawn = np.random.default_rng(0).permutation(len(owners))[: int(HELD_OUT * len(owners))]
    out = {owners[i] for i in drawn}
    labelled = [record for record in records if read_value(record, label)]
    return [r for r in labelled if name_owner(r) not in out], [r for r in records if name_owner(r) in out]


def figures(name: str, some: Sequence[Answer]) -> str:
    pairs = [
        (result.probability, read_value(result.record, str(one.results.calibrated_for)) == one.truth)
        for one in some
        for result in one.results.results[:SHOWN]
    ]
    said = np.array([probability for probability, _ in pairs], float)
    same = np.array([right for _, right in pairs])
    each = np.ones(len(pairs))
    found, base = (
        measure_reliability(said, same, each),
        measure_reliability(np.full(len(pairs), same.mean()), same, each),
    )
    novel = np.mean([is_novel(one.results.novelty) for one in some])
    return (
        f"| {name} | {len(some)} | {same.mean():.3f} | {found.ece:.3f} | {found.brier:.3f} | {base.brier:.3f} "
        f"| {novel:.3f} |"
    )


def curve(name: str, some: Sequence[Answer]) -> str:
    """Share of right votes among those that are surest, by how many of all queries they are."""
    votes = [(one.results.vote_, one.truth) for one in some]
    tallies = [(vote.calibrated or vote.majority, truth) for vote, truth in votes if vote]
    order = np.argsort([-tally.share for tally, _ in tallies], kind="stable")
    right = np.array([tally.shares[0].label == truth for tally, truth in tallies])[order]
    shares = [right[: max(1, round(coverage * len(right)))].mean() for coverage in COVERAGES]
    abstained = np.mean([tally.abstains is not None for tally, _ in tallies])
    return f"| {name} | {' | '.join(f'{share:.3f}' for share in shares)} | {abstained:.3f} |"


def strangers(lung: ArchiveFolder, data: Path, out: Path) -> list[str]:
    """What the archive of lung tiles says of other organs, of a fluorescence slide, and of pictures without tissue."""
    archive = Archive.open(_copy(lung.path, out / "lung.calibrated"))
    archive.calibrate(None)

    files = sorted((data / "tiles" / "monuseg").iterdir()) + sorted((data / "tiles" / "cryonuseg").iterdir())
    noise = out / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)).save(noise)
    asked = {
        "MoNuSeg and CryoNuSeg fields": files,
        "fluorescence NDPI": [data / "slides" / "test3-DAPI-2-387.ndpi"],
        "background and debris tiles (NCT)": sorted((data / "tiles" / "nct_crc").glob("BACK*")),
        "random pixels": [noise],
    }
    lines = ["| asked in the lung archive | asked | refused | flagged |", "| --- " * 4 + "|"]
    for name, paths in asked.items():
        said = [ask(archive, path) for path in paths]
        lines.append(f"| {name} | {len(said)} | {said.count('refused')} | {said.count('flagged')} |")
    return lines


def ask(archive: Archive, path: Path) -> str:
    try:
        return "flagged" if is_novel(archive.search(SlideFile(path, 0.25), k=1).novelty) else "passed"
    except SlideError:
        return "refused"


def _copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


if __name__ == "__main__":
    main()
