"""What gives an indexing run its bags: slides, feature files, or the archive's own cache."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from typing import Protocol

from histoseek.archive.bags import BagStore
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.indexing.feature_agreement import FeatureAgreement, find_agreement
from histoseek.archive.indexing.plan import PlannedSlide, is_context_current
from histoseek.archive.indexing.slide_vectors import SlideVectorSource
from histoseek.archive.layout import ArchiveLayout
from histoseek.bounds import describe_exhaustion
from histoseek.encoders.bag import Bag, BagOrigin, check_bag
from histoseek.encoders.features.confined import load_features, load_stated_facts
from histoseek.encoders.features.feature_files import FeatureFile
from histoseek.encoders.inventory.features_of import require_card_dimension
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide_bags import PreparedSlide, count_tiles, encode_context, encode_prepared, prepare_slide
from histoseek.encoders.tile.base import TileEncoder
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder
from histoseek.errors import BadFeatureFile, UnreadableSlide
from histoseek.files import as_archive_errors
from histoseek.progress import Reporter
from histoseek.sandbox.error_replies import describe_unforeseen
from histoseek.slides.sources.registry import require_local

_SLIDES_COMPARED = 64
"""Slides of an archive that tell the scale of all its features."""


@dataclass(frozen=True, slots=True)
class CachedBag:
    """A bag that lies complete in the cache, and what it was made from; context: that at the coarser spacing."""

    bag: Bag
    origin: BagOrigin
    context: Bag | None = None


BagInput = CachedBag | PreparedSlide | FeatureFile

TakeBag = Callable[[], CachedBag]
"""Gives the bag of a slide, or raises why there is none."""

_AHEAD = 2
"""Slides opened ahead of the one being encoded."""


class BagProvider(Protocol):
    """Makes bags in two steps: `prepare` may run ahead in another thread, `finish` runs in order."""

    def prepare(self, slide: PlannedSlide) -> BagInput:
        """Open, look, choose; raises SlideError."""

    def finish(self, slide: PlannedSlide, prepared: BagInput, reporter: Reporter) -> CachedBag:
        """Compute the bag and put it into the cache; raises SlideError."""


@dataclass
class SlideBags:
    """Bags encoded from slides. The encoder is loaded when the first slide needs it; trust: as of `open_slide`;
    vectors: of whole slides, where the archive lives on such."""

    layout: ArchiveLayout
    recipe: Recipe
    workers: int
    trust: bool | None = None
    vectors: SlideVectorSource | None = None

    @cached_property
    def encoder(self) -> TileEncoder:
        """The tile encoder of the recipe."""
        return load_tile_encoder(self.recipe.encoder)

    @cached_property
    def readers(self) -> ThreadPoolExecutor:
        """The threads that read tiles: of the slide that is encoded, and the first ones of those behind it."""
        return ThreadPoolExecutor(self.workers, thread_name_prefix="tiles")

    def prepare(self, slide: PlannedSlide) -> BagInput:
        """The cached bags if they are of this file and recipe, else the open slide with its tiles chosen and being
        read."""
        if self.vectors:
            self.vectors.require(slide)
        cached = find_cached_bag(self.layout, slide)
        if cached:
            return cached
        card = find_tile_card(self.recipe.encoder)
        prepared = prepare_slide(slide.source, self.recipe, card.tile_px, slide.spacing_um_per_px, trust=self.trust)
        return prepared.start_reading(card, self.readers)

    def finish(self, slide: PlannedSlide, prepared: BagInput, reporter: Reporter) -> CachedBag:
        """Encode the chosen tiles; closes the slide."""
        if not isinstance(prepared, PreparedSlide):
            return complete_bag(self.layout, slide, _require_cached(prepared), self.vectors)
        opened = prepared.slide
        try:
            with reporter.part(f"slide {slide.slide_id}, tiles", count_tiles(prepared)) as part:
                bag = encode_prepared(prepared, self.encoder, self.workers, part)
                context = encode_context(prepared, self.encoder, self.workers, part)
        finally:
            prepared.close()
        size, spacing = opened.size, opened.spacing_um_per_px
        given = slide.spacing_um_per_px
        origin = BagOrigin(
            slide.file_fingerprint, slide.recipe, size.width, size.height, spacing, given, prepared.stain
        )
        self._cache_context(slide, context, origin)
        bag = self.vectors.attach(slide, bag) if self.vectors else bag
        return replace(_cache_bag(self.layout, slide, bag, origin), context=context)

    def _cache_context(self, slide: PlannedSlide, context: Bag | None, origin: BagOrigin) -> None:
        """Before the bag itself, whose sidecar says that a slide is complete."""
        if slide.context_recipe is None:
            return
        origin = replace(origin, recipe=slide.context_recipe)
        if context is not None:
            check_bag(context, slide.source.uri)
        with as_archive_errors(self.layout.root):
            BagStore(self.layout).save_context(slide.slide_id, context, origin)


@dataclass(frozen=True)
class FeatureBags:
    """Bags read from feature files; no slide is opened."""

    layout: ArchiveLayout
    recipe: Recipe
    agreement: FeatureAgreement
    trust: bool | None = None
    vectors: SlideVectorSource | None = None

    def prepare(self, slide: PlannedSlide) -> BagInput:
        """The cached bag if it is of this file, else the file's content if it agrees with the archive's."""
        cached = find_cached_bag(self.layout, slide)
        if cached:
            return cached
        path = require_local(slide.source)
        features = load_features(path, self.recipe.encoder, self.trust, slide.spacing_um_per_px)
        self.agreement.require(slide.source.uri, features.facts)
        require_card_dimension(slide.source.uri, self.recipe.encoder, features.bag.features.shape[1])
        bag = self.vectors.attach(slide, features.bag) if self.vectors else features.bag
        return replace(features, bag=bag)

    def finish(self, slide: PlannedSlide, prepared: BagInput, reporter: Reporter) -> CachedBag:
        """Copy the bag into the cache, so that the archive can be re-encoded without the file."""
        if not isinstance(prepared, FeatureFile):
            return complete_bag(self.layout, slide, _require_cached(prepared), self.vectors)
        given = slide.spacing_um_per_px
        spacing = given or prepared.slide_spacing_um_per_px
        origin = BagOrigin(slide.file_fingerprint, slide.recipe, prepared.width, prepared.height, spacing, given)
        return _cache_bag(self.layout, slide, prepared.bag, origin)


def agree_on_features(
    archive: ArchiveFolder, new: Sequence[PlannedSlide], trust: bool | None = None
) -> FeatureAgreement:
    """What the features of an archive have in common with those of new slides."""
    facts = {slide.slide_id: load_stated_facts(require_local(slide.source), trust) for slide in new}
    records = archive.records(limit=_SLIDES_COMPARED + len(facts))
    stored = [record.slide_id for record in records if record.slide_id not in facts]
    return find_agreement(archive.layout, archive.recipe, stored[:_SLIDES_COMPARED], facts)


def find_cached_bag(layout: ArchiveLayout, slide: PlannedSlide) -> CachedBag | None:
    """The cached bag of a slide, None when there is none of this file and recipe, or it is damaged."""
    bags = BagStore(layout)
    origin = bags.load_origin(slide.slide_id)
    if origin is None or (origin.file_fingerprint, origin.recipe) != (slide.file_fingerprint, slide.recipe):
        return None
    if not is_context_current(layout, slide):
        return None
    try:
        context = bags.load_context(slide.slide_id) if slide.context_recipe else None
        return CachedBag(bags.load(slide.slide_id), origin, context)
    except BadFeatureFile:
        return None


def reload_bag(layout: ArchiveLayout, slide: PlannedSlide) -> CachedBag:
    """The cached bag of a slide that has one; raises BadFeatureFile when it is gone."""
    cached = find_cached_bag(layout, slide)
    if cached is None:
        raise BadFeatureFile(slide.source.uri, "its cached features vanished during the run")
    return cached


def _cache_bag(layout: ArchiveLayout, slide: PlannedSlide, bag: Bag, origin: BagOrigin) -> CachedBag:
    check_bag(bag, slide.source.uri)
    with as_archive_errors(layout.root):
        BagStore(layout).save(slide.slide_id, bag, origin)
    return CachedBag(bag, origin)


def complete_bag(
    layout: ArchiveLayout, slide: PlannedSlide, cached: CachedBag, vectors: SlideVectorSource | None
) -> CachedBag:
    """A bag of the cache with the slide's vector, which a run that was killed may not have had."""
    if vectors is None or cached.bag.slide_vector is not None:
        return cached
    return replace(_cache_bag(layout, slide, vectors.attach(slide, cached.bag), cached.origin), context=cached.context)


def _require_cached(prepared: BagInput) -> CachedBag:
    if not isinstance(prepared, CachedBag):
        raise TypeError(f"a {type(prepared).__name__} came from another provider")
    return prepared


def encode_here(
    provider: BagProvider, slides: Sequence[PlannedSlide], reporter: Reporter
) -> Generator[tuple[PlannedSlide, TakeBag]]:
    """Slides with what gives their bag, their preparation under way, a few ahead; what is left open at the end is
    closed."""
    waiting = iter(slides)
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        pending = deque((s, pool.submit(provider.prepare, s)) for s in islice(waiting, _AHEAD))
        try:
            while pending:
                slide, prepared = pending.popleft()
                yield slide, partial(_finish, provider, slide, prepared, reporter)
                pending.extend((s, pool.submit(provider.prepare, s)) for s in islice(waiting, 1))
        finally:
            for _, future in pending:
                future.cancel()
                future.add_done_callback(_close)


def _finish(provider: BagProvider, slide: PlannedSlide, prepared: Future[BagInput], reporter: Reporter) -> CachedBag:
    return provider.finish(slide, prepared.result(), reporter)


def _close(future: Future[BagInput]) -> None:
    if not future.cancelled() and future.exception() is None and isinstance(prepared := future.result(), PreparedSlide):
        prepared.close()


def blame_slide(slide: PlannedSlide, error: BaseException) -> UnreadableSlide:
    """What an unforeseen error, or too little memory, is called as the fault of one slide."""
    return UnreadableSlide(slide.source.uri, describe_exhaustion(error) or describe_unforeseen(error))
