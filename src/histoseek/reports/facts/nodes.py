"""Lymph nodes: how many have tumour, of how many examined, in figures, in words and in a form's fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from histoseek.reports.facts.numbers import NUMBER, parse_number
from histoseek.reports.facts.staging import find_tnm
from histoseek.reports.language.headings import SectionName
from histoseek.reports.language.sections import SECTION_PRECEDENCE, Section, Sections
from histoseek.reports.language.words import Span

_AGAIN = r"(?:\s*\(\s*\d{1,3}\s*\))?"
_ADJECTIVES = r"(?:[A-Za-z][\w/'-]*,?\s+){0,6}?"
_NODES = r"(?:lymph\s*)?nodes?\b"
# A comma that a scanner read as a 1.
_NODES_READ = r"(?:lymph\s*)?nodes?(?:\s?1(?=\s))?(?![\w])"
_NODE = re.compile(r"\b(?:[lI]ymph\s*nodes?|nodes?|nodal|lymphonod\w+|lymphadenectom\w+)\b", re.IGNORECASE)
_RATIO = re.compile(
    rf"(?<![\w/+.])(?<!\w-)(?P<positive>{NUMBER}|none|neither){_AGAIN}(?:\s+(?:positive|involved|metastatic)(?=\s+(?:out\s+)?of\b))?\s*(?:/|(?:out\s+)?of)\s*(?:the\s+|a\s+total\s+of\s+)?"
    rf"(?P<examined>{NUMBER}){_AGAIN}(?![\d/%]|\.\d|\s?(?:cm|mm|em)\b)",
    re.IGNORECASE,
)
_POSITIVE_TO_TOTAL = re.compile(
    r"nodes?\s*\(positive\s*[:/]\s*total\)\s*[:=]?\s*(?P<positive>\d{1,3})\s*[:/]\s*(?P<examined>\d{1,3})",
    re.IGNORECASE,
)
# A slash that a scanner read as a 1 or a mark: "(0110)", "(0!7)".
_TORN_RATIO = re.compile(r"\(\s?(?P<positive>[0oO])\s?[1lI|!]\s?(?P<examined>[1-9]\d?)\s?[).]")
_NO_COUNT = re.compile(
    r"\b(?:received\s+on|dated?|page|grade|part|block|slide|score|level|fuhrman|case|stage|cores?|type)\s*:?\s*\Z|"
    r"[1-5]\s?\+\s?[1-5]\s*[,;]?\s*(?:(?:sum|score|total)\s*)?[(=\[]?\s*\Z",
    re.IGNORECASE,
)
# Of a ratio of nodes that have no tumour the others have.
_ARE_CLEAR = re.compile(
    r"\s*(?:[a-z]+\s+){0,2}(?:lymph\s*)?nodes?\s+(?:(?:is|are|was|were)\s+)?(?:free\b|negative|uninvolved|not\s+involved|benign)",
    re.IGNORECASE,
)
_COUNTED_CLEAR = re.compile(
    r"\b(?:lymph\s*)?nodes?\s*\((?P<examined>\d{1,3})\)\s*[,:;-]?\s*(?:(?:all|are|is|were)\s+)*", re.IGNORECASE
)
_ALL_INVOLVED = re.compile(
    rf"\ball\s+(?:of\s+the\s+)?(?P<examined>{NUMBER}){_AGAIN}\s+{_ADJECTIVES}{_NODES}\s+(?:(?:is|are|were)\s+)?"
    r"(?:positive|involved|contain\w*|show\w*|with|have|replaced)\s+(?!no\b)(?:\w+\s+){0,3}?(?:tumou?r|\w*carcinoma|metasta\w+|malignan\w+|melanoma)",
    re.IGNORECASE,
)
_LABELLED_CLEAR = re.compile(
    rf"\b(?:lymph\s*)?nodes?\s*[:=]\s*(?P<examined>{NUMBER})\s+(?:are\s+|all\s+)?(?:negative|benign|free|uninvolved)\b",
    re.IGNORECASE,
)
_SOME_INVOLVED = re.compile(
    rf"(?P<examined>{NUMBER}){_AGAIN}\s+{_ADJECTIVES}{_NODES}(?:\s+(?:(?:are|were)\s+)?(?:identified|examined|found|present|received|recovered|sampled))?"
    rf"\s*[,;(]\s*(?:and\s+)?(?:of\s+(?:which|these|them)\s*,?\s*)?(?P<positive>{NUMBER}|none)\s+(?:of\s+(?:which|these|them)\s+)?"
    r"(?:(?:is|are|was|were)\s+)?(?:(?:positive|involved)\b|(?:contain|show|harbou?r|with|had|has|have)\w*\s+(?:\w+\s+){0,2}?"
    r"(?:tumou?r|\w*carcinoma|metasta\w+|malignan\w+|melanoma|deposits?)\b)",
    re.IGNORECASE,
)
_NODES_OUT_OF = re.compile(
    rf"(?P<positive>{NUMBER}){_AGAIN}\s+(?:positive\s+|involved\s+|metastatic\s+)?{_NODES}\s+out\s+of\s+(?:a\s+total\s+of\s+)?(?P<examined>{NUMBER})(?![\w/])",
    re.IGNORECASE,
)
_EXAMINED_INVOLVED = re.compile(
    rf"(?P<examined>{NUMBER})\s+(?:examined|identified|sampled|found|removed)\s*[,;]?\s*(?:and\s+|of\s+which\s+)?"
    rf"(?P<positive>{NUMBER}|none|nil)\s+(?:(?:is|are|were)\s+)?(?:involved|positive|metastatic)",
    re.IGNORECASE,
)
_CLAUSE_START = re.compile(r"[.;](?=\s)|\n\s*(?:[-*\u2022]|\(?[A-Z\d]{1,2}[.):])|\n\s*\n")
_SECTIONED = re.compile(r"\b(?:cassettes?|blocks?|bisected|trisected|submitted|pieces?|fragments?)\b", re.IGNORECASE)
_WITHOUT_TUMOUR = (
    r"(?:negative|free\s+of|tumou?r\s*-?\s*free|uninvolved|not\s+involved|benign|reactive|"
    r"(?:no|without|show\w*\s+no|with\s+no)\s+(?:evidence|tumou?r|carcinoma|malignan\w+|metasta\w+|neoplas\w+|"
    r"significant|diagnostic|pathologic\w*|viable|definite)|do(?:es)?\s+not\s+(?:show|contain))"
)
_NEGATIVE_NODES = re.compile(
    rf"(?<![\w/+.])(?<!\w-)(?P<examined>{NUMBER}){_AGAIN}\)?\s+(?P<adjectives>{_ADJECTIVES}){_NODES_READ}"
    rf"(?P<behind>(?:[^.;:()\d]|\([^()]{{0,60}}\)){{0,70}})",
    re.IGNORECASE,
)
_CLEAR = re.compile(rf"(?<!not )(?<!non-)\b{_WITHOUT_TUMOUR}", re.IGNORECASE)
_CANDIDATE = re.compile(
    r"\bcandidates?|\b(?:one|two|some|\d+)\s+(?:is|are)\s+positive|positive\s+for|except", re.IGNORECASE
)
_NOTHING_IN = re.compile(
    r"\b(?:(?:no|without|negative\s+for|free\s+of|absence\s+of)\s+(?:[a-z]+\s+){0,3}?"
    r"(?:tumou?r|carcinoma|adenocarcinoma|malignancy|metastas[ie]s|disease|neoplas\w+)\b[^.;:()\d]{0,40}?|"
    r"(?:tumou?r|\w*carcinoma|malignancy|metastas[ie]s|disease)\s+(?:is|are|was|were)\s+not\s+(?:\w+\s+)?)"
    rf"\b(?:in|within|of|among|involving)[\s'`\u2019]+(?:any\s+of\s+)?(?:the\s+)?(?={NUMBER}\b)",
    re.IGNORECASE,
)
_LISTED_NODES = re.compile(
    rf"(?:[^.;:()\d]{{0,140}}?\b(?:and|or|,)\s+)?(?P<examined>{NUMBER}){_AGAIN}(?!\s+(?:out\s+)?of\b)\s+{_ADJECTIVES}{_NODES}",
    re.I,
)
_HEAD = r"(?:(?:\btotal\s+)?(?:\bn\w{1,2}mbers?(?:\s+of)?|\bno\.?\s+of|#(?:\s*of)?)|\btotal)\s*"
_EXAMINED = re.compile(
    rf"(?:{_HEAD}{_ADJECTIVES}(?:{_NODES}\s+)?(?:were\s+)?(?:exa[mn]\w{{3,5}}|identified|present|received|retrieved|sampled|evaluated|recovered|indentified)|"
    rf"\b{_NODES}\s+(?:examined|retrieved)|\btotal\s+(?:regional\s+)?{_NODES}(?=\s*:)|"
    rf"\bnumber\s+of\s+(?:regional\s+)?{_NODES}(?=\s*:))"
    rf"(?:\s*\([^()\n]{{0,30}}\))?\s*(?:\b(?:is|are)\b)?\s*[:;=-]{{0,2}}[\s_]*(?P<value>{NUMBER})(?![A-Za-z\d/]|\.\d|\s?[cme]m\b)",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    rf"(?:{_HEAD}{_ADJECTIVES}(?:(?:positive|involved|metastatic|metastatically[\s-]+involved)\s+(?:regional\s+)?{_NODES}|(?:{_NODES}\s+)?"
    rf"(?:involved|positive|metasta\w+|with\s+(?:tumou?r|metasta\w+(?:\s+\w+)?|carcinoma)|containing\s+\w+(?:\s+\w+)?)"
    rf"(?:\s+by\s+[a-z ]{{3,25}})?)|"
    rf"\b{_NODES}\s+(?:positive|involved|(?:with|containing)\s+(?:metasta\w+|tumou?r|\w*carcinoma)(?:\s+\w+)?(?=\s*:)))(?:\s*\([^()\n]{{0,30}}\)|,\s*(?:right|left))?"
    rf"\s*(?:\b(?:is|are)\b)?\s*[:;=-]{{0,2}}[\s_]*(?P<value>{NUMBER}|none|nil)(?![A-Za-z\d/]|\.\d|\s?[cme]m\b)",
    re.IGNORECASE,
)
_FIELD_BEFORE = re.compile(
    rf"\bnodes?\b[^\n]{{0,40}}[\n:][\s\u2022-]*(?:{_WITHOUT_TUMOUR})[^\n;]{{0,40}}[\n;][^\n]{{0,20}}\Z", re.IGNORECASE
)
_NO_CATEGORY = re.compile(r"\b[yr]{0,2}pN\s?[0oO]\b")
_PART_OF = re.compile(r"(?<!total )\b(?:of|in|level)\s+\Z")
_ALL_NODES = re.compile(
    rf"\b(?:metasta\w+|carcinoma|tumou?r|involv\w+)\b[^.;:()]{{0,50}}?\b"
    rf"(?:all\s+(?:of\s+)?(?:the\s+)?(?P<examined>{NUMBER})|both)\s+{_ADJECTIVES}{_NODES}",
    re.IGNORECASE,
)
# "One node with carcinoma" is all of them; of several it would not be said how many were looked at.
_LONE_NODE = re.compile(
    rf"(?<![\w/.-])(?:a\s+single|single|one|1)\s+{_ADJECTIVES}(?:lymph\s*)?node\b(?!s)[\s,:-]*"
    r"(?:(?:(?:is|was|that\s+is|extensively|completely|totally|partially|focally)\s+){0,2}"
    r"(?:involved\s+(?:by|with)|positive\s+for|(?:replaced|effaced)\s+by|with|shows?|contain(?:s|ing))\s+"
    r"(?:\w+\s+){0,3}?(?:metastatic|metastas[ie]s|\w*carcinoma|tumou?r|melanoma|malignancy)|metastatic\s+\w+)\b"
    r"(?!\s+(?:\(|(?:out\s+)?of\b))",
    re.IGNORECASE,
)
_NOT_LONE = re.compile(
    r"\b(?:gross(?:ly)?|candidates?|possible|probable|suspicious|appears?|consistent|submitted|cassettes?|nodes)\b"
    r"|\bof\s+(?:the\s+)?(?:\d|them|these|those|which|two|three|four|five|six|seven|eight|nine|ten)",
    re.IGNORECASE,
)
_NOT_COUNTED = re.compile(r"\b(?:gross(?:ly)?|candidates?|possible|probable|suspicious)\b", re.IGNORECASE)
# "Six nodes up to 0.8 cm; two of them with metastasis".
_SOME_OF_THEM = re.compile(
    rf"(?<![\w/.-])(?P<examined>{NUMBER}){_AGAIN}\s+{_ADJECTIVES}{_NODES}[^:]{{0,110}}?"
    rf"\b(?P<positive>{NUMBER}|none|the\s+(?:biggest|largest|smallest))(?:\s+one)?\s+of\s+(?:them|these|those|which)\s+"
    r"(?:(?:is|are|was|were|being|has|have|shows?|showing|contain\w*|with|by)\s+){1,2}[^.:;()\d]{0,40}?"
    r"\b(?:metasta\w+|carcinoma|adenocarcinoma|tumou?r|positive|involved|malignan\w+)",
    re.IGNORECASE,
)
# The parts of a dissection are listed in brackets behind its count ("0/4 submental; 0/2 subdigastric").
_LISTED_RATIO = re.compile(r"[^.;\d]{0,40}(?:\([^()]{1,20}\))?[^.;\d]{0,20}[;,]\s*(?:and\s+)?\Z")
_SAYS_NONE = re.compile(
    rf"\b{_WITHOUT_TUMOUR}[^.:;()]{{0,60}}[(\[]\s*\Z",
    re.IGNORECASE,
)
# The nodes of other parts that are among those counted ("including a hepatic node (see part A)").
_WITH_OTHERS = re.compile(r"[^.;]{0,110}?\binclud\w+[^.;]{0,90}?\b(?:see\s+)?(?:parts?|specimens?|separately)\b", re.I)
_REGIONS = re.compile(
    r"\b(?:right|left|iliac|obturator|pelvic|para-?\s?aortic|peri-?aortic|aortic|caval|para-?\s?caval|hypogastric|common|"
    r"external|internal|sacral|presacral|inguinal|hilar|cervical|submental|submandibular|jugular|supraclavicular|"
    r"axillary|level\s+\w{1,4}|hepatic|portal|celiac|mesenteric|gastric|splenic|mediastinal|tracheal)\b"
)
_NO_TUMOUR = re.compile(r"\b(?:no|not|without|negative|free|nor)\b", re.IGNORECASE)
_NEAR_CATEGORY = 120
_NEAR_COUNT = 60
_NEAR_HEADING = 110
_REGIONAL = re.compile(r"\bregional\s+(?:lymph\s+)?nodes?\s*(?:\(p?N\)\s*)?[:;]", re.IGNORECASE)
_TOTAL = re.compile(r"\b(?:total|regional|all)\b", re.IGNORECASE)
_SIDE = re.compile(r"\b(?:right|left)\b", re.IGNORECASE)
# Two specimens seldom have the same count, unless it is a small one.
_FEWEST_REPEATED = 4
# Counts of so many are not equal, and no sum of others, by chance.
_NO_CHANCE = 15
_FARTHEST_REGION = 300
_FEWEST_PARTS = 2
_FEWEST_SUMMED = 5
# Nodes that have grown together are not counted, and neither is the case.
_UNCOUNTED = re.compile(r"\bmatted\s+(?:\w+\s+){0,2}(?:lymph\s+)?nodes?\s+(?:with|showing|containing|involved)\b", re.I)
_FARTHEST_FIELD = 220
_FARTHEST_RATIO = 160


@dataclass(frozen=True, slots=True)
class NodeCount:
    """Lymph nodes with tumour, of those examined; `is_total` where it is stated as that of all specimens."""

    positive: int
    examined: int
    span: Span
    is_total: bool = False

    @property
    def label(self) -> str:
        """Positive of examined: "2/14"."""
        return f"{self.positive}/{self.examined}"


def find_node_counts(text: str) -> tuple[NodeCount, ...]:
    """Counts of lymph nodes, one for each statement, in order.

    As a ratio ("2/14 lymph nodes", "two of fourteen nodes", "pN2a (5/15)"), as a number without tumour ("nineteen lymph
    nodes, negative", "no tumour in three nodes") or as two fields ("Number examined: 13", "Number involved: 0").
    """
    ratios = list(_find_ratios(text))
    others = [*_find_clear_nodes(text), *_find_involved_nodes(text), *_find_fields(text)]
    counts = [*ratios, *(count for count in others if not any(_repeats(count, ratio) for ratio in ratios))]
    counts += [count for count in _find_torn_ratios(text) if not any(_repeats(other, count) for other in counts)]
    counts += [count for count in _find_few_involved(text) if not any(_is_near(count, other) for other in counts)]
    return tuple(_drop_repeats(text, sorted(counts, key=lambda count: count.span.start)))


def _repeats(count: NodeCount, ratio: NodeCount) -> bool:
    """Whether a ratio in brackets says in figures what words before it said ("seven lymph nodes, no tumour (0/7)")."""
    is_near = -30 <= ratio.span.start - count.span.start <= _FARTHEST_RATIO
    return is_near and not count.is_total and (count.examined == ratio.examined or count.span.overlaps(ratio.span))


def _is_near(count: NodeCount, other: NodeCount) -> bool:
    """Whether a count stands in the sentence of another, which says it better."""
    return -_FARTHEST_RATIO <= other.span.start - count.span.end <= _FARTHEST_RATIO and (
        count.span.overlaps(other.span) or abs(other.span.start - count.span.end) < _NEAR_COUNT
    )


def _drop_repeats(text: str, counts: Sequence[NodeCount]) -> Iterator[NodeCount]:
    """Without a count that the next one gives again in brackets ("one of forty lymph nodes ... (1/40)")."""
    for index, count in enumerate(counts):
        following = counts[index + 1] if index + 1 < len(counts) else None
        is_repeated = (
            following is not None
            and count.label == following.label
            and following.span.start - count.span.end <= _FARTHEST_RATIO
            and _is_bracketed(text, following)
            and not _is_bracketed(text, count)
        )
        if not is_repeated:
            yield count


def _is_bracketed(text: str, count: NodeCount) -> bool:
    """Whether a count stands at the end of brackets."""
    return text[count.span.end :][:2].lstrip()[:1] in {")", "]"}


def _find_ratios(text: str) -> Iterator[NodeCount]:
    after_n = {category.span.end for category in find_tnm(text) if category.axis == "N"}
    for match in _POSITIVE_TO_TOTAL.finditer(text):
        yield NodeCount(int(match["positive"]), int(match["examined"]), Span(*match.span()), True)
    last = 0
    for match in _RATIO.finditer(text):
        positive, examined = parse_number(match["positive"]), parse_number(match["examined"])
        if positive > examined or examined == 0 or _NO_COUNT.search(text, max(0, match.start() - 20), match.start()):
            continue
        is_total = _opens_after(text, match, after_n) or _WITH_OTHERS.match(text, match.end()) is not None
        is_listed = bool(last) and _LISTED_RATIO.match(text[last : match.start()]) is not None
        if is_total or is_listed or _is_beside_nodes(text, match):
            # "No evidence of malignancy (4/4)": four of four have none.
            says_none = _SAYS_NONE.search(text, max(0, match.start() - 110), match.start())
            if positive and (_ARE_CLEAR.match(text, match.end()) or (says_none and positive == examined)):
                positive = examined - positive
            yield NodeCount(positive, examined, Span(*match.span()), is_total)
            last = match.end()


def _find_torn_ratios(text: str) -> Iterator[NodeCount]:
    for match in _TORN_RATIO.finditer(text):
        if _is_beside_nodes(text, match):
            yield NodeCount(0, int(match["examined"]), Span(*match.span()))


def _find_few_involved(text: str) -> Iterator[NodeCount]:
    """Nodes with tumour that no ratio counts: a single one, or some of those named before."""
    for match in _SOME_OF_THEM.finditer(text):
        positive, examined = match["positive"].lower(), parse_number(match["examined"])
        number = 1 if positive.startswith("the") else parse_number(positive)
        if number <= examined and not _NOT_COUNTED.search(match.group()):
            yield NodeCount(number, examined, Span(*match.span()))
    for match in _LONE_NODE.finditer(text):
        around = text[max(0, match.start() - 60) : match.end() + 30]
        clause = _CLAUSE_START.split(around[: match.start() - max(0, match.start() - 60)])[-1] + match.group()
        if not _NOT_LONE.search(clause) and not _NO_TUMOUR.search(clause):
            yield NodeCount(1, 1, Span(*match.span()))


def _is_beside_nodes(text: str, match: re.Match[str]) -> bool:
    """A node in the same clause, or, for a ratio in brackets, a little farther before."""
    behind = re.split(r"[.;]\s|\n(?!\s*[a-z])", text[match.end() : match.end() + 60])[0]
    window = text[max(0, match.start() - _FARTHEST_RATIO) : match.start()]
    clause = _CLAUSE_START.split(window)[-1]
    if _NODE.search(clause[-90:]) or _NODE.search(behind):
        return True
    in_brackets = window.rstrip()[-1:] in {"(", "["} and text[match.end() :][:2].lstrip()[:1] in {")", "]"}
    return in_brackets and bool(_NODE.search(window)) and not _SECTIONED.search(clause)


def _opens_after(text: str, match: re.Match[str], places: set[int]) -> bool:
    return any(
        text[place : match.start()].strip(" \n:,") in {"(", ""}
        for place in places
        if place <= match.start() <= place + 6
    )


def _find_clear_nodes(text: str) -> Iterator[NodeCount]:
    """Numbers of nodes of which none has tumour, or all have."""
    for match in _NEGATIVE_NODES.finditer(text):
        clear = _CLEAR.search(match["adjectives"]) or _CLEAR.search(match["behind"])
        before = text[max(0, match.start() - 12) : match.start()].lower()
        if clear and not _CANDIDATE.search(match["behind"]) and not _PART_OF.search(before):
            yield NodeCount(0, parse_number(match["examined"]), Span(match.start(), match.start("behind")))
    for match in _ALL_NODES.finditer(text):
        examined = parse_number(match["examined"] or "both")
        if not _NO_TUMOUR.search(text, max(0, match.start() - 40), match.end()):
            yield NodeCount(examined, examined, Span(*match.span()))
    for match in _LABELLED_CLEAR.finditer(text):
        yield NodeCount(0, parse_number(match["examined"]), Span(*match.span()))
    for match in _COUNTED_CLEAR.finditer(text):
        if re.compile(_WITHOUT_TUMOUR, re.IGNORECASE).match(text, match.end()):
            yield NodeCount(0, int(match["examined"]), Span(*match.span()))
    for match in _NOTHING_IN.finditer(text):
        nodes = _LISTED_NODES.match(text, match.end())
        while nodes:
            yield NodeCount(0, parse_number(nodes["examined"]), Span(nodes.start("examined"), nodes.end()))
            nodes = _LISTED_NODES.match(text, nodes.end())


def _find_involved_nodes(text: str) -> Iterator[NodeCount]:
    """Nodes that all have tumour, and those examined with those involved ("nodes: 3 examined, 1 involved")."""
    for match in _ALL_INVOLVED.finditer(text):
        examined = parse_number(match["examined"])
        yield NodeCount(examined, examined, Span(*match.span()))
    for match in (
        match for form in (_EXAMINED_INVOLVED, _SOME_INVOLVED, _NODES_OUT_OF) for match in form.finditer(text)
    ):
        positive, examined = parse_number(match["positive"]), parse_number(match["examined"])
        if positive <= examined and examined > 0 and (_NODE.search(match.group()) or _is_beside_nodes(text, match)):
            yield NodeCount(positive, examined, Span(*match.span()))


def _find_fields(text: str) -> Iterator[NodeCount]:
    """Counts from a form's two fields, in either order; one field alone counts where the nodes are said to be free."""
    positives, fields = list(_POSITIVE.finditer(text)), list(_EXAMINED.finditer(text))
    is_positive_first = bool(positives and fields) and positives[0].start() < fields[0].start()
    for match in fields:
        gaps = {field: _measure_gap(match, field, is_positive_first) for field in positives}
        field = min(positives, key=lambda other: gaps[other], default=None)
        examined = parse_number(match["value"])
        if field and gaps[field] < _FARTHEST_FIELD:
            positives.remove(field)
            positive, label = parse_number(field["value"]), match.group() + field.group()
            span = Span(min(match.start(), field.start()), max(match.end(), field.end()))
            if positive <= examined and examined > 0:
                before = text[max(0, span.start - _NEAR_HEADING) : span.start]
                is_total = bool(_TOTAL.search(label) or _REGIONAL.search(before)) and not _SIDE.search(match.group())
                yield NodeCount(positive, examined, span, is_total)
        elif _FIELD_BEFORE.search(text, max(0, match.start() - 120), match.start()) or _NO_CATEGORY.search(
            text, max(0, match.start() - _NEAR_CATEGORY), match.end() + _NEAR_CATEGORY
        ):
            yield NodeCount(0, examined, Span(*match.span()))


def _measure_gap(match: re.Match[str], other: re.Match[str], is_positive_first: bool) -> int:
    """Characters between two fields; the one on the side where this form has its partner is nearer."""
    is_behind = other.start() >= match.end()
    gap = other.start() - match.end() if is_behind else match.start() - other.end()
    return gap + (80 if is_behind == is_positive_first else 0) if gap >= 0 else _FARTHEST_FIELD


def total_nodes(counts: Iterable[NodeCount], sections: Sections) -> NodeCount | None:
    """The count of a case: as it is stated for all specimens, else the sum over its specimens.

    Diagnosis, synoptic form and microscopy repeat one another, so each specimen counts by the section whose word counts
    most; a count that is the sum of the others is the total. None where no nodes were counted,
    or some could not be.
    """
    by_section: dict[SectionName, dict[str, list[NodeCount]]] = {}
    for count in counts:
        section = sections.find(count.span)
        part = by_section.setdefault(section.name, {}).setdefault(section.specimen or "", [])
        # A page that was scanned twice gives a specimen's counts again.
        if not (section.specimen and any(_is_copy(count, other, section, sections) for other in part)):
            part.append(count)
    stated = [count for parts in by_section.values() for part in parts.values() for count in part if count.is_total]
    chosen: dict[str, list[NodeCount]] = {}
    for name in SECTION_PRECEDENCE:
        # A weaker section adds specimens of its own, but only where the stronger one tells them apart.
        labelled = {label: part for label, part in by_section.get(name, {}).items() if label} if any(chosen) else {}
        said = {count.label for part in chosen.values() for count in part if count.examined >= _FEWEST_REPEATED}
        for specimen, part in (labelled if chosen else by_section.get(name, {})).items():
            new = [count for count in part if count.label not in said]
            if specimen not in chosen and new:
                chosen[specimen] = [count for count in new if not count.is_total] or new
    parts = _drop_repetitions(chosen)
    largest = max(stated, key=lambda count: count.examined, default=None)
    if largest and all(count.examined <= largest.examined for part in chosen.values() for count in part):
        return _add_later(largest, parts, sections)
    if any(_UNCOUNTED.search(sections.text, part.start, part.end) for part in sections.select("diagnosis")):
        return None
    flat = sorted((count for part in parts.values() for count in part), key=lambda count: count.span.start)
    if not flat:
        return None
    every = _find_running_total(flat) or _sum_specimens(flat)
    if every.label in {count.label for count in flat}:
        return every
    sums = {specimen: _add_counts(part, sections.text) for specimen, part in parts.items()}
    labels = {count.label for specimen, count in sums.items() if specimen}
    counted = [count for specimen, count in sums.items() if specimen or count.label not in labels]
    return _sum_specimens(counted)


def _drop_repetitions(chosen: Mapping[str, Sequence[NodeCount]]) -> dict[str, Sequence[NodeCount]]:
    """Without a part that says one by one what the parts before it said ("Lymph nodes: right 0/1, left 0/1")."""
    parts: dict[str, Sequence[NodeCount]] = {}
    said: list[str] = []
    for specimen, counts in sorted(chosen.items(), key=lambda item: min((c.span.start for c in item[1]), default=0)):
        labels = sorted(count.label for count in counts)
        if len(labels) < _FEWEST_PARTS or labels != sorted(said):
            parts[specimen] = counts
            said += labels
    return parts


def _add_later(total: NodeCount, parts: Mapping[str, Sequence[NodeCount]], sections: Sections) -> NodeCount:
    """A total that stands in the first of several specimens is its own: those behind it are added."""
    place = sections.find(total.span)
    later = [
        count
        for specimen, counts in parts.items()
        for count in counts
        if place.specimen and specimen and specimen != place.specimen and count.span.start > total.span.end
    ]
    if any(count.span.start < total.span.start for counts in parts.values() for count in counts if count != total):
        return total
    return _sum_specimens([total, *later]) if later else total


def _find_running_total(counts: Sequence[NodeCount]) -> NodeCount | None:
    """The count that is the sum of all before it, where those behind it are of the same nodes again."""
    for index in range(_FEWEST_PARTS, len(counts)):
        before, total = counts[:index], counts[index]
        is_sum = total.examined == sum(count.examined for count in before) >= _FEWEST_SUMMED
        is_last = all(count.examined == total.examined for count in counts[index + 1 :])
        if is_sum and is_last and total.positive == sum(count.positive for count in before):
            return replace(total, is_total=True)
    return None


def _is_copy(count: NodeCount, other: NodeCount, section: Section, sections: Sections) -> bool:
    return count.label == other.label and sections.find(other.span).start != section.start


def _sum_specimens(counts: Sequence[NodeCount]) -> NodeCount:
    """The sum, or one of them that is the sum of the others already: the first or the last."""
    ordered = sorted(counts, key=lambda count: count.span.start)
    largest = max((ordered[0], ordered[-1]), key=lambda count: count.examined)
    rest = [count for count in counts if count is not largest]
    positive, examined = sum(count.positive for count in rest), sum(count.examined for count in rest)
    if len(rest) > 1 and examined == largest.examined and (positive == largest.positive or examined >= _NO_CHANCE):
        return replace(largest, is_total=True)
    positive, examined = sum(count.positive for count in counts), sum(count.examined for count in counts)
    return NodeCount(positive, examined, largest.span, is_total=True)


def _add_counts(counts: Sequence[NodeCount], text: str) -> NodeCount:
    """The count of one specimen: a larger count that is said twice counts once, unless it is of other regions."""
    total = _sum_specimens(counts)
    if total.label in {count.label for count in counts}:
        return total
    once: list[tuple[NodeCount, frozenset[str]]] = []
    end = 0
    for count in sorted(counts, key=lambda count: count.span.start):
        before = text[max(end, count.span.start - _FARTHEST_REGION) : count.span.start].lower()
        regions, end = frozenset(_REGIONS.findall(before)), count.span.end
        same = [places for other, places in once if other.label == count.label]
        is_other = (
            bool(regions) and count.examined < _NO_CHANCE and all(places and places != regions for places in same)
        )
        if count.examined < _FEWEST_REPEATED or not same or is_other:
            once.append((count, regions))
    return _sum_specimens([count for count, _ in once])
