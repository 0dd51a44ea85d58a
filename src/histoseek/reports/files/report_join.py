"""Joining reports to slides by file, slide id, case id or patient id, with a list of what did not join, both ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from histoseek.reports.files.document import Report
from histoseek.reports.privacy.person_names import is_person_name, make_pseudonym

JoinKey = Literal["file", "slide id", "case id", "patient id"]
_TCGA_PATIENT_LENGTH = 12
SLIDE_SUFFIXES = frozenset(
    (
        *(".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".svslide", ".vms", ".vmu", ".dcm", ".czi"),
        *(".qptiff", ".jpg", ".jpeg", ".png", ".h5", ".pt", ".zarr"),
    )
)


@dataclass(frozen=True, slots=True)
class SlideKey:
    """What a slide is known by: its own id as far as given, its file, its case and patient."""

    slide_id: str | None = None
    file: PurePath | None = None
    case_id: str | None = None
    patient_id: str | None = None

    @property
    def name(self) -> str:
        """What the slide is called in messages."""
        return self.slide_id or (str(self.file) if self.file else "")


@dataclass(frozen=True, slots=True)
class ReportSlidePair:
    """A report and a slide it speaks of, by their places in the two lists, and what joined them."""

    report: int
    slide: int
    by: JoinKey


@dataclass(frozen=True, slots=True)
class OrphanReport:
    """A report that belongs to no slide, and why."""

    report: Report
    reason: str


@dataclass(frozen=True, slots=True)
class ReportJoin:
    """Pairs in the order of the reports; the reports and the slides (by their places) that are in no pair."""

    pairs: tuple[ReportSlidePair, ...]
    reports_without_slide: tuple[OrphanReport, ...]
    slides_without_report: tuple[int, ...]


def join_reports(reports: Sequence[Report], slides: Sequence[SlideKey]) -> ReportJoin:
    """Find the slides of each report; case of letters is ignored.

    A report with files or slide ids belongs to these slides alone: to a file by its path from some folder on, or to a
    slide by its id, its file's name, stem, or stem up to the first dot, where exactly one slide fits. Otherwise its
    case id counts: of all slides of that case, or whose name begins with it up to a separator. A report of which only
    a plain id is known is tried as slide, then as case, then as patient. A TCGA patient or sample barcode that names
    no slide belongs to all slides whose names begin with its first 12 characters. Names of persons given as ids of
    patients are compared by their pseudonyms, which a slide may have instead.
    """
    index = _Index(slides)
    pairs: list[ReportSlidePair] = []
    orphans: list[OrphanReport] = []
    for number, report in enumerate(reports):
        slides_of_report = index.find_slides(report)
        pairs += [ReportSlidePair(number, slide, by) for slide, by in slides_of_report]
        if not slides_of_report:
            orphans.append(OrphanReport(report, index.explain_failure(report)))
    with_report = {pair.slide for pair in pairs}
    slides_without_report = tuple(place for place in range(len(slides)) if place not in with_report)
    return ReportJoin(tuple(pairs), tuple(orphans), slides_without_report)


class _Index:
    """Slides by all names a report may call them."""

    def __init__(self, slides: Sequence[SlideKey]) -> None:
        self._slides = slides
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._by_case: dict[str, list[int]] = defaultdict(list)
        self._by_patient: dict[str, list[int]] = defaultdict(list)
        for place, slide in enumerate(slides):
            for name in set(_list_slide_names(slide)):
                self._by_name[name].append(place)
            for name in set(_list_case_names(slide)):
                self._by_case[name].append(place)
            for name in set(_list_patient_names(slide)):
                self._by_patient[name].append(place)

    def find_slides(self, report: Report) -> list[tuple[int, JoinKey]]:
        """The slides that a report speaks of, each once."""
        if report.files or report.slide_ids:
            slides: list[tuple[int, JoinKey]] = [(slide, "file") for slide in self._find_by_files(report)]
            slides += [(slide, "slide id") for slide in self._find_by_slide_ids(report)]
            return list({slide: (slide, by) for slide, by in slides}.values())
        if report.case_id:
            return [(slide, "case id") for slide in self._find_by_case(report.case_id)]
        if report.report_id != report.patient_id:
            named_slides = self._find_by_name(report.report_id)
            if len(named_slides) == 1:
                return [(named_slides[0], "slide id")]
            cases = self._find_by_case(report.report_id)
            if cases:
                return [(slide, "case id") for slide in cases]
        patient = _fold(make_pseudonym(report.patient_id or ""))
        return [(slide, "patient id") for slide in self._by_patient.get(patient, [])]

    def explain_failure(self, report: Report) -> str:
        """Why `find_slides` finds no slide."""
        several = [name for name in (*report.files, *report.slide_ids) if len(self._find_by_name(Path(name).name)) > 1]
        if several:
            return f"{several[0]!r} matches several slides"
        if report.files:
            return f"no slide from file {report.files[0]!r}"
        if report.slide_ids:
            return f"no slide {report.slide_ids[0]!r}"
        if report.case_id:
            return f"no slide of case {report.case_id!r}"
        if report.patient_id and is_person_name(report.patient_id):
            return "no slide of the patient whose name it gives as an id"
        return f"no slide or case {report.report_id!r}"

    def _find_by_name(self, name: str) -> list[int]:
        """Slides of this name; the name may have a slide file's ending, or be longer behind its first dot."""
        for spelling in _list_spellings(name):
            if spelling in self._by_name:
                return self._by_name[spelling]
        return []

    def _find_by_slide_ids(self, report: Report) -> Iterator[int]:
        for name in report.slide_ids:
            slides = self._find_by_name(name)
            if len(slides) == 1:
                yield slides[0]
            elif not slides:
                yield from self._find_by_tcga_patient(name)

    def _find_by_case(self, name: str) -> list[int]:
        return self._by_case.get(_fold(name), []) or self._find_by_tcga_patient(name)

    def _find_by_tcga_patient(self, name: str) -> list[int]:
        """Slides of a TCGA patient, whether the id given is that of a patient, a sample or a case of one."""
        is_sample = len(name) <= len("TCGA-AA-0000-01Z") and _is_tcga(name)
        return self._by_case.get(_fold(name[:_TCGA_PATIENT_LENGTH]), []) if is_sample else []

    def _find_by_files(self, report: Report) -> Iterator[int]:
        for name in report.files:
            path_parts = _fold_parts(Path(name.replace("\\", "/")))
            candidates = [
                place for place in self._by_name.get(path_parts[-1], []) if self._file_ends_with(place, path_parts)
            ]
            beside = [place for place in candidates if self._slides[place].file == report.source.path.parent / name]
            matches = beside or candidates
            if len(matches) == 1:
                yield matches[0]

    def _file_ends_with(self, place: int, path_parts: tuple[str, ...]) -> bool:
        file = self._slides[place].file
        return file is not None and _fold_parts(file)[-len(path_parts) :] == path_parts


def _fold(name: str) -> str:
    return name.strip().casefold()


def _fold_parts(path: PurePath) -> tuple[str, ...]:
    return tuple(part.casefold() for part in path.parts)


def _is_tcga(name: str) -> bool:
    return len(name) >= _TCGA_PATIENT_LENGTH and name[:5].upper() == "TCGA-" and name[7] == "-"


def _list_spellings(name: str) -> Iterator[str]:
    """A name as given, without a slide file's ending, and up to its first dot."""
    plain_name = _fold(name)
    yield plain_name
    if Path(plain_name).suffix in SLIDE_SUFFIXES:
        yield Path(plain_name).stem
    yield plain_name.partition(".")[0]


def _list_slide_names(slide: SlideKey) -> Iterator[str]:
    if slide.slide_id:
        yield from _list_spellings(slide.slide_id)
    if slide.file:
        name = _fold(slide.file.name)
        yield from (name, Path(name).stem, name.partition(".")[0])


def _list_case_names(slide: SlideKey) -> Iterator[str]:
    """The given case, and all beginnings of the slide's names that end before a separator."""
    if slide.case_id:
        yield _fold(slide.case_id)
    stems = [_fold(slide.slide_id)] if slide.slide_id else []
    stems += [_fold(slide.file.stem)] if slide.file else []
    for stem in stems:
        yield stem
        yield from (stem[:end] for end, character in enumerate(stem) if end and not character.isalnum())


def _list_patient_names(slide: SlideKey) -> Iterator[str]:
    """The given patient; of TCGA slides also the patient whose barcode their name begins with."""
    if slide.patient_id:
        yield _fold(make_pseudonym(slide.patient_id))
    for name in (slide.slide_id, slide.case_id, slide.file.name if slide.file else None):
        if name and _is_tcga(name):
            yield _fold(name[:_TCGA_PATIENT_LENGTH])
