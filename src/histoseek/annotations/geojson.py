"""Annotations as GeoJSON, with the names that QuPath gives: `objectType`, `classification`, `isLocked`, `metadata`.

What QuPath writes is in its PathObjectTypeAdapters: positions in px of the full resolution, y downwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from histoseek.annotations.shapes import Shape, make_coordinates, measure_shape, parse_shape
from histoseek.errors import InputError
from histoseek.geometry import UmPerPx
from histoseek.unicode import is_text

MAX_FEATURES = 2000
"""Of one file or request."""

MAX_LABEL_LENGTH = 100
MAX_NAME_LENGTH = 200
MAX_NOTE_LENGTH = 2000

DESCRIPTION = "ANNOTATION_DESCRIPTION"
"""The key of `metadata` under which QuPath has what it shows as an annotation's description."""

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

_ANNOTATION_TYPES = (None, "annotation", "unknown", "PathAnnotationObject")
_OBJECT_TYPE_KEYS = ("objectType", "object_type")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A shape with what was said about it; label: of its class, such as "Tumour"; locked: not to be moved."""

    shape: Shape
    label: str = ""
    name: str = ""
    note: str = ""
    colour: Colour | None = None
    is_locked: bool = False


def list_features(document: object) -> Sequence[object]:
    """The features of a file: of a collection, of a list, or its only one; raises InputError, also for too many."""
    features = document
    if isinstance(document, Mapping):
        features = [document] if document.get("type") == "Feature" else document.get("features")
    if not isinstance(features, list | tuple):
        raise InputError("file", "it is not GeoJSON of features", "Export annotations as GeoJSON")
    if len(features) > MAX_FEATURES:
        raise InputError("file", f"{len(features)} features are too many", f"Send at most {MAX_FEATURES} at once")
    return features


def parse_features(features: Sequence[object]) -> list[Annotation]:
    """The annotations of several features; raises InputError that names the first that can't be used."""
    return [parse_feature(feature, _name_feature(feature, place)) for place, feature in enumerate(features, 1)]


def parse_feature(feature: object, where: str = "feature") -> Annotation:
    """The annotation of a feature; raises InputError naming `where`."""
    if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
        raise InputError(where, "it is not a GeoJSON feature", "Export annotations as GeoJSON")
    geometry, properties = feature.get("geometry"), _get_mapping(feature, "properties")
    if not isinstance(geometry, Mapping):
        raise InputError(where, "it has no geometry", "Export it as GeoJSON again")
    _check_object_type(feature, properties, where)
    label, class_colour = _parse_class(properties.get("classification"), where)
    own_colour = _parse_colour(properties.get("color"), where)
    return Annotation(
        shape=parse_shape(geometry.get("type"), geometry.get("coordinates"), where),
        label=label,
        name=_parse_text(properties.get("name"), "name", MAX_NAME_LENGTH, where),
        note=_parse_text(_get_mapping(properties, "metadata").get(DESCRIPTION), "note", MAX_NOTE_LENGTH, where),
        colour=class_colour or own_colour,
        is_locked=properties.get("isLocked") is True,
    )


def make_feature(annotation: Annotation, feature_id: str | None = None) -> dict[str, object]:
    """The feature of an annotation as QuPath writes it, without measurements; id: a UUID, which QuPath keeps."""
    properties: dict[str, object] = {"objectType": "annotation", "isLocked": annotation.is_locked}
    if annotation.name:
        properties["name"] = annotation.name
    if annotation.label:
        properties["classification"] = {"name": annotation.label}
        if annotation.colour:
            properties["classification"] = {"name": annotation.label, "color": list(annotation.colour)}
    elif annotation.colour:
        properties["color"] = list(annotation.colour)
    if annotation.note:
        properties["metadata"] = {DESCRIPTION: annotation.note}
    geometry = {"type": annotation.shape.kind, "coordinates": make_coordinates(annotation.shape)}
    identity = {} if feature_id is None else {"id": feature_id}
    return {"type": "Feature", **identity, "geometry": geometry, "properties": properties}


def make_measurements(shape: Shape, spacing: UmPerPx | None) -> dict[str, float]:
    """Lengths and areas under QuPath's names for them; none of a slide without spacing."""
    if spacing is None:
        return {}
    measures = measure_shape(shape, spacing)
    named = {
        "Length \u00b5m": measures.length_um,
        "Area \u00b5m^2": measures.area_um2,
        "Perimeter \u00b5m": measures.perimeter_um,
    }
    return {name: value for name, value in named.items() if value is not None}


def _name_feature(feature: object, place: int) -> str:
    """What an error calls a feature: its place in the file, and its name where it has one."""
    name = _get_mapping(feature, "properties").get("name") if isinstance(feature, Mapping) else None
    return f"feature {place} ({name[:40]!r})" if isinstance(name, str) and name.strip() else f"feature {place}"


def _check_object_type(feature: Mapping[str, object], properties: Mapping[str, object], where: str) -> None:
    stated = next((properties[key] for key in _OBJECT_TYPE_KEYS if key in properties), None)
    if stated not in _ANNOTATION_TYPES:
        raise InputError(where, "it is no annotation", "Select the annotations in QuPath, and export those alone")
    # Version 0.2 of QuPath wrote the type where the id is now.
    legacy = feature.get("id")
    if isinstance(legacy, str) and legacy.startswith("Path") and legacy not in _ANNOTATION_TYPES:
        raise InputError(where, "it is no annotation", "Select the annotations in QuPath, and export those alone")


def _parse_class(value: object, where: str) -> tuple[str, Colour | None]:
    if not isinstance(value, Mapping):
        return "", None
    names = value.get("names")
    name = ": ".join(map(str, names)) if isinstance(names, list) else value.get("name")
    colour = _parse_colour(value.get("color", value.get("colorRGB")), where)
    return _parse_text(name, "class", MAX_LABEL_LENGTH, where), colour


def _parse_colour(value: object, where: str) -> Colour | None:
    """Three numbers, or the one that Java packs them into."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**32:
        return value >> 16 & 255, value >> 8 & 255, value & 255
    if isinstance(value, list | tuple) and len(value) == 3:
        red, green, blue = (int(part) if isinstance(part, int) and 0 <= part <= 255 else None for part in value)
        if red is not None and green is not None and blue is not None:
            return red, green, blue
    raise InputError(where, "its colour is not three numbers from 0 to 255", "Give red, green and blue")


def _parse_text(value: object, what: str, most: int, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not is_text(value):
        raise InputError(where, f"its {what} is no text", "Export it as GeoJSON again")
    if len(value) > most:
        raise InputError(where, f"its {what} is longer than {most} characters", "Shorten it")
    return value.strip()


def _get_mapping(parent: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}
