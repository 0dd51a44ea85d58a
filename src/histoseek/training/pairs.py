"""Slide-report pairs, from a table with a folder of feature files or from an archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.bags import StoredBag
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.indexing.metadata_row import TableRow
from histoseek.archive.indexing.metadata_table import load_table
from histoseek.archive.schema import SlideRecord
from histoseek.archive.space.centre import read_centre
from histoseek.encoders.bag import Bag
from histoseek.encoders.features.confined import find_features, load_features
from histoseek.encoders.slide.registry import UNTRAINED, find_fitted_family
from histoseek.encoders.weights import UNKNOWN_ENCODER, FeatureSpace
from histoseek.errors import BadTable, InputError
from histoseek.reports.language.sections import split_sections
from histoseek.reports.privacy.deidentify import deidentify
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.reports.visible.rules import SentenceJudge, select_visible_text

_NAMED = 3
"""How many ids a message names."""


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """A slide with its report; bag: its tile features, in a file or in an archive.

    diagnosis: a label, for evaluation only; patient_known: False where the case, or the slide, had to stand for the
    patient. Slides of one case share its report; slides of one patient are never split.
    """

    slide_id: str
    case_id: str
    patient_id: str
    report: str
    bag: Path | StoredBag
    diagnosis: str = ""
    patient_known: bool = True

    @property
    def text_key(self) -> str:
        """Equal for reports of the same text, whatever its spaces and capitals."""
        return " ".join(self.report.split()).casefold()


@dataclass(frozen=True, slots=True)
class PairedSlides:
    """What a slide encoder is trained on: pairs of slides and reports, what their features are, and the centre of an
    archive that encodes its slides without training, None elsewhere."""

    pairs: tuple[TrainingPair, ...]
    features: FeatureSpace
    centre: NDArray[np.float32] | None = None

    @classmethod
    def from_archive(cls, archive: ArchiveFolder) -> Self:
        """The slides of an archive that have a report; raises as `archive_pairs`, ArchiveError for an empty archive."""
        space, recipe = archive.require_space(), archive.recipe
        encoder = recipe.encoder.removeprefix("features:")
        is_pooled = find_fitted_family(space.slide_encoder) is UNTRAINED
        centre = read_centre(archive.layout.centre, space.slide_weights) if is_pooled else None
        features = FeatureSpace(encoder, recipe.spacing_um_per_px, space.tile_edge_px)
        return cls(archive_pairs(archive), features, centre)

    @classmethod
    def from_table(cls, table: Path, features: Path, encoder: str = UNKNOWN_ENCODER) -> Self:
        """The rows of a table with a folder of feature files; encoder: the tile encoder that made them. Raises as
        `read_pairs`."""
        return cls(read_pairs(table, features), FeatureSpace(encoder))

    def keep_visible(self, judge: SentenceJudge | None = None) -> Self:
        """The same slides with what a slide can show of their reports; see `visible_pairs`."""
        return replace(self, pairs=visible_pairs(self.pairs, judge))


def read_pairs(table: Path, features: Path) -> tuple[TrainingPair, ...]:
    """Pairs of a table with columns slide_id and report, perhaps case_id, patient_id and diagnosis, by slide id.

    The feature file of a slide is that with its id as stem. Raises BadTable: no such columns, an id twice, empty
    reports, slides without a feature file or with two.
    """
    entries = load_table(table)
    _refuse_any(table, [r.key for r in entries.rows if not r.slide_id], "rows without a slide_id", "Give every row one")
    if entries.refused:
        first = entries.refused[0]
        raise BadTable(table, f"{first.source.place}: {first.what}", first.advice)
    empty = [_id(row) for row in entries.rows if not row.report]
    _refuse_any(table, empty, "slides without a report", "Fill in the column 'report', or remove these rows")
    files = find_features([features]).files
    times = Counter(path.stem for path in files)
    ids = [_id(row) for row in entries.rows]
    _refuse_any(table, [i for i in ids if not times[i]], "slides without a feature file", "Name the files by slide_id")
    _refuse_any(table, [i for i in ids if times[i] > 1], "slides with two feature files", "Keep one file a slide")
    paths = {path.stem: path for path in files}
    return tuple(sorted((_from_row(row, paths[_id(row)]) for row in entries.rows), key=lambda pair: pair.slide_id))


def archive_pairs(archive: ArchiveFolder) -> tuple[TrainingPair, ...]:
    """Pairs of an archive: its slides that have a report, by slide id.

    Raises InputError when there are none, or when their cached features are not there.
    """
    with_report = [record for record in archive.records() if (record.report or "").strip()]
    if not with_report:
        advice = "Give reports when indexing: histoseek index SLIDES --reports reports.csv"
        raise InputError(archive.address, "no slide in it has a report", advice)
    pairs = tuple(
        TrainingPair(
            slide_id=record.slide_id,
            case_id=record.case_id or record.slide_id,
            patient_id=find_patient_key(record),
            report=(record.report or "").strip(),
            bag=StoredBag(archive.layout, record.slide_id),
            diagnosis=record.diagnosis or "",
            patient_known=bool(record.patient_id),
        )
        for record in with_report
    )
    missing = archive.bags.list_missing([pair.slide_id for pair in pairs])
    if missing:
        what = list_ids(missing, "slides without cached features")
        raise InputError(archive.address, what, "Run `histoseek index` on them again")
    return pairs


def find_patient_key(record: SlideRecord) -> str:
    """Whom a training takes a slide to be of: the patient, else the case, else nobody but itself."""
    return make_patient_key(record.patient_id or record.case_id or record.slide_id)


def visible_pairs(pairs: Sequence[TrainingPair], judge: SentenceJudge | None = None) -> tuple[TrainingPair, ...]:
    """The pairs with only those sentences of their reports that a slide can show; where there are none, all.

    judge: asked about what the rules leave; it sees texts without identifiers only. Each text is looked at once.
    Raises EncoderError when the judge gives no usable answer.
    """
    visible = {report: _keep_visible(report, judge) for report in dict.fromkeys(pair.report for pair in pairs)}
    return tuple(replace(pair, report=visible[pair.report]) for pair in pairs)


def _keep_visible(report: str, judge: SentenceJudge | None) -> str:
    text = deidentify(report).text if judge else report
    return select_visible_text(split_sections(text), judge=judge) or text


def require_contrast(pairs: Iterable[TrainingPair], where: str) -> None:
    """Raise InputError unless there are two different reports: with one text there is nothing to tell apart."""
    texts = {pair.text_key for pair in pairs}
    if len(texts) < 2:
        what = "all reports are the same text" if texts else "no slide-report pairs"
        raise InputError(where, what, "Training needs pairs of at least two different reports")


def require_each_once(pairs: Sequence[TrainingPair], where: str) -> None:
    """Raise InputError when a slide is in two pairs."""
    twice = [slide_id for slide_id, times in Counter(pair.slide_id for pair in pairs).items() if times > 1]
    if twice:
        raise InputError(where, list_ids(twice, "slides in more than one pair"), "Keep one report a slide")


def load_pair_bag(pair: TrainingPair) -> Bag:
    """The bag of a pair; raises BadFeatureFile."""
    return pair.bag.load() if isinstance(pair.bag, StoredBag) else load_features(pair.bag, "features").bag


def _from_row(row: TableRow, bag: Path) -> TrainingPair:
    slide_id = _id(row)
    case_id = row.case_id or slide_id
    diagnosis = row.texts.get("diagnosis", "")
    return TrainingPair(
        slide_id,
        case_id,
        make_patient_key(row.texts.get("patient_id", case_id)),
        row.report or "",
        bag,
        diagnosis,
        "patient_id" in row.texts,
    )


def _id(row: TableRow) -> str:
    return row.slide_id or ""


def _refuse_any(table: Path, ids: Sequence[str], what: str, advice: str) -> None:
    if ids:
        raise BadTable(table, list_ids(ids, what), advice)


def list_ids(ids: Sequence[str], what: str) -> str:
    """How many ids are what, with the first of them."""
    more = ", ..." if len(ids) > _NAMED else ""
    return f"{len(ids)} {what} ({', '.join(ids[:_NAMED])}{more})"
