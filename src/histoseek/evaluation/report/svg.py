"""Pieces of inline SVG: elements, axes, ticks and short texts. Colours come from the page's CSS variables."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html import escape

DASH = "\N{EN DASH}"
"""Stands for a figure that is not defined."""

MINUS = "\N{MINUS SIGN}"

COLOURS = 8
"""How many colours the page defines, as the CSS variables --c0 to --c7; told apart with any colour vision."""

CHAR_PX = 7.0
"""About the width of a character of chart text, in user units: generous, as fonts differ."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape_xml(text: str) -> str:
    """A text as it can stand in XML: escaped, and without characters that XML forbids."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def make_element(tag: str, *content: str, **attributes: str | float) -> str:
    """An element around ready markup; underscores in names of attributes are hyphens, values are escaped."""
    attribute_text = "".join(
        f' {name.strip("_").replace("_", "-")}="{_format_value(value)}"' for name, value in attributes.items()
    )
    return f"<{tag}{attribute_text}>{''.join(content)}</{tag}>" if content else f"<{tag}{attribute_text}/>"


def draw_text(text: str, x: float, y: float, **attributes: str | float) -> str:
    """A text at a place; attributes as of `make_element`."""
    return make_element("text", escape_xml(text), x=x, y=y, **attributes)


def draw_short_text(text: str, chars: int, x: float, y: float, **attributes: str | float) -> str:
    """A text cut to so many characters, whole when pointed at."""
    short_text = clip(text, chars)
    hover = make_element("title", escape_xml(text)) if short_text != text else ""
    return make_element("text", hover, escape_xml(short_text), x=x, y=y, **attributes)


def clip(text: str, chars: int) -> str:
    """A text of at most so many characters, an ellipsis where it was cut."""
    return text if len(text) <= chars else text[: max(1, chars - 1)].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def draw_chart(title: str, width: float, height: float, *content: str) -> str:
    """A whole chart; title: what it shows, for those who hear it and as a hover text."""
    return make_element(
        "svg",
        make_element("title", escape_xml(title)),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
        role="img",
        aria_label=title,
        viewBox=f"0 0 {_format_value(width)} {_format_value(height)}",
        style=f"max-width:{_format_value(width)}px",
    )


def pick_colour(number: int) -> str:
    """The colour of the series of this number, as a CSS value; they come round after COLOURS."""
    return f"var(--c{number % COLOURS})"


def format_figure(value: float) -> str:
    """A share or score with three decimals, a dash where it is not defined."""
    return f"{value:.3f}".replace("-", MINUS) if math.isfinite(value) else DASH


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale: the values from `start` to `end` lie from `at_start` to `at_end` in user units."""

    start: float
    end: float
    at_start: float
    at_end: float

    def __call__(self, value: float) -> float:
        """Where a value lies, in user units."""
        share = (value - self.start) / ((self.end - self.start) or 1.0)
        return self.at_start + share * (self.at_end - self.at_start)

    def ticks(self, about: int = 5) -> tuple[float, ...]:
        """Round values along the axis, about so many."""
        step = choose_step((self.end - self.start) / about)
        first, last = math.ceil(self.start / step - 1e-9), math.floor(self.end / step + 1e-9)
        return tuple(round(number * step, 10) for number in range(first, last + 1))


def choose_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `rough`; 1 when that is not positive."""
    if rough <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))


def choose_share_bounds(low: float, high: float) -> tuple[float, float]:
    """Round bounds within 0 to 1 that hold shares from low to high, with some room."""
    step = choose_step(max(high - low, 0.02) / 4)
    return max(0.0, math.floor(low / step - 0.25) * step), min(1.0, math.ceil(high / step + 0.25) * step)


def format_tick(value: float) -> str:
    """A tick's number, as short as it can be."""
    return f"{value:.6g}"


def _format_value(value: str | float) -> str:
    if isinstance(value, str):
        return escape_xml(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if "." in f"{value:.2f}" else str(value)
