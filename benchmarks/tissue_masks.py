"""Tissue masks on constructed pictures whose tissue is known, and on all real slides and fields.

Prints intersection over union by kind for the masks of the installed code and for Otsu's threshold on saturation (a
picture without tissue counts 1 where nothing is kept, else 0), the share of tissue of real pictures, and the time for a
thumbnail of 4096 px. `--matches` indexes the larger real slides and fields (at 0.5 um/px), searches with each and
says how many of the matched tiles are more than half empty at their own resolution. `--pictures FOLDER` writes the
drawn masks, to be looked at: for real slides the truth is not known. Run, and with PYTHONPATH at older sources for
their figures (DATA is the folder of test data):
    python benchmarks/tissue_masks.py [DATA] [--matches] [--pictures FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image
from tissue_pictures import Mask, Pixels, make_cases, paint_glass, paint_tissue

from histoseek.api import Archive
from histoseek.errors import HistoseekError
from histoseek.geometry import Size
from histoseek.search.queries import ArchivedSlide
from histoseek.slides.slide import open_slide
from histoseek.tissue.mask import find_tissue, make_tissue_mask
from histoseek.tissue.mask_picture import draw_mask
from histoseek.tissue.settings import TissueSettings


def apply_otsu(picture: Pixels) -> Mask:
    saturation = cv2.medianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 1], 7)
    return cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1] > 0


def compare(mask: Mask, truth: Mask) -> float:
    union = int((mask | truth).sum())
    return float((mask & truth).sum() / union) if union else 1.0


def measure_constructed(pictures: Path | None) -> None:
    by_kind: dict[str, list[tuple[float, float]]] = defaultdict(list)
    worst = []
    for case in make_cases():
        found = make_tissue_mask(case.picture, case.spacing_um_per_px, TissueSettings())
        scores = compare(found.mask, case.truth), compare(apply_otsu(case.picture), case.truth)
        by_kind[case.kind].append(scores)
        worst.append((scores[0], f"{case.kind}: {case.name}"))
        if pictures:
            Image.fromarray(draw_mask(found)).save(pictures / f"{case.kind}, {case.name}.png".replace("/", " per "))
    print("| kind | pictures | masks | least | Otsu on saturation |\n| --- | --- | --- | --- | --- |")
    everything = [scores for part in by_kind.values() for scores in part]
    for kind, part in [*by_kind.items(), ("all", everything)]:
        ours, otsu = (np.array([scores[i] for scores in part]) for i in (0, 1))
        print(f"| {kind} | {len(part)} | {ours.mean():.3f} | {ours.min():.3f} | {otsu.mean():.3f} |")
    print("\nBelow 0.9:")
    for score, name in sorted(worst):
        if score < 0.9:
            print(f"- {score:.3f} {name}")


def list_real(data: Path) -> Iterator[tuple[str, Path, float | None]]:
    for path in sorted((data / "slides").rglob("*")):
        if path.is_file() and "broken" not in path.parts:
            yield "slides", path, None
    with (data / "manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["file"].split("/")[1], data / row["file"], float(row["mpp"] or 0.5)


def measure_real(data: Path, pictures: Path | None) -> None:
    shares: dict[str, list[float]] = defaultdict(list)
    refused: dict[str, list[str]] = defaultdict(list)
    for group, path, spacing in list_real(data):
        try:
            with open_slide(path, spacing) as slide:
                found = find_tissue(slide, TissueSettings())
        except HistoseekError as error:
            try:
                with open_slide(path, 0.5) as slide:
                    found = find_tissue(slide, TissueSettings())
            except HistoseekError:
                refused[group].append(f"{path.name}: {str(error).partition(': ')[2][:90]}")
                continue
        shares[group].append(found.share)
        if group == "slides":
            print(f"- {path.name}: {found.share:.3f} tissue, {found.pen_share:.3f} pen, {found.blur_share:.3f} blur")
        if pictures and (group == "slides" or len(shares[group]) <= 6):
            Image.fromarray(draw_mask(found)).save(pictures / f"real {group} {path.stem[:40]}.png")
    print("\n| real | pictures | mean share of tissue | least | refused |\n| --- | --- | --- | --- | --- |")
    for group in sorted(set(shares) | set(refused)):
        part = np.array(shares[group] or [np.nan])
        print(f"| {group} | {len(part)} | {part.mean():.3f} | {part.min():.3f} | {len(refused[group])} |")
    for group, names in refused.items():
        print(f"- refused, {group}: {'; '.join(names)}")


def is_half_empty(tile: Pixels) -> bool:
    """Whether most of a tile is as bright as bare glass, judged by itself: no mask has a say."""
    smooth = cv2.GaussianBlur(tile, (0, 0), 2)
    white = max(200, int(np.percentile(smooth.max(-1), 99.5)))
    return bool((smooth.min(-1) > 0.92 * white).mean() > 0.5)


def measure_matches(data: Path) -> None:
    groups = {"slides", "breakhis", "glas", "monuseg", "oral"}
    paths = {path: spacing for group, path, spacing in list_real(data) if group in groups}
    with TemporaryDirectory() as folder:
        archive = Archive.create(Path(folder) / "archive", text_encoder="none")
        archive.index(list(paths), spacing_of={path.name: spacing or 0.5 for path, spacing in paths.items()})
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for record in archive.records():
            for result in archive.search(ArchivedSlide(record.slide_id), k=10).results:
                stored = archive.get(result.slide_id).record
                with open_slide(stored.uri, stored.spacing_um_per_px) as slide:
                    for match in result.matches:
                        if region := match.result_region:
                            tile = slide.read_at(0.5, region, Size(224, 224))
                            group = counts[Path(stored.uri).name if "/slides/" in stored.uri else "fields"]
                            group[0] += is_half_empty(tile)
                            group[1] += 1
    print("\n| matched tiles of | more than half empty | of |\n| --- | --- | --- |")
    for name, (empty, total) in sorted(counts.items()):
        print(f"| {name} | {empty} ({empty / total:.0%}) | {total} |")


def measure_time() -> None:
    picture = paint_glass(3072, 4096, noise=2)
    disc = np.zeros(picture.shape[:2], np.uint8)
    cv2.circle(disc, (1500, 1500), 1000, 1, -1)
    picture[disc > 0] = paint_tissue(3072, 4096)[disc > 0]
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        make_tissue_mask(picture, 8.0, TissueSettings())
        seconds.append(time.perf_counter() - started)
    print(f"\nA thumbnail of 4096 x 3072 px: {min(seconds):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--matches", action="store_true")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    measure_constructed(arguments.pictures)
    if arguments.data:
        measure_real(arguments.data, arguments.pictures)
        if arguments.matches:
            measure_matches(arguments.data)
    measure_time()


if __name__ == "__main__":
    main()
