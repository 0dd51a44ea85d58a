"""Where an indexing run finds the vectors of slides that another tool made, for an archive that lives on such."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
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
        path = self._choose(self._find(slide.slide_id) or self._find(slide.source.stem), slide)
        features = self._load(path)
        if features.encoder and not is_same_encoder(features.encoder, self.encoder):
            raise SpaceMismatch(f"slide feature {path.name}", "slide encoder", self.encoder, features.encoder)
        vector = features.find(slide.slide_id)
        vector = features.find(slide.source.stem) if vector is None else vector
        if vector is None and len(features.vectors) > 1:  # a file of a case, named as one of its slides
            raise MissingSlideFeature(slide.source.uri, self.encoder, _ADVICE)
        return replace(bag, slide_vector=features.vectors[0] if vector is None else vector)

    def require(self, slide: PlannedSlide) -> None:
        """Raise MissingSlideFeature where there is none, before hours of work."""
        if not (self._find(slide.slide_id) or self._find(slide.source.stem)):
            raise MissingSlideFeature(slide.source.uri, self.encoder, _ADVICE)

    def _find(self, name: str) -> tuple[Path, ...]:
        """The files named as a slide, or those that have it among others."""
        return self._stems.get(name) or (self._tables.get(name, ()) if len(self.files) <= _FILES_KEPT else ())

    def _choose(self, files: tuple[Path, ...], slide: PlannedSlide) -> Path:
        """The one file that can be meant; of several those that state the archive's encoder."""
        if not files:
            raise MissingSlideFeature(slide.source.uri, self.encoder, _ADVICE)
        if len(files) == 1:
            return files[0]
        stated = {path: self._load(path).encoder for path in files}
        others = [path for path, encoder in stated.items() if encoder and not is_same_encoder(encoder, self.encoder)]
        left = [path for path in files if path not in others]
        named = [path for path in left if stated[path]] or left or files
        if len(named) > 1:
            which = f"{named[0].parent.name}/{named[0].name}"
            what = f"is one of {len(named)} files with a slide feature of '{slide.slide_id}' (another is {which})"
            raise BadFeatureFile(named[1], f"{what}, wanted one")
        return named[0]

    @cached_property
    def _stems(self) -> dict[str, tuple[Path, ...]]:
        return _group((path.stem, path) for path in self.files)

    @cached_property
    def _tables(self) -> dict[str, tuple[Path, ...]]:
        """Slides by the files that have them, of few files; damaged ones are named where a slide's own is."""
        found = list[tuple[str, Path]]()
        for path in self.files:
            with suppress(BadFeatureFile):
                found += [(slide_id, path) for slide_id in self._load(path).slide_ids]
        return _group(found)

    def _load(self, path: Path) -> SlideFeatures:
        with self._guard:
            features = self._read.get(path) or load_slide_features(path, self.trust)
            self._read[path] = features
            while len(self._read) > _FILES_KEPT:
                self._read.popitem(last=False)
            return features


def _group(named: Iterable[tuple[str, Path]]) -> dict[str, tuple[Path, ...]]:
    groups: dict[str, tuple[Path, ...]] = {}
    for name, path in named:
        groups[name] = (*groups.get(name, ()), path)
    return groups


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
