"""What an archive's calibration says of the results of one search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from histoseek.archive.calibration_file import Calibration, LabelCalibration
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.ranking_method import RankingMethod
from histoseek.archive.schema import name_owner, read_value
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import ConfigurationError
from histoseek.search.calibration.query_labels import (
    LabelledOwner,
    QueryLabels,
    find_near_patients,
    weigh_labels,
)
from histoseek.search.options import SearchOptions
from histoseek.search.results import QueryInfo, SearchResult

NOT_CALIBRATED = "scores are not calibrated: there are no probabilities"
OTHER_WEIGHTS = (
    "the archive is calibrated for other weights, so there are no probabilities: run `histoseek calibrate` again"
)
OLDER_CALIBRATION = (
    "the archive was calibrated by an older version, so there are no probabilities: run `histoseek calibrate` again"
)

WITHOUT_LABELS = "the archive is calibrated without labels, so there are no probabilities"


@dataclass(frozen=True, slots=True)
class AppliedCalibration:
    """The calibration that a search goes by, None when there is none of its distance; warnings: what to know of it;
    compares_slides: whether the results are slides ranked by that distance."""

    calibration: Calibration | None
    warnings: tuple[str, ...]
    compares_slides: bool

    @classmethod
    def load(cls, archive: ArchiveFolder, method: RankingMethod, *, compares_slides: bool) -> AppliedCalibration:
        """What an archive knows of a way to rank."""
        archive.require_space()
        calibration = archive.calibration
        if calibration is None:
            warning = OLDER_CALIBRATION if archive.has_older_calibration else NOT_CALIBRATED
            return cls(None, (warning,), compares_slides)
        if calibration.distance != method.name:
            warning = (
                f"the archive is calibrated for the distance {calibration.distance}, so there are no probabilities"
            )
            return cls(None, (warning,), compares_slides)
        if calibration.ranking != method.mark:
            return cls(None, (OTHER_WEIGHTS,), compares_slides)
        warnings = [] if calibration.label or not compares_slides else [WITHOUT_LABELS]
        slides = archive.store.count(None)
        if calibration.is_outgrown(slides):
            growth = f"the archive had {calibration.slides} slides when it was calibrated and has {slides} now"
            warnings.append(f"{growth}: run `histoseek calibrate` again")
        return cls(calibration, tuple(warnings), compares_slides)

    @property
    def column(self) -> str | None:
        """The column that probabilities are of; None when there are none."""
        label = self._label
        return label.column if label else None

    def weigh_labels(
        self, store: SlideTable, query: QueryInfo, nearest: Sequence[tuple[str, float]]
    ) -> QueryLabels | None:
        """How probable labels are to be the query's by the slides nearest to it, with their distances; None where
        there is nothing to say. Of each patient the first slide that has a label counts."""
        label = self._label
        if label is None:
            return None

        def read(slide_ids: Sequence[str]) -> Sequence[LabelledOwner]:
            records = store.take_records(slide_ids)
            return [LabelledOwner(name_owner(record), read_value(record, label.column)) for record in records]

        numbers = {slide.slide_id: number for number, slide in enumerate(query.slides) if slide.slide_id}
        own = store.take_records(sorted(numbers)) if numbers else []
        near = find_near_patients(nearest, read)
        return weigh_labels(label, near, {numbers[one.slide_id]: read_value(one, label.column) or None for one in own})

    def add_probabilities(
        self, results: Sequence[SearchResult], labels: QueryLabels | None
    ) -> tuple[SearchResult, ...]:
        """The results with the probabilities of their labels, as far as there are any, and word of missing ones."""
        if labels is None:
            return tuple(results)
        values = [read_value(result.record, labels.column) for result in results]
        return tuple(
            replace(result, probability=labels.find(value, result.query_slide), label_unknown=not value)
            for result, value in zip(results, values, strict=True)
        )

    def keep_likely(self, results: tuple[SearchResult, ...], least: float | None) -> tuple[SearchResult, ...]:
        """The results whose probability is at least so large, all of them for None."""
        return results if least is None else tuple(r for r in results if (r.probability or 0) >= least)

    def require_probabilities(self) -> None:
        """Raise ConfigurationError when there are none to cut results by."""
        if self._label is None:
            what = "needs a calibrated search from slide to slide"
            raise ConfigurationError("--min-probability", what, "Run `histoseek calibrate`, or leave it out")

    @property
    def _label(self) -> LabelCalibration | None:
        return self.calibration.label if self.calibration and self.compares_slides else None


UNCALIBRATED = AppliedCalibration(None, (), compares_slides=False)
"""For scores that no distance gave: those of texts, and of several channels together."""


def refuse_probabilities(options: SearchOptions) -> None:
    """Raise ConfigurationError for a probability to cut results by that are not of slides compared with a slide."""
    if options.min_probability is not None:
        raise ConfigurationError("--min-probability", "needs a search from slide to slide", "Leave it out")
