"""Figures: views of slides as pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from histoseek.rest.base import Request
from histoseek.viewing.appearance import StainName

Frame = Annotated[str, Field(pattern=r"^-?\d{1,9},-?\d{1,9},\d{1,9},\d{1,9}$", examples=["1000,2000,448,448"])]
_Place = Annotated[float, Field(ge=-1e8, le=1e8, allow_inf_nan=False)]
_Extent = Annotated[float, Field(gt=0, le=1e8, allow_inf_nan=False)]


class FigureOptions(Request):
    """What a figure shows, in level-0 px: the slide is turned clockwise about the view's centre by `rotation` degrees,
    then mirrored left to right by `flip`.

    px: its width, the height follows; frame: rectangles x,y,width,height to draw; annotations: the caller's and shared
    ones; gamma: above 1 lightens dark tissue; stain: the only one to show.
    """

    x: _Place
    y: _Place
    width: _Extent
    height: _Extent
    px: int = Field(default=1600, ge=64, le=4096)
    rotation: float = Field(default=0.0, ge=-360, le=360, allow_inf_nan=False)
    flip: bool = False
    scale_bar: bool = True
    caption: bool = False
    annotations: bool = False
    frame: tuple[Frame, ...] = Field(default=(), max_length=50)
    brightness: float = Field(default=0.0, ge=-1, le=1)
    contrast: float = Field(default=1.0, ge=0, le=5)
    gamma: float = Field(default=1.0, ge=0.2, le=5)
    stain: StainName | None = None
