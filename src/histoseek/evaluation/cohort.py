"""The labelled slides of an archive, as an evaluation sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord, StoredSlide, read_value
from histoseek.encoders.bag import Bag
from histoseek.errors import InputError
from histoseek.mosaics.distances import SignatureBlock
from histoseek.reports.privacy.person_names import make_patient_key

Ints = NDArray[np.int64]

_MOST_EXAMPLES = 3

PRIVATE_COLUMNS = ("patient_id", "case_id", "report")
"""Columns whose values never appear in an evaluation."""


@dataclass(frozen=True)
class Cohort:
    """n slides with a label each, sorted by slide id; slides are named by their place, 0 to n - 1, everywhere here.

    label_column: the metadata column that labels come from; patient_is_slide: every slide counts as its own patient;
    without_label: slides that were left out for want of a label.
    """

    archive: ArchiveFolder
    records: tuple[SlideRecord, ...]
    label_column: str
    patient_is_slide: bool = False
    without_label: int = 0

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def slide_ids(self) -> tuple[str, ...]:
        """Ids, in order."""
        return tuple(record.slide_id for record in self.records)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels there are, sorted."""
        return tuple(sorted({read_value(record, self.label_column) for record in self.records}))

    @cached_property
    def labels(self) -> Ints:
        """For each slide the place of its label in `classes`, int64 [n]."""
        return np.array(
            [self.classes.index(read_value(record, self.label_column)) for record in self.records], np.int64
        )

    @cached_property
    def patients(self) -> Ints:
        """Codes of patients, int64 [n]: equal for slides of one patient."""
        ids = (
            self.slide_ids
            if self.patient_is_slide
            else [make_patient_key(str(record.patient_id)) for record in self.records]
        )
        return make_codes(ids)

    def list_identities(self) -> tuple[Ints, Ints]:
        """Codes of patients and of files, int64 [n] each: a query shares neither with what it may find."""
        return self.patients, make_codes([record.file_fingerprint for record in self.records])

    def count_shared_patients(self) -> int:
        """Slides whose patient id another slide has as well."""
        keys = Counter(make_patient_key(record.patient_id) for record in self.records if record.patient_id)
        return sum(count for count in keys.values() if count > 1)

    def read_column(self, name: str) -> tuple[str | None, ...]:
        """A metadata column as texts, None where empty; raises InputError for one that the archive lacks."""
        return tuple(None if (value := read_value(record, name)) == "" else value for record in self.records)

    @cached_property
    def block(self) -> SignatureBlock:
        """Barcodes and global vectors of all slides."""
        return self.archive.store.ranking_block(self.slide_ids)

    @cached_property
    def global_vectors(self) -> NDArray[np.float32]:
        """Global vectors, float32 [n, D], of length one."""
        return self.archive.store.vectors(self.slide_ids, "global_vector")

    def read_slides(self, places: Sequence[int]) -> list[StoredSlide]:
        """Slides with their signatures (mosaics, tiles), read from the store."""
        return self.archive.store.get([self.slide_ids[place] for place in places])

    def bag(self, place: int) -> Bag:
        """The tile features of a slide; raises BadFeatureFile."""
        return self.archive.bags.load(self.slide_ids[place])


def load_cohort(
    archive: ArchiveFolder, label_column: str, where: str | None = None, *, patient_is_slide: bool = False
) -> Cohort:
    """The slides of an archive that have a label.

    Raises InputError when there is no such column, when fewer than two slides have a label, or when slides have no
    patient id and `patient_is_slide` was not said; BadFilter.
    """
    if label_column in PRIVATE_COLUMNS:
        what = f"the column {label_column!r} is not a label, and its values must not be shown"
        raise InputError(archive.address, what, "Name a column of labels with --label")
    records = archive.store.records(where, None, 0)
    if where is not None and not records:
        raise InputError(f"--where {where!r}", "no slide matches", "Choose another filter")
    labelled_records = tuple(record for record in records if read_value(record, label_column))
    if len(labelled_records) < 2:
        what = f"{len(labelled_records)} slides have a value in the column {label_column!r}"
        raise InputError(archive.address, what, "Name a column of labels with --label")
    without_patient = [record.slide_id for record in labelled_records if not record.patient_id]
    if without_patient and not patient_is_slide:
        examples = ", ".join(without_patient[:_MOST_EXAMPLES]) + (
            ", ..." if len(without_patient) > _MOST_EXAMPLES else ""
        )
        advice = "Add a patient_id column to the metadata, or say --patient-is-slide if each slide is its own patient"
        raise InputError(archive.address, f"{len(without_patient)} slides have no patient id ({examples})", advice)
    return Cohort(archive, labelled_records, label_column, patient_is_slide, len(records) - len(labelled_records))


def make_codes(names: Sequence[str]) -> Ints:
    """Codes of names, int64 [n], equal for equal names."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)
