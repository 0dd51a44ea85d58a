"""Fields of real reports against labels read by hand: recall and precision of each, with 95 % intervals.

DATA/reports holds tcga_reports.jsonl.gz and tcga_reports_truth.json (60 reports, one reader, no pathologist). Patients
whose SHA-256 begins with an odd byte are held out: nothing was tuned on their texts. `organ` and `diagnosis` count
reports, single values (margin, invasion, ...) reports that state them, the rest each value of each report. A diagnosis
is right if it is one of the labels or a kind of one; "false diagnoses" are affirmed cancers that are no label, none of
its kinds and nothing that it is a kind of (a true second cancer counts as well). `--plain` reads the extracted facts
one by one, without combining them over sections, which also runs on code before that existed.

The second development set is report_fields_labels.json: 60 more reports, whose passages on these fields were read and
labelled before the code was run on them, and mended in three reports where the code was right; it has no labels of
organ, diagnosis, specimens and sections. Figures of the held-out part are printed with `--held-out` alone, so that
nobody tunes on them by accident. Run:
    python benchmarks/report_fields.py DATA [--plain] [--errors] [--held-out]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from real_reports import is_held_out, read_first_texts

from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.structured import StructuredReport, extract_facts
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import split_sections
from histoseek.statistics.intervals import wilson_interval

FIELDS = (
    *("organ", "diagnosis", "grade", "differentiation", "gleason", "t", "n", "m", "node counts", "node total"),
    *("margin", "lymphovascular", "perineural", "necrosis", "ki67", "specimens", "sections"),
)
LABELS = {
    **{name: name for name in ("organ", "grade", "gleason", "t", "n", "m", "sections", "margin", "necrosis", "ki67")},
    **{"diagnosis": "dx", "differentiation": "diff", "node counts": "nodes", "node total": "total"},
    **{"lymphovascular": "lvi", "perineural": "pni", "specimens": "parts"},
}
LABELLED_SECTIONS = frozenset(("diagnosis", "gross", "history", "comment", "microscopy", "ancillary", "addendum"))
PARTS = ("development", "second development", "held out")
SECOND_LABELS = Path(__file__).with_name("report_fields_labels.json")
Values = Mapping[str, frozenset[str]]


@dataclass
class Tally:
    """Labels and extracted values, and how many of each are right."""

    labels: int = 0
    recalled: int = 0
    extracted: int = 0
    correct: int = 0


@dataclass
class Part:
    reports: int = 0
    false_diagnoses: int = 0
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in FIELDS})


def read_plain(text: str, vocabulary: Vocabulary) -> Values:
    """Each fact of a text as it stands."""
    report = extract_facts(text, vocabulary)
    sections = split_sections(text)
    stages = {axis: {category.value for category in report.tnm if category.axis == axis} for axis in ("T", "N", "M")}
    margins = {margin.status for margin in report.margins if margin.status}
    grades = {grade.value for grade in report.grades}
    return clean(
        {
            "organ": [report.organ],
            "diagnosis": report.concepts("diagnosis", vocabulary=vocabulary)[:1],
            "grade": grades,
            "differentiation": {level.value for level in report.differentiation},
            "gleason": {f"{sum_.primary}+{sum_.secondary}" for sum_ in report.gleason},
            **{axis.lower(): values for axis, values in stages.items()},
            "node counts": {f"{count.positive}/{count.examined}" for count in report.nodes},
            "margin": ["mixed"] if margins >= {"free", "involved"} else margins,
            "lymphovascular": read_status(report, "lymphovascular-invasion", vocabulary),
            "perineural": read_status(report, "perineural-invasion", vocabulary),
            "necrosis": read_status(report, "necrosis", vocabulary),
            "ki67": {f"{index.low_percent:g}" for index in report.ki67},
            "specimens": sections.specimens,
            "sections": LABELLED_SECTIONS.intersection(section.name for section in sections.sections),
        }
    )


def read_status(report: StructuredReport, concept_id: str, vocabulary: Vocabulary) -> list[str]:
    statuses = [
        mention.status
        for mention in report.mentions
        if concept_id in {mention.concept_id, *vocabulary.find_ancestors(mention.concept_id)}
    ]
    words = {Status.AFFIRMED: "present", Status.NEGATED: "absent", Status.UNCERTAIN: "uncertain"}
    return next(([word] for status, word in words.items() if status in statuses), [])


def read_summary(text: str, vocabulary: Vocabulary) -> Values:
    """The facts of a text, combined over its sections and specimens."""
    from histoseek.reports.facts.summary import summarise_report

    summary = summarise_report(extract_facts(text, vocabulary), vocabulary)
    return clean(
        {
            "organ": summary.organs,
            "diagnosis": summary.diagnoses,
            "grade": summary.grades,
            "differentiation": summary.differentiation,
            "gleason": summary.gleason,
            "t": summary.t,
            "n": summary.n,
            "m": summary.m,
            "node counts": summary.node_counts,
            "node total": [summary.node_total],
            "margin": [summary.margin],
            "lymphovascular": [summary.lymphovascular],
            "perineural": [summary.perineural],
            "necrosis": [summary.necrosis],
            "ki67": summary.ki67,
            "specimens": summary.specimens,
            "sections": LABELLED_SECTIONS.intersection(summary.sections),
        }
    )


def clean(values: Mapping[str, Iterable[str]]) -> Values:
    return {name: frozenset(filter(None, values.get(name, ()))) for name in FIELDS}


def read_labels(entry: Mapping[str, object]) -> Values:
    labels = {}
    for name, key in LABELS.items():
        value = entry.get(key, [])
        labels[name] = value if isinstance(value, list) else [str(value)]
    return clean(labels)


def tally_report(tallies: Mapping[str, Tally], labels: Values, values: Values, vocabulary: Vocabulary) -> list[str]:
    """Count one report; gives the names of the fields that are not right."""
    wrong = []
    for name in FIELDS:
        expected, extracted = labels[name], values[name]
        if name in {"organ", "diagnosis"}:
            matches = is_kind_of if name == "diagnosis" else is_related
            right = {value for value in extracted if any(matches(value, label, vocabulary) for label in expected)}
            tally = Tally(bool(expected), bool(right), len(extracted), len(right))
        else:
            right = expected & extracted
            tally = Tally(len(expected), len(right), len(extracted), len(right))
        if tally.recalled < tally.labels or tally.correct < tally.extracted:
            wrong.append(name)
        total = tallies[name]
        total.labels, total.recalled = total.labels + tally.labels, total.recalled + tally.recalled
        total.extracted, total.correct = total.extracted + tally.extracted, total.correct + tally.correct
    return wrong


def is_kind_of(concept_id: str, label: str, vocabulary: Vocabulary) -> bool:
    return label in {concept_id, *(vocabulary.find_ancestors(concept_id) if concept_id in vocabulary.concepts else ())}


def is_related(concept_id: str, label: str, vocabulary: Vocabulary) -> bool:
    return is_kind_of(concept_id, label, vocabulary) or is_kind_of(label, concept_id, vocabulary)


def list_false_diagnoses(text: str, labels: Values, vocabulary: Vocabulary) -> list[str]:
    affirmed = extract_facts(text, vocabulary).concepts("diagnosis", vocabulary=vocabulary)
    return [
        concept_id
        for concept_id in affirmed
        if is_kind_of(concept_id, "malignant-neoplasm", vocabulary)
        and not is_kind_of(concept_id, "metastasis", vocabulary)
        and not any(is_related(concept_id, label, vocabulary) for label in labels["diagnosis"])
    ]


def format_share(right: int, count: int) -> str:
    if not count:
        return "-"
    low, high = wilson_interval(right / count, count)
    return f"{right}/{count} = {right / count:.2f} ({low:.2f} to {high:.2f})"


def read_entries(data: Path, with_held_out: bool) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The labels of each report with the part it belongs to."""
    for entry in json.loads((data / "reports" / "tcga_reports_truth.json").read_text("utf-8")):
        if not is_held_out(entry["patient_id"]):
            yield "development", entry
        elif with_held_out:
            yield "held out", entry
    for entry in json.loads(SECOND_LABELS.read_text("utf-8")):
        yield "second development", entry


def measure(
    data: Path, read_values: Callable[[str, Vocabulary], Values], show_errors: bool, with_held_out: bool
) -> dict[str, Part]:
    vocabulary = load_vocabulary()
    texts = read_first_texts(data)
    parts = {name: Part() for name in PARTS if with_held_out or name != "held out"}
    for name, entry in read_entries(data, with_held_out):
        patient_id = str(entry["patient_id"])
        part = parts[name]
        labels, values = read_labels(entry), read_values(texts[patient_id], vocabulary)
        values = {field: values[field] if LABELS[field] in entry else frozenset() for field in FIELDS}
        wrong = tally_report(part.tallies, labels, values, vocabulary)
        false_diagnoses = list_false_diagnoses(texts[patient_id], labels, vocabulary) if "dx" in entry else []
        part.reports += 1
        part.false_diagnoses += len(false_diagnoses)
        if show_errors and not is_held_out(patient_id):
            for field_name in wrong:
                print(
                    f"{patient_id} {field_name}: labels {sorted(labels[field_name])}, read {sorted(values[field_name])}"
                )
            if false_diagnoses:
                print(f"{patient_id} false diagnoses: {false_diagnoses}")
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--plain", action="store_true", help="facts one by one, not combined over sections")
    parser.add_argument("--errors", action="store_true", help="list what is wrong in the development reports")
    parser.add_argument("--held-out", action="store_true", help="also the part that nothing may be tuned on")
    options = parser.parse_args()
    read_values = read_plain if options.plain else read_summary
    parts = measure(options.data, read_values, options.errors, options.held_out)
    sizes = ", ".join(f"{part.reports} {name}" for name, part in parts.items())
    print(f"Reports: {sizes}\n\n| field | {' | '.join(f'{n}, recall | precision' for n in parts)} |")
    print("| --- |" + " --- |" * 2 * len(parts))
    for name in FIELDS:
        cells = []
        for part in parts.values():
            tally = part.tallies[name]
            cells += [format_share(tally.recalled, tally.labels), format_share(tally.correct, tally.extracted)]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\nFalse diagnoses: {', '.join(f'{part.false_diagnoses} {name}' for name, part in parts.items())}")


if __name__ == "__main__":
    main()
