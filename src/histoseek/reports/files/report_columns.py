"""Which column of a report table is what: given by the user, or recognised by its name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from histoseek.errors import BadTable, ConfigurationError

PartName = Literal["report", "diagnosis", "microscopy", "gross", "history", "comment", "ancillary", "addendum", "other"]
IdRole = Literal["report_id", "slide_id", "case_id", "patient_id", "file"]
OrderRole = Literal["date", "sequence", "kind"]
PersonRole = Literal["person"]
Role = PartName | IdRole | OrderRole | PersonRole

PART_NAMES: tuple[PartName, ...] = get_args(PartName)
_SECTIONS = frozenset(PART_NAMES) - {"report", "addendum"}
ID_ROLES: tuple[IdRole, ...] = get_args(IdRole)
_ORDER_ROLES: tuple[OrderRole, ...] = get_args(OrderRole)
_COMMON_NAMES = frozenset(("organ", "site", "stain", "age", "sex"))
_NAME_CHARACTERS = 30
_MOST_NAMES = 40
_REPEATABLE_ROLES = (frozenset(PART_NAMES) | {"person"}) - {"report"}
_ROLES: Mapping[str, Role] = {role: role for role in (*PART_NAMES, *ID_ROLES, *_ORDER_ROLES, *get_args(PersonRole))}

_COLUMN_NAMES: Mapping[Role, str] = {
    "report_id": "id report_number report_no reportid document_id note_id befund_nr befundnummer",
    "slide_id": "slide slide_ids slides slideid slide_name wsi wsi_id wsi_name image image_id image_name",
    "case_id": "case caseid case_number case_no accession accession_number accession_no accession_id specimen_id "
    "surgical_number fallnummer fall_id journalnummer examen_id tnummer",
    "patient_id": "patient patientid patient_number mrn submitter_id bcr_patient_barcode patienten_id subject_id",
    "file": "filename file_name path filepath file_path slide_file image_path",
    "date": "report_date date_of_report signed_date signout_date sign_out_date befunddatum datum",
    "sequence": "seq sequence_number version addendum_number addendum_no part_number order line_number",
    "kind": "report_type document_type doc_type note_type record_type",
    "person": "name patient_name surname last_name first_name given_name family_name full_name forename maiden_name "
    "patientenname nachname vorname nom prenom prénom naam achternaam voornaam nombre apellidos physician "
    "physician_name referring_physician surgeon surgeon_name clinician pathologist pathologist_name signed_by",
    "report": "text report_text full_text pathology_report path_report caption captions befund befundtext rapport "
    "verslag compte_rendu report_body body",
    "diagnosis": "final_diagnosis diagnosis_text diagnoses pathologic_diagnosis pathological_diagnosis diagnose "
    "conclusion conclusions conclusie diagnostic impression",
    "microscopy": "microscopic microscopic_description microscopic_findings micro histology mikroskopie microscopie",
    "gross": "gross_description macroscopy macroscopic macroscopic_description makroskopie macroscopie",
    "history": "clinical_history clinical_information clinical_info clinical_data clinical_details indication "
    "anamnesis klinische_angaben klinische_gegevens renseignements_cliniques",
    "comment": "comments note notes remark remarks kommentar commentaire opmerking interpretation",
    "ancillary": "ancillary_studies ihc immunohistochemistry immunohistochemie molecular special_stains "
    "immunhistochemie biomarkers",
    "addendum": "addenda addendum_text amendment supplementary_report supplement nachtrag aanvulling complement",
}  # fmt: skip
_ALIASES: Mapping[str, Role] = {
    **{name: role for role, names in _COLUMN_NAMES.items() for name in names.split()},
    **_ROLES,
}


@dataclass(frozen=True, slots=True)
class ColumnRole:
    """A column of a table and what it holds."""

    column: str
    role: Role


@dataclass(frozen=True, slots=True)
class ReportColumns:
    """Columns as the user names them; roles that are not named here are recognised.

    When a text column is named, only named ones are read as text. optional: a table may lack a named column, as when
    one list of names serves several tables.
    """

    roles: tuple[ColumnRole, ...]
    optional: bool = False

    @classmethod
    def from_renames(cls, rename: Mapping[str, str]) -> ReportColumns:
        """From pairs of a table's name and ours, as `--rename OLD=NEW` gives them; names not ours are passed over."""
        roles = {old: _ALIASES.get(_normalise_name(new)) for old, new in rename.items()}
        return cls(tuple(ColumnRole(old.strip(), role) for old, role in roles.items() if role), optional=True)

    @classmethod
    def from_roles(cls, pairs: Mapping[str, str]) -> ReportColumns:
        """From pairs of a table's name and a role. Raises ConfigurationError for a role that does not exist."""
        unknown = next(((column, role) for column, role in pairs.items() if role not in _ROLES), None)
        if unknown is not None:
            column, role = unknown
            where = f"--report-columns {column}={role}"
            raise ConfigurationError(where, f"{role!r} is not a role", f"The roles are: {', '.join(_ROLES)}")
        return cls(tuple(ColumnRole(column, _ROLES[role]) for column, role in pairs.items()))


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What each column of a table was taken for, in the table's order; ignored: columns that were not read."""

    roles: tuple[ColumnRole, ...]
    ignored: tuple[str, ...]

    def __str__(self) -> str:
        text = ", ".join(f"{assignment.column} = {assignment.role}" for assignment in self.roles)
        return f"{text}; not read: {_join_names(self.ignored)}" if self.ignored else text


def map_columns(path: Path, names: Sequence[str], columns: ReportColumns | None) -> ColumnMapping:
    """Give each column its role. Raises BadTable: a named column is missing, no id, no text, one role twice."""
    user_roles = _take_user_roles(path, names, columns)
    has_user_text = any(role in PART_NAMES for role in user_roles.values())
    roles = dict(user_roles)
    for name in names:
        role = _ALIASES.get(_normalise_name(name.rpartition(".")[2]))
        is_taken = role in user_roles.values() or (has_user_text and role in PART_NAMES)
        if role and name not in roles and not is_taken:
            roles[name] = role
    if "report" in roles.values():
        # Beside whole reports a column of such a name is a label, and labels must not leak into texts.
        roles = {name: role for name, role in roles.items() if name in user_roles or role not in _SECTIONS}
    assignments = tuple(ColumnRole(name, roles[name]) for name in names if name in roles)
    _check_roles(path, names, assignments)
    return ColumnMapping(assignments, tuple(name for name in names if name and name not in roles))


def _take_user_roles(path: Path, names: Sequence[str], columns: ReportColumns | None) -> dict[str, Role]:
    if columns is None:
        return {}
    missing = [assignment.column for assignment in columns.roles if assignment.column not in names]
    if missing and not columns.optional:
        raise BadTable(path, f"there is no column {missing[0]!r}", f"The columns are: {_describe_header(names)}")
    return {assignment.column: assignment.role for assignment in columns.roles if assignment.column in names}


def _check_roles(path: Path, names: Sequence[str], assignments: Sequence[ColumnRole]) -> None:
    header = _describe_header(names)
    duplicate = next((column.column for column in assignments if names.count(column.column) > 1), None)
    if duplicate:
        raise BadTable(path, f"two columns are called {duplicate!r}", "Rename one of them")
    by_role: dict[Role, list[str]] = defaultdict(list)
    for column in assignments:
        by_role[column.role].append(column.column)
    rivals = next(
        (columns for role, columns in by_role.items() if len(columns) > 1 and role not in _REPEATABLE_ROLES), None
    )
    if rivals:
        role = next(assignment.role for assignment in assignments if assignment.column == rivals[0])
        fault = f"two columns have the role {role!r}: {', '.join(rivals)}"
        raise BadTable(path, fault, "Rename one of them, or use --rename OLD=NEW")
    if not any(role in by_role for role in ID_ROLES):
        advice = "Rename one to 'slide_id', 'case_id', 'file' or 'id', or use --rename"
        raise BadTable(path, f"no id column among: {header}", advice)
    if not any(role in by_role for role in PART_NAMES):
        raise BadTable(path, f"no report column among: {header}", "Rename one to 'report', or use --rename")


def _describe_header(names: Sequence[str]) -> str:
    """The names of a header; only how many there are where none is known, as it may be a patient's row instead."""
    if any(_normalise_name(name) in _ALIASES or _normalise_name(name) in _COMMON_NAMES for name in names):
        return _join_names(names)
    return f"{len(names)} columns, none with a known name"


def _join_names(names: Sequence[str]) -> str:
    """Names on one line, long ones cut."""
    short = [" ".join(name[:_NAME_CHARACTERS].split()) + "..." * (len(name) > _NAME_CHARACTERS) for name in names]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(short[:_MOST_NAMES]) + more


def _normalise_name(name: str) -> str:
    """A column's name in lower case with single underscores: "Slide ID" and "slideId" become slide_id."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\W_]+", "_", spaced).strip("_").lower()
