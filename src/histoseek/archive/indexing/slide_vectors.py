"""Where an indexing run finds the vectors of slides that another tool made, for an archive that lives on such."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.encoders.bag import Bag
from histoseek.encoders.features.confined import load_slide_features
from histoseek.encoders.features.facts import is_same_encoder
from histoseek.encoders.features.slide_features import SlideFeatures, discover_slide_features
from histoseek.encoders.slide.imported import PREFIX
from histoseek.errors import BadFeatureFile, ConfigurationError, InputError, MissingSlideFeature, SpaceMismatch

_FILES_KEPT = 8
_ADVICE = "Give --slide-features FOLDER with one for each slide"


@dataclass
class SlideVectorSource:
    """Files of vectors, told by their stems or by what is in them; encoder: of slides, as the archive calls it."""

    files: tuple[Path, ...]
    encoder: str
    trust: bool | None = None
    _read: OrderedDict[Path, SlideFeatures] = field(default_factory=OrderedDict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def attach(self, slide: PlannedSlide, bag: Bag) -> Bag:
        """The bag with the slide's vector; raises MissingSlideFeature, BadFeatureFile, and SpaceMismatch for a vector
        of another encoder."""
        path = self._find(slide.slide_id) or self._find(slide.source.stem)
        if path is None:
            raise MissingSlideFeature(slide.source.uri, self.encoder, _ADVICE)
        features = self._load(path)
        if features.encoder and not is_same_encoder(features.encoder, self.encoder):
            raise SpaceMismatch(f"slide feature {path.name}", "slide encoder", self.encoder, features.encoder)
        vector = features.find(slide.slide_id)
        vector = features.find(slide.source.stem) if vector is None else vector
        return replace(bag, slide_vector=features.vectors[0] if vector is None else vector)

    def require(self, slide: PlannedSlide) -> None:
        """Raise MissingSlideFeature where there is none, before hours of work."""
        if self._find(slide.slide_id) is None and self._find(slide.source.stem) is None:
            raise MissingSlideFeature(slide.source.uri, self.encoder, _ADVICE)

    def _find(self, name: str) -> Path | None:
        """The file of a slide, or the one that has it among others."""
        return self._stems.get(name) or (self._tables.get(name) if len(self.files) <= _FILES_KEPT else None)

    @cached_property
    def _stems(self) -> dict[str, Path]:
        return {path.stem: path for path in self.files}

    @cached_property
    def _tables(self) -> dict[str, Path]:
        """Slides by the file that has them, of few files; damaged ones are named where a slide's own is."""
        tables: dict[str, Path] = {}
        for path in self.files:
            with suppress(BadFeatureFile):
                tables |= dict.fromkeys(self._load(path).slide_ids, path)
        return tables

    def _load(self, path: Path) -> SlideFeatures:
        with self._guard:
            features = self._read.get(path) or load_slide_features(path, self.trust)
            self._read[path] = features
            while len(self._read) > _FILES_KEPT:
                self._read.popitem(last=False)
            return features


def name_stated_encoder(folder: Path, trust: bool | None = None) -> str:
    """The slide encoder that files of vectors state; raises ConfigurationError where the first of them states none, and
    what finding and reading them raises."""
    stated = load_slide_features(discover_slide_features(folder)[0], trust).encoder
    if not stated:
        what = "is missing, and neither the slide features nor their folder name the encoder"
        raise ConfigurationError("--slide-encoder", what, "Give its name, such as titan")
    return stated


def open_slide_vectors(
    archive: ArchiveFolder, folder: Path | str | None, slides: int, trust: bool | None
) -> SlideVectorSource | None:
    """The source for an archive that lives on such vectors, None for one that doesn't, or a run without slides.

    Raises InputError where one is needed and not given, or given and not wanted, and SlideNotFound, NoSlidesFound.
    """
    name = archive.manifest.slide_encoder
    if not name.startswith(PREFIX):
        if folder is not None:
            what = f"do not fit this archive, whose slides are encoded by {name}"
            raise InputError("--slide-features", what, "Leave them out, or make a new archive with them")
        return None
    if not slides:
        return None
    encoder = name.removeprefix(PREFIX)
    if folder is None:
        what = f"is missing: the vectors of this archive's slides were made by {encoder}"
        raise InputError("--slide-features", what, _ADVICE)
    return SlideVectorSource(discover_slide_features(Path(folder)), encoder, trust)
