"""Patients and cases: all their slides and reports."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from histoseek.rest.archives import Tray
from histoseek.search.scope.trays import TrayKind
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.errors import NotFound
from histoseek.server.http.dependencies import EntryInPath, Reader
from histoseek.server.http.responses import to_tray

router = APIRouter(prefix="/archives/{archive}", tags=["slides"])

NameInPath = Annotated[str, Path(min_length=1, max_length=200, description="As the archive has it; may hold slashes.")]


@router.get("/cases/{case_id:path}")
def get_case(caller: Reader, entry: EntryInPath, case_id: NameInPath) -> Tray:
    """The slides and reports of a case."""
    return _find(entry, "case", case_id)


@router.get("/patients/{patient_id:path}")
def get_patient(caller: Reader, entry: EntryInPath, patient_id: NameInPath) -> Tray:
    """The slides and reports of a patient, case by case."""
    return _find(entry, "patient", patient_id)


def _find(entry: ArchiveEntry, kind: TrayKind, name: str) -> Tray:
    tray = entry.archive.find_tray(kind, name)
    if not tray.total:
        raise NotFound(kind, f"the archive has no slides of this {kind}", f"Look for a part of the {kind}'s id instead")
    return to_tray(tray)
