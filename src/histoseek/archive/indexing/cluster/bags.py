"""Bags that the workers of a cluster encode, as the process that indexes takes them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from histoseek.archive.bags import BagStore
from histoseek.archive.indexing.bag_providers import CachedBag, TakeBag, complete_bag, find_cached_bag
from histoseek.archive.indexing.cluster.address import ClusterAddress
from histoseek.archive.indexing.cluster.checks import settle_job
from histoseek.archive.indexing.cluster.connection import ClusterConnection, open_cluster, pause
from histoseek.archive.indexing.cluster.job import ClusterJob, list_shared_settings, read_versions
from histoseek.archive.indexing.cluster.tasks import SlideTasks
from histoseek.archive.indexing.cluster.worker import mark_place
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.archive.indexing.slide_vectors import SlideVectorSource
from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.recipe import Recipe
from histoseek.errors import BadFeatureFile, HistoseekError, MissingSlideFeature
from histoseek.files import as_archive_errors
from histoseek.progress import Reporter
from histoseek.settings import choose_trust

_SEEN_S = 90.0
"""How long a file of another machine may be unseen here: network file systems remember what was not there."""


@dataclass(frozen=True)
class ClusterBags:
    """Encodes slides on a cluster.

    workers: threads that read tiles, of each process; trust: as of `open_slide`; vectors: of whole slides, where the
    archive lives on such; encoder: the fingerprint of the archive's tile encoder, "" before the first slide is in.
    """

    address: ClusterAddress
    layout: ArchiveLayout
    recipe: Recipe
    workers: int
    trust: bool | None = None
    vectors: SlideVectorSource | None = None
    encoder: str = ""

    def encode(
        self, slides: Sequence[PlannedSlide], is_in_order: Callable[[], bool], reporter: Reporter
    ) -> Generator[tuple[PlannedSlide, TakeBag]]:
        """Slides with what gives their bag or raises why there is none: as they are done, in their order where that is
        asked for. Raises ClusterError, and EncoderError where workers can't load the encoder."""
        outcomes: dict[int, HistoseekError | None] = dict(self._list_vectorless(slides))
        asked = [(number, slide) for number, slide in enumerate(slides) if number not in outcomes]
        if not asked:
            yield from ((slides[number], _raising(error)) for number, error in sorted(outcomes.items()) if error)
            return
        with open_cluster(self.address) as connection, self._marking() as token:
            tasks = SlideTasks(connection, self._prepare(connection, token, slides, reporter), reporter)
            place = 0
            for number, error in tasks.run(asked):
                outcomes[number] = error
                while outcomes and (not is_in_order() or place in outcomes):
                    place = place if is_in_order() else min(outcomes)
                    slide, fault = slides[place], outcomes.pop(place)
                    yield slide, _raising(fault) if fault else partial(self._take, slide, tasks)
                    place += 1

    def _prepare(
        self, connection: ClusterConnection, token: str, slides: Sequence[PlannedSlide], reporter: Reporter
    ) -> ClusterJob:
        """What workers are asked, once there are any and they are checked."""
        trust, versions, settings = choose_trust(self.trust), read_versions(), list_shared_settings()
        job = ClusterJob(self.layout, self.recipe, self.workers, trust, token, versions, settings, self.encoder)
        workers = connection.wait_for_workers(len(slides), reporter)
        return settle_job(connection, job, workers, slides[0])

    @contextmanager
    def _marking(self) -> Iterator[str]:
        """Lay a file into the archive's folder while the run lasts, by which workers know it."""
        token = secrets.token_hex(8)
        mark = mark_place(self.layout, token)
        with as_archive_errors(self.layout.root):
            for left in self.layout.root.glob(mark_place(self.layout, "*").name):  # by a run that was killed
                left.unlink(missing_ok=True)
            mark.touch()
        try:
            yield token
        finally:
            mark.unlink(missing_ok=True)

    def _list_vectorless(self, slides: Sequence[PlannedSlide]) -> Iterator[tuple[int, MissingSlideFeature]]:
        if self.vectors is None:
            return
        for number, slide in enumerate(slides):
            try:
                self.vectors.require(slide)
            except MissingSlideFeature as error:
                yield number, error

    def _take(self, slide: PlannedSlide, tasks: SlideTasks) -> CachedBag:
        """The bag that a worker wrote; where it is not whole, as after two workers that wrote it at once, another."""
        self._await_seen(slide)
        cached = find_cached_bag(self.layout, slide)
        if cached is None:
            for _, error in SlideTasks(tasks.connection, tasks.job, tasks.reporter).run([(0, slide)]):
                if error:
                    raise error
            cached = find_cached_bag(self.layout, slide)
        if cached is None:
            raise BadFeatureFile(slide.source.uri, "the features that a worker made of it are not whole")
        return complete_bag(self.layout, slide, cached, self.vectors)

    def _await_seen(self, slide: PlannedSlide) -> None:
        bags, ends_s = BagStore(self.layout), monotonic() + _SEEN_S
        while (origin := bags.load_origin(slide.slide_id)) is None or origin.file_fingerprint != slide.file_fingerprint:
            if monotonic() > ends_s:
                return
            pause()


def _raising(error: HistoseekError) -> TakeBag:
    def raise_it() -> CachedBag:
        raise error

    return raise_it
