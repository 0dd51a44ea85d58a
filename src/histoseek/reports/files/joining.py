"""Joining reports to slides by file, slide id, case id or patient id, with a list of what did not join, both ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from histoseek.reports.files.document import Report
from histoseek.reports.privacy.person_names import is_person_name, pseudonymous

JoinedBy = Literal["file", "slide id", "case id", "patient id"]
_TCGA_PATIENT_LENGTH = 12
_SLIDE_SUFFIXES = frozenset(
    (
        *(".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".svslide", ".vms", ".vmu", ".dcm", ".czi"),
        *(".qptiff", ".jpg", ".jpeg", ".png", ".h5", ".pt", ".zarr"),
    )
)


@dataclass(frozen=True, slots=True)
class SlideKey:
    """What a slide is known by: its own id as far as given, its file, its case and patient."""

    slide_id: str | None = None
    file: Path | None = None
    case_id: str | None = None
    patient_id: str | None = None

    @property
    def name(self) -> str:
        """What the slide is called in messages."""
        return self.slide_id or (str(self.file) if self.file else "")


@dataclass(frozen=True, slots=True)
class Pair:
    """A report and a slide it speaks of, by their places in the two lists, and what joined them."""

    report: int
    slide: int
    by: JoinedBy


@dataclass(frozen=True, slots=True)
class Unjoined:
    """A report that belongs to no slide, and why."""

    report: Report
    why: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Pairs in the order of the reports; the reports and the slides (by their places) that are in no pair."""

    pairs: tuple[Pair, ...]
    reports_without_slide: tuple[Unjoined, ...]
    slides_without_report: tuple[int, ...]


def join_reports(reports: Sequence[Report], slides: Sequence[SlideKey]) -> Joined:
    """Find the slides of each report; case of letters is ignored.

    A report with files or slide ids belongs to these slides alone: to a file by its path from some folder on, or to a
    slide by its id, its file's name, stem, or stem up to the first dot, where exactly one slide fits. Otherwise its
    case id counts: of all slides of that case, or whose name begins with it up to a separator. A report of which only
    a plain id is known is tried as slide, then as case, then as patient. A TCGA patient or sample barcode that names
    no slide belongs to all slides whose names begin with its first 12 characters. Names of persons given as ids of
    patients are compared by their pseudonyms, which a slide may have instead.
    """
    index = _Index(slides)
    pairs: list[Pair] = []
    lost: list[Unjoined] = []
    for number, report in enumerate(reports):
        found = index.slides_of(report)
        pairs += [Pair(number, slide, by) for slide, by in found]
        if not found:
            lost.append(Unjoined(report, index.why_not(report)))
    with_report = {pair.slide for pair in pairs}
    without = tuple(place for place in range(len(slides)) if place not in with_report)
    return Joined(tuple(pairs), tuple(lost), without)


class _Index:
    """Slides by all names a report may call them."""

    def __init__(self, slides: Sequence[SlideKey]) -> None:
        self._slides = slides
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._by_case: dict[str, list[int]] = defaultdict(list)
        self._by_patient: dict[str, list[int]] = defaultdict(list)
        for place, slide in enumerate(slides):
            for name in set(_slide_names(slide)):
                self._by_name[name].append(place)
            for name in set(_case_names(slide)):
                self._by_case[name].append(place)
            for name in set(_patient_names(slide)):
                self._by_patient[name].append(place)

    def slides_of(self, report: Report) -> list[tuple[int, JoinedBy]]:
        """The slides that a report speaks of, each once."""
        if report.files or report.slide_ids:
            found: list[tuple[int, JoinedBy]] = [(slide, "file") for slide in self._of_files(report)]
            found += [(slide, "slide id") for slide in self._of_slide_ids(report)]
            return list({slide: (slide, by) for slide, by in found}.values())
        if report.case_id:
            return [(slide, "case id") for slide in self._of_case(report.case_id)]
        if report.report_id != report.patient_id:
            own = self._named(report.report_id)
            if len(own) == 1:
                return [(own[0], "slide id")]
            cases = self._of_case(report.report_id)
            if cases:
                return [(slide, "case id") for slide in cases]
        patient = _folded(pseudonymous(report.patient_id or ""))
        return [(slide, "patient id") for slide in self._by_patient.get(patient, [])]

    def why_not(self, report: Report) -> str:
        """Why `slides_of` found none."""
        several = [name for name in (*report.files, *report.slide_ids) if len(self._named(Path(name).name)) > 1]
        if several:
            return f"{several[0]!r} fits several slides"
        if report.files:
            return f"no slide of file {report.files[0]!r}"
        if report.slide_ids:
            return f"no slide {report.slide_ids[0]!r}"
        if report.case_id:
            return f"no slide of case {report.case_id!r}"
        if report.patient_id and is_person_name(report.patient_id):
            return "no slide of the patient whose name it gives as an id"
        return f"no slide or case {report.report_id!r}"

    def _named(self, name: str) -> list[int]:
        """Slides of this name; the name may have a slide file's ending, or be longer behind its first dot."""
        for spelling in _spellings(name):
            if spelling in self._by_name:
                return self._by_name[spelling]
        return []

    def _of_slide_ids(self, report: Report) -> Iterator[int]:
        for name in report.slide_ids:
            found = self._named(name)
            if len(found) == 1:
                yield found[0]
            elif not found:
                yield from self._of_tcga_patient(name)

    def _of_case(self, name: str) -> list[int]:
        return self._by_case.get(_folded(name), []) or self._of_tcga_patient(name)

    def _of_tcga_patient(self, name: str) -> list[int]:
        """Slides of a TCGA patient, whether the id given is that of a patient, a sample or a case of one."""
        is_sample = len(name) <= len("TCGA-AA-0000-01Z") and _is_tcga(name)
        return self._by_case.get(_folded(name[:_TCGA_PATIENT_LENGTH]), []) if is_sample else []

    def _of_files(self, report: Report) -> Iterator[int]:
        for name in report.files:
            wanted = _parts(Path(name.replace("\\", "/")))
            named = [place for place in self._by_name.get(wanted[-1], []) if self._ends_with(place, wanted)]
            beside = [place for place in named if self._slides[place].file == report.source.path.parent / name]
            exact = beside or named
            if len(exact) == 1:
                yield exact[0]

    def _ends_with(self, place: int, wanted: tuple[str, ...]) -> bool:
        file = self._slides[place].file
        return file is not None and _parts(file)[-len(wanted) :] == wanted


def _folded(name: str) -> str:
    return name.strip().casefold()


def _parts(path: Path) -> tuple[str, ...]:
    return tuple(part.casefold() for part in path.parts)


def _is_tcga(name: str) -> bool:
    return len(name) >= _TCGA_PATIENT_LENGTH and name[:5].upper() == "TCGA-" and name[7] == "-"


def _spellings(name: str) -> Iterator[str]:
    """A name as given, without a slide file's ending, and up to its first dot."""
    folded = _folded(name)
    yield folded
    if Path(folded).suffix in _SLIDE_SUFFIXES:
        yield Path(folded).stem
    yield folded.partition(".")[0]


def _slide_names(slide: SlideKey) -> Iterator[str]:
    if slide.slide_id:
        yield from _spellings(slide.slide_id)
    if slide.file:
        name = _folded(slide.file.name)
        yield from (name, Path(name).stem, name.partition(".")[0])


def _case_names(slide: SlideKey) -> Iterator[str]:
    """The given case, and all beginnings of the slide's names that end before a separator."""
    if slide.case_id:
        yield _folded(slide.case_id)
    stems = [_folded(slide.slide_id)] if slide.slide_id else []
    stems += [_folded(slide.file.stem)] if slide.file else []
    for stem in stems:
        yield stem
        yield from (stem[:end] for end, character in enumerate(stem) if end and not character.isalnum())


def _patient_names(slide: SlideKey) -> Iterator[str]:
    """The given patient; of TCGA slides also the patient that their name tells."""
    if slide.patient_id:
        yield _folded(pseudonymous(slide.patient_id))
    for name in (slide.slide_id, slide.case_id, slide.file.name if slide.file else None):
        if name and _is_tcga(name):
            yield _folded(name[:_TCGA_PATIENT_LENGTH])
