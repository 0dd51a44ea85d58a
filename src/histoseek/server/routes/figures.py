"""Figures: views of slides and uploads as PNG files, with scale bar, caption, annotations and frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from histoseek.annotations.geojson import Annotation
from histoseek.errors import InputError
from histoseek.geometry import Rect
from histoseek.rest.figures import FigureOptions
from histoseek.search.scope.titles import make_title
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.context import Context
from histoseek.server.http.dependencies import EntryInPath, InContext, Searcher, SlideIdInPath
from histoseek.server.http.downloads import name_attachment
from histoseek.server.routes.image_responses import PngResponse
from histoseek.server.routes.uploads import UploadIdInPath
from histoseek.server.security.access import Caller
from histoseek.server.state.annotations import OF_UPLOADS, AnnotatedSlide, StoredAnnotation
from histoseek.viewing.appearance import Appearance
from histoseek.viewing.figure import FIGURE_PX, FigureSpec, Viewport, encode_png, list_in_view

router = APIRouter(tags=["figures"])
"""To be included before the routes of slides, whose ids may hold slashes."""

_MAX_VERTICES = 40_000
"""What the message to the process that reads uploads has room for."""

_SMALLEST_VIEW = 0.1
_PURPOSE = "for research and education"
_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}

Options = Annotated[FigureOptions, Query()]


@router.get("/archives/{archive}/slides/{slide_id:path}/figure", response_class=PngResponse, responses=_FILES)
async def draw_figure(
    context: InContext, caller: Searcher, entry: EntryInPath, slide_id: SlideIdInPath, options: Options
) -> Response:
    """A view of a slide as a picture."""
    return await context.figure_queue.run(lambda: _draw(context, caller, entry, slide_id, options))


@router.get("/uploads/{upload_id}/figure", response_class=PngResponse, responses=_FILES)
async def draw_upload_figure(
    context: InContext, caller: Searcher, upload_id: UploadIdInPath, options: Options
) -> Response:
    """A view of an upload as a picture."""
    return await context.figure_queue.run(lambda: _draw_upload(context, caller, upload_id, options))


def _draw(context: Context, caller: Caller, entry: ArchiveEntry, slide_id: str, options: FigureOptions) -> Response:
    record, image = entry.get_record(slide_id), context.images.find(entry, slide_id)
    slide = AnnotatedSlide(entry.name, slide_id)
    annotations = context.annotations.list(caller.name, slide) if options.annotations else ()
    title = make_title(record.slide_id, record.uri)
    spec = _make_spec(options, image.spacing_um_per_px or None, title, annotations)
    return _respond(encode_png(context.tiles.draw_figure(image.source, spec)), title)


def _draw_upload(context: Context, caller: Caller, upload_id: str, options: FigureOptions) -> Response:
    upload = context.uploads.get(upload_id, caller.name)
    slide = AnnotatedSlide(OF_UPLOADS, upload_id)
    annotations = context.annotations.list(caller.name, slide) if options.annotations else ()
    spacing = upload.facts.spacing_um_per_px if upload.facts else None
    spec = _make_spec(options, spacing, upload.name, annotations)
    return _respond(context.uploads.draw_figure(upload, spec), upload.name)


def _make_spec(
    options: FigureOptions, spacing: float | None, title: str, annotations: Sequence[StoredAnnotation]
) -> FigureSpec:
    """What is asked for; raises InputError for a picture that is too flat, too high, or without a known scale."""
    if min(options.width, options.height) < _SMALLEST_VIEW:
        raise InputError("width, height", f"are less than {_SMALLEST_VIEW} px of the slide", "Show more of it")
    centre = (options.x + options.width / 2, options.y + options.height / 2)
    view = Viewport(*centre, options.width, options.height, options.rotation, options.flip)
    if options.scale_bar and spacing is None:
        raise InputError("scale_bar", "nobody knows how many um a px of this slide measures", "Leave it out")
    spec = FigureSpec(
        viewport=view,
        width_px=options.px,
        um_per_px=spacing if options.scale_bar else None,
        appearance=Appearance(options.brightness, options.contrast, options.gamma, options.stain),
        caption=_make_caption(title, spacing, view.width / options.px) if options.caption else "",
        annotations=_choose_shown(view, annotations),
        frames=tuple(_parse_frame(frame) for frame in options.frame),
    )
    if spec.size.height not in FIGURE_PX:
        what = f"the picture would be {spec.size.width} x {spec.size.height} px"
        raise InputError("px", what, f"Its edges have {FIGURE_PX.start} to {FIGURE_PX.stop - 1} px")
    return spec


def _choose_shown(view: Viewport, annotations: Sequence[StoredAnnotation]) -> tuple[Annotation, ...]:
    shown = list_in_view(view, (stored.annotation for stored in annotations))
    if sum(annotation.shape.vertex_count for annotation in shown) > _MAX_VERTICES:
        raise InputError("annotations", f"more than {_MAX_VERTICES} vertices are in view", "Zoom in, or leave them out")
    return tuple(shown)


def _make_caption(title: str, spacing: float | None, downsample: float) -> str:
    scale = [f"{spacing * downsample:.3g} \u00b5m/px"] if spacing else []
    return ", ".join([title, *scale, _PURPOSE])


def _parse_frame(text: str) -> Rect:
    x, y, width, height = map(int, text.split(","))
    return Rect(x, y, width, height)


def _respond(png: bytes, title: str) -> Response:
    return PngResponse(png, headers=name_attachment("figure", title, "png"))
