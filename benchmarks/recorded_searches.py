"""Searches of all kinds on a small simulated archive, recorded, to show that a change of the code changes no result.

    python benchmarks/recorded_searches.py --out before.json
    python benchmarks/recorded_searches.py --out after.json --compare before.json

The same code gives the same bytes. It knows what users know: the names that `histoseek` exports, and the commands.
Times and sizes are left out, paths are relative to the folder of --work, and of an error only its class is kept. A
folder given with --work keeps its slides and archives, so that later code can be tried on archives of earlier code.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

# More threads would add numbers in another order. Before numpy and torch load.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HISTOSEEK_THREADS", "1")

import h5py
from PIL import Image

from histoseek import (
    Archive,
    ArchivedCase,
    ArchivedReport,
    ArchivedSlide,
    Case,
    Composed,
    EncodedSlide,
    FieldFilter,
    HistoseekError,
    Rect,
    Refined,
    Region,
    ReportFile,
    ReportText,
    SearchResult,
    SlideFile,
    SlideRecord,
    TextQuery,
    TileImage,
)
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

PATIENTS, SLIDES_PER_PATIENT, SIZE_PX, SPACING = 16, 2, 1024, 0.5
WITHOUT_REPORT = "SIM-0004-01"
SLIDE, OTHER = "SIM-0003-01", "SIM-0007-00"
STRANGER = "SIM-0001-00"
AREA = Rect(128, 256, 400, 300)
DISTANCES = ("symmetric", "maxsim", "global", "contained", "pathsearch-paper")
TIMES_AND_SIZES = re.compile(r"created|updated|seconds|store|(.*_)?(ms|bytes)")
SHOWN_DIFFERENCES = 4

Run = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the recording goes")
    parser.add_argument("--work", type=Path, help="a folder for slides and archives, kept; else a temporary one")
    parser.add_argument("--compare", type=Path, metavar="OTHER", help="a recording; exit 1 where this one differs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = (given.work or Path(folder)).resolve()
        recording = record(Workplace.prepare(work))
        text = json.dumps(recording, indent=1, sort_keys=True).replace(str(work), "WORK")
    given.out.write_text(text + "\n", encoding="utf-8")
    print(f"{len(recording)} searches recorded in {given.out}")
    if given.compare:
        raise SystemExit(compare(json.loads(given.compare.read_text(encoding="utf-8")), json.loads(text)))


@dataclass(frozen=True)
class Workplace:
    """Where all lies: slides of the archives, slides that no archive knows, and what is made of them."""

    folder: Path

    @classmethod
    def prepare(cls, folder: Path) -> Workplace:
        """With everything made that is not there."""
        made = cls(folder)
        spec = CohortSpec(PATIENTS, SLIDES_PER_PATIENT, sites=2, size_px=SIZE_PX, spacing_um_per_px=SPACING)
        write_cohort(spec, made.slides)
        write_cohort(replace(spec, patients=2, seed=7), made.strangers)
        with Image.open(made.strangers / f"{STRANGER}.tiff") as slide:
            slide.convert("RGB").crop((200, 200, 700, 600)).save(made.picture)
        made.report.write_text("Lymph node, excision: lymphoma. Sections show a diffuse infiltrate.", encoding="utf-8")
        for name, make in (("plain", made.make_plain), ("full", made.make_full)):
            if not made.archive(name).exists():
                unfinished = made.archive(f"unfinished-{name}")
                shutil.rmtree(unfinished, ignore_errors=True)
                make(unfinished)
                unfinished.rename(made.archive(name))
        return made

    def make_plain(self, path: Path) -> None:
        """An archive that is neither aligned nor calibrated; one slide has no report."""
        # Not taken out afterwards: an index of words in several parts adds scores up in an order of its own.
        rows = (self.slides / "reports.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        reports = self.folder / "reports.csv"
        reports.write_text("".join(row for row in rows if not row.startswith(WITHOUT_REPORT)), encoding="utf-8")
        report = Archive.create(path).index([self.slides], self.slides / "metadata.csv", reports, workers=1)
        if report.refused:
            raise SystemExit(f"refused: {report.refused}")

    def make_full(self, path: Path) -> None:
        """The same, aligned and calibrated."""
        shutil.copytree(self.archive("plain"), path)
        run_command("align", "--archive", path)
        Archive.open(path).calibrate()

    def archive(self, name: str) -> Path:
        return self.folder / f"{name}.archive"

    @property
    def slides(self) -> Path:
        return self.folder / "slides"

    @property
    def strangers(self) -> Path:
        return self.folder / "strangers"

    @property
    def picture(self) -> Path:
        return self.folder / "picture.png"

    @property
    def report(self) -> Path:
        return self.folder / "report.txt"

    def stranger(self, patient_id: str | None = None) -> SlideFile:
        """A slide that no archive knows."""
        return SlideFile(self.strangers / f"{STRANGER}.tiff", patient_id=patient_id)


def record(place: Workplace) -> dict[str, Any]:
    """All searches by name, each as JSON."""
    plain, full = (Archive.open(place.archive(name)) for name in ("plain", "full"))
    found: dict[str, Any] = {}
    for group in (
        list_image_searches,
        list_word_searches,
        list_mixed_searches,
        list_searches_with_options,
        list_filtered_searches,
        list_explanations,
        list_mistakes,
    ):
        found |= {f"full, {name}": run_to_json(run) for name, run in group(full, place).items()}
    for group in (list_image_searches, list_word_searches, list_mixed_searches):
        found |= {f"plain, {name}": run_to_json(run) for name, run in group(plain, place).items()}
    found["plain, probability"] = run_to_json(lambda: plain.search(like=SLIDE, min_probability=0.5))
    commands = list_commands(place)
    with ThreadPoolExecutor(2) as pool:
        found |= dict(zip(commands, pool.map(run_to_json, commands.values()), strict=True))
    return found


def run_to_json(run: Run) -> object:
    """What a search gives as JSON, or the class of its error."""
    try:
        result = run()
    except HistoseekError as error:
        return {"error": type(error).__name__}
    return settle(json.loads(result.to_json()) if hasattr(result, "to_json") else result)


def settle(value: Any) -> Any:
    """JSON without times and sizes; scores of words, which the engine adds up in any order, to some digits."""
    if isinstance(value, dict):
        if value.get("name") == "report words":
            value = {**value, "score": float(f"{value['score']:.5g}")}
        return {key: settle(item) for key, item in value.items() if not TIMES_AND_SIZES.fullmatch(key)}
    return [settle(item) for item in value] if isinstance(value, list) else value


def list_image_searches(archive: Archive, place: Workplace) -> dict[str, Run]:
    file, stranger = SlideFile(place.slides / f"{SLIDE}.tiff"), place.stranger()
    patient = find_record(archive, OTHER).patient_id
    queries = {
        "file": file,
        "file of given spacing": replace(file, spacing_um_per_px=0.52),
        "unknown file": stranger,
        "unknown file, patient": place.stranger(patient),
        "archived": ArchivedSlide(OTHER),
        "archived without report": ArchivedSlide(WITHOUT_REPORT),
        "picture": TileImage(place.picture, SPACING),
        "picture, patient": TileImage(place.picture, SPACING, patient),
        "region of file": Region(stranger, (AREA,)),
        "region of archived": Region(ArchivedSlide(SLIDE), (AREA,)),
        "two regions in um": Region(file, (Rect(60, 60, 150, 150), Rect(250, 200, 160, 200)), "um"),
        "case of files": Case((stranger, SlideFile(place.strangers / "SIM-0001-01.tiff"))),
        "case of file and archived": Case((file, ArchivedSlide("SIM-0003-00"))),
        "archived case": ArchivedCase(OTHER[:8]),
    }
    encoded = make_encoded_queries(archive, place)
    runs: dict[str, Run] = {}
    for name, query in {**queries, **encoded}.items():
        for to in ("slides", "reports"):
            runs[f"image, {name}, to {to}"] = lambda query=query, to=to: archive.search(query, to=to, k=8)
    return runs


def make_encoded_queries(archive: Archive, place: Workplace) -> dict[str, EncodedSlide]:
    """Queries of tile features as `histoseek export` writes them."""
    folder = place.folder / "features"
    run_command("export", folder, "--archive", archive.path, "--where", f"slide_id = '{SLIDE}'")
    space = read_json("stats", "--archive", archive.path, "--json")["space"]
    with h5py.File(folder / f"{SLIDE}.h5") as file:
        features, coords = file["features"][:], file["coords"][:]
    make_bag = get_type_hints(EncodedSlide)["bag"]
    bag = make_bag(
        features=features,
        coords=coords,
        weights=features[:, 0] * 0 + 1,
        tile_size_level0=224,
        spacing_um_per_px=SPACING,
        encoder=f"{space['tile_encoder']}-{space['tile_encoder_weights']}",
    )
    known = find_record(archive, SLIDE)
    query = EncodedSlide(bag, "encoded", SPACING)
    return {
        "encoded": query,
        "encoded, patient": replace(query, patient_id=known.patient_id),
        "encoded, known content": replace(query, file_fingerprint=known.file_fingerprint),
        "encoded region": replace(query, regions=(AREA,)),
        "encoded picture": replace(query, picture=True),
    }


def list_word_searches(archive: Archive, place: Workplace) -> dict[str, Run]:
    patient = find_record(archive, SLIDE).patient_id
    queries = {
        "one word": TextQuery("lymphoma"),
        "sentence": TextQuery("branching papillae lined by atypical cells, without necrosis"),
        "abbreviation": TextQuery("SCC of the lung"),
        "phrase": TextQuery('"papillary fronds" carcinoma'),
        "minus": TextQuery("carcinoma -necrosis"),
        "field": TextQuery("organ:colon glands"),
        "without": TextQuery("carcinoma", without="papillary"),
        "patient": TextQuery("lymphoma", patient_id=patient),
        "no such word": TextQuery("zzyzx"),
        "report file": ReportFile(place.report),
        "report file, patient": ReportFile(place.report, patient),
        "report text": ReportText("Colon, biopsy: adenocarcinoma. Fused atypical glands. Necrosis is present."),
        "archived report": ArchivedReport(SLIDE),
    }
    runs: dict[str, Run] = {}
    for name, query in queries.items():
        for to in ("slides", "reports"):
            runs[f"words, {name}, to {to}"] = lambda query=query, to=to: archive.search(query, to=to, k=8)
    runs["words, carcinoma, not expanded"] = lambda: archive.search(text="carcinoma", k=20, expand=False)
    runs["words, carcinoma, expanded"] = lambda: archive.search(text="carcinoma", k=20)
    return runs


def list_mixed_searches(archive: Archive, place: Workplace) -> dict[str, Run]:
    archived, words = ArchivedSlide(SLIDE), TextQuery("papillary carcinoma")
    relevant, irrelevant = ("SIM-0002-00", "SIM-0007-01"), ("SIM-0008-00",)
    composed = Composed(archived, "necrosis", weight=0.3)
    queries = {
        "slide and text": Composed(archived, "necrosis"),
        "slide without": Composed(archived, without="lymphoma"),
        "slide, text and without": Composed(archived, "carcinoma", "necrosis", 0.7),
        "file and text": Composed(place.stranger(), "glands"),
        "picture and text": Composed(TileImage(place.picture, SPACING), "glands"),
        "region and text": Composed(Region(archived, (AREA,)), "fat"),
        "case and text": Composed(ArchivedCase(OTHER[:8]), "fat"),
        "image alone": Composed(archived, "necrosis", weight=0),
        "words alone": Composed(archived, "necrosis", weight=1),
        "refined slide": Refined(archived, relevant, irrelevant),
        "refined slide, relevant": Refined(archived, relevant),
        "refined slide, irrelevant": Refined(archived, irrelevant=irrelevant),
        "refined file": Refined(place.stranger(), relevant),
        "refined case": Refined(ArchivedCase(OTHER[:8]), relevant),
        "refined text": Refined(words, relevant, irrelevant),
        "refined report": Refined(ArchivedReport(SLIDE), relevant),
        "refined mix": Refined(composed, relevant, irrelevant),
    }
    runs: dict[str, Run] = {}
    for name, query in queries.items():
        for to in ("slides", "reports"):
            runs[f"mix, {name}, to {to}"] = lambda query=query, to=to: archive.search(query, to=to, k=8)
    return runs


def list_searches_with_options(archive: Archive, place: Workplace) -> dict[str, Run]:
    """Each option beside a query of each kind."""
    options: dict[str, dict[str, Any]] = {
        "all": {"k": 100},
        "second page": {"k": 3, "offset": 3},
        "last page": {"k": 5, "offset": 28},
        "same patient": {"same_patient": True},
        "by case": {"by_case": True, "k": 6},
        "by case, second page": {"by_case": True, "k": 3, "offset": 3},
        "exact": {"exact": True, "k": 8},
        "exact by case": {"exact": True, "by_case": True, "k": 6},
        "probability": {"min_probability": 0.18, "k": 20},
        "vote": {"vote": "diagnosis"},
        "vote on site, by case": {"vote": "site", "by_case": True, "k": 6},
        **{f"distance {name}": {"distance": name, "k": 8} for name in DISTANCES},
        **{f"distance {name}, exact": {"distance": name, "exact": True, "k": 8} for name in DISTANCES},
    }
    marked = ("SIM-0002-00", "SIM-0007-01")
    queries = {
        "slide": ArchivedSlide(SLIDE),
        "region": Region(ArchivedSlide(OTHER), (AREA,)),
        "case": ArchivedCase(OTHER[:8]),
        "text": TextQuery("papillary carcinoma"),
        "archived report": ArchivedReport(SLIDE),
        "mix": Composed(ArchivedSlide(SLIDE), "necrosis"),
        "refined": Refined(ArchivedSlide(SLIDE), marked),
        "refined text": Refined(TextQuery("necrosis"), marked),
    }
    return {
        f"option {option}, {name}": lambda query=query, chosen=chosen: archive.search(query, **chosen)
        for option, chosen in options.items()
        for name, query in queries.items()
    }


def list_filtered_searches(archive: Archive, place: Workplace) -> dict[str, Run]:
    filters = {
        "equal": "organ = 'lung'",
        "number": "age > 50 AND site = 'site-0'",
        "set": "diagnosis IN ('lymphoma', 'papillary carcinoma') OR organ LIKE 'br%'",
        "null": "report IS NULL",
        "nothing": "organ = 'kidney'",
    }
    ages = tuple(sorted({find_record(archive, slide_id).extra["age"] for slide_id in ("SIM-0002-00", "SIM-0001-00")}))
    chosen = {
        "metadata": [FieldFilter("metadata", "organ", ("lung", "thyroid")), FieldFilter("metadata", "age", ages)],
        "stated": [FieldFilter("report", "diagnosis", ("lymphoma", "papillary carcinoma"))],
    }
    queries = {
        "slide": ArchivedSlide(SLIDE),
        "text": TextQuery("carcinoma"),
        "mix": Composed(ArchivedSlide(SLIDE), "atypical cells"),
        "refined": Refined(ArchivedSlide(SLIDE), ("SIM-0002-00", "SIM-0007-01")),
    }
    runs: dict[str, Run] = {}
    for name, query in queries.items():
        for title, where in filters.items():
            runs[f"filter {title}, {name}"] = lambda query=query, where=where: archive.search(query, where=where)
        for title, fields_ in chosen.items():
            runs[f"chosen {title}, {name}"] = lambda query=query, fields_=fields_: drop_filter(
                archive.search(query, where=archive.condition(fields_)).to_json()
            )
    return runs


def find_record(archive: Archive, slide_id: str) -> SlideRecord:
    return next(record for record in archive.records() if record.slide_id == slide_id)


def drop_filter(text: str) -> Any:
    """Results without the text of a filter that nobody typed."""
    results = json.loads(text)
    results["query"].pop("where")
    return results


def list_explanations(archive: Archive, place: Workplace) -> dict[str, Run]:
    relevant, irrelevant = ("SIM-0002-00",), (OTHER,)
    queries = {
        "slide": (ArchivedSlide(SLIDE), {}),
        "slide, maxsim": (ArchivedSlide(SLIDE), {"distance": "maxsim"}),
        "slide to report": (ArchivedSlide(SLIDE), {"to": "reports"}),
        "unknown file": (place.stranger(), {}),
        "region": (Region(ArchivedSlide(SLIDE), (AREA,)), {}),
        "case": (ArchivedCase("SIM-0002"), {}),
        "text": (TextQuery("papillary carcinoma"), {}),
        "text to report": (TextQuery("papillary carcinoma"), {"to": "reports"}),
        "archived report": (ArchivedReport(SLIDE), {}),
        "mix": (Composed(ArchivedSlide(SLIDE), "lymphoid cells"), {}),
        "refined": (Refined(ArchivedSlide(SLIDE), relevant, irrelevant), {}),
        "own slide": (ArchivedSlide(OTHER), {}),
    }
    frame = archive.search(like=SLIDE, k=1)

    def as_json(result: SearchResult) -> Any:
        return json.loads(replace(frame, results=(result,)).to_json())["results"]

    return {
        f"explain, {name}": lambda query=query, options=options: as_json(archive.explain(query, OTHER, **options))
        for name, (query, options) in queries.items()
    }


def list_mistakes(archive: Archive, place: Workplace) -> dict[str, Run]:
    strange = place.stranger()
    return {
        "error, no query": archive.search,
        "error, two queries": lambda: archive.search(like=SLIDE, text="lymphoma"),
        "error, no such file": lambda: archive.search(place.slides / "none.tiff"),
        "error, no such slide": lambda: archive.search(like="none"),
        "error, no such case": lambda: archive.search(ArchivedCase("none")),
        "error, two patients": lambda: archive.search(Case((ArchivedSlide(SLIDE), ArchivedSlide(OTHER)))),
        "error, outside": lambda: archive.search(Region(strange, (Rect(5000, 5000, 10, 10),))),
        "error, empty text": lambda: archive.search(text=" "),
        "error, no report": lambda: archive.search(ArchivedReport(WITHOUT_REPORT)),
        "error, filter": lambda: archive.search(like=SLIDE, where="organ ="),
        "error, distance": lambda: archive.search(like=SLIDE, distance="none"),
        "error, vote": lambda: archive.search(like=SLIDE, vote="none"),
        "error, probability": lambda: archive.search(like=SLIDE, min_probability=2),
        "error, too few": lambda: archive.search(like=SLIDE, k=0),
    }


def list_commands(place: Workplace) -> dict[str, Run]:
    """What the commands print as JSON, and the pictures on two pages."""
    file = place.strangers / f"{STRANGER}.tiff"
    searches: dict[str, tuple[object, ...]] = {
        "slide": ("--slide", file, "--patient", "nobody-1", "-k", 3),
        "like": ("--like", SLIDE, "--vote", "diagnosis", "--where", "age > 40"),
        "region": ("--like", SLIDE, "--region", "60,60,200,200um", "--distance", "maxsim"),
        "picture": ("--image", place.picture, "--spacing", SPACING, "--exact"),
        "case": ("--case", OTHER[:8], "--by-case", "--same-patient"),
        "text": ("--text", "carcinoma -necrosis", "--to", "reports", "--no-expand", "--offset", 2),
        "mix": ("--like", SLIDE, "--text", "necrosis", "--without", "fat", "--weight", 0.4),
        "report": ("--report", place.report, "--patient", "nobody-1"),
        "report of": ("--report-of", SLIDE),
    }
    others = {
        "list": ("list", "--where", "organ = 'lung'", "--json"),
        "stats": ("stats", "--json"),
        "facets": ("facets", "--json"),
        "show": ("show", SLIDE, "--json"),
    }
    archive = ("--archive", place.archive("full"))
    lines = {name: ("search", *options, "--json") for name, options in searches.items()} | others
    runs: dict[str, Run] = {
        f"command, {name}": lambda line=line: read_json(*line, *archive) for name, line in lines.items()
    }
    for name, line in (("like", ("--like", SLIDE, "-k", 2)), ("text", ("--text", "necrosis", "-k", 2))):
        page = place.folder / f"{name}.html"
        runs[f"pictures, {name}"] = lambda line=line, page=page: digest_pictures(page, "search", *line, *archive)
    return runs


def digest_pictures(page: Path, *words: object) -> list[str]:
    """Digests of the pictures on a page that a command writes."""
    run_command(*words, "--html", page)
    encoded = re.findall(r"data:image/\w+;base64,([\w+/=]+)", page.read_text(encoding="utf-8"))
    return [hashlib.sha256(base64.b64decode(text)).hexdigest() for text in encoded]


def read_json(*words: object) -> Any:
    return json.loads(run_command(*words))


def run_command(*words: object) -> str:
    """What a command of histoseek prints; ends the program where it fails."""
    line = [sys.executable, "-m", "histoseek", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"histoseek {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    """Name the searches that differ, and where; 1 if any does."""
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    for name in names:
        places = list(find_differences(before.get(name), after.get(name)))
        print(f"{name}: {len(places)} differences")
        for line in places[:SHOWN_DIFFERENCES]:
            print(f"    {line}")
    print(f"{len(names)} of {len({*before, *after})} searches differ")
    return 1 if names else 0


def find_differences(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Each place where two JSON values differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from find_differences(before.get(key), after.get(key), f"{where}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from find_differences(*pair, f"{where}[{number}]")
    elif before != after:
        yield f"{where}: {json.dumps(before)[:80]} -> {json.dumps(after)[:80]}"


if __name__ == "__main__":
    main()
