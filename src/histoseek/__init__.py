"""histoseek: search your own archive of whole-slide images.

For research and education; not a medical device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from histoseek._version import __version__

if TYPE_CHECKING:
    from histoseek.api import Archive
    from histoseek.archive.indexing.ingest import IndexReport
    from histoseek.archive.reencode import reencode
    from histoseek.archive.schema import SlideRecord
    from histoseek.archive.space_folders import SpaceChange
    from histoseek.encoders.library import find_weights
    from histoseek.encoders.recipe import Recipe
    from histoseek.encoders.slide.own import OwnSlideEncoder
    from histoseek.encoders.slide.registry import register_slide_encoder
    from histoseek.encoders.text.own import OwnTextEncoder
    from histoseek.encoders.text.registry import register_text_encoder
    from histoseek.encoders.tile.own import OwnTileEncoder
    from histoseek.encoders.tile.registry import register_tile_encoder
    from histoseek.errors import HistoseekError
    from histoseek.evaluation.evaluate import evaluate
    from histoseek.evaluation.report.evaluation_page import write_evaluation
    from histoseek.evaluation.settings import EvaluationSpec
    from histoseek.geometry import Rect
    from histoseek.mosaics.distances import Distance, Fusion, register_distance
    from histoseek.progress import show_progress
    from histoseek.search.options import DifferentialOptions, PhraseOptions, SearchOptions
    from histoseek.search.phrases.results import PhraseResults
    from histoseek.search.queries import (
        ArchivedCase,
        ArchivedReport,
        ArchivedSlide,
        Case,
        Composed,
        EncodedSlide,
        Refined,
        Region,
        ReportFile,
        ReportText,
        SlideFile,
        TextQuery,
        TileImage,
    )
    from histoseek.search.results import Match, SearchResult, SearchResults
    from histoseek.search.scope.fields import FieldFilter
    from histoseek.search.scope.listing import ListOptions
    from histoseek.search.worklist import WorklistOptions
    from histoseek.training.alignment.closed_form import align
    from histoseek.training.pairs import PairedSlides
    from histoseek.training.slides.encoder_file import train_slide_encoder
    from histoseek.training.slides.settings import TrainingSettings

__all__ = [
    "Archive",
    "ArchivedCase",
    "ArchivedReport",
    "ArchivedSlide",
    "Case",
    "Composed",
    "DifferentialOptions",
    "Distance",
    "EncodedSlide",
    "EvaluationSpec",
    "FieldFilter",
    "Fusion",
    "HistoseekError",
    "IndexReport",
    "ListOptions",
    "Match",
    "OwnSlideEncoder",
    "OwnTextEncoder",
    "OwnTileEncoder",
    "PairedSlides",
    "PhraseOptions",
    "PhraseResults",
    "Recipe",
    "Rect",
    "Refined",
    "Region",
    "ReportFile",
    "ReportText",
    "SearchOptions",
    "SearchResult",
    "SearchResults",
    "SlideFile",
    "SlideRecord",
    "SpaceChange",
    "TextQuery",
    "TileImage",
    "TrainingSettings",
    "WorklistOptions",
    "__version__",
    "align",
    "evaluate",
    "find_weights",
    "reencode",
    "register_distance",
    "register_slide_encoder",
    "register_text_encoder",
    "register_tile_encoder",
    "show_progress",
    "train_slide_encoder",
    "write_evaluation",
]

_HOMES = {
    "Archive": "histoseek.api",
    "ArchivedCase": "histoseek.search.queries",
    "ArchivedReport": "histoseek.search.queries",
    "ArchivedSlide": "histoseek.search.queries",
    "Case": "histoseek.search.queries",
    "Composed": "histoseek.search.queries",
    "DifferentialOptions": "histoseek.search.options",
    "Distance": "histoseek.mosaics.distances",
    "EncodedSlide": "histoseek.search.queries",
    "EvaluationSpec": "histoseek.evaluation.settings",
    "FieldFilter": "histoseek.search.scope.fields",
    "Fusion": "histoseek.mosaics.distances",
    "HistoseekError": "histoseek.errors",
    "IndexReport": "histoseek.archive.indexing.ingest",
    "ListOptions": "histoseek.search.scope.listing",
    "Match": "histoseek.search.results",
    "OwnSlideEncoder": "histoseek.encoders.slide.own",
    "OwnTextEncoder": "histoseek.encoders.text.own",
    "OwnTileEncoder": "histoseek.encoders.tile.own",
    "PhraseOptions": "histoseek.search.options",
    "PhraseResults": "histoseek.search.phrases.results",
    "PairedSlides": "histoseek.training.pairs",
    "Recipe": "histoseek.encoders.recipe",
    "Rect": "histoseek.geometry",
    "Refined": "histoseek.search.queries",
    "Region": "histoseek.search.queries",
    "ReportFile": "histoseek.search.queries",
    "ReportText": "histoseek.search.queries",
    "SearchOptions": "histoseek.search.options",
    "SearchResult": "histoseek.search.results",
    "SearchResults": "histoseek.search.results",
    "SlideFile": "histoseek.search.queries",
    "SlideRecord": "histoseek.archive.schema",
    "SpaceChange": "histoseek.archive.space_folders",
    "TextQuery": "histoseek.search.queries",
    "TileImage": "histoseek.search.queries",
    "TrainingSettings": "histoseek.training.slides.settings",
    "WorklistOptions": "histoseek.search.worklist",
    "align": "histoseek.training.alignment.closed_form",
    "evaluate": "histoseek.evaluation.evaluate",
    "find_weights": "histoseek.encoders.library",
    "reencode": "histoseek.archive.reencode",
    "register_distance": "histoseek.mosaics.distances",
    "register_slide_encoder": "histoseek.encoders.slide.registry",
    "register_text_encoder": "histoseek.encoders.text.registry",
    "register_tile_encoder": "histoseek.encoders.tile.registry",
    "show_progress": "histoseek.progress",
    "train_slide_encoder": "histoseek.training.slides.encoder_file",
    "write_evaluation": "histoseek.evaluation.report.evaluation_page",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: `import histoseek` stays quick.
    if name not in _HOMES:
        raise AttributeError(f"module 'histoseek' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    # What is there for users; the machinery of this file is not.
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
