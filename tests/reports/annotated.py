"""The annotated reports: their texts from the shared data, and an extraction in the form of the labels."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.structured import StructuredReport, extract_facts
from histoseek.reports.language.negation import Status

# The question-and-answer lines are judged in these only.
LINE_FIELDS = frozenset(
    {
        "sizes_mm",
        "margin_status",
        "margin_distance_mm",
        "ihc",
        "ihc_percent",
        "ki67_percent",
        "tnm",
        "stage_group",
        "nodes",
    }
    | {"nottingham_total"}
)
# The labels file several kinds of these under one.
_FINDINGS = ("necrosis", "lymphovascular-invasion", "perineural-invasion", "calcification")


def load_texts(shared: Path) -> dict[tuple[str, str], str]:
    """Every text of the shared data by source file and key."""
    folder = shared / "reports"
    texts = {
        ("reg2025_reports.json", entry["id"]): entry["report"]
        for entry in json.loads((folder / "reg2025_reports.json").read_text())
    }
    with (folder / "patchgastric_captions.csv").open() as file:
        texts |= {("patchgastric_captions.csv", row["id"]): row["text"] for row in csv.DictReader(file)}
    for entry in json.loads((folder / "wsibench_report_test.json").read_text()):
        texts["wsibench_report_test.json", entry["id"]] = entry["conversations"][1]["value"]
    for path in sorted((folder / "dragon").glob("*.md")):
        blocks = re.findall(r"```\w*\n(.*?)```", path.read_text(), re.DOTALL)
        texts |= {("dragon", f"{path.name}#{index}"): block for index, block in enumerate(blocks)}
    for part in ("train", "val", "test"):
        name = f"wsivqa_tcga_brca_{part}.json"
        for index, entry in enumerate(json.loads((folder / name).read_text())):
            texts[name, str(index)] = f"{entry['Question']} {entry['Answer']}"
    return texts


def fields_of(text: str) -> dict[str, set[str]]:
    """What is extracted from a text, as sets of labels by field."""
    report = extract_facts(text)
    return {field: set(read(report)) for field, read in _READ.items()}


def _findings(report: StructuredReport, status: Status) -> set[str]:
    vocabulary = load_vocabulary()
    named = {mention.concept_id for mention in report.mentions if mention.status == status}
    with_ancestors = named.union(*(vocabulary.find_ancestors(one) for one in named))
    return with_ancestors & set(_FINDINGS)


def _nottingham(report: StructuredReport) -> list[str]:
    one = report.nottingham
    return [f"{one.grade}/{one.tubules}-{one.nuclei}-{one.mitoses}"] if one and one.grade else []


def _lengths(report: StructuredReport) -> list[str]:
    return ["x".join(f"{length:g}" for length in size.dimensions_mm) for size in report.sizes]


def _stains(report: StructuredReport) -> list[str]:
    results = [f"{stain.marker}:{stain.result}" for stain in report.stains if stain.result]
    return results + [f"{stain.marker}:{stain.score}" for stain in report.stains if stain.score]


def _percents(report: StructuredReport) -> list[str]:
    # Of an open range the labels give the end that is written.
    others = [stain for stain in report.stains if stain.marker != "Ki-67" and stain.low_percent is not None]
    return [f"{stain.marker}:{stain.low_percent or stain.high_percent:g}" for stain in others]


_READ: dict[str, Callable[[StructuredReport], list[str] | set[str] | tuple[str, ...]]] = {
    "organ": lambda report: [report.organ] if report.organ else [],
    "procedures": lambda report: report.concepts("procedure"),
    "laterality": lambda report: report.concepts("laterality"),
    "diagnoses": lambda report: report.concepts("diagnosis"),
    "diagnoses_uncertain": lambda report: report.concepts("diagnosis", Status.UNCERTAIN),
    "diagnoses_negated": lambda report: report.concepts("diagnosis", Status.NEGATED),
    "findings_present": lambda report: _findings(report, Status.AFFIRMED),
    "findings_absent": lambda report: _findings(report, Status.NEGATED),
    "gleason": lambda report: [f"{one.primary}+{one.secondary}" for one in report.gleason],
    "grade_group": lambda report: [str(one.value) for one in report.grade_groups],
    "nottingham": _nottingham,
    "nottingham_total": lambda report: [str(one.total) for one in (report.nottingham,) if one and one.total],
    "differentiation": lambda report: [one.value for one in report.differentiation],
    "grade": lambda report: [f"{one.scheme}:{one.value}" for one in report.grades],
    "sizes_mm": _lengths,
    "margin_status": lambda report: [one.status for one in report.margins if one.status],
    "margin_distance_mm": lambda report: [f"{one.distance_mm:g}" for one in report.margins if one.distance_mm],
    "ihc": _stains,
    "ihc_percent": _percents,
    "ki67_percent": lambda report: [f"{one.low_percent:g}" for one in report.ki67],
    "tnm": lambda report: [one.label for one in report.tnm],
    "stage_group": lambda report: [one.value for one in report.stage_groups],
    "nodes": lambda report: [f"{one.positive}/{one.examined}" for one in report.nodes],
}
