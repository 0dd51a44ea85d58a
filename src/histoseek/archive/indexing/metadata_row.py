"""Rows of metadata tables, and several about the same slide or case put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from histoseek.archive.schema import MetadataValue
from histoseek.reports.files.document import FileRefusal, ReportSource
from histoseek.reports.privacy.deidentify import KnownIdentifiers

_ONE_ROW = "Keep one row per slide, or one per case"


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: at least one of file, slide_id and case_id; the rest as far as given.

    identifiers: of the person, to be looked for in reports; empty until `personal_data.pseudonymise_table`.
    place: its line or row, for messages; cells: the further columns as they stand in the table.
    """

    file: str | None = None
    slide_id: str | None = None
    case_id: str | None = None
    spacing_um_per_px: float | None = None
    report: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, MetadataValue] = field(default_factory=dict)
    identifiers: KnownIdentifiers = field(default_factory=KnownIdentifiers)
    place: ReportSource | None = field(default=None, repr=False)
    cells: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """What the row is called in messages."""
        return self.file or self.slide_id or self.case_id or ""

    @property
    def where(self) -> str:
        """Its line or row, in messages."""
        return self.place.place if self.place else ""

    @property
    def values(self) -> Mapping[str, MetadataValue]:
        """All that it says, by column."""
        own = {"slide_id": self.slide_id, "case_id": self.case_id, "spacing": self.spacing_um_per_px}
        given = {**own, "report": self.report, **self.texts, **self.extra}
        return {name: value for name, value in given.items() if value is not None}


def merge_rows(row: TableRow, other: TableRow) -> TableRow:
    """A row with what another one says beside it."""
    return replace(
        row,
        case_id=row.case_id or other.case_id,
        spacing_um_per_px=row.spacing_um_per_px or other.spacing_um_per_px,
        report=row.report or other.report,
        texts={**other.texts, **row.texts},
        extra={name: other.extra.get(name) if value is None else value for name, value in row.extra.items()},
        cells={**other.cells, **row.cells},
        identifiers=KnownIdentifiers(
            tuple(dict.fromkeys((*row.identifiers.names, *other.identifiers.names))),
            tuple(dict.fromkeys((*row.identifiers.ids, *other.identifiers.ids))),
        ),
    )


def list_differences(row: TableRow, other: TableRow) -> tuple[str, ...]:
    """The columns in which two rows about one slide say different things."""
    ours, theirs = row.values, other.values
    return tuple(name for name in ours if name in theirs and ours[name] != theirs[name])


def refuse_contradiction(row: TableRow, other: TableRow, columns: Iterable[str]) -> FileRefusal:
    """The refusal of a row that says another thing than another row of its slide or case."""
    what = f"{row.key!r} is there twice, here and in {other.where}, with different values of {', '.join(columns)}"
    return FileRefusal(row.place or ReportSource(Path()), what, _ONE_ROW)


def join_rows(group: Sequence[TableRow]) -> tuple[TableRow | None, list[FileRefusal]]:
    """Rows about the same put together; where two contradict each other none is left, and all are refused."""
    merged = group[0]
    for row in group[1:]:
        differences = list_differences(merged, row)
        if differences:
            rivals = [(one, next(other for other in group if other is not one)) for one in group]
            return None, [refuse_contradiction(one, other, differences) for one, other in rivals]
        merged = merge_rows(merged, row)
    return merged, []
