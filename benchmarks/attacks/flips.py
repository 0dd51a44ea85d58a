"""Change an archive behind its back, one byte or value at a time: what is noticed, what stops a search, what is mended.

python benchmarks/attacks/flips.py FOLDER [--flips 300] [--cuts 60] [--mend-every 4] [--seed 16]

FOLDER must not exist; two small archives are made in it, of features that are drawn. Each change is made in a copy, and
each is tried in a process of its own that is given up after a minute. Ends by itself. Versions without `verify --deep`
are tried as far as they go.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import random
import shutil
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from inspect import signature
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe

SLIDES, TILES, DIMENSION = 32, 12, 24
_TIMEOUT_S = 60
_REPORT = "Diagnosis: invasive {} carcinoma, grade {}. Margins are free. No lymph node metastasis in slide {}."
_VALUES = {
    "a diagnosis": ("diagnosis", "'kind 7'"),
    "a patient's id": ("patient_id", "'P999'"),
    "a number": ("ki67", "ki67 + 0.01"),
    "a word of a report": ("report", "replace(report, 'No lymph', 'A lymph')"),
    "a slide's path": ("uri", "'/other.h5'"),
    "the words kept of a report": ("report_tokens", "' benign '"),
    "the words kept of metadata": ("record_tokens", "' benign '"),
}


@dataclass(frozen=True, slots=True)
class Attack:
    """A change of one archive: kind and file or value, and what makes it in a copy of the archive."""

    kind: str
    target: str
    place: float = 0.0
    bit: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--cuts", type=int, default=60)
    parser.add_argument("--mend-every", type=int, default=4, help="mend one of so many")
    parser.add_argument("--seed", type=int, default=16)
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    folder.mkdir(parents=True)
    # Files of earlier versions, which no search reads, go at once.
    os.environ["HISTOSEEK_HISTORY_MINUTES"] = "0"
    for name, seed in (("archive", 0), ("other", 1)):
        make_archive(folder, name, seed)
    attacks = list_attacks(folder, given.flips, given.cuts, random.Random(given.seed))
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    trier = Judge(folder / "archive")
    for number, attack in enumerate(attacks):
        done = try_attack(folder, attack, trier, number % given.mend_every == 0)
        what = attack.target if attack.kind == "a value changed" else classify(attack.target)
        outcomes[f"{attack.kind}: {what}"].update(done)
        print(attack.kind, attack.target, *done[1:], sep=", ", file=sys.stderr)
    trier.close()
    print_outcomes(outcomes)


def make_archive(folder: Path, name: str, seed: int) -> None:
    """An archive of drawn features with metadata, reports, and a calibration."""
    rng = np.random.default_rng(seed)
    features = folder / f"{name} features"
    features.mkdir()
    with (folder / f"{name}.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["slide_id", "patient_id", "diagnosis", "report", "ki67"])
        for number in range(SLIDES):
            with h5py.File(features / f"slide-{number:03d}.h5", "w") as slide:
                slide["features"] = rng.standard_normal((TILES, DIMENSION)).astype(np.float32)
                slide["coords"] = rng.integers(0, 9000, (TILES, 2))
                slide["coords"].attrs["patch_size_level0"] = 512
            report = _REPORT.format(("ductal", "lobular")[number % 2], number % 3 + 1, number)
            rows.writerow([f"slide-{number:03d}", f"P{number}", f"kind {number % 2}", report, number / 4])
    archive = Archive.create(folder / name, Recipe(encoder="features:drawn"), text_encoder="none")
    archive.index([features], folder / f"{name}.csv")
    archive.calibrate(label=None)
    archive.store.optimize()
    archive.search(text="lobular carcinoma", k=3)


def list_attacks(folder: Path, flips: int, cuts: int, rng: random.Random) -> list[Attack]:
    """Drawn over kinds of files, so that few and small ones have their turn, and all changes of values and swaps."""
    root = folder / "archive"
    files = [str(p.relative_to(root)) for p in sorted(root.rglob("*")) if p.is_file() and p.stat().st_size]
    same = [name for name in files if (folder / "other" / name).is_file() and "/store/" not in name]
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in files:
        kinds[classify(name)].append(name)
    names = [kinds[kind] for kind in sorted(kinds)]
    drawn = [
        Attack("a bit flipped", rng.choice(names[number % len(names)]), rng.random(), rng.randrange(8))
        for number in range(flips)
    ]
    cut = [Attack("a file cut", rng.choice(names[number % len(names)]), rng.random()) for number in range(cuts)]
    beside = [name for name in same if not name.startswith("bags/")]
    swapped = [*beside, *rng.sample([name for name in same if name.startswith("bags/")], 6), "spaces/0001/store"]
    values = [*_VALUES, "a vector"]
    return [
        *drawn,
        *cut,
        *(Attack("taken from another archive", name) for name in swapped),
        *(Attack("a value changed", name) for name in values),
    ]


def classify(name: str) -> str:
    """The kind of a file."""
    kinds = {
        "store/slides.lance/data": "store, data",
        "store/slides.lance/_indices": "store, indices",
        "/store": "store, versions and ledger",
        "bags/": "features" if name.endswith("safetensors") else "features' origin",
        "jsonl": "logs",
        "archive": "manifest",
        "lock": "lock",
    }
    return next((kind for part, kind in kinds.items() if part in name), "other files beside the store")


class Judge:
    """Tries archives in a process of its own, which damaged files may end; a new one takes over then."""

    def __init__(self, whole: Path) -> None:
        self._whole = whole
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=judge, args=(self._whole, theirs))
        self._process.start()
        theirs.close()

    def try_archive(self, path: Path, is_mended: bool) -> list[str]:
        """What came of it; is_mended: whether it is to be mended as well."""
        done = ["tried"]
        self._pipe.send((path, is_mended))
        try:
            while self._pipe.poll(_TIMEOUT_S):
                said = self._pipe.recv()
                if said is None:
                    return done
                done.append(said)
        except EOFError:
            pass
        self.close()
        self._start()
        return [*done, "died"]

    def close(self) -> None:
        """End its process."""
        self._process.kill()
        self._process.join()


def try_attack(folder: Path, attack: Attack, judge: Judge, is_mended: bool) -> list[str]:
    """What came of it."""
    copy = folder / "attacked"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "archive", copy)
    apply(attack, copy, folder / "other")
    return judge.try_archive(copy, is_mended)


def apply(attack: Attack, root: Path, other: Path) -> None:
    """Make the change."""
    path = root / attack.target
    if attack.kind == "a bit flipped":
        data = bytearray(path.read_bytes())
        data[int(attack.place * len(data))] ^= 1 << attack.bit
        path.write_bytes(data)
    elif attack.kind == "a file cut":
        data = path.read_bytes()
        path.write_bytes(data[: int(attack.place * len(data))])
    elif attack.kind == "taken from another archive":
        if path.is_dir():
            shutil.rmtree(path)
            shutil.copytree(other / attack.target, path)
        else:
            shutil.copy(other / attack.target, path)
    else:
        change_value(root, attack.target)


def change_value(root: Path, name: str) -> None:
    """By the engine, as a program that knows nothing of the archive would."""
    import lancedb
    import pyarrow as pa

    table = lancedb.connect(root / "spaces" / "0001" / "store").open_table("slides")
    if name in _VALUES:
        column, value = _VALUES[name]
        table.update(where="slide_id = 'slide-003'", values_sql={column: value})
        return
    rows = table.search().where("slide_id = 'slide-003'").select(["slide_id", "global_vector"]).to_arrow()
    vector = -np.array(rows["global_vector"][0].as_py(), np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vector), len(vector))
    changed = pa.table({"slide_id": rows["slide_id"], "global_vector": column})
    table.merge_insert("slide_id").when_matched_update_all().execute(changed)


def judge(whole: Path, pipe: Connection) -> None:
    """In a process of its own: search, check, mend."""
    expected = answer(whole)
    has_deep = "deep" in signature(Archive.verify).parameters
    while True:
        copy, is_mended = pipe.recv()
        pipe.send(compare(copy, expected))
        named = {"verify": {}, "deep": {"deep": True}} if has_deep else {"verify": {}}
        noticed = [name for name, options in named.items() if is_noticed(copy, options)]
        for name in noticed:
            pipe.send(name)
        if has_deep and noticed and is_mended:
            pipe.send(mend(copy, expected))
        pipe.send(None)


def answer(path: Path) -> list[Any]:
    """What searches say."""
    archive = Archive.open(path)
    results = [*archive.search(like="slide-003", k=10), *archive.search(text="lobular carcinoma", k=10)]
    return [(r.slide_id, round(r.score, 5), r.record.patient_id, r.record.diagnosis, r.record.report) for r in results]


def compare(path: Path, expected: list[Any]) -> str:
    try:
        return "same answers" if answer(path) == expected else "other answers"
    except Exception:
        return "search stopped"


def is_noticed(path: Path, named: dict[str, bool]) -> bool:
    try:
        checked = Archive.open(path).verify(**named)
    except Exception:
        return True
    return bool(checked.problems)


def mend(path: Path, expected: list[Any]) -> str:
    """What `verify --deep --repair` makes of it, and then indexing the files again."""
    try:
        archive = Archive.open(path)
        if archive.verify(deep=True, repair=True).problems:
            archive.index([path.parent / "archive features"], path.parent / "archive.csv")
            how = "mended with index" if not archive.verify(deep=True).problems else "problems named, left"
        else:
            how = "mended"
    except Exception:
        return "not mended"
    again = compare(path, expected)
    return how if again == "same answers" else f"{how}, {again}"


def print_outcomes(outcomes: dict[str, Counter[str]]) -> None:
    columns = ["tried", "verify", "deep", "same answers", "other answers", "search stopped", "died"]
    rest = sorted({name for counts in outcomes.values() for name in counts} - set(columns))
    print("|", " | ".join(["change", *columns, *rest]), "|")
    print("|", " | ".join(["---"] * (1 + len(columns) + len(rest))), "|")
    total: Counter[str] = Counter()
    for name, counts in [*sorted(outcomes.items()), ("all", total)]:
        print("|", " | ".join([name, *(str(counts[column]) for column in [*columns, *rest])]), "|")
        total.update(counts)


if __name__ == "__main__":
    main()
