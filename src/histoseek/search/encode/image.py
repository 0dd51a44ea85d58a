"""From what a user asks with to what search needs of it: signatures in the archive's space, or a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import compare
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import StoredSlide, is_storable
from histoseek.archive.stains import UNKNOWN, choose_stain
from histoseek.encoders.bag import Bag, check_bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.imported import PREFIX
from histoseek.errors import (
    BadFeatureFile,
    InputError,
    MissingSlideFeature,
    MixedPatients,
    NoTissue,
    SlideNotFound,
    SpaceMismatch,
    UnknownCase,
)
from histoseek.geometry import Rect
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.search.queries import (
    ArchivedCase,
    ArchivedSlide,
    Case,
    EncodedSlide,
    ImageQuery,
    Region,
    SlideFile,
    SlideQuery,
    TileImage,
)
from histoseek.search.results import QueryKind, QuerySlide
from histoseek.search.scope.exclusion import Owner
from histoseek.slides.sources.registry import existing_source, require_local, source_name

PARTS: frozenset[QueryKind] = frozenset({"region", "tile"})
"""Images that are no whole slides."""

_Bags = tuple[Bag, Bag | None]
"""Of a query, the second at the archive's coarser spacing."""


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image query in the archive's space, and whose it is as far as known.

    slides, signatures and bags: one of each, several for a case; bags: None where they are the archive's; regions: in
    level-0 px.
    """

    kind: QueryKind
    slides: tuple[QuerySlide, ...]
    signatures: tuple[Signature, ...]
    bags: tuple[Bag | None, ...]
    owner: Owner
    regions: tuple[Rect, ...] = ()

    @property
    def slide_ids(self) -> tuple[str, ...]:
        """Those of its slides that the archive has."""
        return tuple(slide.slide_id for slide in self.slides if slide.slide_id)


def prepare_image(
    archive: ArchiveFolder, query: ImageQuery, workers: int = 2, reporter: Reporter | None = None
) -> PreparedImage:
    """Bring an image query into the archive's space.

    Raises SlideError (RegionOutside and NoTissue for a region), UnknownSlide, UnknownCase, and MixedPatients.
    """
    reading = _Reading(archive, workers, reporter or SilentReporter())
    if isinstance(query, Region):
        return reading.region(query)
    if isinstance(query, TileImage):
        slide = SlideFile(query.path, query.spacing_um_per_px, query.patient_id)
        return replace(reading.slide(slide), kind="tile")
    if isinstance(query, Case):
        return _join_case([reading.any_slide(slide) for slide in query.slides])
    if isinstance(query, ArchivedCase):
        in_case = compare("case_id", "=", query.case_id)
        records = archive.records(in_case) if is_storable(query.case_id) else []
        if not records:
            raise UnknownCase(query.case_id)
        return _join_case([reading.slide(ArchivedSlide(record.slide_id)) for record in records])
    return reading.any_slide(query)


def load_features(archive: ArchiveFolder, image: PreparedImage) -> Iterator[NDArray[np.float32] | None]:
    """Features of the tiles of each slide [N, D], those of the archive's from their bags; None where that has gone."""
    for slide, bag in zip(image.slides, image.bags, strict=True):
        yield _load_cached(archive, str(slide.slide_id)) if bag is None else bag.features


def _load_cached(archive: ArchiveFolder, slide_id: str) -> NDArray[np.float32] | None:
    try:
        return archive.bags.load(slide_id).features
    except BadFeatureFile:
        return None


@dataclass(frozen=True, slots=True)
class _Reading:
    archive: ArchiveFolder
    workers: int
    reporter: Reporter

    def any_slide(self, query: SlideQuery | EncodedSlide) -> PreparedImage:
        """A slide that has to be read, or was."""
        return self.sign_encoded(query) if isinstance(query, EncodedSlide) else self.slide(query)

    def sign_encoded(self, query: EncodedSlide) -> PreparedImage:
        """A slide whose bag is at hand; raises SpaceMismatch for a bag that the archive would not make."""
        recipe = self.archive.recipe
        for bag, expected in ((query.bag, recipe), (query.context, recipe.context)):
            if bag is not None and expected is not None:
                _require_spacing(bag, expected, query.name)
        bag = _keep_inside(query.bag, query.regions, query.name) if query.regions else query.bag
        stored = self._find_by_content(query.file_fingerprint) if query.file_fingerprint else None
        known = stored.slides[0] if stored else QuerySlide(None, "", 0)
        slide = QuerySlide(known.slide_id, query.name, query.spacing_um_per_px, known.stain)
        return PreparedImage(
            kind="region" if query.regions else "tile" if query.picture else "slide",
            slides=(slide,),
            signatures=(self._sign((bag, query.context), query.name, slide.slide_id),),
            bags=(bag,),
            owner=_owner(query.patient_id, stored),
            regions=query.regions,
        )

    def slide(self, query: SlideQuery) -> PreparedImage:
        """A slide of the archive or a file; a file that the archive knows is not read again."""
        if isinstance(query, ArchivedSlide):
            return self._read_archived(query)
        stored = self._find(query)
        if stored and query.spacing_um_per_px is None:
            return replace(stored, owner=_owner(query.patient_id, stored))
        bags, spacing, stain = self._read_bags(query, ())
        known = stored.slides[0] if stored else QuerySlide(None, "", 0, None if stain == UNKNOWN else stain)
        slide = QuerySlide(known.slide_id, query.source.uri, spacing, known.stain)
        signature = self._sign(bags, query.source.uri, slide.slide_id)
        owner = _owner(query.patient_id, stored)
        return PreparedImage("slide", (slide,), (signature,), (bags[0],), owner)

    def region(self, query: Region) -> PreparedImage:
        """The regions of a slide, from its source, or from its cached features where it is gone."""
        stored = self._find(query.slide)
        archived = stored.slides[0] if stored else QuerySlide(None, "", 0)
        file = query.slide if isinstance(query.slide, SlideFile) else _open_file(archived)
        uri = query.slide.source.uri if isinstance(query.slide, SlideFile) else archived.uri
        regions = _in_pixels(query, file, archived)
        if file is None or self.archive.recipe.imported:
            bag, spacing = self._features_of(query.slide, archived)
            bags: _Bags = (_keep_inside(bag, regions, uri), None)
        else:
            bags, spacing, _ = self._read_bags(file, regions)
        slide = QuerySlide(archived.slide_id, uri, spacing)
        owner = _owner(query.slide.patient_id, stored)
        signature = self._sign(bags, uri, slide.slide_id)
        return PreparedImage("region", (slide,), (signature,), (bags[0],), owner, regions)

    def _find(self, query: SlideQuery) -> PreparedImage | None:
        """The archive's own slide of the same content; raises SlideNotFound, UnknownSlide."""
        if isinstance(query, ArchivedSlide):
            return self._read_archived(query)
        if not query.source.exists():
            raise SlideNotFound(query.source.uri)
        return self._find_by_content(query.source.fingerprint())

    def _read_archived(self, query: ArchivedSlide) -> PreparedImage:
        stored = _sign_archived(self.archive.store.get_without_language([query.slide_id])[0])
        return replace(stored, owner=_owner(query.patient_id, stored))

    def _find_by_content(self, file_fingerprint: str) -> PreparedImage | None:
        records = self.archive.records(compare("file_fingerprint", "=", file_fingerprint), limit=1)
        return _sign_archived(self.archive.store.get_without_language([records[0].slide_id])[0]) if records else None

    def _read_bags(self, query: SlideFile, regions: tuple[Rect, ...]) -> tuple[_Bags, float, str | None]:
        """The query's bags by the archive's own recipe, the second at its coarser spacing, the slide's spacing, and its
        stain as detected."""
        from histoseek.archive.indexing.bag_providers import agree_on_features
        from histoseek.encoders.features.confined import load_features
        from histoseek.encoders.features.feature_files import SUFFIXES
        from histoseek.encoders.slide_bags import encode_context, encode_prepared, open_prepared
        from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder

        recipe = self.archive.recipe
        if recipe.imported:
            features = load_features(require_local(query.source), recipe.encoder)
            agree_on_features(self.archive, ()).require(query.source.uri, features.facts)
            return (self._attach_vector(query, features.bag), None), features.slide_spacing_um_per_px, None
        if PurePath(query.source.name).suffix.lower() in SUFFIXES:
            what = "a feature file, but the archive was made from slides"
            raise InputError(query.source.uri, what, "Ask with a slide")
        edge_px = find_tile_card(recipe.encoder).tile_px
        with open_prepared(query.source, recipe, edge_px, query.spacing_um_per_px, regions) as prepared:
            encoder = load_tile_encoder(recipe.encoder)
            bag = encode_prepared(prepared, encoder, self.workers, self.reporter)
            context = encode_context(prepared, encoder, self.workers, self.reporter)
            bags = self._attach_vector(query, bag), context
            return bags, prepared.slide.spacing_um_per_px, prepared.stain

    def _sign(self, bags: _Bags, name: str, slide_id: str | None) -> Signature:
        """The signature of bags; an error names the query. slide_id: of the archive's slide of the same content, whose
        vector it has where it brings none."""
        bag, context = bags
        is_imported = self.archive.require_space().slide_encoder.startswith(PREFIX)
        if is_imported and slide_id and bag.slide_vector is None:
            bag = replace(bag, slide_vector=self.archive.bags.load(slide_id).slide_vector)
        try:
            return self.archive.signer.sign(bag, context)
        except MissingSlideFeature as error:
            raise MissingSlideFeature(name, error.encoder) from error

    def _attach_vector(self, query: SlideFile, bag: Bag) -> Bag:
        """The bag with the slide's vector that the query names; raises InputError where the archive has no use for it,
        BadFeatureFile for a file without it."""
        if query.slide_feature is None:
            return bag
        if not self.archive.require_space().slide_encoder.startswith(PREFIX):
            what = "has no use here: the archive encodes slides itself"
            raise InputError(str(query.slide_feature), what, "Leave the slide feature out")
        from histoseek.encoders.features.confined import load_slide_features

        path = Path(query.slide_feature)
        if not path.is_file():
            raise SlideNotFound(path)
        features = load_slide_features(path)
        vector = features.find(query.source.stem)
        if vector is None and len(features.vectors) > 1:
            raise BadFeatureFile(path, f"{len(features.vectors)} slide features, and none of {query.source.stem}")
        return replace(bag, slide_vector=features.vectors[0] if vector is None else vector)

    def _features_of(self, query: SlideQuery, archived: QuerySlide) -> tuple[Bag, float]:
        if isinstance(query, ArchivedSlide):
            return self.archive.bags.load(query.slide_id), archived.spacing_um_per_px
        (bag, _), spacing, _ = self._read_bags(query, ())
        return bag, spacing


def _require_spacing(bag: Bag, recipe: Recipe, name: str) -> None:
    check_bag(bag, Path(name))
    if not recipe.imported and bag.spacing_um_per_px != recipe.spacing_um_per_px:
        spacings = str(recipe.spacing_um_per_px), str(bag.spacing_um_per_px)
        raise SpaceMismatch(name, "spacing um per px", *spacings)


def _sign_archived(stored: StoredSlide) -> PreparedImage:
    record = stored.record
    stain = choose_stain(record.stain, record.extra)
    slide = QuerySlide(record.slide_id, record.uri, record.spacing_um_per_px, None if stain == UNKNOWN else stain)
    return PreparedImage("slide", (slide,), (stored.signature,), (None,), Owner.from_query(None, record))


def _owner(patient_id: str | None, stored: PreparedImage | None) -> Owner:
    """The patient given with a slide, and whose it is in the archive."""
    return Owner.merge([Owner.from_query(patient_id), *([stored.owner] if stored else [])])


def _open_file(archived: QuerySlide) -> SlideFile | None:
    """What the pixels of a slide of the archive are read from; None where that is gone."""
    source = existing_source(archived.uri)
    return SlideFile(source, archived.spacing_um_per_px or None) if source else None


def _join_case(slides: Sequence[PreparedImage]) -> PreparedImage:
    owners = {make_patient_key(slide.owner.patient_ids[0]) for slide in slides if slide.owner.patient_ids}
    if len(owners) > 1:
        raise MixedPatients([slide.slides[0].slide_id or source_name(slide.slides[0].uri) for slide in slides])
    return PreparedImage(
        kind="case",
        slides=tuple(part for slide in slides for part in slide.slides),
        signatures=tuple(part for slide in slides for part in slide.signatures),
        bags=tuple(part for slide in slides for part in slide.bags),
        owner=Owner.merge([slide.owner for slide in slides]),
    )


def _in_pixels(query: Region, file: SlideFile | None, archived: QuerySlide) -> tuple[Rect, ...]:
    if query.unit == "px":
        return query.regions
    spacing = (file.spacing_um_per_px if file else None) or archived.spacing_um_per_px
    if not spacing:
        from histoseek.slides.slide import open_slide

        if file is None:
            raise SlideNotFound(archived.uri)
        with open_slide(file.source) as slide:
            spacing = slide.spacing_um_per_px
    return tuple(
        Rect(*(round(um / spacing) for um in (rect.x, rect.y, rect.width, rect.height))) for rect in query.regions
    )


def _keep_inside(bag: Bag, regions: Sequence[Rect], path: str) -> Bag:
    """The tiles whose centres lie in a region, or, where there are none, those that reach into it."""
    inside = np.zeros(len(bag), bool)
    for rect in regions:
        centres = bag.coords + np.float64(bag.tile_size_level0 / 2)
        centred = _between(centres, rect, 0)
        inside |= centred if centred.any() else _between(centres, rect, bag.tile_size_level0 / 2)
    if not inside.any():
        raise NoTissue(path, "none of its cached tiles lies in the region")
    return bag.take(np.flatnonzero(inside))


def _between(points: NDArray[np.float64], rect: Rect, margin: float) -> NDArray[np.bool_]:
    """Which points [N, 2] lie in a rectangle with a margin around it."""
    low, high = np.array([rect.x, rect.y]) - margin, np.array([rect.right, rect.bottom]) + margin
    return np.asarray(((points >= low) & (points < high)).all(axis=1))
