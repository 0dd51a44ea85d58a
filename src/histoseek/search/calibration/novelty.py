"""What is unlike an archive: learned from tiles of its own slides, asked of a query's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import ceil

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.novelty_file import ArchiveNovelty, hash_tile_space, write_novelty
from histoseek.archive.schema import SlideRecord, name_owner
from histoseek.arguments import settle
from histoseek.errors import ArchiveError, BadFeatureFile, ConfigurationError
from histoseek.progress import Reporter, SilentReporter
from histoseek.ranking.novelty import MIN_KNOWN, Novelty, TileSample, draw_tiles, fit_novelty
from histoseek.search.options import FALSE_ALARMS
from histoseek.search.vote import UNLIKE_ANYTHING

_MOST_SLIDES = 2000
_MOST_VALUES = 2**26
"""Of all features together, 256 MB."""

_TILES_MEASURED = 512

Features = NDArray[np.float32]


def learn_novelty(
    archive: ArchiveFolder,
    records: Sequence[SlideRecord],
    false_alarms: float = FALSE_ALARMS,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> ArchiveNovelty:
    """Learn what an archive's tiles are like, and keep it there; the write lock must be held.

    false_alarms: the share of queries of its own kind that may be flagged. Raises ConfigurationError for what is no
    share, ArchiveError for too few slides with features, of too few patients, or for so few false alarms.
    """
    false_alarms = settle(false_alarms, float, "--false-alarms", kind=ConfigurationError)
    if not 0 < false_alarms < 1:
        raise ConfigurationError("--false-alarms", f"{false_alarms} is no share", "0.05 flags one in twenty")
    samples = _draw_samples(archive, records, seed, reporter or SilentReporter())
    _require_enough(archive, samples, false_alarms)
    novelty = ArchiveNovelty(
        tiles=hash_tile_space(archive.require_space()),
        slides=len(samples),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        false_alarms=false_alarms,
        model=fit_novelty(samples, seed),
    )
    write_novelty(archive.layout, novelty)
    return novelty


def describe_novelty(novelty: Novelty | None) -> tuple[str, ...]:
    """What to say of a query, where it is flagged."""
    if novelty is None or not novelty.is_flagged:
        return ()
    often = f"{novelty.false_alarms:.1%}".replace(".0%", "%")
    return (f"{UNLIKE_ANYTHING}; {often} of queries that do belong here are flagged by mistake",)


def measure_novelty(archive: ArchiveFolder, slides: Iterable[Features | None], *, is_whole: bool) -> Novelty | None:
    """How unlike an archive a query is, a case by its slide that is least so; None where that was not learned.

    slides: tiles' features [N, D] of each, None where they can't be read; is_whole: they are no parts of slides.
    """
    known = archive.novelty
    if known is None:
        return None
    # Tiles at even distances: more of them would not move their mean.
    thinned = (tiles[:: ceil(len(tiles) / _TILES_MEASURED)] for tiles in slides if tiles is not None)
    values = [known.model.measure(tiles, is_whole=is_whole) for tiles in thinned]
    return Novelty(max(values), known.false_alarms) if values else None


def _draw_samples(
    archive: ArchiveFolder, records: Sequence[SlideRecord], seed: int, reporter: Reporter
) -> list[TileSample]:
    """Of as many slides as memory allows; those without features are passed over."""
    generator = np.random.default_rng(seed)
    owners = np.unique([name_owner(record) for record in records], return_inverse=True)[1]
    samples: list[TileSample] = []
    values = 0
    drawn = generator.permutation(len(records))[:_MOST_SLIDES]
    with reporter.part("looking at tiles", len(drawn)) as part:
        for place in drawn:
            part.advance()
            try:
                bag = archive.bags.load(records[place].slide_id)
            except BadFeatureFile:
                continue
            rows, spread, patch = draw_tiles(bag.coords, generator)
            values += len(rows) * bag.features.shape[1]
            if values > _MOST_VALUES:
                break
            samples.append(TileSample(int(owners[place]), bag.features[rows], spread, patch))
    return samples


def _require_enough(archive: ArchiveFolder, samples: Sequence[TileSample], false_alarms: float) -> None:
    slides, patients = len(samples), len({sample.owner for sample in samples})
    where = archive.address
    if slides < MIN_KNOWN or patients < 2:
        what = f"too few to calibrate: {slides} slides with tile features, of {patients} patients"
        raise ArchiveError(where, what, f"At least {MIN_KNOWN} of 2 are needed")
    if false_alarms * (slides + 1) < 1:
        what = f"too few to calibrate for {false_alarms:g} false alarms: {slides} slides with tile features"
        raise ArchiveError(where, what, f"At least {ceil(1 / false_alarms) - 1} are needed, or more --false-alarms")
