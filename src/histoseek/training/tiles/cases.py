"""The slides that a tile encoder is adapted to: labelled, of known patients, their files still there."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.bags import StoredBag
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord, read_value
from histoseek.errors import InputError
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.slides.sources.registry import parse_source
from histoseek.training.split import Shares, split_patients

LEAST_PATIENTS = 5
"""Of a label: two to train on, so that tiles of one patient have others to be like, and some to hold out."""

_NAMED = 3
_PRIVATE = ("patient_id", "case_id", "report")

Ints = NDArray[np.int64]
Places = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelledSlide:
    """A slide with its label; bag: the file of its tile features, whose places are read again; patient: a key;
    given_spacing_um_per_px: where the file states none; site: "" where nobody asked or none is known."""

    slide_id: str
    uri: str
    bag: StoredBag
    given_spacing_um_per_px: float | None
    label: str
    patient: str
    site: str = ""


@dataclass(frozen=True)
class LabelledSlides:
    """n slides by slide id; notes: which slides of the archive were left out, and why."""

    slides: tuple[LabelledSlide, ...]
    column: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.slides)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted({slide.label for slide in self.slides}))

    @cached_property
    def labels(self) -> Ints:
        """Places in `classes`, int64 [n]."""
        return np.array([self.classes.index(slide.label) for slide in self.slides], np.int64)

    @cached_property
    def patients(self) -> Ints:
        """Codes of patients, int64 [n]."""
        return _make_codes([slide.patient for slide in self.slides])

    @cached_property
    def sites(self) -> Ints | None:
        """Codes of sites, int64 [n], -1 where none is known; None where fewer than two are."""
        names = [slide.site for slide in self.slides]
        if len({name for name in names if name}) < 2:
            return None
        return np.where([bool(name) for name in names], _make_codes(names), -1)

    @property
    def sha256(self) -> str:
        """Hash over the slides' ids, labels and patients."""
        lines = [f"{slide.slide_id}\t{slide.label}\t{slide.patient}" for slide in self.slides]
        return hashlib.sha256("\n".join([self.column, *lines]).encode()).hexdigest()

    def keep(self, is_kept: Sequence[bool], why: str) -> LabelledSlides:
        """The slides that are kept, with a note on the others; raises InputError as `load_labelled_slides` does."""
        lost = [slide.slide_id for slide, kept in zip(self.slides, is_kept, strict=True) if not kept]
        slides = tuple(slide for slide, kept in zip(self.slides, is_kept, strict=True) if kept)
        notes = (*self.notes, f"{len(lost)} slides {why} ({_name(lost)})") if lost else self.notes
        return _require_enough(LabelledSlides(slides, self.column, notes))


@dataclass(frozen=True, slots=True)
class SlideParts:
    """Places of the slides of three parts that share no patient."""

    train: Places
    validation: Places
    test: Places


def load_labelled_slides(archive: ArchiveFolder, column: str, site: str | None = None) -> LabelledSlides:
    """The slides of an archive that an encoder can be adapted to.

    Left out with a note are slides without a label or a patient, those whose file is gone, and labels of fewer than
    LEAST_PATIENTS patients. Raises ArchiveError for an empty archive; InputError for one made of feature files, a
    column that there is not or that holds no label, and where fewer than two labels are left.
    """
    archive.require_space()
    if archive.recipe.imported:
        what = "is made of feature files: there are no pictures of its tiles to learn from"
        raise InputError(archive.address, what, "Index the slides themselves")
    for name in (column, *([site] if site else [])):
        if name in _PRIVATE:
            raise InputError(f"column {name}", "holds no labels", "Name a column of labels with --label")
    records = [record for record in archive.records() if read_value(record, column)]
    slides = [_make_slide(archive, record, column, site) for record in records]
    found = LabelledSlides(tuple(sorted(slides, key=lambda slide: slide.slide_id)), column)
    found = found.keep([bool(slide.patient) for slide in found.slides], "have no patient id and are left out")
    without = set(archive.bags.list_missing([slide.slide_id for slide in found.slides]))
    is_there = [parse_source(slide.uri).exists() and slide.slide_id not in without for slide in found.slides]
    return found.keep(is_there, "are left out, as their file is no longer where it was indexed, or their features")


def split_slides(slides: LabelledSlides, shares: Shares, seed: int) -> SlideParts:
    """Parts that share no patient, with patients of every label in each."""
    first_label: dict[str, str] = {}
    for slide in slides.slides:
        first_label.setdefault(slide.patient, slide.label)
    part_of: dict[str, int] = {}
    for label in slides.classes:
        patients = sorted(patient for patient, own in first_label.items() if own == label)
        for part, members in enumerate(split_patients(patients, seed, shares)):
            part_of |= dict.fromkeys(members, part)
    parts = [tuple(i for i, slide in enumerate(slides.slides) if part_of[slide.patient] == part) for part in range(3)]
    return SlideParts(*parts)


def _make_slide(archive: ArchiveFolder, record: SlideRecord, column: str, site: str | None) -> LabelledSlide:
    origin = archive.bags.load_origin(record.slide_id)
    return LabelledSlide(
        slide_id=record.slide_id,
        uri=record.uri,
        bag=StoredBag(archive.layout, record.slide_id),
        given_spacing_um_per_px=origin.given_spacing_um_per_px if origin else None,
        label=read_value(record, column),
        patient=make_patient_key(record.patient_id) if record.patient_id else "",
        site=read_value(record, site) if site else "",
    )


def _require_enough(slides: LabelledSlides) -> LabelledSlides:
    first_label: dict[str, str] = {}
    for slide in slides.slides:
        first_label.setdefault(slide.patient, slide.label)
    counts = Counter(first_label.values())
    few = sorted({slide.label for slide in slides.slides if counts[slide.label] < LEAST_PATIENTS})
    notes = slides.notes
    if few:
        notes = (*notes, f"labels of fewer than {LEAST_PATIENTS} patients are left out: {_name(few)}")
    kept = tuple(slide for slide in slides.slides if slide.label not in few)
    labels = {slide.label for slide in kept}
    if len(labels) < 2:
        left = "; ".join(["", *notes]) if notes else ""
        what = f"{len(labels)} labels of at least {LEAST_PATIENTS} patients each{left}"
        advice = "Name a column with two labels or more, each of several patients, and put moved files back"
        raise InputError(f"column {slides.column}", what, advice)
    return LabelledSlides(kept, slides.column, notes)


def _name(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _make_codes(names: Sequence[str]) -> Ints:
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)
