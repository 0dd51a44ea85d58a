"""The real reports of DATA/reports and which of their patients are held out, one rule for all benchmarks."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path


def is_held_out(patient_id: str) -> bool:
    """Whether nothing was tuned on a patient's texts: the SHA-256 of the id begins with an odd byte."""
    return hashlib.sha256(patient_id.encode()).digest()[0] % 2 == 1


def read_reports(data: Path) -> list[dict[str, str]]:
    """All TCGA reports, each with its patient_id, cohort, histology and text."""
    with gzip.open(data / "reports" / "tcga_reports.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_first_texts(data: Path) -> dict[str, str]:
    """The first report of each patient."""
    texts: dict[str, str] = {}
    for report in read_reports(data):
        texts.setdefault(report["patient_id"], report["text"])
    return texts
