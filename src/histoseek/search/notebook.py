"""Results as a notebook shows them: a table with pictures of the slides, as one piece of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.geometry import Rect

MOST_PICTURED = 10
"""Slides that are opened for their pictures; a notebook keeps what it shows."""

_THUMBNAIL = "max-width:160px;max-height:160px"
_REGION = "height:72px;margin:2px;border:3px solid"


@dataclass(frozen=True, slots=True)
class PicturedSlide:
    """A slide to show: its file, its level-0 spacing in um/px (0 for unknown), and the regions that matched, best
    first, in level-0 px (None where a place is not known)."""

    uri: str
    spacing_um_per_px: float
    regions: tuple[Rect | None, ...] = ()


def render_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], slides: Sequence[PicturedSlide]
) -> str:
    """A table of text cells, a row a slide, with pictures of the first slides whose files can be read, and notes below.

    Pictures are thumbnails and matched regions from the slides' pyramids, never labels or macro images.
    """
    pictures = [_draw_pictures(slide) for slide in slides[:MOST_PICTURED]]
    pictures += [""] * (len(rows) - len(pictures))
    shown = any(pictures)
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings) + ("<th>pictures</th>" if shown else "")
    body = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        + (f"<td>{picture}</td>" if shown else "")
        + "</tr>"
        for row, picture in zip(rows, pictures, strict=True)
    )
    below = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def _draw_pictures(slide: PicturedSlide) -> str:
    from histoseek.search.pictures import COLOURS, Frame, draw_slide

    frames = [Frame(region, colour) for region, colour in zip(slide.regions, COLOURS, strict=False)]
    drawn = draw_slide(slide.uri, slide.spacing_um_per_px, frames)
    if drawn is None:
        return ""
    regions = "".join(
        f'<img style="{_REGION} {frame.colour}" alt="matched region" src="{picture}">'
        for frame, picture in zip(frames, drawn.regions, strict=True)
        if picture
    )
    return f'<img style="{_THUMBNAIL}" alt="slide" src="{drawn.thumbnail}">{regions}'
