"""Is nonsense told from real questions? 200 sentences that fit nothing, and the archive's own diagnoses and values.

Nonsense is drawn by a seed from benchmarks/nonsense.toml and from a list of English words, twenty of each of ten kinds;
what is real is read from the archives: diagnoses, organs, ids, and what reports state. Half of the lists (--part
development) is what was looked at while the product was made, the other half gives the figures. Archives: pseudo-slides
of real tiles with real reports (those of benchmarks/crossmodal.py), as they are, aligned, and without a text encoder;
reports of REG 2025 and of TCGA (patients held out). Run:
    python benchmarks/nonsense.py DATA --out FOLDER [--part final] [--archives slides reg ...] [--each] [--steadiness]
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import string
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from crossmodal import pseudo_slides, reports, write_features, write_table
from real_reports import is_held_out, read_reports

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.evaluation.significance import bootstrap
from histoseek.reports.cleaning.spelling import load_dictionary
from histoseek.search.results import SearchResults
from histoseek.statistics.intervals import wilson_interval
from histoseek.training.pairs import TrainingPair

Part = Literal["development", "final"]
Direction = Literal["slides", "reports"]

OF_A_KIND, REPORTS, LONG_REPORTS, DEPTH = 20, 300, 100, 1
DIAGNOSES, OTHERS = 40, 20
NAMES = ("slides", "aligned", "wordless", "reg", "tcga")
PHRASINGS: dict[Part, tuple[str, ...]] = {
    "development": (
        *("patient with {}", "cases of {}", "histology: {}", "biopsy shows {}", "{}, elderly woman"),
        *("find slides of {}", "typical {}", "sections show {}."),
    ),
    "final": (
        *("search for {}", "a 64 year old man with {}", "diagnosis: {}", "please show me all {}", "known {}"),
        *("resection specimen with {}", "I am looking for a {}", "example pictures of {}"),
    ),
}
FIELDS = ("grade", "t", "n", "gleason", "her2", "er", "stage", "margin", "finding", "procedure")
WRITTEN = {"t": "pT{}", "n": "pN{}", "gleason": "Gleason {}", "her2": "HER2 {}", "er": "ER {}", "margin": "margins {}"}


@dataclass(frozen=True)
class Asked:
    """A query of a kind; subject: what it is about: queries about the same count as one where intervals are made."""

    kind: str
    text: str
    subject: str


class Maker:
    """Draws nonsense; of each list every second entry, from the first or second on."""

    def __init__(self, part: Part) -> None:
        tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
        self._offset = 0 if part == "development" else 1
        self._rng = np.random.default_rng(self._offset)
        self._patterns = {name: values[self._offset :: 2] for name, values in tables["patterns"].items()}
        self._lists = {name: values[self._offset :: 2] for name, values in tables["lists"].items()}
        dictionary = load_dictionary()
        self._words = sorted(word for word in dictionary.common - dictionary.terms if len(word) > 2)[self._offset :: 2]

    def make(self) -> list[Asked]:
        """Twenty of each kind, all different."""
        kinds: dict[str, Callable[[], str]] = {
            "invented words": lambda: self._join(self._invent, 1, 6),
            "English words in no order": lambda: self._join(lambda: self._draw(self._words), 2, 7),
            "one English word": lambda: self._draw(self._words),
            "everyday sentences": lambda: self._fill("everyday"),
            "other trades": lambda: self._fill("other"),
            "homonyms": lambda: self._fill("homonym"),
            "other languages": lambda: self._fill("foreign"),
            "keyboard": lambda: self._join(self._hammer, 1, 4),
            "letters and digits": lambda: self._join(lambda: self._mix(string.ascii_lowercase + string.digits), 1, 4),
            "digits": lambda: self._join(lambda: self._mix(string.digits), 1, 5),
        }
        return [Asked(kind, text, text) for kind, draw in kinds.items() for text in self._draw_different(draw)]

    def _draw_different(self, draw: Callable[[], str]) -> list[str]:
        texts: dict[str, None] = {}
        while len(texts) < OF_A_KIND:
            texts[draw()] = None
        return list(texts)

    def _draw(self, values: Sequence[str]) -> str:
        return values[int(self._rng.integers(len(values)))]

    def _join(self, draw: Callable[[], str], least: int, most: int) -> str:
        return " ".join(draw() for _ in range(int(self._rng.integers(least, most + 1))))

    def _invent(self) -> str:
        parts = ("onset", "vowel", "coda")
        return "".join(self._draw(self._lists[p]) for _ in range(int(self._rng.integers(2, 4))) for p in parts)

    def _hammer(self) -> str:
        row = self._draw(self._lists["keyboard"])
        start = int(self._rng.integers(len(row) - 4))
        return row[start : start + int(self._rng.integers(4, 8))]

    def _mix(self, letters: str) -> str:
        return "".join(self._draw(letters) for _ in range(int(self._rng.integers(2, 8))))

    def _fill(self, name: str) -> str:
        text = self._draw(self._patterns[name])
        while "{" in text:
            start, end = text.index("{"), text.index("}")
            text = text[:start] + self._draw(self._lists[text[start + 1 : end]]) + text[end + 1 :]
        return text


def misspell(text: str, rng: np.random.Generator) -> str | None:
    """The text with two letters of its longest word swapped or one left out; None for short words."""
    word = max(text.split(), key=len)
    if len(word) < 8 or not word.isalpha():
        return None
    place = int(rng.integers(2, len(word) - 3))
    swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return text.replace(word, swapped if rng.random() < 0.5 and swapped != word else word[:place] + word[place + 1 :])


def list_real(archive: Archive, diagnoses: Sequence[str], part: Part) -> list[Asked]:
    """The archive's diagnoses as they are, in phrases and misspelt; organs, values and names."""
    rng = np.random.default_rng(part == "final")
    asked = [Asked("a diagnosis", diagnosis, diagnosis) for diagnosis in diagnoses]
    for number, diagnosis in enumerate(diagnoses):
        for place in (number, number + 3):
            phrasing = PHRASINGS[part][place % len(PHRASINGS[part])]
            asked.append(Asked("in a phrase", phrasing.format(diagnosis), diagnosis))
        wrong = misspell(diagnosis, rng)
        asked += [Asked("misspelt", wrong, diagnosis)] if wrong else []
    values = [facet for facet in archive.facets(fields=FIELDS) if facet.count > 1]
    for place in rng.permutation(len(values))[:OTHERS]:
        facet = values[place]
        text = WRITTEN.get(facet.field, "{}" if facet.field in ("finding", "procedure") else facet.field + " {}")
        asked.append(Asked("a value", text.format(facet.value).replace("-", " "), facet.field + facet.value))
    organs = [facet.value for facet in archive.facets(fields=["organ"])][:OTHERS]
    asked += [Asked("an organ", organ.replace("-", " "), organ) for organ in organs]
    ids = archive.store.slides(None)
    return asked + [Asked("a slide's id", ids[place], ids[place]) for place in rng.permutation(len(ids))[:OTHERS]]


def choose(values: Sequence[str], part: Part) -> list[str]:
    """At most so many of different diagnoses, every second one."""
    different = sorted({" ".join(value.split()) for value in values if value})
    mine = different[part == "final" :: 2] if len(different) > DIAGNOSES else different
    return [mine[place] for place in np.random.default_rng(0).permutation(len(mine))[:DIAGNOSES]]


def open_archives(data: Path, out: Path, part: Part, names: Sequence[str]) -> Iterator[tuple[str, Archive, list[str]]]:
    slides = out / "slides.archive"
    ways: dict[str, tuple[str, Path, Callable[[Path], None]]] = {
        "slides": ("pseudo-slides", slides, lambda path: _index_slides(data, path, "minilm")),
        "aligned": ("the same, aligned", out / "aligned.archive", lambda path: _align(slides, path)),
        "wordless": (
            "the same, no text encoder",
            out / "wordless.archive",
            lambda path: _index_slides(data, path, "none"),
        ),
        "reg": ("REG reports", out / "reg.archive", lambda path: _index(path, read_reg(data)[0])),
        "tcga": ("TCGA reports", out / "tcga.archive", lambda path: _index(path, read_tcga(data)[0])),
    }
    for key in names:
        name, path, make = ways[key]
        if not path.exists():
            make(path)
        archive = Archive.open(path)
        read = {"reg": read_reg, "tcga": read_tcga}
        named = read[key](data)[1] if key in read else [record.diagnosis or "" for record in archive.records()]
        yield name, archive, choose(named, part)


def _index_slides(data: Path, path: Path, text_encoder: str) -> None:
    """Some pseudo-slides of each diagnosis."""
    features = path.parent / "features"
    features.mkdir(exist_ok=True)
    every, counts = pseudo_slides(data), Counter[str]()
    chosen = [slide for slide in every if not counts.update([slide.diagnosis]) and counts[slide.diagnosis] <= OF_A_KIND]
    encoder = load_tile_encoder("lite0")
    for slide in chosen:
        if not (features / f"{slide.name}.h5").exists():
            write_features(slide, encoder, features / f"{slide.name}.h5")
    table = path.with_suffix(".csv")
    pairs = [
        TrainingPair(slide.name, slide.name, slide.patient, text, features, slide.diagnosis)
        for slide, text in zip(chosen, reports(chosen, data), strict=True)
    ]
    write_table(table, pairs)
    own = path.with_suffix(".features")
    own.mkdir(exist_ok=True)
    for slide in chosen:
        shutil.copy(features / f"{slide.name}.h5", own)
    Archive.create(path, Recipe(encoder="features:lite0"), text_encoder=text_encoder).index([own], table, table)


def _align(slides: Path, path: Path) -> None:
    from histoseek.training.alignment.closed_form import align

    align(Archive.open(shutil.copytree(slides, path)))


def _index(path: Path, texts: Mapping[str, str]) -> None:
    folder, table = path.with_suffix(".features"), path.with_suffix(".csv")
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for key in texts:
        with h5py.File(folder / f"{key}.h5", "w") as file:
            file["features"] = rng.standard_normal((4, 16)).astype(np.float32)
            file["coords"] = np.array([[0, 0], [512, 0], [0, 512], [512, 512]])
            file["coords"].attrs["patch_size_level0"] = 512
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("slide_id", "report"), *texts.items()])
    Archive.create(path, Recipe(encoder="features:simulated")).index([folder], None, table)


def read_reg(data: Path) -> tuple[dict[str, str], list[str]]:
    """Different reports of REG 2025, and the organs and diagnoses that they begin with."""
    rows = json.loads((data / "reports" / "reg2025_reports.json").read_text())
    different = {" ".join(row["report"].split()): row["id"].partition(".")[0] for row in rows}
    rng = np.random.default_rng(0)
    chosen = [list(different)[place] for place in rng.permutation(len(different))[:REPORTS]]
    parts = [text.partition(";") for text in chosen]
    diagnoses = [f"{head.partition(',')[0]} {tail.partition(',')[0].partition('(')[0]}" for head, _, tail in parts]
    diagnoses = [name.lower() for name in diagnoses if ":" not in name and " 1." not in name and len(name) < 80]
    return {different[text]: text for text in chosen}, diagnoses


def read_tcga(data: Path) -> tuple[dict[str, str], list[str]]:
    """Reports of held-out patients, and the histologies that a language model has read in at least two of them."""
    rows = [row for row in read_reports(data) if is_held_out(row["patient_id"])]
    chosen = {
        rows[place]["patient_id"]: rows[place]
        for place in np.random.default_rng(0).permutation(len(rows))[:LONG_REPORTS]
    }
    counts: dict[str, int] = defaultdict(int)
    for row in chosen.values():
        counts[row["histology"].lower()] += 1
    texts = {patient: row["text"] for patient, row in chosen.items()}
    return texts, [histology for histology, count in counts.items() if count > 1]


def print_shares(
    name: str, to: Direction, archive: Archive, sets: Sequence[tuple[str, Sequence[Asked]]], each: bool
) -> None:
    for title, queries in sets:
        found = {asked: archive.search(text=asked.text, k=DEPTH, to=to) for asked in queries}
        flagged = {asked: results.nothing_fits for asked, results in found.items()}
        print(f"| {name} | {to} | **{title}** | {format_share(flagged)} |", flush=True)
        for kind in dict.fromkeys(asked.kind for asked in queries):
            own = {asked: is_flagged for asked, is_flagged in flagged.items() if asked.kind == kind}
            print(f"| {name} | {to} | {kind} | {format_share(own)} |")
        if each:
            wrong = [asked for asked, is_flagged in flagged.items() if is_flagged != (title == "nonsense")]
            for asked in wrong:
                print(f"    {title} {asked.kind}: {asked.text!r} {describe(found[asked])}")


def describe(results: SearchResults) -> str:
    if not results.results:
        return "nothing found"
    first = results.results[0]
    ways = ", ".join(f"{way.name} {way.score:.2f}" for way in first.channels)
    return f"{first.score:.2f} {results.query.searched_for or ''} ({ways})"


def format_share(flagged: Mapping[Asked, bool]) -> str:
    """How many, the share, and its 95 % interval: over whole subjects where there are several queries of one."""
    values = np.array(list(flagged.values()), float)
    subjects = np.unique([asked.subject for asked in flagged], return_inverse=True)[1]
    share = float(values.mean())
    if len(set(subjects)) == len(values):
        low, high = wilson_interval(share, len(values))
    else:
        lows, highs = bootstrap(values[:, None], subjects, 0)
        low, high = float(lows[0]), float(highs[0])
    return f"{int(values.sum())} of {len(values)} | {share:.3f} ({low:.3f} to {high:.3f})"


def print_steadiness(
    name: str, archive: Archive, diagnoses: Sequence[str], nonsense: Sequence[Asked], out: Path
) -> None:
    """Whether a score depends on what is asked beside it; what whole and no agreement get in parts of an archive."""
    widest = max(
        abs(result.score - whole[result.slide_id])
        for text in (*diagnoses[:10], *(asked.text for asked in nonsense[::20]))
        for whole in [{r.slide_id: r.score for r in archive.search(text=text, k=len(archive))}]
        for asked in ask_otherwise(archive, text, list(whole))
        for result in asked
        if result.slide_id in whole
    )
    print(f"{name}: a slide's score in other searches differs by at most {widest:.1e}")
    ids = archive.store.slides(None)
    order = np.random.default_rng(0).permutation(len(ids))
    for part in (1, 4, 16):
        copy = Archive.open(shutil.copytree(archive.path, out / "part.archive"))
        kept = {ids[place] for place in order[: len(ids) // part]}
        if part > 1:
            copy.remove([slide_id for slide_id in ids if slide_id not in kept])
        texts = list(dict.fromkeys(r.report for r in copy.records() if r.report))[:10]
        whole = [copy.search(text=clean(text[:300]), k=1, to="reports").results[0].score for text in texts]
        none = [max((r.score for r in copy.search(text=asked.text, k=1)), default=0.0) for asked in nonsense[::8]]
        print(
            f"| {name} | {len(kept)} | {np.median(whole):.2f} ({min(whole):.2f}) "
            f"| {np.median(none):.2f} ({np.quantile(none, 0.95):.2f}) |",
            flush=True,
        )
        shutil.rmtree(copy.path)


def ask_otherwise(archive: Archive, text: str, ids: Sequence[str]) -> Iterator[SearchResults]:
    if ids:
        listed = ", ".join(f"'{slide_id}'" for slide_id in ids[1::3])
        yield from (archive.search(text=text, k=1), archive.search(text=text, k=5, offset=3))
        if listed:
            yield archive.search(text=text, k=5, where=f"slide_id IN ({listed})")


def clean(text: str) -> str:
    """Without what the language of queries has a meaning for."""
    return " ".join("".join(letter if letter.isalnum() or letter in ".,/" else " " for letter in text).split()) or "x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", choices=("development", "final"), default="final")
    parser.add_argument("--archives", nargs="*", default=NAMES)
    parser.add_argument("--to", nargs="*", default=("slides", "reports"))
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--steadiness", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    nonsense = Maker(given.part).make()
    print("| archive | to | queries | said not to fit | share (95 %) |\n" + "| --- " * 5 + "|")
    for name, archive, diagnoses in open_archives(given.data, given.out, given.part, given.archives):
        archive.search(text="a first search loads what later ones use", k=1)
        if given.steadiness:
            print_steadiness(name, archive, diagnoses, nonsense, given.out)
            continue
        started = time.perf_counter()
        sets = (("nonsense", nonsense), ("real", list_real(archive, diagnoses, given.part)))
        for to in given.to:
            print_shares(name, to, archive, sets, given.each)
        seconds = time.perf_counter() - started
        print(f"{name}: {1000 * seconds / len(given.to) / sum(len(queries) for _, queries in sets):.0f} ms a search")


if __name__ == "__main__":
    main()
