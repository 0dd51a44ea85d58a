"""Tables of the parts of a training: given by a user, or written by a training for the next one."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from histoseek.bounds import require_file_bytes
from histoseek.encoders.weights import PARTS, PartName
from histoseek.errors import BadTable
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.training.pairs import TrainingPair, list_ids
from histoseek.training.split import Split

_COPIES = 30
"""How many times its own size a table of short cells takes in memory."""

GivenSplit = Mapping[str, PartName]
"""Parts by "slide ID" and "patient KEY", as `read_split` gives them."""


def read_split(table: Path) -> GivenSplit:
    """The parts that a table gives to slides or patients: columns part (train, validation or test) and slide_id or
    patient_id. Raises BadTable, with the line."""
    given: dict[str, PartName] = {}
    for line, row in enumerate(_read_rows(table), start=2):
        part = (row.get("part") or "").strip().lower()
        if part not in PARTS:
            raise BadTable(table, f"line {line}: {part!r} is not a part", f"The parts are {', '.join(PARTS)}")
        for kind, value in (("slide", row.get("slide_id")), ("patient", row.get("patient_id"))):
            text = (value or "").strip()
            key = f"{kind} {make_patient_key(text) if kind == 'patient' else text}"
            if text and given.setdefault(key, part) != part:
                what = f"line {line}: a {kind} has another part than before"
                raise BadTable(table, what, "A patient is in one part only")
    return given


def format_split(split: Split) -> str:
    """The parts as a table that `read_split` reads, by slide id."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("slide_id", "part"))
    rows.writerows(sorted((pair.slide_id, part) for part in PARTS for pair in getattr(split, part)))
    return text.getvalue()


def apply_split(pairs: Sequence[TrainingPair], table: Path) -> Split:
    """The parts as a table gives them. Raises BadTable for pairs without a part, patients in two, and empty parts."""
    given = read_split(table)
    parts: dict[str, list[TrainingPair]] = {part: [] for part in PARTS}
    without: list[str] = []
    part_of_patient: dict[str, PartName] = {}
    for pair in pairs:
        part = given.get(f"slide {pair.slide_id}") or given.get(f"patient {pair.patient_id}")
        if part is None:
            without.append(pair.slide_id)
            continue
        if part_of_patient.setdefault(pair.patient_id, part) != part:
            what = f"the patient of slide {pair.slide_id} is in {part_of_patient[pair.patient_id]} and {part}"
            raise BadTable(table, what, "Give all slides of a patient the same part")
        parts[part].append(pair)
    if without:
        what = list_ids(without, "slides with a report have no part in it")
        raise BadTable(table, what, "Give every slide, or its patient, a part")
    empty = [part for part in PARTS if not parts[part]]
    if empty:
        raise BadTable(table, f"puts no slide with a report into {' and '.join(empty)}", "Each part needs some")
    return Split(**{part: tuple(members) for part, members in parts.items()})


def _read_rows(table: Path) -> list[dict[str, str]]:
    try:
        require_file_bytes(table, _COPIES)
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadTable(table, "cannot be read", "Give a CSV with slide_id (or patient_id) and part") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise BadTable(table, f"not a readable table ({error})", "Give a CSV with these two columns") from error
    names = {name.strip() for name in header.strip().split(delimiter)}
    if not rows or "part" not in names or not names & {"slide_id", "patient_id"}:
        raise BadTable(table, "has no columns part and slide_id (or patient_id)", "Give a CSV with these two")
    return [{str(name).strip(): value for name, value in row.items()} for row in rows]
