"""What an archive's reports state, and how well its slides' regions fit that, as it stood at one version."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import HAS_REPORT
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import name_owner_of
from histoseek.archive.stores.rows import find_places_of
from histoseek.archive.stores.slides import SlideTable
from histoseek.deadline import check_deadline
from histoseek.errors import ArchiveError
from histoseek.geometry import Rect
from histoseek.ranking.phrase_posterior import (
    FEWEST_PATIENTS,
    PhrasePosterior,
    StatedPhrases,
    fit_phrases,
    predict_held_out,
)
from histoseek.ranking.reliability import measure_reliability
from histoseek.reports.facts.prompts import (
    LEAST_PATIENTS,
    STATED,
    UNKNOWN,
    ConceptStatements,
    Prompt,
    choose_prompts,
    make_targets,
    parse_statements,
)
from histoseek.search.kept import KeptByVersion
from histoseek.search.regional.base import RegionMeasure, RegionSimilarities, SlideSimilarities
from histoseek.search.scope.exclusion import SearchScope

MOST_SLIDES = 2000
"""That a calibration looks at."""

_MANY_PATIENTS, _FEW_FOLDS, _MANY_FOLDS = 200, 5, 20
"""Each fold of few patients is small: without a large one, base rates would be others."""

_FITS_KEPT, _PLACES_KEPT = 16, 20_000

Key = TypeVar("Key")
Value = TypeVar("Value")

Floats = NDArray[np.float32]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What similarities mean by the slides of some patients."""

    posterior: PhrasePosterior
    patients: int

    @property
    def is_usable(self) -> bool:
        """Whether the patients are enough for probabilities."""
        return self.patients >= FEWEST_PATIENTS


@dataclass(frozen=True)
class ArchivePhrases:
    """The phrases that an archive's reports may state, and the slides that have reports and regions, sorted by id.

    slide_ids, patient_ids, case_ids: text [S]; owners: int64 [S], codes of whose they are; prompts: the P phrases;
    vectors: float32 [P, J], theirs; targets: int8 [P, S], STATED, SILENT or UNKNOWN; similarities: float32 [P, S],
    of each slide's best region; measured: the same of all slides that have regions, with a report or without.
    """

    slide_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    case_ids: NDArray[np.str_]
    owners: NDArray[np.int64]
    prompts: tuple[Prompt, ...]
    vectors: Floats
    targets: NDArray[np.int8]
    similarities: Floats
    measured: SlideSimilarities
    _fits: OrderedDict[bytes, Calibrated] = field(default_factory=OrderedDict)
    _errors: OrderedDict[bytes, float] = field(default_factory=OrderedDict)
    _places: OrderedDict[tuple[str, int], Rect | None] = field(default_factory=OrderedDict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self.slide_ids)

    def places_of(self, slide_ids: Sequence[str]) -> NDArray[np.int64]:
        """Where those of some slides stand that there are."""
        return find_places_of(self.slide_ids, slide_ids)

    def places_of_patient(self, patient_id: str) -> NDArray[np.int64]:
        """Where the slides of a patient stand."""
        return np.flatnonzero(self.patient_ids == patient_id)

    def places_of_case(self, case_id: str) -> NDArray[np.int64]:
        """Where the slides of a case stand."""
        return np.flatnonzero(self.case_ids == case_id)

    def select(self, store: SlideTable, scope: SearchScope) -> Booleans:
        """Which slides a scope has, bool [S]; raises BadFilter."""
        mask = scope.exclusions.mask(self)
        return mask if scope.where is None else mask & np.isin(self.slide_ids, store.slides(scope.where))

    def find_similarities(self, slide_id: str) -> Floats | None:
        """How well the best region of a slide fits the phrases, float32 [P]; None where it has no regions."""
        places = find_places_of(self.measured.slide_ids, [slide_id])
        return self.measured.similarities[:, places[0]] if len(places) else None

    def count_patients(self, slides: Booleans) -> int:
        """Whose slides some of them are."""
        return len(np.unique(self.owners[slides]))

    def count_statements(self, phrase: int, slides: Booleans) -> tuple[int, int]:
        """How many patients have a report that states a phrase, and how many one that tells."""
        targets = self.targets[phrase]
        return self.count_patients(slides & (targets == STATED)), self.count_patients(slides & (targets != UNKNOWN))

    def calibrate(self, slides: Booleans) -> Calibrated:
        """What similarities mean by some of the slides, of which at most MOST_SLIDES are looked at.

        The last few are remembered: a reader asks for one region of a slide after the other.
        """
        return self._recall(self._fits, slides, self._fit)

    def _fit(self, slides: Booleans) -> Calibrated:
        return Calibrated(fit_phrases(self._draw(slides)), self.count_patients(slides))

    def measure_error(self, slides: Booleans) -> float:
        """How far off the probabilities of patients are that are held out of some of the slides."""
        return self._recall(self._errors, slides, self._measure_error)

    def _measure_error(self, slides: Booleans) -> float:
        sample = self._draw(slides)
        folds = _FEW_FOLDS if self.count_patients(slides) > _MANY_PATIENTS else _MANY_FOLDS
        predicted, weights = predict_held_out(sample, folds), sample.weigh()
        return measure_reliability(predicted.ravel(), sample.is_stated.ravel(), weights.ravel()).ece

    def _recall(self, kept: OrderedDict[bytes, Value], slides: Booleans, make: Callable[[Booleans], Value]) -> Value:
        key = np.packbits(slides).tobytes()
        with self._guard:
            held = kept.get(key)
        value = make(slides) if held is None else held
        with self._guard:
            _remember(kept, key, value, _FITS_KEPT)
        return value

    def _draw(self, slides: Booleans) -> StatedPhrases:
        """The same sample of the same slides, whatever else is there."""
        chosen = np.sort(self._order[slides[self._order]][:MOST_SLIDES])
        similarities = self.similarities[:, chosen].astype(np.float64)
        targets = self.targets[:, chosen]
        return StatedPhrases(similarities, targets == STATED, targets != UNKNOWN, self.owners[chosen])

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.random.default_rng(0).permutation(len(self))

    def find_examples(self, phrase: int, slides: Booleans, count: int) -> Sequence[int]:
        """The places of the slides that state a phrase and fit it best, one a patient."""
        stating = np.flatnonzero(slides & (self.targets[phrase] == STATED))
        ranked = stating[np.argsort(-self.similarities[phrase, stating], kind="stable")]
        best: dict[int, int] = {}
        for place in ranked:
            if len(best) == count:
                break
            best.setdefault(int(self.owners[place]), int(place))
        return tuple(best.values())

    def find_regions(
        self, measure: RegionMeasure, wanted: Iterable[tuple[str, int]]
    ) -> Mapping[tuple[str, int], Rect | None]:
        """Where slides fit phrases best, by slide id and number of the phrase; None where that is not known."""
        asked = list(dict.fromkeys(wanted))
        with self._guard:
            regions = {one: self._places[one] for one in asked if one in self._places}
        by_slide: dict[str, list[int]] = defaultdict(list)
        for slide_id, phrase in asked:
            if (slide_id, phrase) not in regions:
                by_slide[slide_id].append(phrase)
        for slide_id, phrases in by_slide.items():
            check_deadline()
            near = measure.measure_regions(slide_id, self.vectors[phrases])
            for row, phrase in enumerate(phrases):
                regions[slide_id, phrase] = _find_best_box(near, row)
        with self._guard:
            for one in asked:
                _remember(self._places, one, regions[one], _PLACES_KEPT)
        return regions


def _find_best_box(near: RegionSimilarities, row: int) -> Rect | None:
    return near.regions[int(near.similarities[row].argmax())].box if near.regions else None


def _remember(kept: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def read_phrases(archive: ArchiveFolder, store: SlideTable, measure: RegionMeasure) -> ArchivePhrases:
    """The phrases of an archive; raises ArchiveError where it has no reports, NoPrompts where they state too little."""
    columns = store.columns(["slide_id", "patient_id", "case_id", "report_facts"], HAS_REPORT).sort_by("slide_id")
    names = columns["slide_id"].to_pylist()
    if not names:
        raise ArchiveError(archive.address, "it has no reports that could state phrases", "Index reports (--reports)")
    patients, cases = ([value or "" for value in columns[name].to_pylist()] for name in ("patient_id", "case_id"))
    owners = [name_owner_of(*ids) for ids in zip(patients, cases, names, strict=True)]
    statements = [parse_statements(facts or ()) for facts in columns["report_facts"].to_pylist()]
    prompts, vectors = _encode_known(archive, measure, _choose(statements, owners))
    measured = _sort(measure.measure_slides(vectors))
    rows = np.flatnonzero(np.isin(np.array(names, np.str_), measured.slide_ids))
    kept = np.array(names, np.str_)[rows]
    return ArchivePhrases(
        slide_ids=kept,
        patient_ids=np.array(patients, np.str_)[rows],
        case_ids=np.array(cases, np.str_)[rows],
        owners=np.unique(owners, return_inverse=True)[1][rows].astype(np.int64),
        prompts=prompts,
        vectors=vectors,
        targets=make_targets(prompts, [statements[row] for row in rows]).T,
        similarities=measured.similarities[:, np.searchsorted(measured.slide_ids, kept)],
        measured=measured,
    )


def _sort(measured: SlideSimilarities) -> SlideSimilarities:
    order = np.argsort(measured.slide_ids)
    return SlideSimilarities(measured.slide_ids[order], measured.similarities[:, order])


def _choose(statements: Sequence[ConceptStatements], owners: Sequence[str]) -> tuple[Prompt, ...]:
    """The archive's phrases; of few patients, who calibrate nothing, whatever any of them states."""
    few = len(set(owners)) < FEWEST_PATIENTS
    return choose_prompts(statements, owners, least_patients=1 if few else LEAST_PATIENTS)


def _encode_known(
    archive: ArchiveFolder, measure: RegionMeasure, prompts: tuple[Prompt, ...]
) -> tuple[tuple[Prompt, ...], Floats]:
    """The phrases that the measure has vectors for, and these, float32 [P, J]."""
    vectors = measure.encode([prompt.text for prompt in prompts])
    is_known = np.asarray(vectors.any(axis=1), np.bool_)
    if not is_known.any():
        what = "its text encoder knows no word of what its reports state"
        raise ArchiveError(archive.address, what, "Search with --to regions or --to reports instead")
    return tuple(compress(prompts, is_known)), vectors[is_known]


_kept = KeptByVersion[ArchivePhrases]()


def get_phrases(archive: ArchiveFolder, store: SlideTable, measure: RegionMeasure) -> ArchivePhrases:
    """The phrases of an archive, read once for each version of its store; raises as `read_phrases` does."""
    return _kept.get(store, lambda: read_phrases(archive, store, measure))
