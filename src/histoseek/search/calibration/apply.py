"""What an archive's calibration says of the results of one search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from histoseek.archive.calibration_file import Calibration, LabelCalibration
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.ranking_method import RankingMethod
from histoseek.archive.schema import read_value
from histoseek.errors import ConfigurationError
from histoseek.mosaics.calibration_curves import UNLIKELY, is_novel, measure_novelty
from histoseek.search.options import SearchOptions
from histoseek.search.results import SearchResult
from histoseek.search.vote import UNLIKE_ANYTHING

NOT_CALIBRATED = "scores are not calibrated: there are no probabilities"
OTHER_WEIGHTS = (
    "the archive is calibrated for other weights, so there are no probabilities: run `histoseek calibrate` again"
)

WITHOUT_LABELS = "the archive is calibrated without labels, so there are no probabilities"

LabelsOfQuery = Mapping[int, str | None]
"""The labels of those of a query's slides, by number, that are of the archive; None where one has no label."""


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
            warning = OTHER_WEIGHTS if archive.has_older_calibration else NOT_CALIBRATED
            return cls(None, (warning,), compares_slides)
        if calibration.distance != method.name:
            warning = (
                f"the archive is calibrated for the distance {calibration.distance}, so there are no probabilities"
            )
            return cls(None, (warning,), compares_slides)
        if calibration.fusion != method.distance.fusion:
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

    def add_probabilities(self, results: Sequence[SearchResult], own: LabelsOfQuery) -> tuple[SearchResult, ...]:
        """The results with their probabilities, as far as there are any.

        own: where the query's label is known, a result of another has none, nor has any where a label is missing.
        """
        label = self._label
        if label is None:
            return tuple(results)
        probabilities = label.fitted.curve(1 - np.array([result.score for result in results])).tolist()
        return tuple(
            replace(result, ballot_weight=p, probability=p if _may_agree(result, label.column, own) else None)
            for result, p in zip(results, probabilities, strict=True)
        )

    def keep_likely(self, results: tuple[SearchResult, ...], least: float | None) -> tuple[SearchResult, ...]:
        """The results whose probability is at least so large, all of them for None."""
        return results if least is None else tuple(r for r in results if (r.probability or 0) >= least)

    def measure_novelty(self, nearest: float | None) -> float | None:
        """The p-value of the distance to the nearest slide; None without a slide, or without a calibration."""
        if self.calibration is None or nearest is None:
            return None
        return measure_novelty(nearest, self.calibration.nearest)

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


def _may_agree(result: SearchResult, column: str, own: LabelsOfQuery) -> bool:
    """Whether a result may share the label of the query's slide that it is nearest to, as far as labels are known."""
    label = read_value(result.record, column)
    if not label:
        return False
    return result.query_slide not in own or own[result.query_slide] == label


def refuse_probabilities(options: SearchOptions) -> None:
    """Raise ConfigurationError for a probability to cut results by that are not of slides compared with a slide."""
    if options.min_probability is not None:
        raise ConfigurationError("--min-probability", "needs a search from slide to slide", "Leave it out")


def novelty_warnings(value: float | None) -> tuple[str, ...]:
    """What to say of a query's novelty."""
    if not is_novel(value):
        return ()
    return (f"{UNLIKE_ANYTHING}: less than {UNLIKELY:.0%} of the archive's slides are as far from all others",)
