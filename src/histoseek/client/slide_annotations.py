"""What a client asks of annotations and figures."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from histoseek.annotations.geojson import list_features, parse_features
from histoseek.client.connection import Connection, make_slide_path
from histoseek.errors import InputError
from histoseek.rest.annotations import AnnotationCollection, AnnotationContent, AnnotationFeature, NewAnnotations
from histoseek.rest.figures import FigureOptions


class AnnotationClient(Connection):
    """A part of `Client`: annotations of slides, and figures with them."""

    def list_annotations(self, archive: str, slide_id: str) -> AnnotationCollection:
        """Your annotations of a slide, then those that others share."""
        return self._get(AnnotationCollection, f"{make_slide_path(archive, slide_id)}/annotations")

    def add_annotations(self, archive: str, slide_id: str, annotations: NewAnnotations) -> AnnotationCollection:
        """Add annotations to a slide, all or none; the new ones."""
        path = f"{make_slide_path(archive, slide_id)}/annotations"
        return self._send(AnnotationCollection, "POST", path, annotations)

    def import_annotations(
        self, archive: str, slide_id: str, file: Path, is_shared: bool = False
    ) -> AnnotationCollection:
        """Add the annotations of a GeoJSON file, such as QuPath exports; raises InputError for a file that is none."""
        features = list_features(_read_json(file))
        parse_features(features)
        request = NewAnnotations.model_validate({"features": features, "is_shared": is_shared})
        return self.add_annotations(archive, slide_id, request)

    def export_annotations(self, archive: str, slide_id: str) -> bytes:
        """The annotations of a slide as a GeoJSON file for QuPath."""
        return self._request("GET", f"{make_slide_path(archive, slide_id)}/annotations/export").content

    def replace_annotation(
        self, archive: str, slide_id: str, annotation_id: str, content: AnnotationContent
    ) -> AnnotationFeature:
        """Change an annotation of yours; its version must be the last one."""
        path = f"{make_slide_path(archive, slide_id)}/annotations/{quote(annotation_id, safe='')}"
        return self._send(AnnotationFeature, "PUT", path, content)

    def delete_annotation(self, archive: str, slide_id: str, annotation_id: str) -> None:
        """Delete an annotation of yours."""
        self._request("DELETE", f"{make_slide_path(archive, slide_id)}/annotations/{quote(annotation_id, safe='')}")

    def draw_figure(self, archive: str, slide_id: str, options: FigureOptions) -> bytes:
        """A view of a slide as a PNG picture."""
        parameters = options.model_dump(mode="json", exclude_none=True)
        return self._request("GET", f"{make_slide_path(archive, slide_id)}/figure", **parameters).content


def _read_json(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise InputError(str(file), "no such file", "Check the path") from error
    except (ValueError, RecursionError) as error:
        raise InputError(str(file), "it is not JSON", "Export annotations as GeoJSON") from error
