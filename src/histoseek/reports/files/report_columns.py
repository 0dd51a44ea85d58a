"""Which column of a report table is what: given by the user, or recognised by its name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from histoseek.errors import BadTable, ConfigurationError
from histoseek.reports.files.column_names import (
    ID_ROLES,
    ORDER_ROLES,
    PART_NAMES,
    PersonRole,
    Role,
    choose_columns,
    find_column,
    recognise_column,
)

_SECTIONS = frozenset(PART_NAMES) - {"report", "addendum"}
_COMMON_NAMES = frozenset(("organ", "site", "stain", "age", "sex"))
_NAME_CHARACTERS = 30
_MOST_NAMES = 40
_REPEATABLE_ROLES = (frozenset(PART_NAMES) | {"person"}) - {"report"}
_ROLES: Mapping[str, Role] = {role: role for role in (*PART_NAMES, *ID_ROLES, *ORDER_ROLES, *get_args(PersonRole))}
_NESTED = re.compile(r"\w+\.(\w+)")
"""The name of a value within another one of JSON."""


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
        roles = {old: _find_role(new) for old, new in rename.items()}
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

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        return (*(assignment.column for assignment in self.roles), *self.ignored)

    def __str__(self) -> str:
        text = ", ".join(f"{assignment.column} = {assignment.role}" for assignment in self.roles)
        return f"{text}; not read: {join_names(self.ignored)}" if self.ignored else text


def map_columns(path: Path, names: Sequence[str], columns: ReportColumns | None) -> ColumnMapping:
    """Give each column its role. Raises BadTable: a named column is missing, no id, no text, one role twice."""
    user_roles = _take_user_roles(path, names, columns)
    has_user_text = any(role in PART_NAMES for role in user_roles.values())
    roles = dict(user_roles)
    plain = [match[1] if (match := _NESTED.fullmatch(name)) else name for name in names]
    named = [name if recognise_column(name) else inner for name, inner in zip(names, plain, strict=True)]
    for place, role in choose_columns(named, _ROLES.values(), ID_ROLES).items():
        is_taken = role in user_roles.values() or (has_user_text and role in PART_NAMES)
        if names[place] not in roles and not is_taken:
            roles[names[place]] = role
    if "report" in roles.values():
        # Beside whole reports a column of such a name is a label, and labels must not leak into texts.
        roles = {name: role for name, role in roles.items() if name in user_roles or role not in _SECTIONS}
    assignments = tuple(ColumnRole(name, roles[name]) for name in names if name in roles)
    _check_roles(path, names, assignments)
    return ColumnMapping(assignments, tuple(name for name in names if name and name not in roles))


def _take_user_roles(path: Path, names: Sequence[str], columns: ReportColumns | None) -> dict[str, Role]:
    if columns is None:
        return {}
    places = {assignment: find_column(names, assignment.column) for assignment in columns.roles}
    missing = [assignment.column for assignment, name in places.items() if name is None]
    if missing and not columns.optional:
        raise BadTable(path, f"there is no column {missing[0]!r}", f"The columns are: {describe_header(names)}")
    return {name: assignment.role for assignment, name in places.items() if name is not None}


def _check_roles(path: Path, names: Sequence[str], assignments: Sequence[ColumnRole]) -> None:
    header = describe_header(names)
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


def describe_header(names: Sequence[str]) -> str:
    """The names of a header; only how many there are where none is known, as it may be a patient's row instead."""
    if any(recognise_column(name) or name.strip().lower() in _COMMON_NAMES for name in names):
        return join_names(names)
    return f"{len(names)} columns, none with a known name" if len(names) != 1 else "one column, whose name is not known"


def join_names(names: Sequence[str]) -> str:
    """Names on one line, long ones cut."""
    short = [" ".join(name[:_NAME_CHARACTERS].split()) + "..." * (len(name) > _NAME_CHARACTERS) for name in names]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(short[:_MOST_NAMES]) + more


def _find_role(name: str) -> Role | None:
    """The role that a name of ours says, as far as reports have it."""
    named = recognise_column(name)
    return named.role if named and named.role in _ROLES else None
