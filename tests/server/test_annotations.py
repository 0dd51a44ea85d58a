"""Annotations, stains and figures over REST."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.errors import InputError
from histoseek.rest.annotations import AnnotationContent, NewAnnotations
from histoseek.rest.figures import FigureOptions
from histoseek.server.context import Context
from histoseek.server.settings import ServerSettings
from histoseek.slides.slide import open_slide
from histoseek.viewing.appearance import separate_stain
from histoseek.viewing.scale_bar import choose_scale_bar

SLIDE = "SIM-0000-00"
LARGER = "SIM-0002-00"
RING = [[100, 100], [300, 100], [300, 200], [100, 200], [100, 100]]


def feature(name: str = "", **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [RING]}
    facts = {"objectType": "annotation", "classification": {"name": "Tumour", "color": [200, 0, 0]}, "name": name}
    return {"type": "Feature", "geometry": geometry, "properties": {**facts, **properties}}


def drawn(*names: str, is_shared: bool = False) -> NewAnnotations:
    return NewAnnotations(features=tuple(map(feature, names)), is_shared=is_shared)


def status_of(caught: pytest.ExceptionInfo[ServerProblem]) -> int:
    return caught.value.problem.status


def read_png(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "RGB")
    return np.asarray(image)


def test_annotations_are_drawn_changed_and_deleted(client: Client) -> None:
    (made,) = client.add_annotations("cohort", SLIDE, drawn("first")).features
    spacing = client.get_slide("cohort", SLIDE).spacing_um_per_px
    assert made.properties.measurements["Area µm^2"] == pytest.approx(200 * 100 * spacing**2)
    assert (made.properties.histoseek.is_mine, made.properties.histoseek.version) == (True, 1)
    content = AnnotationContent(feature=feature("second", isLocked=True), version=1, is_shared=True)
    changed = client.replace_annotation("cohort", SLIDE, made.id, content)
    assert (changed.properties.name, changed.properties.isLocked) == ("second", True)
    assert client.list_annotations("cohort", SLIDE).features == (changed,)
    with pytest.raises(ServerProblem) as caught:
        client.replace_annotation("cohort", SLIDE, made.id, content)
    assert status_of(caught) == 409
    client.delete_annotation("cohort", SLIDE, made.id)
    assert client.list_annotations("cohort", SLIDE).features == ()


def test_colleagues_see_what_is_shared_and_can_t_change_it(client: Client, reader: Client) -> None:
    (hidden,) = client.add_annotations("cohort", SLIDE, drawn("hidden")).features
    (shared,) = client.add_annotations("cohort", SLIDE, drawn("shared", is_shared=True)).features
    seen = [one for one in reader.list_annotations("cohort", SLIDE).features if one.id in (hidden.id, shared.id)]
    assert [(one.id, one.properties.histoseek.is_mine) for one in seen] == [(shared.id, False)]
    details = set()
    for annotation_id in (hidden.id, shared.id, "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(ServerProblem) as caught:
            reader.delete_annotation("cohort", SLIDE, annotation_id)
        assert status_of(caught) == 404
        details.add(caught.value.problem.detail)
    assert len(details) == 1
    client.delete_annotation("cohort", SLIDE, shared.id)
    client.delete_annotation("cohort", SLIDE, hidden.id)


def test_files_go_to_qupath_and_come_back(client: Client, tmp_path: Path) -> None:
    client.add_annotations("cohort", SLIDE, drawn("one", "two"))
    exported = client.export_annotations("cohort", SLIDE)
    document = json.loads(exported)
    assert [one["properties"]["name"] for one in document["features"]] == ["one", "two"]
    assert set(document["features"][0]["properties"]) == {
        *("objectType", "isLocked", "name", "classification", "measurements")
    }
    file = tmp_path / "out.geojson"
    file.write_bytes(exported)
    imported = client.import_annotations("cohort", LARGER, file)
    assert [one.geometry.coordinates for one in imported.features] == [[RING], [RING]]
    for one in client.list_annotations("cohort", SLIDE).features:
        client.delete_annotation("cohort", SLIDE, one.id)
    file.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        client.import_annotations("cohort", LARGER, file)


def test_what_leaves_the_slide_is_refused_whole(client: Client) -> None:
    far = {**feature(), "geometry": {"type": "Point", "coordinates": [10**6, 5]}}
    with pytest.raises(ServerProblem, match=r"feature 2: .*outside of the slide") as caught:
        client.add_annotations("cohort", SLIDE, NewAnnotations(features=(feature(), far)))
    assert status_of(caught) == 422
    assert client.list_annotations("cohort", SLIDE).features == ()


def test_uploads_have_annotations_for_as_long_as_they_live(raw: httpx2.Client, client: Client, cohort: Path) -> None:
    upload = client.upload(next(cohort.glob("*.tif*")))
    path = f"/uploads/{upload.upload_id}/annotations"
    made = raw.post(path, json=drawn("mine").model_dump())
    assert made.status_code == 201
    (one,) = made.json()["features"]
    assert raw.get(f"{path}/export").json()["features"][0]["id"] == one["id"]
    changed = raw.put(f"{path}/{one['id']}", json={"feature": feature("again"), "version": 1})
    assert changed.json()["properties"]["name"] == "again"
    figure = raw.get(
        f"/uploads/{upload.upload_id}/figure",
        params={"x": 0, "y": 0, "width": 400, "height": 300, "px": 400, "annotations": True, "scale_bar": False},
    )
    assert read_png(figure.content).shape == (300, 400, 3)
    tile = f"/uploads/{upload.upload_id}/image_files/{upload.image.max_level}/0_0.jpg"
    assert raw.get(tile).content != raw.get(tile, params={"stain": "eosin"}).content
    client.delete_upload(upload.upload_id)
    assert raw.get(path).status_code == 404


def test_annotations_go_with_their_slide(indexed: Path, tmp_path: Path) -> None:
    import shutil

    from histoseek.annotations.geojson import parse_feature
    from histoseek.server.state.annotations import AnnotatedSlide

    copy = shutil.copytree(indexed, tmp_path / "work.archive")
    context = Context.from_settings(ServerSettings({"work": Path(copy)}, tmp_path / "state", write=True))
    entry, gone, kept = context.archives.get("work"), AnnotatedSlide("work", SLIDE), AnnotatedSlide("work", LARGER)
    for slide in (gone, kept):
        context.annotations.add("ann", slide, [parse_feature(feature("x"))])
    context.removal.remove(entry, SLIDE)
    assert context.annotations.list("ann", gone) == ()
    entry.archive.remove([LARGER])
    context.removal.sweep()
    assert context.annotations.list("ann", kept) == ()
    context.close()


def test_a_tile_of_one_stain_is_what_separating_its_pixels_gives(client: Client) -> None:
    image = client.get_image("cohort", SLIDE)
    level = image.max_level
    plain = np.asarray(Image.open(io.BytesIO(client.get_tile("cohort", SLIDE, level, 1, 1))))
    stained = np.asarray(Image.open(io.BytesIO(client.get_tile("cohort", SLIDE, level, 1, 1, "haematoxylin"))))
    difference = np.abs(stained.astype(int) - separate_stain(plain, "haematoxylin"))
    # Both have been through JPEG.
    assert difference.mean() < 4
    assert np.abs(stained.astype(int) - plain).mean() > 3 * difference.mean()


def test_a_figure_shows_the_slide_at_its_scale(client: Client) -> None:
    slide = client.get_slide("cohort", SLIDE)
    options = FigureOptions(x=200, y=300, width=800, height=600, px=800)
    picture = read_png(client.draw_figure("cohort", SLIDE, options))
    assert picture.shape == (600, 800, 3)
    bar = choose_scale_bar(slide.spacing_um_per_px, 200)
    black = (picture == 0).all(axis=2).sum(axis=1).max()
    assert black == round(bar.um / slide.spacing_um_per_px)


def test_a_figure_has_the_slide_s_own_pixels(client: Client, cohort: Path) -> None:
    options = FigureOptions(x=200, y=300, width=400, height=300, px=400, scale_bar=False)
    picture = read_png(client.draw_figure("cohort", SLIDE, options))
    file = cohort / client.get_slide("cohort", SLIDE).file_name
    if not file.is_file():
        file = next(cohort.rglob(file.name))
    with open_slide(file, 1.0) as slide:
        assert (picture == slide.read_level(0, 200, 300, 400, 300)).all()
    smaller = options.model_copy(update={"px": 100})
    shrunken = picture.reshape(75, 4, 100, 4, 3).mean(axis=(1, 3))
    assert np.abs(read_png(client.draw_figure("cohort", SLIDE, smaller)) - shrunken).max() <= 1.01


def test_a_figure_is_captioned_and_drawn_on_at_will(client: Client, raw: httpx2.Client) -> None:
    (made,) = client.add_annotations("cohort", SLIDE, drawn("here")).features
    options = FigureOptions(x=0, y=0, width=400, height=300, px=400)
    plain = read_png(client.draw_figure("cohort", SLIDE, options))
    more = options.model_copy(update={"caption": True, "annotations": True, "frame": ("20,20,50,50",), "rotation": 20})
    assert read_png(client.draw_figure("cohort", SLIDE, more)).shape[0] > plain.shape[0]
    client.delete_annotation("cohort", SLIDE, made.id)
    answer = raw.get(
        f"/archives/cohort/slides/{SLIDE}/figure", params=options.model_dump(mode="json", exclude_none=True)
    )
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == f'attachment; filename="figure-{SLIDE}.png"'


@pytest.mark.parametrize(
    "change", [{"px": 5000}, {"height": 1}, {"width": 0}, {"frame": "1,2,3"}, {"x": "nan"}, {"colour": "red"}]
)
def test_odd_figures_are_refused(raw: httpx2.Client, change: dict[str, Any]) -> None:
    options = FigureOptions(x=0, y=0, width=400, height=300, px=400).model_dump(mode="json", exclude_none=True)
    answer = raw.get(f"/archives/cohort/slides/{SLIDE}/figure", params={**options, **change})
    assert answer.status_code == 422
    assert answer.json()["detail"]
