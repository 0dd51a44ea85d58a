"""A report in one row: what a table of cases, an export or a page shows of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.findings import decide_finding
from histoseek.reports.facts.margins import decide_margin
from histoseek.reports.facts.nodes import total_nodes
from histoseek.reports.facts.structured import StructuredReport
from histoseek.reports.language.headings import SectionName
from histoseek.reports.language.sections import Sections
from histoseek.reports.language.words import Span


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """The values of a case, as texts; empty where the report does not state them.

    organs: ids of the organs that the main tumour lies in; diagnoses: ids of the main diagnosis, affirmed of this case;
    grades: "1" to "5", "low", "intermediate", "high"; gleason: "5+4"; t, n, m: what follows the letter ("3a", "X");
    node_counts: "0/5" for each statement, node_total: "0/8" for the case; margin: "free", "involved", "close", or
    "mixed" (involved, then free where it was cut anew), final_margin: that of the tissue cut last;
    lymphovascular, perineural, necrosis: "present", "absent", "uncertain"; ki67: per cent ("15", "2-3").
    """

    organs: tuple[str, ...]
    diagnoses: tuple[str, ...]
    grades: tuple[str, ...]
    differentiation: tuple[str, ...]
    gleason: tuple[str, ...]
    t: tuple[str, ...]
    n: tuple[str, ...]
    m: tuple[str, ...]
    node_counts: tuple[str, ...]
    node_total: str
    margin: str
    final_margin: str
    lymphovascular: str
    perineural: str
    necrosis: str
    ki67: tuple[str, ...]
    specimens: tuple[str, ...]
    sections: tuple[str, ...]


def summarise_report(report: StructuredReport, vocabulary: Vocabulary | None = None) -> ReportSummary:
    """The row of a report. Never raises for what a text says."""
    vocabulary = vocabulary or load_vocabulary()
    margin, final_margin = _summarise_margins(report)
    total = total_nodes(report.nodes, report.sections)
    return ReportSummary(
        organs=(report.organ,) if report.organ else (),
        diagnoses=(report.diagnosis,) if report.diagnosis else (),
        grades=_list_grades(report),
        differentiation=tuple(dict.fromkeys(level.value for level in _select(report.differentiation, report.sections))),
        gleason=_list_gleason(report),
        t=_list_categories(report, "T"),
        n=_list_categories(report, "N"),
        m=_list_categories(report, "M"),
        node_counts=tuple(dict.fromkeys(count.label for count in _select(report.nodes, report.sections))),
        node_total=total.label if total else "",
        margin=margin,
        final_margin=final_margin,
        lymphovascular=_decide("lymphovascular-invasion", report, vocabulary),
        perineural=_decide("perineural-invasion", report, vocabulary),
        necrosis=_decide("necrosis", report, vocabulary),
        ki67=tuple(dict.fromkeys(_format_range(index.low_percent, index.high_percent) for index in report.ki67)),
        specimens=report.sections.specimens,
        sections=tuple(dict.fromkeys(section.name for section in report.sections.sections if section.name != "other")),
    )


# What these sections state counts only where none of the others states anything.
_LATER_WORDS: tuple[SectionName, ...] = ("frozen", "history")

_FINAL_WORDS: tuple[SectionName, ...] = ("addendum", "diagnosis", "other")


class _Placed(Protocol):
    @property
    def span(self) -> Span: ...


_Statement = TypeVar("_Statement", bound=_Placed)


def _select(statements: Iterable[_Statement], sections: Sections) -> list[_Statement]:
    """What is finally stated: first impressions count only where there is nothing else, and then the history."""
    by_rank: dict[int, list[_Statement]] = {}
    for statement in statements:
        name = sections.find(statement.span).name
        by_rank.setdefault(_LATER_WORDS.index(name) if name in _LATER_WORDS else -1, []).append(statement)
    return by_rank[min(by_rank)] if by_rank else []


def _list_grades(report: StructuredReport) -> tuple[str, ...]:
    """The grades; "high grade" in a description says no more than the grade in the diagnosis."""
    grades = _select(report.grades, report.sections)
    if report.gleason:
        grades = [grade for grade in grades if report.sections.find(grade.span).name != "history"]
    final = [grade for grade in grades if report.sections.find(grade.span).name in _FINAL_WORDS]
    values = [grade.value for grade in grades if not final or grade in final or grade.value.isdigit()]
    nottingham = report.nottingham
    if nottingham is not None and (grade := nottingham.grade or nottingham.implied_grade):
        values.append(str(grade))
    return tuple(dict.fromkeys(values))


def _list_gleason(report: StructuredReport) -> tuple[str, ...]:
    """The patterns of each specimen, of several the most frequent."""
    by_specimen: dict[str | None, Counter[str]] = {}
    for patterns in _select(report.gleason, report.sections):
        specimen = report.sections.find(patterns.span).specimen
        by_specimen.setdefault(specimen, Counter())[f"{patterns.primary}+{patterns.secondary}"] += 1
    return tuple(dict.fromkeys(counter.most_common(1)[0][0] for counter in by_specimen.values()))


def _format_range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def _list_categories(report: StructuredReport, axis: str) -> tuple[str, ...]:
    """The categories of an axis; what was thought before the operation counts only where nothing else is stated.

    A distant metastasis that is known or ruled out makes "MX" void: that it cannot be seen in these specimens.
    """
    categories = _select([category for category in report.tnm if category.axis == axis], report.sections)
    pathological = [category for category in categories if category.basis != "c"]
    values = tuple(dict.fromkeys(category.value for category in pathological or categories))
    return tuple(value for value in values if value != "X") or values if axis == "M" else values


def _summarise_margins(report: StructuredReport) -> tuple[str, str]:
    """The margin as it is said, else as the R of the classification tells."""
    margin, final_margin = decide_margin(report.margins, report.sections)
    residual = next((category.value for category in report.tnm if category.axis == "R"), "")
    if not margin and residual[:1] in {"0", "1", "2"}:
        margin = final_margin = "free" if residual == "0" else "involved"
    return margin, final_margin


def _decide(concept_id: str, report: StructuredReport, vocabulary: Vocabulary) -> str:
    return decide_finding(concept_id, report.findings, report.sections, vocabulary)
