"""`histoseek mask`: look at what the tissue mask keeps of a slide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from histoseek.errors import InputError


def mask(
    slide: Annotated[str, typer.Argument(metavar="FILE", help="A slide file.")],
    out: Annotated[Path, typer.Option(help="Where to write the picture (.png or .jpg).")] = Path("mask.png"),
    spacing: Annotated[float | None, typer.Option(help="um/px of the slide, if its file does not say.")] = None,
    tissue_threshold: Annotated[float | None, typer.Option(help="Optical density that counts as tissue.")] = None,
) -> None:
    """Write a picture of the tissue mask over the slide."""
    from PIL import Image

    from histoseek.slides.slide import open_slide
    from histoseek.tissue.mask import find_tissue
    from histoseek.tissue.picture import draw_mask
    from histoseek.tissue.settings import TissueSettings

    settings = TissueSettings() if tissue_threshold is None else TissueSettings(threshold=tissue_threshold)
    with open_slide(slide, spacing) as opened:
        found = find_tissue(opened, settings)
    try:
        Image.fromarray(draw_mask(found)).save(out)
    except (OSError, ValueError) as error:
        raise InputError(str(out), "cannot be written as a picture", "Name a .png or .jpg file") from error
    left_out = f"{found.pen_share:.1%} left out as pen marks, {found.blur_share:.1%} as out of focus"
    print(f"{found.share:.1%} tissue, {left_out}; picture: {out}")
