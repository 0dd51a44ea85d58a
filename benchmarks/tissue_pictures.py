"""Constructed thumbnails whose tissue is known, by kind: what `tissue_masks.py` measures on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Colour = tuple[float, float, float]

GLASS: Colour = (243, 242, 244)
PINK: Colour = (185, 120, 170)
STAINS: dict[str, Colour] = {
    "haematoxylin and eosin": PINK,
    "eosin alone": (225, 150, 175),
    "trichrome, aniline blue": (100, 135, 190),
    "Alcian blue": (90, 165, 195),
    "Prussian blue": (70, 105, 165),
    "methyl green": (110, 175, 165),
    "Giemsa": (120, 110, 180),
    "periodic acid-Schiff": (190, 70, 135),
    "DAB": (150, 105, 65),
    "oil red O": (205, 75, 80),
    "silver": (95, 92, 90),
    "elastica": (70, 50, 75),
    "melanin": (55, 38, 30),
    "haematoxylin-dense node": (72, 42, 110),
    "fast green": (80, 150, 120),
    "Congo red": (220, 140, 125),
}
PENS: dict[str, Colour] = {
    "blue": (30, 60, 170),
    "green": (20, 140, 70),
    "red": (200, 30, 45),
    "black": (28, 26, 30),
    "light blue": (80, 165, 225),
    "violet": (95, 35, 150),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One picture, uint8 [h, w, 3], at a spacing in um/px, with its true tissue, bool [h, w]."""

    kind: str
    name: str
    picture: Pixels
    truth: Mask
    spacing_um_per_px: float = 8.0


def paint_tissue(height: int, width: int, colour: Colour = PINK, spread: float = 18, seed: int = 0) -> Pixels:
    """Stained tissue: one colour with a texture of about a pixel and a half."""
    noise = np.random.default_rng(seed).normal(0, spread * 2, (height, width)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 1)[..., None]
    return np.clip(np.asarray(colour, np.float32) + texture, 0, 255).astype(np.uint8)


def paint_glass(height: int, width: int, colour: Colour = GLASS, noise: float = 0.5) -> Pixels:
    """Bare glass."""
    grain = np.random.default_rng(1).normal(0, noise, (height, width, 1))
    return np.clip(np.asarray(colour) + grain, 0, 255).astype(np.uint8)


def draw_blob(height: int, width: int, centre: tuple[float, float], radius: float, seed: int = 3) -> Mask:
    """A piece with an uneven rim; centre as x, y."""
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    rng = np.random.default_rng(seed)
    waves = sum(rng.uniform(0, 0.12 / k) * np.cos(k * angles + rng.uniform(0, 6)) for k in range(2, 8))
    reach = radius * (1 + waves)
    outline = np.stack([centre[0] + reach * np.cos(angles), centre[1] + reach * np.sin(angles)], -1)
    return cv2.fillPoly(np.zeros((height, width), np.uint8), [outline.round().astype(np.int32)], 1).astype(bool)


def compress(picture: Pixels, quality: int) -> Pixels:
    """The picture after JPEG."""
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def _make_section(
    size: tuple[int, int] = (800, 1200), glass: Colour = GLASS, colour: Colour = PINK, spread: float = 18
) -> tuple[Pixels, Mask]:
    """Three pieces on glass."""
    height, width = size
    truth = draw_blob(height, width, (0.33 * width, 0.4 * height), 0.22 * height)
    truth |= draw_blob(height, width, (0.7 * width, 0.6 * height), 0.15 * height, 4)
    truth |= draw_blob(height, width, (0.55 * width, 0.25 * height), 0.06 * height, 5)
    picture = paint_glass(height, width, glass)
    picture[truth] = paint_tissue(height, width, colour, spread)[truth]
    return picture, truth


def _surround(picture: Pixels, truth: Mask, frame: Pixels, offset: tuple[int, int]) -> tuple[Pixels, Mask]:
    y, x = offset
    height, width = truth.shape
    whole, there = frame.copy(), np.zeros(frame.shape[:2], bool)
    whole[y : y + height, x : x + width], there[y : y + height, x : x + width] = picture, truth
    return whole, there


def make_cases() -> Iterator[Case]:
    """All constructed pictures."""
    for make in (_small, _framed, _padded, _stained, _marked, _glassy, _faint, _full, _spaced, _littered):
        yield from make()


def _small() -> Iterator[Case]:
    for name, radius in (
        ("biopsy fragment of 0.43 mm2", 46),
        ("fragment of 0.1 mm2", 22),
        ("fragment of 0.02 mm2", 10),
    ):
        truth = draw_blob(1600, 2200, (1300, 500), radius)
        picture = paint_glass(1600, 2200)
        picture[truth] = paint_tissue(1600, 2200)[truth]
        yield Case("small pieces", name, picture, truth)
    for name, radius, step in (("3,000 islands of 100 um", 6, 40), ("5,000 islands of 65 um", 4, 30), ("smear", 2, 24)):
        dots = np.zeros((1500, 2000), np.uint8)
        rng = np.random.default_rng(6)
        for y in range(20, 1480, step):
            for x in range(20, 1980, step):
                jitter = rng.integers(-step // 5, step // 5 + 1, 2)
                cv2.circle(dots, (x + int(jitter[0]), y + int(jitter[1])), radius, 1, -1)
        truth = dots > 0
        picture = paint_glass(1500, 2000)
        picture[truth] = paint_tissue(1500, 2000, (150, 95, 165))[truth]
        yield Case("islands", name, picture, truth)
    for name, centre in (("corner", (0, 0)), ("edge", (1200, 799)), ("centre", (600, 400))):
        truth = draw_blob(800, 1200, centre, 16)
        picture = paint_glass(800, 1200)
        picture[truth] = paint_tissue(800, 1200)[truth]
        yield Case("small pieces", f"alone at the {name}, 18 um/px", picture, truth, 18.0)
    curettings = np.zeros((1000, 1500), np.uint8)
    rng = np.random.default_rng(8)
    for _ in range(250):
        cv2.circle(
            curettings, (int(rng.integers(700, 1480)), int(rng.integers(20, 980))), int(rng.integers(4, 9)), 1, -1
        )
    truth = (curettings > 0) | draw_blob(1000, 1500, (300, 500), 90)
    picture = paint_glass(1000, 1500)
    picture[truth] = paint_tissue(1000, 1500)[truth]
    yield Case("islands", "curettings beside a piece", picture, truth)
    core = np.zeros((900, 2400), np.uint8)
    cv2.polylines(core, [np.array([(200, 400), (900, 450), (1500, 380), (2200, 470)])], False, 1, 60)
    picture = paint_glass(900, 2400)
    picture[core > 0] = paint_tissue(900, 2400)[core > 0]
    yield Case("small pieces", "needle core", picture, core > 0)


def _framed() -> Iterator[Case]:
    inside = _make_section((700, 1000), (223, 215, 213))
    for name, colour in (
        ("white", (255, 255, 255)),
        ("grey", (128, 128, 128)),
        ("light grey", (240, 240, 240)),
        ("black", (0, 0, 0)),
        ("pink", (235, 180, 205)),
        ("blue", (40, 80, 160)),
    ):
        frame = np.full((900, 1400, 3), colour, np.uint8)
        yield Case("frames", f"{name} frame", *_surround(*inside, frame, (100, 200)))
    frame = np.full((900, 1400, 3), 255, np.uint8)
    picture, truth = _surround(*inside, frame, (100, 200))
    yield Case("frames", "white frame, JPEG", compress(picture, 70), truth)
    frame[:] = 0
    frame[40:860, 60:1340] = 255
    yield Case("frames", "white frame in a black one", *_surround(*inside, frame, (100, 200)))
    frame = np.clip(np.random.default_rng(3).normal(150, 1.5, frame.shape), 0, 255).astype(np.uint8)
    yield Case("frames", "grey frame with noise", *_surround(*inside, frame, (100, 200)))
    frame = np.full((2000, 3000, 3), (255, 255, 255), np.uint8)
    yield Case("frames", "white frame, nine tenths of it", *_surround(*inside, frame, (900, 1200)))
    frame = np.full((760, 1060, 3), (200, 60, 60), np.uint8)
    yield Case("frames", "narrow red frame", *_surround(*inside, frame, (30, 30)))
    yield Case("frames", "red line around", *_surround(*inside, frame[:708, :1008], (4, 4)))
    full = _surround(
        np.ascontiguousarray(inside[0][150:450, 200:500]),
        inside[1][150:450, 200:500],
        np.full((900, 1400, 3), 255, np.uint8),
        (300, 500),
    )
    yield Case("frames", "white frame, scan cut through tissue", *full)
    stitched = np.full((900, 1400, 3), 255, np.uint8)
    picture, truth = _surround(*inside, stitched, (100, 200))
    picture[380:460, 700:], truth[380:460, 700:] = 255, False
    picture[:300, 200:420], truth[:300, 200:420] = 0, False
    yield Case("frames", "unscanned areas", picture, truth)


def _padded() -> Iterator[Case]:
    picture, truth = _make_section((800, 1000))
    rng = np.random.default_rng(2)
    shape = (800, 1500, 3)
    slope = np.linspace(5, 70, 500)[None, :, None] * np.ones((800, 1, 3))
    gradient = np.concatenate([slope, np.zeros((800, 1000, 3))], 1).astype(np.uint8)
    for name, frame in (
        ("black", np.zeros(shape, np.uint8)),
        ("tinted", np.full(shape, (24, 12, 22), np.uint8)),
        ("tinted, noise of 2", np.clip(rng.normal((24, 12, 22), 2, shape), 0, 255).astype(np.uint8)),
        ("noise of 8", np.clip(rng.normal((26, 22, 30), 8, shape), 0, 255).astype(np.uint8)),
        ("bluish", np.full(shape, (10, 20, 60), np.uint8)),
        ("gradient", gradient),
    ):
        for spacing in (8.0, 18.0) if name.startswith("tinted") else (8.0,):
            yield Case(
                "padding", f"{name} padding, {spacing:g} um/px", *_surround(picture, truth, frame, (0, 500)), spacing
            )
    for width in (6, 30):
        yield Case(
            "padding",
            f"strip of {width} px",
            *_surround(picture, truth, np.full((800, 1000 + width, 3), (24, 12, 22), np.uint8), (0, width)),
        )
    red = np.full(shape, (60, 10, 15), np.uint8)
    yield Case(
        "padding",
        "dark red, JPEG",
        compress(_surround(picture, truth, red, (0, 500))[0], 60),
        _surround(picture, truth, red, (0, 500))[1],
    )
    grain = np.clip(rng.normal(30, 15, shape), 0, 255).astype(np.uint8)
    yield Case("padding", "noise of 15", *_surround(picture, truth, grain, (0, 500)))
    cut, cut_truth = np.ascontiguousarray(picture[:, 220:]), truth[:, 220:]
    yield Case(
        "padding",
        "tissue touches it",
        *_surround(cut, cut_truth, np.full((800, 1280, 3), (24, 12, 22), np.uint8), (0, 500)),
    )
    y, x = np.mgrid[:800, :1000]
    turned = (x < 0.15 * y) | (x > 880 + 0.15 * y)
    slanted = picture.copy()
    slanted[turned] = np.clip(rng.normal((20, 14, 18), 2, (800, 1000, 3)), 0, 255).astype(np.uint8)[turned]
    yield Case("padding", "slanted", slanted, truth & ~turned)
    round_field = (x - 500) ** 2 + (y - 400) ** 2 > 420**2
    seen = picture.copy()
    seen[round_field] = (12, 12, 14)
    yield Case("padding", "round field of a microscope", seen, truth & ~round_field)
    large = np.clip(rng.normal((20, 14, 18), 2, (1400, 2000, 3)), 0, 255).astype(np.uint8)
    yield Case("padding", "dark all around, four fifths", *_surround(*_make_section((600, 900)), large, (300, 700)))


def _stained() -> Iterator[Case]:
    for name, colour in STAINS.items():
        yield Case("stains", name, *_make_section(colour=colour, spread=14))
    picture, truth = _make_section(colour=(205, 130, 165))
    collagen = draw_blob(800, 1200, (380, 330), 70, 8)
    picture[collagen] = paint_tissue(800, 1200, (90, 120, 190), 10)[collagen]
    yield Case("stains", "trichrome with blue collagen", picture, truth)
    for name in ("melanin", "haematoxylin-dense node", "silver", "Prussian blue", "oil red O"):
        yield Case("stains", f"{name}, fine texture", *_make_section(colour=STAINS[name], spread=8))
    for name in ("melanin", "Prussian blue", "periodic acid-Schiff"):
        yield Case("stains", f"{name}, 18 um/px", *_make_section(colour=STAINS[name], spread=10), 18.0)
    picture, truth = _make_section(colour=STAINS["melanin"])
    yield Case("stains", "melanin cut by the scan", np.ascontiguousarray(picture[250:, 380:]), truth[250:, 380:])
    yield Case("stains", "trichrome, JPEG", compress(_make_section(colour=(100, 135, 190))[0], 60), truth)


def _marked() -> Iterator[Case]:
    for number, (name, colour) in enumerate(PENS.items()):
        picture, truth = _make_section()
        stroke = np.zeros(truth.shape, np.uint8)
        if number % 2:
            cv2.ellipse(stroke, (400, 320), (260, 220), 10, 0, 300, 1, 34)
        else:
            cv2.polylines(stroke, [np.array([(60, 760), (500, 700), (760, 500), (1150, 250)])], False, 1, 40)
        ink = np.clip(np.random.default_rng(9).normal(colour, 2, picture.shape), 0, 255).astype(np.uint8)
        picture[stroke > 0] = ink[stroke > 0]
        yield Case("pens", f"{name} pen", picture, truth & (stroke == 0))
    for name, colour in {**PENS, "orange": (240, 130, 40), "yellow": (245, 235, 70), "pink": (235, 90, 160)}.items():
        picture, truth = _make_section()
        stroke = np.zeros(truth.shape, np.uint8)
        for centre in ((100, 100), (600, 640), (1100, 120)):
            cv2.circle(stroke, centre, 30, 1, -1)
        cv2.putText(stroke, "A7", (60, 720), cv2.FONT_HERSHEY_SIMPLEX, 6, 1, 20)
        ink = np.clip(np.random.default_rng(9).normal(colour, 3, picture.shape), 0, 255).astype(np.uint8)
        picture[stroke > 0] = ink[stroke > 0]
        yield Case("pens", f"{name} dots and letters, JPEG", compress(picture, 75), truth & (stroke == 0))
    for spacing, width in ((4.0, 70), (18.0, 16), (8.0, 14)):
        picture, truth = _make_section()
        stroke = np.zeros(truth.shape, np.uint8)
        cv2.polylines(stroke, [np.array([(60, 60), (500, 160), (760, 500), (1150, 750)])], False, 1, width)
        picture[stroke > 0] = PENS["green"]
        yield Case("pens", f"green line of {width} px, {spacing:g} um/px", picture, truth & (stroke == 0), spacing)
    picture, truth = _make_section()
    stroke = np.zeros(truth.shape, np.uint8)
    cv2.line(stroke, (100, 100), (1100, 700), 1, 45)
    veil = np.asarray((60, 110, 200), np.float32) / 255
    picture[stroke > 0] = (picture[stroke > 0] * veil).astype(np.uint8)
    yield Case("pens", "clear blue ink over tissue", picture, truth & (stroke == 0))


def _glassy() -> Iterator[Case]:
    y, x = np.mgrid[:800, :1200].astype(np.float32)
    picture, truth = _make_section()
    for name, light in (
        ("gradient to 0.65", 1 - 0.35 * x / 1200),
        ("vignette to 0.6", 1 - 0.4 * ((x - 600) ** 2 + (y - 400) ** 2) / (600**2 + 400**2)),
    ):
        yield Case("glass", name, np.clip(picture * light[..., None], 0, 255).astype(np.uint8), truth)
    stripes = 1 - 0.06 * (x // 100 % 2)
    yield Case("glass", "stitched stripes", np.clip(picture * stripes[..., None], 0, 255).astype(np.uint8), truth)
    for name, colour in (("yellowish", (242, 236, 214)), ("bluish", (214, 226, 240)), ("grey", (188, 187, 189))):
        yield Case("glass", f"{name} glass", *_make_section(glass=colour))
    two, _ = _make_section()
    other, _ = _make_section(glass=(222, 214, 212))
    two[:, 640:] = other[:, 640:]
    yield Case("glass", "two colours of glass", two, truth)
    yield Case("glass", "JPEG at 40", compress(picture, 40), truth)
    noisy = np.clip(picture + np.random.default_rng(4).normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    yield Case("glass", "noise of 6", noisy, truth)


def _faint() -> Iterator[Case]:
    yield Case("faint", "faint eosin", *_make_section(colour=(229, 212, 226), spread=6))
    height, width = 800, 1200
    truth = draw_blob(height, width, (600, 400), 260)
    cells = np.zeros((height, width), np.uint8)
    rng = np.random.default_rng(7)
    for y in range(0, height, 14):
        for x in range((y // 14 % 2) * 7, width, 14):
            cv2.circle(cells, (x, y), 6 + int(rng.integers(0, 2)), 1, -1)
    picture = paint_glass(height, width)
    walls = truth & (cells == 0)
    picture[truth] = paint_glass(height, width, (238, 232, 238))[truth]
    picture[walls] = paint_tissue(height, width, (215, 160, 195))[walls]
    yield Case("faint", "fat", picture, truth)
    picture, truth = _make_section()
    soft = cv2.GaussianBlur(picture, (0, 0), 3)
    yield Case("blur", "a little out of focus", soft, truth)
    folded, truth = _make_section()
    fold = np.zeros(truth.shape, np.uint8)
    cv2.line(fold, (300, 200), (500, 430), 1, 14)
    dark = truth & (fold > 0)
    folded[dark] = paint_tissue(height, width, (95, 45, 110))[dark]
    yield Case("folds", "fold", folded, truth)


def _full() -> Iterator[Case]:
    everywhere = np.ones((700, 900), bool)
    yield Case("full fields", "tissue all over", paint_tissue(700, 900), everywhere)
    yield Case("full fields", "dark tissue all over", paint_tissue(700, 900, (95, 55, 125)), everywhere)
    yield Case("full fields", "blue tissue all over", paint_tissue(700, 900, (100, 135, 190)), everywhere)
    picture, truth = paint_tissue(700, 900, (215, 160, 195)), everywhere.copy()
    lumen = draw_blob(700, 900, (600, 300), 110)
    picture[lumen], truth[lumen] = paint_glass(700, 900)[lumen], False
    yield Case("full fields", "a lumen of 2.4 mm2", picture, truth)
    frame = np.full((900, 1300, 3), 255, np.uint8)
    yield Case(
        "full fields", "white frame around tissue", *_surround(paint_tissue(700, 900), everywhere, frame, (100, 200))
    )


def _spaced() -> Iterator[Case]:
    for spacing in (0.5, 1.0, 2.0, 4.0, 12.0, 20.0):
        yield Case("spacings", f"{spacing:g} um/px", *_make_section(), spacing)
    for spacing in (0.5, 2.0, 20.0):
        picture, truth = _surround(
            *_make_section((700, 1000)), np.full((900, 1400, 3), (24, 12, 22), np.uint8), (0, 400)
        )
        yield Case("spacings", f"padding at {spacing:g} um/px", picture, truth, spacing)


def _littered() -> Iterator[Case]:
    picture, truth = _make_section()
    dust = np.zeros(truth.shape, np.uint8)
    rng = np.random.default_rng(5)
    for _ in range(60):
        cv2.circle(dust, (int(rng.integers(0, 1200)), int(rng.integers(0, 800))), int(rng.integers(1, 4)), 1, -1)
    for _ in range(3):
        x, y = rng.integers(0, 800, 2)
        cv2.line(dust, (int(x), int(y)), (int(x) + 150, int(y) + 90), 1, 2)
    picture[(dust > 0) & ~truth] = (105, 102, 100)
    yield Case("dust", "dust and hairs", picture, truth)
    empty = paint_glass(800, 1200)
    yield Case("no tissue", "bare glass", empty, np.zeros(truth.shape, bool))
    dirty = empty.copy()
    dirty[dust > 0] = (105, 102, 100)
    yield Case("no tissue", "dusty glass", dirty, np.zeros(truth.shape, bool))
    pen = empty.copy()
    cv2.line(pen, (100, 100), (900, 700), (30, 60, 170), 40)
    yield Case("no tissue", "pen alone", pen, np.zeros(truth.shape, bool))
    noisy = np.clip(empty + np.random.default_rng(4).normal(0, 8, empty.shape), 0, 255).astype(np.uint8)
    yield Case("no tissue", "noisy glass, JPEG", compress(noisy, 50), np.zeros(truth.shape, bool))
