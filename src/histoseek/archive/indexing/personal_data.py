"""What a table says of a person: columns that are not stored, and values to look for in the person's reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from histoseek.archive.indexing.metadata_row import TableRow
from histoseek.archive.indexing.metadata_table import MetadataTable
from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.reports.files.column_names import recognise_column
from histoseek.reports.privacy.deidentify import KnownIdentifiers
from histoseek.reports.privacy.person_names import is_person_name, make_pseudonym
from histoseek.slides.sources.registry import is_named_by_file

_SHORTEST_ID = 5
_DIGITS_OF_NUMBERS = 4
_CONTACT_WORDS = """
phone phone_number telephone tel mobile fax email e_mail mail address street adresse telefon
ssn social_security_number insurance_number birth_date birthdate date_of_birth dob birthday
geburtsdatum date_de_naissance geboortedatum fecha_de_nacimiento
"""
_NUMBER_WORDS = """
mrn accession accession_number accession_no accession_id record_number medical_record_number specimen_id
specimen_number case_number report_id report_number hospital_number patient_number
"""
_PATIENT_WORDS = "table_patient_id patientid patient_number patient_no pat_id subject subject_id mrn"
_PATIENTS = frozenset(_PATIENT_WORDS.split())
_CONTACTS = frozenset(_CONTACT_WORDS.replace("_", "").split())
_NUMBERS = frozenset(_NUMBER_WORDS.replace("_", "").split()) | _CONTACTS
_PROFESSIONS = frozenset(("physician", "referring_physician", "surgeon", "clinician", "pathologist", "signed_by"))
"""Columns that may hold names as well as numbers of readers."""


def find_identifying_columns(table: MetadataTable) -> tuple[str, ...]:
    """The columns that name a person or say how to reach them, in the table's order."""
    return tuple(c for c in table.extra_types if _joined(c) in _CONTACTS or _holds_names(table, c))


def find_named_patients(table: MetadataTable) -> tuple[int, ...]:
    """The places of the rows whose id of a patient is the name of a person."""
    return tuple(place for place, row in enumerate(table.rows) if is_person_name(row.texts.get("patient_id", "")))


def pseudonymise_table(table: MetadataTable) -> MetadataTable:
    """The table without its identifying columns, and with pseudonyms where ids of patients are names.

    What the columns and the ids say is in each row's `identifiers`.
    """
    columns = find_identifying_columns(table)
    types = {name: kind for name, kind in table.extra_types.items() if name not in columns}
    rows = tuple(
        replace(
            row,
            identifiers=_list_row_identifiers(row),
            texts={name: make_pseudonym(text) if name == "patient_id" else text for name, text in row.texts.items()},
            extra={name: value for name, value in row.extra.items() if name in types},
        )
        for row in table.rows
    )
    return replace(table, rows=rows, extra_types=types)


def list_record_identifiers(record: SlideRecord) -> KnownIdentifiers:
    """What the archive itself knows of the person behind a slide.

    An id that was made of a file's name counts only where it looks like a number: slides are called "CD117" as well.
    """
    digits = sum(character.isdigit() for character in record.slide_id)
    is_word = digits < _DIGITS_OF_NUMBERS and is_named_by_file(record.slide_id, record.uri)
    ids = (None if is_word else record.slide_id, record.case_id)
    return collect_identifiers(ids, record.patient_id, record.extra)


def collect_identifiers(
    ids: Iterable[str | None], patient_id: str | None, columns: Mapping[str, MetadataValue]
) -> KnownIdentifiers:
    """Ids of at least five characters with a digit, and the values of columns that hold names or numbers.

    Shorter ids are left: a patient "A1" would take the block labels of every report. The id of a patient may be a name,
    and so may a "Surname, Given" where other ids were expected.
    """
    names = [str(value) for column, value in columns.items() if _is_name(column) and value and not _has_digit(value)]
    ids = tuple(ids)
    names += [value for value in ids if value and "," in value and not _has_digit(value)]
    patients = [str(value) for column, value in columns.items() if column in _PATIENTS and value]
    names += [value for value in (patient_id, *patients) if value and is_person_name(value)]
    contacts = (str(value) for column, value in columns.items() if _joined(column) in _NUMBERS and value)
    numbers = (value for value in (*ids, patient_id, *contacts) if value and _is_identifying(value))
    return KnownIdentifiers(tuple(names), tuple(dict.fromkeys(numbers)))


def merge_identifiers(sources: Iterable[KnownIdentifiers]) -> KnownIdentifiers:
    """The identifiers of several tables and rows, each once."""
    names: dict[str, None] = {}
    ids: dict[str, None] = {}
    for source in sources:
        names.update(dict.fromkeys(source.names))
        ids.update(dict.fromkeys(source.ids))
    return KnownIdentifiers(tuple(names), tuple(ids))


def _list_row_identifiers(row: TableRow) -> KnownIdentifiers:
    return collect_identifiers((row.slide_id, row.case_id), row.texts.get("patient_id"), row.extra)


def _holds_names(table: MetadataTable, column: str) -> bool:
    """Whether a column holds names of persons; one that is just called `name` may as well name slides."""
    if column in _PATIENTS or column in _PROFESSIONS:
        return any(is_person_name(str(row.extra.get(column) or "")) for row in table.rows)
    if column != "name":
        return _is_name(column)
    return not any(_has_digit(row.extra.get(column)) for row in table.rows)


def _is_name(column: str) -> bool:
    named = recognise_column(column)
    return named is not None and named.role == "person"


def _joined(column: str) -> str:
    """A column's name without what separates its words: "e_mail" and "email" are alike."""
    return column.replace("_", "")


def _is_identifying(value: str) -> bool:
    return len(value) >= _SHORTEST_ID and _has_digit(value)


def _has_digit(value: MetadataValue) -> bool:
    return any(character.isdigit() for character in str(value))
