"""Grades: Gleason and grade group, Nottingham, differentiation, nuclear and other numbered grades."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.facts.numbers import parse_number
from histoseek.reports.facts.staging import find_grade_categories
from histoseek.reports.language.words import Span

Differentiation = Literal["well", "moderate", "poor"]
Scheme = Literal["fuhrman", "who_isup", "who", "figo", "fnclcc", "edmondson", "nuclear", "general"]

# A small L is what scanners make of a Roman one.
_NUMBER = r"(?:[1-5]|[il]?v|[il]{1,3})"
_SUM = re.compile(r"(?<![\d.+])([1-5])\s*\+\s*([1-5])(?!\s*\+)(?![\d.])(?:\s*=\s*(10|\d))?")
_PATTERNS = re.compile(
    r"\bprimary\s+(?:gleason\s+)?(?:grade|pattern)\s*[:=]?\s*([1-5])(?:\s?/\s?5)?\b[^\d]{1,60}?"
    r"\bsecondary\s+(?:gleason\s+)?(?:grade|pattern)\s*[:=]?\s*([1-5])\b|"
    r"\bgleason\b[^.;\n\d]{0,30}\bprimary\s*[:=]?\s*([1-5])\b[^\d]{1,20}?\bsecondary\s*[:=]?\s*([1-5])\b"
)
_SCORE_BEFORE = re.compile(r"(10|[2-9])\s*[,(:]?\s*$")
_GRADE_GROUP = re.compile(
    rf"\b(?:(?:isup|who)\s+)?grade\s*group\s*[:=]?\s*({_NUMBER})\b|(?<![/\w])isup\s*(?:grade)?\s*[:=]?\s*([1-5])\b|"
    rf"\bprognostic\b[^.;\n]{{0,25}}group\s*[:=]?\s*({_NUMBER})\b"
)
_SCORE_ALONE = re.compile(
    r"\bgleason(?:'?s)?\s*(?:(?:combined|total)\s+)?(?:score|sum|total)?\s*(?:of|is|:|=)?\s*(10|[2-9])(?:\s?/\s?10)?"
    r"(?![\w+/]|[.,]\d|\s*[+(]\s*\d)"
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
_LEVELS = r"(?:moderate(?:ly)?[\s-]+well|well|highly|mod\.?|moderate(?:ly)?|poor(?:ly)?)"
_DIFFERENTIATED = re.compile(
    rf"\b(?P<first>{_LEVELS}|slightly)(?:\s*(?:,|-|/|to|and|or|through)\s*(?:to[\s-]+)?(?P<second>{_LEVELS}))?"
    r"[\s-]+(?:(?:level|degree)\s+of\s+)?diff(?:erentiat(?:ed?|ion))?\b|"
    rf"\b(?:differentiation|grad(?:e|ing)(?:\s*\([^()\n]{{0,30}}\))?)\s*:\s*(?:\d\s*[:,-]\s*)?(?P<after>{_LEVELS})"
    rf"(?:\s*(?:-|/|to|and)\s*(?P<to>{_LEVELS}))?\b(?![\s-]+diff)"
)
_SCHEMES: tuple[tuple[Scheme, str], ...] = (
    ("fuhrman", r"\bfuh?rman"),
    ("who_isup", r"\bisup\b"),
    ("who", r"\bwho\b"),
    ("figo", r"\bfigo\b"),
    ("fnclcc", r"\bfnclcc\b"),
    ("edmondson", r"\bedmondson\b"),
    ("nuclear", r"\bnuclear\b"),
)
_OF = r"(?:\s*(?:/|\(?\bof|out\s+of)\s*\(?(?:[2-5]|[il]?v|[il]{1,3})\b\)?)?"
_RANGE = (
    rf"(?P<number>{_NUMBER})(?:1(?=[34](?!\d)))?(?:\s*(?:-|\u2013|to)\s*(?:grade\s+|g)?(?P<to>{_NUMBER})(?![\w.]))?"
    rf"(?:[34](?!\w))?{_OF}"
)
# "The nuclear grade of the tumour is:" with its number on the next line, before its meaning in brackets.
_GRADE_OF_TUMOUR = re.compile(
    rf"\bgrade\s+of\s+(?:the\s+|this\s+)?(?:tumou?r|carcinoma|neoplasm|lesion)\s*(?:is)?\s*[:.]?\s*"
    rf"g?(?P<number>{_NUMBER})(?=\s*[(:,-]|\s*\n|\s*\Z)"
)
# II and G as scanners read them, where the words behind tell what they are: "grade 11, moderately", "01: well".
_TORN_GRADE = re.compile(
    r"(?:\bgrade\s*[:.]?\s*(?P<number>11|111)|(?<![\w.-])[0oc]\s?(?P<digit>[1-4])\s?:)(?=[\s,:;(-]{0,4}(?:well|mod|poor|undiff))"
)
_GRADE_END = r"(?!\w)(?!\s*(?:group|\(\d\s*\+|\+))(?!-?(?:defined|circumscribed))"
# Of four levels "II/III" is between two of them; elsewhere it is the second of three.
_BOTH_LEVELS = re.compile(r"(?<!\w)ii\s?/\s?iii(?!\w)")
_GLIOMA = re.compile(r"gliom|astrocyt|oligodendro|ependym")
# A number on the next line may be the next item of a list.
_NUMBERED_GRADE = re.compile(
    r"\bgrad(?:e|ing)(?:\s*\([^()\n]{0,40}\))?(?:\s+(?:is|of))?"
    r"(?:\s*[:=]\s*|[ \t]*[.,]{0,2}[ \t]*|\s*\n\s*(?=[il]{1,3}v?\b|iv\b|[1-4]\s?(?:/|-|of\b)))"
    rf"(?:g\s?|grade\s+)?{_RANGE}{_GRADE_END}"
)
_SCHEME_NUMBER = re.compile(
    rf"\b(?:who|fnclcc|fuhrman|edmondson(?:[\s-]*(?:and|&)?[\s-]*steiner)?)(?:\s+(?:cns|nuclear))?\s*[:=(-]?\s*{_RANGE}{_GRADE_END}"
)
_WORST_GRADE = re.compile(rf"\bthe\s+(?:worst|major)(?:\s+differentiation)?\s*[:;]?\s*(?P<number>{_NUMBER})(?!\w)")
_OF_DIFFERENTIATION = re.compile(r"edmondson|differentiation")
_RATIO_GRADE = re.compile(
    r"(?:carcinoma|tumou?r|differentiated|sarcoma)[\s,;(-]{1,4}(?P<number>[il]{1,3}|iv)\s?/\s?(?:iii|iv)(?!\w)"
)
_G_NUMBER = re.compile(
    r"(?<![\w-])G\s?(?P<number>[1-4]|I[1-3Vl]|[IlL]{1,3})(?:\s?[-/\u2013\u00b7]\s?G?(?P<to>[1-4]|I{1,3}V?))?(?![\w-])"
)
_GRADED = re.compile(
    r"\b(?:grad(?:e|ing)|differentiat(?:ed|ion)|\w*carcinoma|\w*sarcoma|glioma|\w*cytoma|invasivum|tumou?r\s+type)\b[^.\n]{0,30}\n?\s*\Z",
    re.I,
)
# A tumour right before, and the end of the line behind: "carcinoma, G2."
_TUMOUR_BEFORE = re.compile(r"\b(?:\w*carcinoma|\w*sarcoma|glioma|\w*cytoma)\s*[,(-]?\s*\Z", re.I)
_ENDS = re.compile(r"\s?[.,;)]\s*(?:\n|\Z)")
_GRADE_WORD = re.compile(
    r"\s*[:;,.(=-]*\s*(?:very\s+)?(?:well|moderate|mod|poor|undiff|nuclei|high|low|intermediate|differentiat)", re.I
)
_BLOCK_BEFORE = re.compile(
    r"\b(?:cassettes?|blocks?|slides?|section\s+code|submitted|labell?ed|designated|fs|frozen|level|key|code|summary)\b[^.\n]{0,30}\Z",
    re.I,
)
_BLOCK_BEHIND = re.compile(
    r"\s*[-\u2013:~.]\s*\w|\s*(?:,|-|to|and|through|&)\s*[A-Z]\d|\s+(?:fs|one|two|three|right|left|lymph)\b", re.I
)
# What stands in brackets before pieces of tissue is the label of a block.
_CLOSES = re.compile(
    r"[),;](?!\s*(?:one|two|three|four|five|six|seven|eight|nine|ten|several|multiple|candidate|possible|representative|"
    r"lymph|right|left|portions?|sections?|remain\w*|\d)\b)",
    re.IGNORECASE,
)
_NO_TUMOUR_GRADE = re.compile(
    r"\b(?:gleason|pattern|tertiary|portal|\w*portal|mild|minimal|iron|siderosis|activity|\w*inflammat\w*|steat\w+|fibrosis|hepatitis|stain\w*|intensity|regression|response|"
    r"reflux|rejection|dysplasia|pin|pan-?\s?[i1l]n|score|ishak|batts|intraepithelial|effect)\b[^.;]{0,30}\Z"
)
_NO_TUMOUR_BEHIND = re.compile(
    r"[\s,)]{0,3}(?:of\s+)?(?:(?:siderosis|dysplasia|fibrosis|inflammation|steatosis|prostatic\s+intra|pin)\b)"
)
_NAMED_GRADE = re.compile(
    r"\b(?:(?P<level>low|intermediate|high)[\s\u00b7-]+(?:nuclear[\s-]+)?grade\b|"
    r"(?:nuclear\s+)?grade\s*[:=]\s*l?(?P<after>low|intermediate|high)\b)"
    r"(?!\s*\?)(?!,?\s+(?:(?:squamous|glandular|epithelial|urothelial|pancreatic)\s+)?(?:dysplasia|dysplastic|pin\b|pan-?\s?[i1l]n\b|"
    r"prostatic\s+intra|intraepithelial|adenoma|nuclear\s+pleo))"
)
_DENIED = re.compile(
    r"\b(?:no|without|not|negative\s+for|absence\s+of|rule\s+out|versus|vs\.?)(?:\s+(?:\w+\s+){0,2})?\Z|"
    r"\b(?:inadequate|insufficient|not\s+(?:enough|sufficient|warrant|justify|meet|fulfil+)|inconsistent)\b[^.;:]{0,60}\Z"
)
_DESCRIBED = re.compile(
    r"(?m)^\W{0,6}[xX_]{0,3}\W{0,3}(G\s?(?:[1-4X]|[Il]{1,3}V?))\s?[:;=.)-]?\s*(?:well|moderate|poor|undiff|cannot|low|high|not)",
    re.I,
)
_NUMBERED_OPTIONS = re.compile(
    r"\b1\s*[.)]\s*well[\s-]*diff\w*[^\d]{0,80}\b2\s*[.)]\s*mod\w*[\s-]*diff\w*[^\d]{0,80}\b3\s*[.)]\s*poor\w*[^\d]{0,60}",
    re.IGNORECASE,
)
_MARKED = re.compile(r"(?:\[\s?[xX\u2713]\s?\]|\([xX]\)|_+[xX]_*|[\u2611\u2612\u25a0]|^[xX])\s*\Z")
_FEWEST_OPTIONS = 3
_FARTHEST_OPTION = 250


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
class GleasonScore:
    """A Gleason score without its patterns, 2 to 10."""

    value: int
    span: Span


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
    """Gleason patterns ("Gleason score 7 (3+4)", "3 + 4 = 7"): a sum needs the name before it, or its result;
    or primary and secondary pattern as two fields.
    """
    lower = text.lower()
    patterns = []
    for match in _SUM.finditer(lower):
        before = lower[max(0, match.start() - 80) : match.start()]
        if "gleason" not in before and match.group(3) is None:
            continue
        primary, secondary = int(match.group(1)), int(match.group(2))
        stated = match.group(3) or next(iter(_SCORE_BEFORE.findall(before)), None)
        patterns.append(Gleason(primary, secondary, int(stated) if stated else None, Span(*match.span())))
    for match in _PATTERNS.finditer(lower):
        primary, secondary = (int(group) for group in match.groups() if group)
        patterns.append(Gleason(primary, secondary, None, Span(*match.span())))
    return tuple(sorted(patterns, key=lambda pattern: pattern.span.start))


def find_gleason_scores(text: str) -> tuple[GleasonScore, ...]:
    """Gleason scores whose patterns are not given ("Gleason 7", "Gleason score: 6"); a single pattern is none."""
    return tuple(GleasonScore(int(match[1]), Span(*match.span())) for match in _SCORE_ALONE.finditer(text.lower()))


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
    """How far a tumour is differentiated ("moderately to poorly differentiated", "Differentiation: moderate")."""
    lower = text.lower()
    options = _find_options(text)
    grades = []
    for match in _DIFFERENTIATED.finditer(lower):
        span = Span(*match.span())
        if _is_denied(lower, span) or any(option.overlaps(span) for option in options):
            continue
        values = (_parse_level(match[name]) for name in ("first", "second", "after", "to"))
        grades += [DifferentiationGrade(value, span) for value in values if value]
    return tuple(grades)


def _parse_level(word: str | None) -> Differentiation | None:
    if not word or word == "slightly":
        return None
    return "well" if word in {"well", "highly"} else "moderate" if word.startswith("mod") else "poor"


def find_grades(text: str) -> tuple[Grade, ...]:
    """Numbered and named grades of tumours ("Fuhrman grade 2", "WHO III", "G2", "II/III", "nuclear grade: high").

    Those of a Nottingham grade are left to `find_nottingham`, those of iron, inflammation and the like to nobody. A G
    with a number counts beside a stage or the word for a grade or a tumour, not as the label of a block ("G1-G4").
    """
    lower = text.lower()
    nottingham = find_nottingham(text)
    spans = [group.span for group in find_grade_groups(text)] + ([nottingham.span] if nottingham else [])
    spans += _find_options(text)
    grades: list[Grade] = []
    for match in sorted(_find_grade_matches(text, lower), key=lambda match: match.start()):
        span, fields = Span(*match.span()), match.groupdict()
        own = Span(match.start("number"), match.end()) if fields.get("number") else span
        if any(own.overlaps(other) for other in spans) or _is_no_tumour(lower, span):
            continue
        spans.append(own)
        level = fields.get("level") or fields.get("after")
        numbers = [fields[name] for name in ("number", "digit", "to") if fields.get(name)]
        values = [level] if level else [str(_parse_number(number)) for number in numbers]
        if _BOTH_LEVELS.search(match.group()) and _GLIOMA.search(lower):
            values = ["2", "3"]
        grades += [Grade(_find_scheme(lower, span), value, span) for value in values]
    return tuple(grades)


def _find_grade_matches(text: str, lower: str) -> Iterator[re.Match[str]]:
    for pattern in (_NUMBERED_GRADE, _SCHEME_NUMBER, _RATIO_GRADE, _NAMED_GRADE):
        yield from pattern.finditer(lower)
    for pattern in (_GRADE_OF_TUMOUR, _TORN_GRADE):
        yield from pattern.finditer(lower)
    for match in _WORST_GRADE.finditer(lower):
        if _OF_DIFFERENTIATION.search(lower, max(0, match.start() - 80), match.end()):
            yield match
    staged = {span.start for span in find_grade_categories(text)}
    for match in _G_NUMBER.finditer(text):
        if match.start() in staged or _is_graded(text, match):
            yield match


def _is_graded(text: str, match: re.Match[str]) -> bool:
    """Whether a G with a number is a grade by the words beside it, not a block's label."""
    before = text[max(0, match.start() - 60) : match.start()]
    if _GRADE_WORD.match(text, match.end()) or (_TUMOUR_BEFORE.search(before) and _ENDS.match(text, match.end())):
        return True
    if _BLOCK_BEFORE.search(before) or _BLOCK_BEHIND.match(text, match.end()):
        return False
    in_brackets = before.endswith("(") and _CLOSES.match(text, match.end()) is not None
    return in_brackets or _GRADED.search(before) is not None


def _is_no_tumour(lower: str, span: Span) -> bool:
    """A grade of something else ("iron, grade 2"), or one that is denied ("no high grade component")."""
    before = lower[max(0, span.start - 45) : span.start]
    if _NO_TUMOUR_GRADE.search(before) or _NO_TUMOUR_BEHIND.match(lower, span.end):
        return True
    return _is_denied(lower, span)


def _is_denied(lower: str, span: Span) -> bool:
    return _DENIED.search(lower[max(0, span.start - 30) : span.start]) is not None


def _find_options(text: str) -> list[Span]:
    """Where a form lists all grades with their meaning, without those that it marks."""
    lines = list(_DESCRIBED.finditer(text))
    options = [Span(*match.span()) for match in _NUMBERED_OPTIONS.finditer(text)]
    for match in lines:
        near = {other[1].lower() for other in lines if abs(other.start() - match.start()) < _FARTHEST_OPTION}
        if len(near) >= _FEWEST_OPTIONS and not _MARKED.search(text, match.start(), match.start(1)):
            end = text.find("\n", match.start(1))
            options.append(Span(match.start(1), end if end >= 0 else len(text)))
    return options


def _find_scheme(lower: str, span: Span) -> Scheme:
    around = lower[max(0, span.start - 35) : span.end]
    behind = lower[span.end : span.end + 25]
    for scheme, name in _SCHEMES:
        if re.search(name, around) or (
            scheme == "who" and re.match(r"\s*\(?who\b|[^.;\n]*\bwho\s+(?:scale|grad)", behind)
        ):
            return scheme
    return "general"


def _parse_number(text: str) -> int:
    """A figure, or a Roman numeral whose bars a scan may have read as l or 1."""
    return parse_number(text if text.isdigit() and len(text) == 1 else re.sub("[l1]", "i", text.lower()))
