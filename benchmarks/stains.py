"""Which stain is detected: on real H&E of many data sets and slides, and on stains rendered from their textures.

Real fields are brought to 8 um/px and joined, each of another patient, to small slides; densities are separated into
haematoxylin and eosin, and put together again with the absorption of other dyes (values of Ruifrok and Johnston 2001
and of its widely used implementations). Prints confusion counts, once on the half of the fields that thresholds were
set with and once on the other, and what is detected of constructed pictures and real slides. Run:
    python benchmarks/stains.py [DATA] [IMMUNOSTAINED_PICTURE ...]
A picture of a real immunostain can be given beside it, at 0.5 um/px.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tissue_pictures import Pixels, make_cases

from histoseek.errors import HistoseekError
from histoseek.slides.slide import open_slide
from histoseek.slides.sources.registry import parse_source
from histoseek.tissue.mask import find_tissue, make_tissue_mask
from histoseek.tissue.settings import TissueSettings
from histoseek.tissue.stain import detect_stain

SPACINGS = {
    "monuseg": 0.25,
    "cryonuseg": 0.25,
    "tcga_lgg": 0.25,
    "glas": 0.62,
    "lc25000_lung": 0.5,
    "uni_nsclc_demo": 0.5,
    "breakhis": 1.0,
    "nct_crc": 0.5,
    "lc25000_colon": 0.5,
    "oral_100x": 1.0,
    "oral_400x": 0.25,
}
RENDERED = ("uni_nsclc_demo", "glas", "monuseg", "cryonuseg", "nct_crc")
FIELDS_OF_SLIDE = 6
FIELD_SPACING = 1.0
"""At which fields are rendered in other stains, in um/px: a nucleus is some pixels."""

AREA = cv2.INTER_AREA
GLASS = 244

Map = NDArray[np.float64]


def name_dye(red: float, green: float, blue: float) -> Map:
    vector = np.array([red, green, blue])
    return np.asarray(vector / np.linalg.norm(vector))


HAEMATOXYLIN, EOSIN = name_dye(0.65, 0.704, 0.286), name_dye(0.072, 0.99, 0.105)
DAB, AEC, FAST_RED = name_dye(0.268, 0.57, 0.776), name_dye(0.274, 0.68, 0.68), name_dye(0.214, 0.851, 0.478)
SCHIFF, METHYL_BLUE, PONCEAU = name_dye(0.175, 0.972, 0.155), name_dye(0.8, 0.591, 0.105), name_dye(0.1, 0.737, 0.668)
LIGHT_GREEN, ALCIAN_BLUE, GIEMSA = (
    name_dye(0.947, 0.253, 0.196),
    name_dye(0.874, 0.457, 0.158),
    name_dye(0.834, 0.513, 0.196),
)
SILVER, NUCLEAR_RED = name_dye(1, 1, 1), name_dye(0.15, 0.85, 0.5)

Render = Callable[[Map, Map, "Patches"], list[tuple[Map, Map]]]
Patches = Callable[[float], NDArray[np.bool_]]


def render_nuclear(h: Map, _: Map, patches: Patches) -> list[tuple[Map, Map]]:
    there = patches(0.3)
    return [(h * np.where(there, 0.2, 0.6), HAEMATOXYLIN), (h * there * 1.2, DAB)]


def render_cytoplasmic(h: Map, e: Map, patches: Patches) -> list[tuple[Map, Map]]:
    return [(h * 0.6, HAEMATOXYLIN), (e * patches(0.4) * 1.2, DAB)]


def render_sparse(h: Map, e: Map, patches: Patches) -> list[tuple[Map, Map]]:
    there = patches(0.02)
    return [(h * 0.6 * ~there, HAEMATOXYLIN), ((h + e) * there, DAB)]


def render_trichrome(dye: Map) -> Render:
    def render(h: Map, e: Map, patches: Patches) -> list[tuple[Map, Map]]:
        collagen = patches(0.4)
        return [(h * 0.5, HAEMATOXYLIN), (e * collagen, dye), (e * ~collagen, PONCEAU)]

    return render


STAINS: dict[str, tuple[str, Render]] = {
    "H&E rendered anew": ("H&E", lambda h, e, _: [(h, HAEMATOXYLIN), (e, EOSIN)]),
    "DAB, nuclear": ("IHC", render_nuclear),
    "DAB, cytoplasmic": ("IHC", render_cytoplasmic),
    "DAB, 2 % of the tissue": ("IHC", render_sparse),
    "DAB, negative": ("IHC", lambda h, _e, _p: [(h * 0.6, HAEMATOXYLIN)]),
    "AEC": ("IHC", lambda h, e, p: [(h * 0.6, HAEMATOXYLIN), (e * p(0.4) * 1.1, AEC)]),
    "fast red": ("IHC", lambda h, e, p: [(h * 0.6, HAEMATOXYLIN), (e * p(0.4) * 1.1, FAST_RED)]),
    "periodic acid-Schiff": ("special", lambda h, e, p: [(h * 0.6, HAEMATOXYLIN), (e * (0.3 + 0.9 * p(0.4)), SCHIFF)]),
    "trichrome, blue": ("special", render_trichrome(METHYL_BLUE)),
    "trichrome, green": ("special", render_trichrome(LIGHT_GREEN)),
    "Alcian blue": ("special", lambda h, e, p: [(h * 0.2 + e * p(0.25), ALCIAN_BLUE), (e * 0.3, NUCLEAR_RED)]),
    "silver": ("special", lambda h, e, p: [((h + e) * p(0.4) * 0.8, SILVER), (e * 0.3, name_dye(0.5, 0.7, 0.8))]),
    "Giemsa": ("special", lambda h, e, _: [(h + 0.3 * e, GIEMSA), (e * 0.6, name_dye(0.092, 0.954, 0.283))]),
    "Congo red": ("special", lambda h, e, _: [(h * 0.5, HAEMATOXYLIN), (e * 0.6, name_dye(0.2, 0.68, 0.7))]),
    "iron, 5 % of the tissue": ("special", lambda h, e, p: [((h + e) * p(0.05), METHYL_BLUE), (e * 0.5, NUCLEAR_RED)]),
}


def separate(picture: Pixels) -> tuple[Map, Map]:
    """Haematoxylin and eosin, float64 [h, w] each."""
    density = np.maximum(-np.log(np.maximum(picture, 1) / GLASS), 0).reshape(-1, 3)
    amounts = np.maximum(density @ np.linalg.pinv(np.stack([HAEMATOXYLIN, EOSIN])), 0)
    h, e = amounts.T.reshape(2, *picture.shape[:2])
    return h, e


def render(picture: Pixels, stain: Render, rng: np.random.Generator) -> Pixels:
    h, e = separate(picture)

    def patches(part: float) -> NDArray[np.bool_]:
        noise = cv2.GaussianBlur(rng.normal(size=h.shape).astype(np.float32), (0, 0), 4)
        return np.asarray(noise > np.quantile(noise, 1 - part * rng.uniform(0.6, 1.4)))

    density = sum(amount[..., None] * dye for amount, dye in stain(h, e, patches))
    return np.clip(GLASS * np.exp(-density), 0, 255).astype(np.uint8)


def join(fields: Sequence[Pixels], spacing: float = FIELD_SPACING) -> Pixels:
    """A small slide on glass, at 8 um/px."""
    small = [cv2.resize(f, None, fx=spacing / 8, fy=spacing / 8, interpolation=AREA) for f in fields]
    height, width = (max(field.shape[axis] for field in small) for axis in (0, 1))
    slide = np.full((2 * height + 12, 3 * width + 12, 3), GLASS, np.uint8)
    for place, field in enumerate(small):
        y, x = 6 + place // 3 * height, 6 + place % 3 * width
        slide[y : y + field.shape[0], x : x + field.shape[1]] = field
    return slide


def read_fields(data: Path, half: int) -> dict[str, list[Pixels]]:
    """One field of each patient or group, every second of them, by data set."""
    first: dict[tuple[str, str], Path] = {}
    with (data / "manifest.csv").open() as file:
        for row in csv.DictReader(file):
            first.setdefault((Path(row["file"]).parts[1], row["patient_or_group"]), data / row["file"])
    by_set: dict[str, list[Path]] = defaultdict(list)
    for (name, _), path in sorted(first.items()):
        by_set[name].append(path)
    fields = {}
    for name, paths in by_set.items():
        if name in SPACINGS:
            pictures = [cv2.imread(str(path)) for path in paths[half::2][:48]]
            scale = SPACINGS[name] / FIELD_SPACING
            fields[name] = [cv2.resize(p[..., ::-1], None, fx=scale, fy=scale, interpolation=AREA) for p in pictures]
    return fields


def make_slides(fields: dict[str, list[Pixels]]) -> Iterator[tuple[str, str, Pixels]]:
    rng = np.random.default_rng(0)
    for name, pictures in fields.items():
        for start in range(0, len(pictures), FIELDS_OF_SLIDE):
            some = pictures[start : start + FIELDS_OF_SLIDE]
            yield "H&E", f"real H&E, {name}", join(some)
            if name in RENDERED:
                for stain, (kind, how) in STAINS.items():
                    anew = [render(one, how, rng) for one in some]
                    yield kind, stain, join(anew)


def detect(picture: Pixels, spacing: float = 8.0) -> str:
    return detect_stain(make_tissue_mask(picture, spacing, TissueSettings()))


def measure(data: Path, half: int) -> None:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for kind, name, picture in make_slides(read_fields(data, half)):
        counts[kind, name][detect(picture)] += 1
    print(f"\n{'thresholds were set with these' if half == 0 else 'held out'}\n")
    print("| stain | slides | H&E | IHC | special | unknown |\n| --- | --- | --- | --- | --- | --- |")
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for (kind, name), found in counts.items():
        totals[kind] += found
        _print_row(f"{kind}: {name}", found)
    for kind, found in totals.items():
        _print_row(f"**{kind}**", found)


def _print_row(name: str, found: Counter[str]) -> None:
    cells = " | ".join(str(found[kind]) for kind in ("H&E", "IHC", "special", "unknown"))
    print(f"| {name} | {found.total()} | {cells} |")


def main() -> None:
    cv2.setNumThreads(1)
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    for half in (0, 1):
        measure(data, half)
    print("\nconstructed pictures")
    for case in make_cases():
        if case.kind == "stains":
            print(f"  {case.name}: {detect(case.picture, case.spacing_um_per_px)}")
    print("\nreal slides")
    for path in sorted((data / "slides").glob("*.*")):
        try:
            with open_slide(parse_source(path), 0.5 if path.name.startswith("TCGA-CR") else None) as slide:
                print(f"  {path.name}: {detect_stain(find_tissue(slide, TissueSettings()))}")
        except HistoseekError as error:
            print(f"  {path.name}: {error.what}")
    for name in sys.argv[2:]:
        picture = cv2.imread(name)[..., ::-1]
        for spacing in (0.25, 0.5, 1.0):
            print(f"  {Path(name).name} at {spacing} um/px: {detect(join([picture], spacing))}")


if __name__ == "__main__":
    main()
