"""Power cuts in the midst of commands: no state of the disk that they can leave loses what was acknowledged.

python benchmarks/attacks/torn_states.py FOLDER [--states 500] [--seed 0] [--commands index remove ...]

Each command runs once in a process whose writes are recorded (`record_writes.c`, compiled here; Linux on x86-64). Of
what was written, legal states after a power cut are made (`crash_states.py`), opened, listed, searched, and indexed
again. It works in FOLDER (best in memory, as /dev/shm), on simulated features, and ends by itself. Runs with older
versions of histoseek, too (PYTHONPATH).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from crash_states import MARK, Recording, build_recorder, hash_tree, list_states, read_tree, write_tree

from histoseek.api import Archive
from histoseek.archive.archive_fusion import update_fusion
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.recipe import Recipe
from histoseek.errors import HistoseekError

ENCODER = "features:simulated"
SLIDES, NEW = 36, 40
DIAGNOSES = ("squamous carcinoma", "adenocarcinoma", "lymphoma", "melanoma", "adenoma", "inflammation")
HEAD = "command operations states different opened lost wrong left-out indexed-again not-repaired seconds"
CHANGED = {"diagnosis": "naevus", "report": "Skin, biopsy: benign naevus of the skin."}


def write_slides(folder: Path, names: list[str]) -> None:
    """Feature files with metadata and reports."""
    folder.mkdir(parents=True)
    metadata, reports = ["slide_id,patient_id,diagnosis"], ["slide_id,report"]
    for number, name in enumerate(names):
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        kind = number % len(DIAGNOSES)
        features = rng.standard_normal((6, 16)).astype(np.float32)
        features[:, kind] += 4
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["features"] = features
            file["coords"] = rng.integers(0, 9000, (6, 2))
            file["coords"].attrs["patch_size_level0"] = 512
        metadata.append(f"{name},p{number // 2},{DIAGNOSES[kind]}")
        reports.append(f"{name},Biopsy {number % 7} shows {DIAGNOSES[kind]} of grade {number % 3}.")
    (folder / "metadata.csv").write_text("\n".join(metadata))
    (folder / "reports.csv").write_text("\n".join(reports))


def index(archive: Archive, folder: Path) -> None:
    report = archive.index([folder], folder / "metadata.csv", folder / "reports.csv")
    if report.refused:
        raise SystemExit(report.refused[0].reason)


def erase(archive: Archive) -> None:
    """Remove slides, and return when no byte of them is left; where there is no such thing, only remove them."""
    now = {"now": True} if "now" in inspect.signature(archive.remove).parameters else {}
    archive.remove(["a001", "a002"], **now)


def align(archive: Archive, _: Path) -> None:
    from histoseek.training.alignment.closed_form import align as run

    run(archive)


def tune(archive: Archive, _: Path) -> None:
    """The weights of the parts of distances, measured anew."""
    with archive.writing():
        update_fusion(archive)


COMMANDS: dict[str, Callable[[Archive, Path], Any]] = {
    "index": index,
    "update": lambda archive, _: archive.update("a003", CHANGED),
    "remove": lambda archive, _: archive.remove(["a001", "a002"]),
    "erase": lambda archive, _: erase(archive),
    "reencode": lambda archive, _: reencode(archive, SpaceChange(untrained=True)),
    "calibrate": lambda archive, _: archive.calibrate(),
    "align": align,
    "tune": tune,
    "upgrade": lambda archive, _: archive.upgrade(),
}


def prepare(command: str, archive: Archive) -> None:
    """What an archive must be like for a command to have something to do."""
    if command == "upgrade":
        archive.store.set_analyser("older")
    if command == "tune":
        archive.layout.fusion.unlink()


def act(command: str, path: Path, new: Path) -> None:
    """Run a command, and mark when it counts."""
    COMMANDS[command](Archive.open(path), new)
    (path / MARK).mkdir()


@dataclass(frozen=True, slots=True)
class Facts:
    """What an archive holds: digests of slides by their ids, and of the rest by what it is."""

    slides: dict[str, str]
    rest: dict[str, str]


def read_facts(archive: Archive) -> Facts:
    slides = {}
    ids = [record.slide_id for record in archive.records()]
    for stored in archive.store.get(ids):
        signature, vectors = stored.signature, stored.language
        arrays = signature.global_vector, signature.mosaic, vectors.report_vector, vectors.shared_vector
        parts = [repr(stored.record).encode(), *(b"" if one is None else np.asarray(one).tobytes() for one in arrays)]
        slides[stored.record.slide_id] = hashlib.sha256(b"\0".join(parts)).hexdigest()
    rest = {
        "space": archive.require_space().fingerprint,
        "calibration": repr(archive.calibration),
        "fusion": repr(archive.fusion),
        "read by": archive.store.analyser,
    }
    return Facts(slides, rest)


@dataclass
class Outcome:
    """What came of the states of a command."""

    states: int = 0
    different: int = 0
    refused: int = 0
    lost: int = 0
    wrong: int = 0
    unrepaired: int = 0
    left_out: int = 0
    repairs: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Trial:
    """One command: recorded once, then its states."""

    def __init__(self, command: str, folder: Path, library: Path, texts: bool) -> None:
        self.command, self.folder = command, folder
        self.path = folder / "archive"
        self.new = folder.parent / "new"
        self.old = folder.parent / "old"
        shutil.copytree(folder.parent / ("texts.archive" if texts else "plain.archive"), self.path)
        prepare(command, Archive.open(self.path))
        self.before = read_facts(Archive.open(self.path))
        tree, inodes = read_tree(self.path)
        log = folder / "log"
        log.touch()
        environment = {**os.environ, "TORN_ROOT": str(self.path), "TORN_LOG": str(log), "LD_PRELOAD": str(library)}
        arguments = [sys.executable, __file__, str(folder), "--act", command, "--new", str(self.new)]
        subprocess.run(arguments, env=environment, check=True)
        self.after = read_facts(Archive.open(self.path))
        self.left = read_tree(self.path)[0].keys()
        self.recording = Recording(self.path, tree, inodes, log.read_bytes())
        if self.recording.unknown:
            raise SystemExit(f"writes that are not recorded: {self.recording.unknown[:3]}")
        shutil.rmtree(self.path)
        self.outcome = Outcome()
        self._passed = [0, 0]
        self._known: dict[tuple[str, bool, str], tuple[str | None, str | None, bool]] = {}

    def run(self, count: int, seed: int) -> Outcome:
        for end, tree in list_states(self.recording, count, seed):
            is_done = self.recording.mark is not None and self.recording.mark < end
            journal = self._read_journal(end)
            key = hash_tree(tree), is_done, json.dumps(journal)
            if key not in self._known:
                self._known[key] = self._check(tree, is_done, journal)
                self.outcome.different += 1
            self._count(*self._known[key])
        return self.outcome

    def _read_journal(self, end: int) -> dict[str, str]:
        """What the journal says for certain of slides by then: the last event of each."""
        events: dict[str, str] = {}
        for line in self.recording.read_flushed("journal.jsonl", end).splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                events.update(dict.fromkeys(entry.get("slide_ids", ()), entry["event"]))
        return events

    def _count(self, kind: str | None, reason: str | None, is_left_out: bool) -> None:
        self.outcome.states += 1
        self.outcome.left_out += is_left_out
        if kind is not None:
            setattr(self.outcome, kind, getattr(self.outcome, kind) + 1)
            self.outcome.reasons[f"{kind}: {reason}"] += 1

    def _check(
        self, tree: dict[str, bytes], is_done: bool, journal: dict[str, str]
    ) -> tuple[str | None, str | None, bool]:
        shutil.rmtree(self.path, ignore_errors=True)
        write_tree(self.path, tree)
        try:
            archive = Archive.open(self.path)
            facts = read_facts(archive)
            archive.search(like=next(iter(facts.slides)), k=3)
            archive.records("diagnosis = 'lymphoma'")
            is_left_out = any("left out" in text for text in getattr(archive, "warnings", ()))
        except Exception as error:
            return "refused", self._describe(error), False
        fault = self._find_loss(facts, is_done, journal) or (self._find_left(tree) if is_done else None)
        if fault:
            return "lost", fault, is_left_out
        if any(facts.slides[one] not in self._allowed(one) for one in facts.slides):
            problems = archive.verify().problems
            if problems:
                return "wrong", problems[0].what, is_left_out
        fault = self._repair() if self._is_due(is_left_out) else None
        return ("unrepaired", fault, is_left_out) if fault else (None, None, is_left_out)

    def _find_left(self, tree: dict[str, bytes]) -> str | None:
        """Files that come back after an erasure that was said to be done."""
        left = [path for path in tree if not path.endswith("/") and path not in self.left]
        return f"{len(left)} files that were erased" if left and self.command == "erase" else None

    def _is_due(self, is_left_out: bool) -> bool:
        """Whether a state is indexed again, which takes longest: now and then, more often where something is torn."""
        self._passed[is_left_out] += 1
        return self._passed[is_left_out] % (5 if is_left_out else 20) == 1

    def _allowed(self, slide_id: str) -> tuple[str | None, ...]:
        return self.before.slides.get(slide_id), self.after.slides.get(slide_id)

    def _find_loss(self, facts: Facts, is_done: bool, journal: dict[str, str]) -> str | None:
        """What was acknowledged and is not there."""
        if is_done:
            differing = [one for one in facts.slides if facts.slides[one] != self.after.slides.get(one)]
            if facts.slides.keys() != self.after.slides.keys() or differing:
                return f"after the end, {len(facts.slides)} slides, {len(differing)} of them not as they should be"
            other = [name for name in facts.rest if facts.rest[name] != self.after.rest[name]]
            return f"after the end, another {other[0]}" if other else None
        both = self.before.slides.keys() & self.after.slides.keys()
        if not both <= facts.slides.keys():
            return f"{len(both - facts.slides.keys())} slides that were there before"
        for slide_id, event in journal.items():
            if event == "committed" and slide_id in self.after.slides and slide_id not in facts.slides:
                return "a slide of which the journal says that it is committed"
            if event == "removed" and slide_id in facts.slides:
                return "a removal of which the journal says that it is done"
        return None

    def _repair(self) -> str | None:
        """What is still wrong when everything is indexed again."""
        self.outcome.repairs += 1
        try:
            archive = Archive.open(self.path)
            for folder in (self.old, self.new) if self.command == "index" else (self.old,):
                index(archive, folder)
            archive = Archive.open(self.path)
            missing = {*self.after.slides, *self.before.slides} - {record.slide_id for record in archive.records()}
            if missing and self.command not in {"remove", "erase"}:
                return f"{len(missing)} slides are missing"
            warnings = getattr(archive, "warnings", ())
            faults = list(archive.store.list_faults(deep=True)) if hasattr(archive.store, "list_faults") else []
            return next(iter((*warnings, *faults)), None)
        except (HistoseekError, Exception) as error:
            return self._describe(error)

    def _describe(self, error: BaseException) -> str:
        return f"{type(error).__name__} {' '.join(str(error).replace(str(self.path), '').split())[:110]}"


def make_archives(folder: Path, commands: Collection[str]) -> None:
    """What the commands begin with: an archive without the vectors of reports, and one with them."""
    write_slides(folder / "old", [f"a{number:03d}" for number in range(SLIDES)])
    write_slides(folder / "new", [f"b{number:03d}" for number in range(NEW)])
    needed = (("texts", "minilm"),) if "align" in commands else ()
    for name, encoder in (("plain", "none"), *needed):
        archive = Archive.create(folder / f"{name}.archive", replace(Recipe(), encoder=ENCODER), text_encoder=encoder)
        index(archive, folder / "old")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--states", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--act", help=argparse.SUPPRESS)
    parser.add_argument("--new", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.act:
        act(arguments.act, arguments.folder / "archive", arguments.new)
        return
    work = Path(tempfile.mkdtemp(prefix="torn-states-", dir=arguments.folder))
    try:
        run(work, arguments.commands, arguments.states, arguments.seed)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run(work: Path, commands: Collection[str], states: int, seed: int) -> list[Outcome]:
    """Try commands in a folder, and print what came of each."""
    library = build_recorder(work)
    if library is None:
        raise SystemExit("a C compiler is needed, on Linux on x86-64")
    make_archives(work, commands)
    print(
        "command\toperations\tstates\tdifferent\topened\tlost\twrong\tleft out\tindexed again\tnot repaired\tseconds",
        flush=True,
    )
    outcomes = []
    for command in commands:
        started = time.monotonic()
        (work / command).mkdir()
        trial = Trial(command, work / command, library, texts=command == "align")
        done = trial.run(states, seed)
        figures = [done.states, done.different, done.states - done.refused, done.lost, done.wrong]
        figures += [done.left_out, done.repairs, done.unrepaired, round(time.monotonic() - started)]
        print(command, trial.recording.length, *figures, sep="\t", flush=True)
        for reason, count in done.reasons.most_common(6):
            print(f"    {count} {reason}", flush=True)
        shutil.rmtree(work / command)
        outcomes.append(done)
    return outcomes


if __name__ == "__main__":
    main()
