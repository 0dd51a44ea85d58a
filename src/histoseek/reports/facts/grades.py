"""Grades: Gleason and grade group, Nottingham, differentiation, nuclear and other numbered grades."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.language.words import Span

Differentiation = Literal["well", "moderate", "poor"]
Scheme = Literal["fuhrman", "who_isup", "who", "figo", "nuclear", "general"]

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_NUMBER = r"(?:[1-5]|iv|v|i{1,3})"
_SUM = re.compile(r"(?<![\d.+])([1-5])\s*\+\s*([1-5])(?!\s*\+)(?![\d.])(?:\s*=\s*(10|\d))?")
_SCORE_BEFORE = re.compile(r"(10|[2-9])\s*[,(:]?\s*$")
_GRADE_GROUP = re.compile(
    rf"\b(?:(?:isup|who)\s+)?grade\s*group\s*[:=]?\s*({_NUMBER})\b|(?<![/\w])isup\s*(?:grade)?\s*[:=]?\s*([1-5])\b|"
    rf"\bprognostic\b[^.;\n]{{0,25}}group\s*[:=]?\s*({_NUMBER})\b"
)
_PROSTATE = re.compile(r"gleason|prostat|acinar")
_NOTTINGHAM_NAME = re.compile(r"\b(?:nottingham|bloom[\s-]+(?:and\s+)?richardson|sbr|elston|scarff)\b")
_COMPONENT = r"[^.;\n\d]{0,45}?([1-3])(?!\d|\.\d)"
_TUBULES = re.compile(rf"\b(?:tub\w+|gland\w*\s+formation){_COMPONENT}")
_NUCLEI = re.compile(rf"\bnucle\w+{_COMPONENT}")
_MITOSES = re.compile(rf"\bmito\w+{_COMPONENT}")
_SCORES = re.compile(r"(?<![\d.+])([1-3])\s*\+\s*([1-3])\s*\+\s*([1-3])(?![\d.])")
_TOTAL = re.compile(
    r"\b(?:total|overall|combined|nottingham|richardson)\s+(?:\w+\s+)?score\s*(?:of|:|=)?\s*([3-9])\b(?!\s*\+)|"
    r"(?<![\d/])([3-9])\s*(?:/|out of|of)\s*9\b"
)
_GRADE_NUMBER = re.compile(r"\bgrade\s*[:=]?\s*([1-3]|i{1,3})\b")
_LEVELS = r"(?:well|moderate(?:ly)?|poor(?:ly)?)"
_DIFFERENTIATED = re.compile(
    rf"\b(?P<first>{_LEVELS}|slightly)(?:\s*(?:,|-|/|to|and|or|through)\s*(?:to[\s-]+)?(?P<second>{_LEVELS}))?"
    r"[\s-]+(?:(?:level|degree)\s+of\s+)?differentiat(?:ed|ion)\b"
)
_SCHEMES: tuple[tuple[Scheme, str], ...] = (
    ("fuhrman", r"\bfuhrman\b"),
    ("who_isup", r"\bisup\b"),
    ("who", r"\bwho\b"),
    ("figo", r"\bfigo\b"),
    ("nuclear", r"\bnuclear\b"),
)
_NUMBERED_GRADE = re.compile(
    rf"\b(?:grade|g)(?:[ ]of)?[ ]?[:=-]?[ ]?(?P<number>{_NUMBER})(?:\s*(?:-|to)\s*(?P<to>{_NUMBER})(?![\w.]))?"
    r"(?:\s*(?:/|\(?of|out\s+of)\s*\(?(?:[2-5]|i{1,3}|iv)\)?)?"
    r"(?![\w])(?!\s*(?:group|\(|\+))",
)
_NAMED_GRADE = re.compile(
    r"\b(?:(?P<level>low|intermediate|high)[\s-]+(?:nuclear[\s-]+)?grade\b|(?:nuclear\s+)?grade\s*[:=]\s*l?(?P<after>low|intermediate|high)\b)"
    r"(?!\s+(?:dysplasia|dysplastic|pin\b|prostatic\s+intra|squamous\s+intra|intraepithelial))"
)


@dataclass(frozen=True, slots=True)
class Gleason:
    """Two Gleason patterns and their place; `stated_score` is the sum as written, None where there is none."""

    primary: int
    secondary: int
    stated_score: int | None
    span: Span

    @property
    def score(self) -> int:
        """Primary plus secondary pattern."""
        return self.primary + self.secondary

    @property
    def grade_group(self) -> int:
        """The grade group of these patterns, 1 to 5 (Epstein et al. 2016; ISUP 2014)."""
        if self.score <= 6:
            return 1
        if self.score == 7:
            return 2 if self.primary == 3 else 3
        return 4 if self.score == 8 else 5

    @property
    def is_consistent(self) -> bool:
        """Whether the written sum, if any, is that of the patterns."""
        return self.stated_score in {None, self.score}


@dataclass(frozen=True, slots=True)
class GradeGroup:
    """A prostate grade group as written, 1 to 5."""

    value: int
    span: Span


@dataclass(frozen=True, slots=True)
class Nottingham:
    """A Nottingham grade (Elston and Ellis 1991): grade 1 to 3, scores 1 to 3, total 3 to 9; None: not given."""

    grade: int | None
    tubules: int | None
    nuclei: int | None
    mitoses: int | None
    total: int | None
    span: Span

    @property
    def implied_grade(self) -> int | None:
        """The grade that the scores, or else the total, stand for: 3 to 5 is 1, 6 and 7 is 2, 8 and 9 is 3."""
        scores = (self.tubules, self.nuclei, self.mitoses)
        total = sum(score for score in scores if score) if all(scores) else self.total
        return None if total is None else 1 if total <= 5 else 2 if total <= 7 else 3

    @property
    def is_consistent(self) -> bool:
        """Whether the written grade is the one that the scores stand for."""
        return None in {self.grade, self.implied_grade} or self.grade == self.implied_grade


@dataclass(frozen=True, slots=True)
class DifferentiationGrade:
    """How far a tumour is differentiated; a range ("moderately to poorly") gives one for each end."""

    value: Differentiation
    span: Span


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade of a scheme: "1" to "5", or "low", "intermediate", "high"."""

    scheme: Scheme
    value: str
    span: Span


def find_gleason(text: str) -> tuple[Gleason, ...]:
    """Gleason patterns ("Gleason score 7 (3+4)", "3 + 4 = 7"): a sum needs the name before it, or its result."""
    lower = text.lower()
    patterns = []
    for match in _SUM.finditer(lower):
        before = lower[max(0, match.start() - 80) : match.start()]
        if "gleason" not in before and match.group(3) is None:
            continue
        primary, secondary = int(match.group(1)), int(match.group(2))
        stated = match.group(3) or next(iter(_SCORE_BEFORE.findall(before)), None)
        patterns.append(Gleason(primary, secondary, int(stated) if stated else None, Span(*match.span())))
    return tuple(patterns)


def find_grade_groups(text: str) -> tuple[GradeGroup, ...]:
    """Grade groups of the prostate as written ("grade group 2"; "ISUP 2" where the text is of the prostate)."""
    lower = text.lower()
    is_prostate = _PROSTATE.search(lower) is not None
    return tuple(
        GradeGroup(_parse_number(next(group for group in match.groups() if group)), Span(*match.span()))
        for match in _GRADE_GROUP.finditer(lower)
        if is_prostate or match.group(2) is None
    )


def find_nottingham(text: str) -> Nottingham | None:
    """The Nottingham (Bloom-Richardson) grade of a text, named or given by its three scores; None without either."""
    lower = text.lower()
    name_match = _NOTTINGHAM_NAME.search(lower)
    scores, places = _find_scores(lower, name_match)
    if name_match is None and None in scores:
        return None
    places += [name_match.span()] if name_match else []
    start = min(place[0] for place in places)
    anchor = name_match.start() if name_match else max(0, start - 30)
    grade = _GRADE_NUMBER.search(lower, anchor, min(len(lower), anchor + 90))
    total = _TOTAL.search(lower, max(0, start - 60)) if name_match else None
    places += [match.span() for match in (grade, total) if match]
    return Nottingham(
        grade=_parse_number(grade.group(1)) if grade else None,
        tubules=scores[0],
        nuclei=scores[1],
        mitoses=scores[2],
        total=int(total.group(1) or total.group(2)) if total else None,
        span=Span(min(place[0] for place in places), max(place[1] for place in places)),
    )


def _find_scores(lower: str, name_match: re.Match[str] | None) -> tuple[list[int | None], list[tuple[int, int]]]:
    """The scores of tubules, nuclei and mitoses with their places: as a sum behind the name, else each by its word.

    Of several places the first behind the name counts, else the first of the text.
    """
    sum_match = _SCORES.search(lower, name_match.end(), min(len(lower), name_match.end() + 60)) if name_match else None
    if sum_match:
        return [int(score) for score in sum_match.groups()], [sum_match.span()]
    behind = name_match.end() if name_match else 0
    matches = [part.search(lower, behind) or part.search(lower) for part in (_TUBULES, _NUCLEI, _MITOSES)]
    return [int(match.group(1)) if match else None for match in matches], [match.span() for match in matches if match]


def find_differentiation(text: str) -> tuple[DifferentiationGrade, ...]:
    """How far a tumour is differentiated ("moderately to poorly differentiated", "poor differentiation")."""
    grades = []
    for match in _DIFFERENTIATED.finditer(text.lower()):
        for word in (match.group("first"), match.group("second")):
            value = _parse_level(word)
            if value:
                grades.append(DifferentiationGrade(value, Span(*match.span())))
    return tuple(grades)


def _parse_level(word: str | None) -> Differentiation | None:
    if not word or word == "slightly":
        return None
    return "well" if word == "well" else "moderate" if word.startswith("moderate") else "poor"


def find_grades(text: str) -> tuple[Grade, ...]:
    """Numbered and named grades ("Fuhrman grade 2", "WHO grade III", "G2", "nuclear grade: high", "high grade").

    Those of a Nottingham grade are left to `find_nottingham`.
    """
    lower = text.lower()
    nottingham = find_nottingham(text)
    spans = [group.span for group in find_grade_groups(text)] + ([nottingham.span] if nottingham else [])
    grades = []
    for match in sorted(
        (*_NUMBERED_GRADE.finditer(lower), *_NAMED_GRADE.finditer(lower)), key=lambda match: match.start()
    ):
        span = Span(*match.span())
        if any(span.overlaps(other) for other in spans) or _is_bare_letter(match, text):
            continue
        fields = match.groupdict()
        levels = (fields.get("level") or fields.get("after"),)
        numbers = (fields.get("number"), fields.get("to"))
        values = (*filter(None, levels), *(str(_parse_number(number)) for number in numbers if number))
        grades += [Grade(_find_scheme(lower, span), value, span) for value in values]
    return tuple(grades)


def _is_bare_letter(match: re.Match[str], text: str) -> bool:
    """A lower-case "g" that is the unit of weight, or one before a Roman number."""
    return not match.group().startswith(("grade", "low", "inter", "high", "nuclear")) and (
        text[match.start()] == "g" or not match.group()[-1].isdigit()
    )


def _find_scheme(lower: str, span: Span) -> Scheme:
    around = lower[max(0, span.start - 25) : span.end]
    behind = lower[span.end : span.end + 25]
    for scheme, name in _SCHEMES:
        if re.search(name, around) or (scheme == "who" and re.match(r"[^.;\n]*\bwho\s+(?:scale|grad)", behind)):
            return scheme
    return "general"


def _parse_number(text: str) -> int:
    return int(text) if text.isdigit() else _ROMAN[text]
