"""Annotations as GeoJSON: round trips, an independent reader, QuPath's own writing, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.annotations.geojson import (
    DESCRIPTION,
    MAX_FEATURES,
    MAX_NAME_LENGTH,
    Annotation,
    list_features,
    make_feature,
    make_measurements,
    parse_feature,
    parse_features,
)
from histoseek.annotations.shapes import MAX_VERTICES, Shape, check_inside, measure_shape, parse_shape
from histoseek.errors import InputError
from histoseek.geometry import Size, UmPerPx

numbers = st.integers(0, 5_000_000).map(lambda hundredths: hundredths / 100)
positions = st.tuples(numbers, numbers)
lines = st.lists(positions, min_size=2, max_size=12, unique=True)
corners = st.tuples(st.integers(0, 40_000), st.integers(0, 40_000), st.integers(1, 5000), st.integers(1, 5000))
texts = st.text(st.characters(categories=("L", "N")), max_size=20)


def star(x: float, y: float, radius: float, points: int = 7) -> list[list[float]]:
    """A star around a place, closed: it does not cross itself, and is not convex."""
    ring = []
    for step in range(2 * points):
        reach, angle = (radius if step % 2 else radius / 3), math.pi * step / points
        ring.append([round(x + reach * math.cos(angle), 2), round(y + reach * math.sin(angle), 2)])
    return [*ring, ring[0]]


def rectangle(x: float, y: float, width: float, height: float) -> list[list[float]]:
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]]


polygons = st.builds(
    lambda x, y, w, h: [rectangle(x, y, w, h), rectangle(x + w / 4, y + h / 4, w / 4, h / 4)],
    *(st.integers(0, 40_000), st.integers(0, 40_000), st.integers(4, 5000), st.integers(4, 5000)),
)
geometries = st.one_of(
    st.tuples(st.just("Point"), positions),
    st.tuples(st.just("MultiPoint"), st.lists(positions, min_size=1, max_size=9)),
    st.tuples(st.just("LineString"), lines),
    st.tuples(st.just("MultiLineString"), st.lists(lines, min_size=1, max_size=4)),
    st.tuples(st.just("Polygon"), polygons),
    st.tuples(st.just("MultiPolygon"), st.lists(polygons, min_size=1, max_size=3)),
)
annotations = st.builds(
    Annotation,
    shape=geometries.map(lambda pair: parse_shape(pair[0], pair[1], "test")),
    label=texts,
    name=texts,
    note=texts,
    colour=st.none() | st.tuples(*[st.integers(0, 255)] * 3),
    is_locked=st.booleans(),
)


@given(annotations)
def test_what_is_written_is_read_again(annotation: Annotation) -> None:
    written = json.loads(json.dumps(make_feature(annotation)))
    assert parse_feature(written) == annotation


@given(annotations)
def test_an_independent_reader_measures_the_same(annotation: Annotation) -> None:
    geometry = pytest.importorskip("shapely.geometry", reason="shapely is of the development dependencies")
    feature = json.loads(json.dumps(make_feature(annotation)))
    other = geometry.shape(feature["geometry"])
    assert other.geom_type == annotation.shape.kind
    spacing = UmPerPx(0.25)
    measured = measure_shape(annotation.shape, spacing)
    if annotation.shape.is_area:
        assert measured.area_um2 == pytest.approx(sum(map(area_of, parts_of(other))) * spacing**2, rel=1e-9)
        assert measured.perimeter_um == pytest.approx(other.length * spacing, rel=1e-9)
    elif annotation.shape.is_line:
        assert measured.length_um == pytest.approx(other.length * spacing, rel=1e-9)
    else:
        assert (measured.length_um, measured.area_um2) == (None, None)


def parts_of(geometry: Any) -> list[Any]:
    return list(getattr(geometry, "geoms", [geometry]))


def area_of(polygon: Any) -> float:
    return float(polygon.area)


@given(st.floats(100, 30_000), st.floats(100, 30_000), st.floats(5, 90), st.integers(3, 40))
def test_areas_are_those_of_the_triangles(x: float, y: float, radius: float, points: int) -> None:
    """A star is twice its number of points triangles around its centre."""
    ring = star(x, y, radius, points)
    centre = (sum(px for px, _ in ring[:-1]) / (len(ring) - 1), sum(py for _, py in ring[:-1]) / (len(ring) - 1))
    triangles = sum(
        (a[0] - centre[0]) * (b[1] - centre[1]) - (b[0] - centre[0]) * (a[1] - centre[1]) for a, b in pairwise(ring)
    )
    area = measure_shape(parse_shape("Polygon", [ring], "test"), UmPerPx(0.5)).area_um2
    assert area == pytest.approx(abs(triangles) / 2 * 0.25, rel=1e-6, abs=1e-3)


def test_measurements_have_the_names_that_qupath_gives_them() -> None:
    area = parse_shape("Polygon", [rectangle(10, 10, 200, 100)], "test")
    assert make_measurements(area, UmPerPx(0.5)) == {"Area µm^2": 5000.0, "Perimeter µm": 300.0}
    line = parse_shape("LineString", [[0, 0], [30, 40]], "test")
    assert make_measurements(line, UmPerPx(2.0)) == {"Length µm": 100.0}
    assert make_measurements(line, None) == {}


def test_a_file_of_qupath_is_understood() -> None:
    """Written as QuPath 0.5 does, with what we do not use."""
    document = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": "3b7d1c52-6f0e-4c0d-9a44-7f2f6f9e6d01",
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [rectangle(1000, 2000, 300, 200)],
                    "plane": {"c": -1, "z": 0, "t": 0},
                },
                "properties": {
                    "objectType": "annotation",
                    "name": "Front",
                    "classification": {"name": "Tumor", "color": [200, 0, 0]},
                    "isLocked": True,
                    "measurements": {"Area µm^2": 1.0},
                    "metadata": {DESCRIPTION: "invasive front"},
                },
            },
            {
                "type": "Feature",
                "id": "PathAnnotationObject",
                "geometry": {"type": "MultiPoint", "coordinates": [[5.123456, 6.5], [7, 8]]},
                "properties": {"classification": {"names": ["Immune", "CD3"], "colorRGB": -13_408_513}},
            },
        ],
    }
    front, cells = parse_features(list_features(document))
    assert (front.label, front.name, front.note) == ("Tumor", "Front", "invasive front")
    assert (front.colour, front.is_locked, front.shape.kind) == ((200, 0, 0), True, "Polygon")
    assert (cells.label, cells.colour) == ("Immune: CD3", (51, 102, 255))
    assert list(cells.shape.list_positions()) == [(5.12, 6.5), (7.0, 8.0)]


def test_one_feature_and_lists_of_features_are_files_too() -> None:
    feature = make_feature(Annotation(parse_shape("Point", [1, 2], "test")))
    assert parse_features(list_features(feature)) == parse_features(list_features([feature]))


def spoil(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    feature: dict[str, Any] = json.loads(
        json.dumps(make_feature(Annotation(parse_shape("Polygon", [rectangle(0, 0, 9, 9)], "test"), name="odd")))
    )
    change(feature)
    return feature


@pytest.mark.parametrize(
    ("feature", "complaint"),
    [
        (spoil(lambda f: f.pop("geometry")), "no geometry"),
        (spoil(lambda f: f["geometry"].update(type="GeometryCollection")), "known type"),
        (spoil(lambda f: f["geometry"].update(coordinates=[])), "not nested"),
        (spoil(lambda f: f["geometry"].update(coordinates=[[1, 2], [3, 4]])), "not nested|two numbers"),
        (spoil(lambda f: f["geometry"].update(coordinates=[[[0, 0], [0, 9], [9, 9], [9, 0]]])), "where it begins"),
        (spoil(lambda f: f["geometry"].update(coordinates=[[[0, 0], [5, 5], [9, 9], [0, 0]]])), "without an inside"),
        (spoil(lambda f: f["geometry"].update(coordinates=[[[0, 0], [5, "x"], [9, 9], [0, 0]]])), "two numbers"),
        (spoil(lambda f: f["geometry"].update(coordinates=[[[0, 0], [5, math.nan], [9, 9], [0, 0]]])), "any slide"),
        (spoil(lambda f: f["geometry"].update(coordinates=[[[0, 0]] * (MAX_VERTICES + 1)])), "more than 10000"),
        (spoil(lambda f: f["geometry"].update(type="LineString", coordinates=[[4, 4], [4, 4]])), "without length"),
        (spoil(lambda f: f["properties"].update(objectType="detection")), "no annotation"),
        (spoil(lambda f: f["properties"].update(color=[1, 2])), "colour"),
        (spoil(lambda f: f["properties"].update(metadata={DESCRIPTION: 7})), "note is no text"),
        (spoil(lambda f: f["properties"].update(classification={"name": "x" * 101})), "longer than 100"),
        (spoil(lambda f: f.update(type="Tumour")), "not a GeoJSON feature"),
    ],
)
def test_what_can_t_be_used_is_named_in_one_line(feature: dict[str, Any], complaint: str) -> None:
    good = make_feature(Annotation(parse_shape("Point", [1, 2], "test")))
    with pytest.raises(InputError, match=complaint) as caught:
        parse_features([good, feature])
    assert caught.value.where == "feature 2 ('odd')"
    assert "\n" not in str(caught.value)


def test_files_are_bounded() -> None:
    with pytest.raises(InputError, match="too many"):
        list_features([{}] * (MAX_FEATURES + 1))
    with pytest.raises(InputError, match="not GeoJSON"):
        list_features({"type": "FeatureCollection"})
    with pytest.raises(InputError, match=f"longer than {MAX_NAME_LENGTH}"):
        parse_feature(spoil(lambda f: f["properties"].update(name="x" * (MAX_NAME_LENGTH + 1))))


def test_annotations_lie_on_the_slide() -> None:
    shape = Shape("Point", ((((100.0, 50.0),),),))
    check_inside(shape, Size(100, 50), "feature 1")
    with pytest.raises(InputError, match=r"\(100, 50\) lies outside of the slide, which has 99 x 50 px"):
        check_inside(shape, Size(99, 50), "feature 1")
