"""`histoseek mask`: see what the tissue mask keeps of a slide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import KeepPenOption
from histoseek.errors import InputError, MissingSpacing
from histoseek.tissue.settings import TissueSettings

if TYPE_CHECKING:
    from histoseek.slides.slide import Slide

_DEFAULTS = TissueSettings()


def mask(
    slide: Annotated[str, typer.Argument(metavar="FILE", help="A slide file.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Picture to write (.png or .jpg).")] = Path("mask.png"),
    spacing: Annotated[
        float | None, typer.Option(help="Spacing of the slide in µm/px, if its file does not state it.")
    ] = None,
    tissue_threshold: Annotated[
        float, typer.Option(help="Optical density above which a pixel is tissue.")
    ] = _DEFAULTS.threshold,
    keep_pen: KeepPenOption = None,
) -> None:
    """Write a picture of the slide with its tissue mask, also of a slide that would be refused for it."""
    from PIL import Image

    from histoseek.tissue.mask import look_for_tissue, require_tissue
    from histoseek.tissue.mask_picture import draw_mask

    choices = TissueSettings(threshold=tissue_threshold, keep_pen=bool(keep_pen))
    with _open(slide, spacing) as opened:
        uri = opened.source.uri
        tissue = look_for_tissue(opened, choices)
    if not out.absolute().parent.is_dir():
        raise InputError(str(out), "its folder does not exist", "Make the folder, or name another file")
    try:
        Image.fromarray(draw_mask(tissue)).save(out)
    except (OSError, ValueError) as error:
        raise InputError(str(out), "cannot be written as a picture", "Name a .png or .jpg file") from error
    left_out = f"{tissue.pen_share:.1%} left out as pen marks, {tissue.blur_share:.1%} as out of focus"
    # In fluorescence what was measured means nothing.
    print(f"picture: {out}" if tissue.dark_background else f"{tissue.share:.1%} tissue, {left_out}; picture: {out}")
    require_tissue(tissue, uri)


def _open(slide: str, spacing: float | None) -> Slide:
    from histoseek.slides.slide import open_slide

    try:
        return open_slide(slide, spacing)
    except MissingSpacing as error:
        # The option is named otherwise where many slides are read.
        raise InputError(error.where, error.what, "Give it with --spacing 0.25") from error
