"""Retrieval by an image: a slide, regions of one, a picture, or a case."""

from __future__ import annotations

import time
from dataclasses import replace

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.ranking_method import TUNED, RankingMethod, list_tuning_warnings, load_method
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.distances import DEFAULT_DISTANCE
from histoseek.progress import Reporter
from histoseek.ranking.novelty import Novelty
from histoseek.search.calibration.apply import UNCALIBRATED, AppliedCalibration
from histoseek.search.calibration.novelty import measure_novelty
from histoseek.search.calibration.query_labels import MOST_RANKED
from histoseek.search.encode.image import PARTS, PreparedImage, load_features, prepare_image
from histoseek.search.options import CandidateCount, SearchOptions
from histoseek.search.queries import EncodedSlide, ImageQuery, Region, TileImage
from histoseek.search.results import QueryInfo
from histoseek.search.retrieve.channels import Channel, Retriever
from histoseek.search.retrieve.measure_chance import get_chance
from histoseek.search.retrieve.ranking import RankedSlides, find_candidates, rerank
from histoseek.search.retrieve.retrieval import ImageRanking, Retrieval
from histoseek.search.retrieve.witnesses import Witnesses
from histoseek.search.scope.exclusion import SearchScope, require_words

REGION_DISTANCE = "contained"

PLAIN_FOR_STRANGERS = (
    "the archive's tuning was learned from slides unlike the query, so these are ranked without it: "
    "`--distance tuned` ranks by it all the same"
)


def retrieve_by_image(
    archive: ArchiveFolder, query: ImageQuery, options: SearchOptions, reporter: Reporter | None
) -> Retrieval:
    """The slides, or reports of slides, that are most like the query; see `search`."""
    method = image_method(archive, query, options)
    calibration = _load_calibration(archive, method, options)
    if options.to == "reports":
        require_words(archive, options)
    image = prepare_image(archive, query, options.workers, reporter)
    started = time.perf_counter()
    novelty = _measure_novelty(archive, image)
    if _gives_way(method, options, novelty):
        method, calibration = load_method(archive, DEFAULT_DISTANCE), UNCALIBRATED
    store = archive.store.snapshot()
    scope = image_scope(store, image, options)
    ranking = rank_for_image(store, image, method, options, scope)
    reports = _channels_to_reports(archive, store, ranking, options, scope)
    info = image_info(image, options, method)
    around = _look_around(store, ranking, options) if calibration.calibration else None
    return Retrieval(
        started=started,
        store=store,
        scope=scope,
        info=info,
        warnings=(*image_warnings(archive, image, options, method), *ranking.warnings),
        image=ranking,
        channels=(ranking.slides.channel(), *reports) if reports else (),
        explain=None if reports else ranking.explain,
        calibration=calibration,
        labels=calibration.weigh_labels(store, info, around.list_nearest(MOST_RANKED)) if around else None,
        novelty=novelty,
    )


def rank_for_image(
    store: SlideTable, image: PreparedImage, method: RankingMethod, options: SearchOptions, scope: SearchScope
) -> ImageRanking:
    """The slides of a scope ranked for an image; raises BadFilter."""
    count = candidate_count(method, options)
    signatures = method.map_query(store, image.signatures, [slide.slide_id for slide in image.slides])
    view, own = method.view(store), image_scope(store, image, replace(options, same_patient=False))
    slides = find_candidates(view, signatures, count, scope)
    # One look through the archive is enough where it was for the same slides, by the same vectors.
    is_same = (
        count is not None and scope == own.without_filter() and len(signatures) == 1 and signatures[0].context is None
    )
    nearest = slides if is_same and method.diffusion and method.diffusion.neighbours <= len(slides) else None
    witnesses = Witnesses.call(store, signatures, method, own, nearest)
    ranked = rerank(view, signatures, method, count, scope, witnesses, slides)
    return ImageRanking(image, signatures, ranked, method, witnesses)


def candidate_count(method: RankingMethod, options: SearchOptions) -> CandidateCount | None:
    """How many candidates to rank; all where the vector of the whole slide says nothing of what is looked for."""
    return None if options.exact or method.name == REGION_DISTANCE else options.candidate_count


def image_method(archive: ArchiveFolder, query: ImageQuery, options: SearchOptions) -> RankingMethod:
    """The way to rank that is wanted, else the one that suits the query: regions are looked for anywhere on a slide."""
    partial = isinstance(query, Region | TileImage) or (
        isinstance(query, EncodedSlide) and (query.picture or len(query.regions) > 0)
    )
    return load_method(archive, options.distance, REGION_DISTANCE if partial else None)


def _gives_way(method: RankingMethod, options: SearchOptions, novelty: Novelty | None) -> bool:
    """Whether a query as unlike the archive as this is ranked plainly, though the archive is tuned.

    What labels of the archive taught holds for slides like its own: others are ranked by the tuning only if it is asked
    for by name (docs/decisions/0077).
    """
    return _is_chosen_for_all(method, options) and novelty is not None and novelty.is_flagged


def prepare_ranking(
    archive: ArchiveFolder, query: ImageQuery, options: SearchOptions, reporter: Reporter | None
) -> tuple[PreparedImage, RankingMethod]:
    """An image in the archive's space, and the way to rank for it."""
    method = image_method(archive, query, options)
    image = prepare_image(archive, query, options.workers, reporter)
    # Nothing else of what such a search gives tells how unlike the archive the image is.
    novelty = _measure_novelty(archive, image) if _is_chosen_for_all(method, options) else None
    return image, load_method(archive, DEFAULT_DISTANCE) if _gives_way(method, options, novelty) else method


def _is_chosen_for_all(method: RankingMethod, options: SearchOptions) -> bool:
    """Whether the archive's tuning ranks because nobody named a distance."""
    return method.name == TUNED and options.distance is None


def _measure_novelty(archive: ArchiveFolder, image: PreparedImage) -> Novelty | None:
    return measure_novelty(archive, load_features(archive, image), is_whole=image.kind not in PARTS)


def image_scope(store: SlideTable, image: PreparedImage, options: SearchOptions) -> SearchScope:
    """Which slides may be returned for an image; raises BadFilter."""
    return SearchScope.from_options(store, options, image.owner, image.slide_ids)


def image_info(image: PreparedImage, options: SearchOptions, method: RankingMethod) -> QueryInfo:
    """What was searched with."""
    first = image.slides[0]
    return QueryInfo(
        kind=image.kind,
        to=options.to,
        slide_id=first.slide_id,
        uri=first.uri,
        spacing_um_per_px=first.spacing_um_per_px,
        slides=image.slides,
        regions=image.regions,
        where=options.where_text,
        distance=method.name,
        offset=options.offset,
    )


def image_warnings(
    archive: ArchiveFolder, image: PreparedImage, options: SearchOptions, method: RankingMethod
) -> tuple[str, ...]:
    """What to know of results of an image; method: by which they are ranked."""
    warnings = []
    if options.distance is None and method.tuning is None and archive.tuning and image.kind not in PARTS:
        warnings.append(PLAIN_FOR_STRANGERS)
    if not options.same_patient and not image.owner.is_known:
        warnings.append("the query's patient is not known: other slides of the same patient may be among the results")
    space = archive.require_space()
    if space.has_context and any(signature.context is None for signature in image.signatures):
        coarse, fine = f"{space.context_spacing_um_per_px:g} µm/px", f"{space.spacing_um_per_px:g} µm/px"
        warnings.append(f"the query is too small for {coarse}: it is compared at {fine} alone")
    if options.to == "reports" and not space.has_alignment:
        warnings.append("the archive is not aligned: these are the reports of the most similar slides")
    if options.distance in {None, TUNED}:
        warnings += list_tuning_warnings(archive)
    return tuple(warnings)


def _load_calibration(archive: ArchiveFolder, method: RankingMethod, options: SearchOptions) -> AppliedCalibration:
    whole_slides = method.name != REGION_DISTANCE and options.to == "slides"
    calibration = AppliedCalibration.load(archive, method, compares_slides=whole_slides)
    if options.min_probability is not None:
        calibration.require_probabilities()
    return calibration


def _channels_to_reports(
    archive: ArchiveFolder, store: SlideTable, ranking: ImageRanking, options: SearchOptions, scope: SearchScope
) -> list[Channel]:
    """The reports nearest to the image, where reports are wanted and the archive is aligned."""
    if options.to == "slides" or not len(ranking.slides):
        return []
    chance = get_chance(archive, store)
    retriever = Retriever(store, archive.language, scope.condition, options.channel_count, chance)
    return retriever.reports_by_slide(ranking.image.signatures[0].global_vector)


def _look_around(store: SlideTable, ranking: ImageRanking, options: SearchOptions) -> RankedSlides:
    """The slides of other patients that are nearest in the whole archive, whatever the filter and the page: the archive
    may know what a filter leaves out."""
    widest = replace(options, where=None, same_patient=False, to="slides", k=1, offset=0)
    scope, count = image_scope(store, ranking.image, widest), candidate_count(ranking.method, widest)
    if scope == image_scope(store, ranking.image, options) and count == candidate_count(ranking.method, options):
        return ranking.slides
    return rank_for_image(store, ranking.image, ranking.method, widest, scope).slides
