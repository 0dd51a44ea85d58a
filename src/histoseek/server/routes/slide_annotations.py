"""Annotations of slides and uploads: drawn, changed, imported from QuPath and exported for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from histoseek.annotations.geojson import Annotation, make_feature, make_measurements, parse_feature, parse_features
from histoseek.annotations.shapes import check_inside
from histoseek.errors import InputError
from histoseek.geometry import Size, UmPerPx
from histoseek.rest.annotations import AnnotationCollection, AnnotationContent, AnnotationFeature, NewAnnotations
from histoseek.search.scope.titles import make_title
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader, SlideIdInPath
from histoseek.server.http.downloads import name_attachment
from histoseek.server.routes.uploads import UploadIdInPath
from histoseek.server.state.annotations import OF_UPLOADS, AnnotatedSlide, AnnotationStore, StoredAnnotation

router = APIRouter(tags=["annotations"])
"""To be included before the routes of slides, whose ids may hold slashes."""

_SLIDE = "/archives/{archive}/slides/{slide_id:path}/annotations"
_UPLOAD = "/uploads/{upload_id}/annotations"
_GEOJSON = "application/geo+json"
_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {_GEOJSON: {}}}}

AnnotationId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


@dataclass(frozen=True, slots=True)
class _Canvas:
    """A slide to draw on, for one caller; title: what people call it."""

    store: AnnotationStore
    owner: str
    slide: AnnotatedSlide
    size: Size
    spacing: UmPerPx | None
    title: str

    def list(self) -> tuple[StoredAnnotation, ...]:
        return self.store.list(self.owner, self.slide)

    def check(self, annotations: Iterable[Annotation]) -> None:
        """Raise InputError for an annotation that leaves the slide."""
        for place, annotation in enumerate(annotations, 1):
            check_inside(annotation.shape, self.size, f"feature {place}")

    def add(self, request: NewAnnotations) -> AnnotationCollection:
        annotations = parse_features(request.features)
        self.check(annotations)
        return self.to_collection(self.store.add(self.owner, self.slide, annotations, request.is_shared))

    def replace(self, annotation_id: str, content: AnnotationContent) -> AnnotationFeature:
        annotation = parse_feature(content.feature)
        self.check([annotation])
        return self.to_feature(
            self.store.replace(self.owner, self.slide, annotation_id, content.version, annotation, content.is_shared)
        )

    def export(self) -> Response:
        features = [_make_qupath_feature(stored, self.spacing) for stored in self.list()]
        text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1)
        return Response(text, media_type=_GEOJSON, headers=name_attachment("annotations", self.title, "geojson"))

    def to_collection(self, stored: Iterable[StoredAnnotation]) -> AnnotationCollection:
        return AnnotationCollection(features=tuple(self.to_feature(one) for one in stored))

    def to_feature(self, stored: StoredAnnotation) -> AnnotationFeature:
        feature: Mapping[str, Any] = _make_qupath_feature(stored, self.spacing)
        facts = {
            "owner": stored.owner,
            "is_mine": stored.owner == self.owner,
            "is_shared": stored.is_shared,
            "version": stored.version,
            "created": stored.created,
            "updated": stored.updated,
        }
        return AnnotationFeature.model_validate(
            {**feature, "properties": {**feature["properties"], "histoseek": facts}}
        )


def _make_qupath_feature(stored: StoredAnnotation, spacing: UmPerPx | None) -> dict[str, Any]:
    feature: dict[str, Any] = make_feature(stored.annotation, stored.annotation_id)
    feature["properties"]["measurements"] = make_measurements(stored.annotation.shape, spacing)
    return feature


def _get_archived(context: InContext, caller: Reader, entry: EntryInPath, slide_id: SlideIdInPath) -> _Canvas:
    """The slide of an archive that the path names; raises UnknownSlide."""
    record = entry.get_record(slide_id)
    return _Canvas(
        store=context.annotations,
        owner=caller.name,
        slide=AnnotatedSlide(entry.name, record.slide_id),
        size=_require_size(record.width, record.height),
        spacing=UmPerPx(record.spacing_um_per_px) if record.spacing_um_per_px else None,
        title=make_title(record.slide_id, record.uri),
    )


def _get_uploaded(context: InContext, caller: Reader, upload_id: UploadIdInPath) -> _Canvas:
    """The caller's upload that the path names; raises NotFound."""
    upload = context.uploads.get(upload_id, caller.name)
    facts = upload.facts
    spacing = facts.spacing_um_per_px if facts else None
    return _Canvas(
        store=context.annotations,
        owner=caller.name,
        slide=AnnotatedSlide(OF_UPLOADS, upload.upload_id, upload.expires_s),
        size=_require_size(facts.width, facts.height) if facts else Size(0, 0),
        spacing=None if spacing is None else UmPerPx(spacing),
        title=upload.name,
    )


Archived = Annotated[_Canvas, Depends(_get_archived)]
Uploaded = Annotated[_Canvas, Depends(_get_uploaded)]


@router.get(f"{_SLIDE}/export", response_class=Response, responses=_FILES)
def export_annotations(canvas: Archived) -> Response:
    """Download the annotations of a slide, yours and shared ones, as GeoJSON for QuPath."""
    return canvas.export()


@router.get(_SLIDE, response_model_exclude_none=True)
def list_annotations(canvas: Archived) -> AnnotationCollection:
    """Your annotations of a slide, then those that others share."""
    return canvas.to_collection(canvas.list())


@router.post(_SLIDE, status_code=201, response_model_exclude_none=True)
def add_annotations(canvas: Archived, request: NewAnnotations) -> AnnotationCollection:
    """Add annotations, drawn or from a file of QuPath; the new ones, all or none."""
    return canvas.add(request)


@router.put(f"{_SLIDE}/{{annotation_id}}", response_model_exclude_none=True)
def replace_annotation(canvas: Archived, annotation_id: AnnotationId, content: AnnotationContent) -> AnnotationFeature:
    """Change an annotation of yours; a conflict if it was changed after the version named."""
    return canvas.replace(annotation_id, content)


@router.delete(f"{_SLIDE}/{{annotation_id}}", status_code=204)
def delete_annotation(canvas: Archived, annotation_id: AnnotationId) -> None:
    """Delete an annotation of yours."""
    canvas.store.delete(canvas.owner, canvas.slide, annotation_id)


@router.get(f"{_UPLOAD}/export", response_class=Response, responses=_FILES)
def export_upload_annotations(canvas: Uploaded) -> Response:
    """Download the annotations of an upload as GeoJSON for QuPath."""
    return canvas.export()


@router.get(_UPLOAD, response_model_exclude_none=True)
def list_upload_annotations(canvas: Uploaded) -> AnnotationCollection:
    """The annotations of an upload; they are deleted with it."""
    return canvas.to_collection(canvas.list())


@router.post(_UPLOAD, status_code=201, response_model_exclude_none=True)
def add_upload_annotations(canvas: Uploaded, request: NewAnnotations) -> AnnotationCollection:
    """Add annotations to an upload."""
    return canvas.add(request)


@router.put(f"{_UPLOAD}/{{annotation_id}}", response_model_exclude_none=True)
def replace_upload_annotation(
    canvas: Uploaded, annotation_id: AnnotationId, content: AnnotationContent
) -> AnnotationFeature:
    """Change an annotation of an upload."""
    return canvas.replace(annotation_id, content)


@router.delete(f"{_UPLOAD}/{{annotation_id}}", status_code=204)
def delete_upload_annotation(canvas: Uploaded, annotation_id: AnnotationId) -> None:
    """Delete an annotation of an upload."""
    canvas.store.delete(canvas.owner, canvas.slide, annotation_id)


def _require_size(width: int | None, height: int | None) -> Size:
    if not width or not height:
        raise InputError("slide", "it has no picture to draw on", "Index it from its file, not from features alone")
    return Size(width, height)
