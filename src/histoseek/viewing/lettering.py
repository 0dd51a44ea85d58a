"""Words on pictures, in the font that Pillow brings: it has the letters of ASCII alone."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from histoseek.viewing.appearance import Pixels

_MICRO = "\u00b5"
_MAX_LENGTH = 120
_HALO_PX = 2


def draw_text(picture: Pixels, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    """Write one line with its lower left corner at x, y, with a white edge; moved so that it stays in the picture."""
    size_px = choose_font_px(picture.shape[1])
    letters = _render(_simplify(text), size_px, colour)
    height, width = (min(edge, most) for edge, most in zip(letters.shape[:2], picture.shape[:2], strict=True))
    left = int(np.clip(x, 0, picture.shape[1] - width))
    top = int(np.clip(y - height, 0, picture.shape[0] - height))
    place = picture[top : top + height, left : left + width]
    opacity = letters[:height, :width, 3:] / 255
    place[:] = np.rint(letters[:height, :width, :3] * opacity + place * (1 - opacity)).astype(np.uint8)


def make_caption_strip(text: str, width_px: int) -> Pixels:
    """A white strip with one line of text, as wide as a picture; what does not fit is left out."""
    size_px = choose_font_px(width_px)
    strip = np.full((2 * size_px, width_px, 3), 255, np.uint8)
    draw_text(strip, text, max(6, width_px // 80), 2 * size_px - size_px // 4, (0, 0, 0))
    return strip


def choose_font_px(width_px: int) -> int:
    """The height of letters in a picture of this width."""
    return max(12, width_px // 60)


def _render(text: str, size_px: int, colour: tuple[int, int, int]) -> Pixels:
    """The line as RGBA, [height, width, 4]. The micro sign is made of a u, which the font has, and a stroke."""
    font: Any = ImageFont.load_default(size_px)
    descent = size_px // 3
    width = round(font.getlength(text.replace(_MICRO, "u"))) + 2 * _HALO_PX + 1
    image = Image.new("RGBA", (width, size_px + descent), (255, 255, 255, 0))
    draw: Any = ImageDraw.Draw(image)
    edge = {"stroke_width": _HALO_PX, "stroke_fill": (255, 255, 255, 255), "anchor": "ls"}
    draw.text((_HALO_PX, size_px), text.replace(_MICRO, "u"), font=font, fill=(*colour, 255), **edge)
    for place, letter in enumerate(text):
        if letter == _MICRO:
            left = _HALO_PX + font.getlength(text[:place].replace(_MICRO, "u")) + font.getbbox("u", anchor="ls")[0]
            stroke = max(1, size_px // 12)
            draw.rectangle((left, size_px - size_px // 4, left + stroke - 1, size_px + descent // 2), (*colour, 255))
    return np.asarray(image)


def _simplify(text: str) -> str:
    """Letters without accents; a question mark for those of other scripts."""
    plain = unicodedata.normalize("NFKD", text.replace(_MICRO, "\0"))
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(
        _MICRO if letter == "\0" else letter if " " <= letter <= "~" else "?" for letter in list(letters)[:_MAX_LENGTH]
    )
