"""Annotations of slides, as GeoJSON that QuPath reads and writes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, StrictBool

from histoseek.rest.base import Request, Response, make_example_config

Feature = Annotated[
    dict[str, JsonValue],
    Field(
        description="A GeoJSON feature in px of the full resolution, from the top left, as QuPath writes it. Used are"
        " `geometry` and, of `properties`, `name`, `classification` (`name`, `color`), `color`, `isLocked` and"
        " `metadata.ANNOTATION_DESCRIPTION`, the note."
    ),
]

_SQUARE: list[Any] = [[[100, 100], [200, 100], [200, 200], [100, 200], [100, 100]]]
_EXAMPLE: dict[str, JsonValue] = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": _SQUARE},
    "properties": {"objectType": "annotation", "classification": {"name": "Tumour", "color": [200, 30, 30]}},
}


class NewAnnotations(Request):
    """Annotations to add; is_shared: whether everybody with a token of this server sees them."""

    model_config = make_example_config({"type": "FeatureCollection", "features": [_EXAMPLE]})

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: tuple[Feature, ...] = Field(max_length=2000)
    is_shared: StrictBool = False


class AnnotationContent(Request):
    """What an annotation is to be; version: the one that the change is based on, so that others' are noticed."""

    model_config = make_example_config({"feature": _EXAMPLE, "version": 1})

    feature: Feature
    version: int = Field(ge=1, strict=True)
    is_shared: StrictBool = False


class Geometry(Response):
    """A shape in px of the full resolution, y downwards."""

    type: Literal["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]
    coordinates: list[Any]


class Classification(Response):
    """What an annotation marks, and its colour: red, green, blue."""

    name: str
    color: tuple[int, int, int] | None = None


class AnnotationFacts(Response):
    """What only histoseek knows of an annotation; is_mine: whether the caller may change it."""

    owner: str
    is_mine: bool
    is_shared: bool
    version: int
    created: datetime
    updated: datetime


class AnnotationProperties(Response):
    """What QuPath calls the properties of an annotation; measurements: in µm and µm², none without a spacing."""

    objectType: Literal["annotation"] = "annotation"  # noqa: N815
    isLocked: bool = False  # noqa: N815
    name: str | None = None
    classification: Classification | None = None
    color: tuple[int, int, int] | None = None
    metadata: dict[str, str] | None = None
    measurements: dict[str, float] = Field(default_factory=dict)
    histoseek: AnnotationFacts


class AnnotationFeature(Response):
    """An annotation; id: a UUID."""

    type: Literal["Feature"] = "Feature"
    id: str
    geometry: Geometry
    properties: AnnotationProperties


class AnnotationCollection(Response):
    """The annotations of a slide: the caller's, then those that others share."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: tuple[AnnotationFeature, ...]
