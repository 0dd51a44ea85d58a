"""Resection margins: free, involved or close, how near the tumour comes, and which of them was cut last."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.facts.measures import Measurement, find_lengths
from histoseek.reports.language.headings import SectionName
from histoseek.reports.language.sections import Sections
from histoseek.reports.language.sentences import Sentence, split_sentences
from histoseek.reports.language.words import Span

MarginStatus = Literal["free", "involved", "close"]
CaseMargin = Literal["", "free", "involved", "close", "mixed"]

_MARGIN = re.compile(
    r"\b(?:margins?|resection\s+(?:edges?|planes?|lines?|surfaces?)|(?:cut|excision|section)\s+edges?|inked\s+(?:surface|edge)s?)\b",
    re.IGNORECASE,
)
_NO_RESECTION = re.compile(
    r"\b(?:pushing|expansile|tumou?r|infiltrating|irregular|infiltrative|invasive|ulcer|ill|anal|costal|safety|defined|"
    r"circumscribed|orbital|alveolar|borders?\s+or)[\s-]+\Z",
    re.IGNORECASE,
)
_TUMOUR = (
    r"(?:tumou?rs?|\w*carcinomas?|malignan\w+|neoplas\w+|disease|cancer|\w*sarcoma|glioma|melanoma|mesothelioma|"
    r"\w*blastoma|thymoma|seminoma|lymphoma)"
)
_SITE = r"(?:(?!within\b|\d)[\w/-]+\s+){0,7}?"
# From the margin to its status there is a verb at most; what else could be positive or free is not in between.
_FREE = re.compile(
    r"\bn(?:either|or)\s+(?:the\s+)?(?:\w+\s+){0,3}?margins?\s+(?:is|are|was|were)\s+(?:involved|positive|infiltrated|invaded)|"
    r"\bnon?[\s-]?involved|\buninvolved|\b(?:not|neither|nor)\s+(?:\w+\s+)?(?:involved|involving|reach\w*|positive|invaded|infiltrated)|"
    r"\b(?:is|are|was|were|appears?|remain)\s+(?:\w+\s+)?(?:clear|benign)\b|\bnegative\b|(?<!not )\bfree\b|"
    rf"\bclear\b(?![\s-]*(?:cell|cyto))|"
    rf"\b(?:no|without)\s+(?:evidence\s+of\s+|residual\s+|definite\s+|invasive\s+|viable\s+)*(?:{_SITE}{_TUMOUR}|involvement|extension)|"
    rf"\b(?:do(?:es)?|did)\s+not\s+(?:\w+\s+)?(?:involve|extend|reach|show|contain)|\bcomplete(?:ly)?\s+excis\w+|\bR\s?0\b|"
    r"\bnot\s+compromised\b|\binvolve(?:d|ment)\s*[?:]\s*no\b|\binvolved\s+(?:by|with)\s+[^.:;]{0,40}:\s*(?:none|no)\b|\btumou?r[\s-]*free\b",
    re.IGNORECASE,
)
_BOUND = rf"(?:the\s+)?{_SITE}(?=margin|edge|ink|resection|line)"
_INVOLVED = re.compile(
    r"\b(?:is|are|was|were|be|being|margins?(?:\s?\(s\))?|focally)\s+(?:\w+\s+)?(?:involved|invaded|infiltrated)\b|"
    r"\bpositive\b(?!\s+(?:for\s+)?(?:dysplasia|atypia|node|lymph))|\bnot\s+free\b|(?P<by>\b(?:involved|compromised|infiltrated)\s+(?:by|with)\b)|"
    rf"\b{_TUMOUR}\s+(?:cells\s+)?(?:(?:is|are|was|were)\s+)?(?:focally\s+)?(?:(?:present|seen|identified)\s+)?(?:at|on|in)\s+{_BOUND}|"
    r"\b(?:involves|involving|reach(?:es|ed|ing)|transects?|extends?\s+(?:up\s+)?(?:to|into)|extending\s+(?:to|into)|"
    r"(?:present|seen|identified)\s+(?:at|on|in)|contacts?|touch(?:es|ing))\s+"
    rf"{_BOUND}|\bincomplete(?:ly)?\s+excis\w+|\btransected\b|\bR\s?[12]\b|\binvolve(?:d|ment)\s*[?:]\s*(?:yes|present)\b|"
    rf"(?P<holds>\b(?:contains?|shows?|has|have|with)\s+(?:residual\s+|invasive\s+)?(?:\w+\s+)?{_TUMOUR}\b)",
    re.IGNORECASE,
)
# A line of a block's key ("A5 - tumour at the inked margin") tells what was cut, not what was seen.
_BLOCK_KEY = re.compile(
    r"\W*(?:(?:cassettes?|blocks?|slides?)\s+\S+|\d{1,2}[A-Z]{1,2}\s|(?:[A-Z]{1,3}\s?\d{0,2}|[A-Z]?\d{1,2}[A-Z]?)(?:\s?-\s?\w{1,3})?\s*[-:=\u2013])\s*\w",
    re.IGNORECASE,
)
_SECTIONING = re.compile(
    r"\b(?:summary\s+of\s+sections|section\s+code|sections?\s+of\s+tumou?r|submitted|cassettes?)\b", re.IGNORECASE
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|extends?|involve[sd]?|reaches|present|positive|negative|free)\b", re.IGNORECASE
)
_CLOSE = re.compile(r"\b(?:very\s+)?close\b(?!st)|\babuts?\b", re.IGNORECASE)
_UNSTATED = re.compile(
    r"\b(?:not\s+(?:specified|applicable|stated|assess\w*|available|evaluable|determined|reported)|n/?a\b|unknown|"
    r"can(?:not|\s+not)\s+be\s+(?:assessed|determined|evaluated)|indeterminate|pending)\b",
    re.IGNORECASE,
)
# Other things in a sentence that can be positive, negative, free or involved.
_OTHER_SUBJECT = re.compile(
    r"\b(?:nodes?|lymphovascular|perineural|vesicles?|immuno\w*|stains?|receptors?|cytology|washings?|veins?|capsule)\b",
    re.IGNORECASE,
)
_NO_INVASION = re.compile(r"\b(?:dysplasia|in[\s-]*situ|atypia|adenoma|hyperplasia|pin|panin)\b", re.IGNORECASE)
# What else may lie at a margin.
_BENIGN = re.compile(r"\b(?:benign|normal|non-?neoplastic|unremarkable)\s+(?:\w+\s+){1,4}\Z", re.IGNORECASE)
_EMPTY_BOX = re.compile(r"^\s*(?:[-*]\s*)?(?:\[\s*\]|\(\s*\)|\u2610|_{2,})")
_LABEL = re.compile(
    r"margins?\b[^.;]{0,60}[:\u2013-]\s*\Z|margins?\s*(?:\(s\))?\s*(?:\([^()]{0,60}\)\s*){0,2}\Z|margins?\s*#?\s?\d?\s*,[^.;:]{0,60}(?:biopsy|excision|resection|\w+ectomy)\b[^.;]{0,25}\Z",
    re.IGNORECASE,
)
_INLINE_LABEL = re.compile(r"\bmargins?\b[^.:;]{0,80}:\s*(?=\S)", re.IGNORECASE)
_SPECIMEN = re.compile(
    r"\b(?:biops(?:y|ies)|excision|resection|shave|frozen\s+section)\b|\A\W*\(?[A-Z0-9]{1,4}[.):]", re.IGNORECASE
)
_SPECIMEN_LINE = re.compile(r"\A\W{0,3}[A-Z0-9]{1,3}[).:][^.:;\n]*\bmargins?\b[^.:;\n]*\n\s*", re.IGNORECASE)
_LINE_LABEL = re.compile(r"\W{0,3}([A-Z]|\d{1,2})[).:]\s")
_SUBLABEL = re.compile(r"[^.;]{2,60}:\s*\Z")
# Under a heading of margins each site has its own line.
_HEADING = re.compile(r"\bmargins?(?:\s+(?:status|of\s+resection|assessment))?\s*:\s*\Z", re.IGNORECASE)
_SITE_LINE = re.compile(r"\W{0,4}(?P<site>[A-Za-z][^:.;\n]{2,50}?)\s?:\s*", re.IGNORECASE)
_NO_MARGIN = re.compile(r"\W*(?:not\s+(?:submitted|present|sampled|received|resected)|absent)\b", re.IGNORECASE)
_NO_SITE = re.compile(
    r"\b(?:nodes?|invasion|spread|extension|angio\w*|lymph\w*|perineural|necrosis|stage|grade|type|findings?|size|"
    r"comment)\b",
    re.IGNORECASE,
)
_FARTHEST_ANSWER = 3
_ANSWER_FREE = re.compile(
    rf"\A\W*(?:(?:[A-Z]|\d{{1,2}})[.)]\s*)?(?:grossly\s+|believed\s+)?(?:negative|free|benign|uninvolved|clear|not\s+involved|no\b|none|(?:[^.;:]{{0,90}}?)\b(?:no|without|negative\s+for)\s+"
    rf"(?:evidence\s+of\s+|residual\s+|invasive\s+)*(?:\w+\s+)?{_TUMOUR})",
    re.IGNORECASE,
)
_ANSWER_INVOLVED = re.compile(
    r"\A\W*(?:[A-Z]\.\s+)?(?:positive\b|involved|yes\b|(?:focal(?:ly)?\s+|residual\s+|recurrent\s+|invasive\s+|infiltrating\s+|poorly\s+|moderately\s+|well\s+|differentiated\s+|in){0,6}"
    r"(?:squamous\s+(?:cell\s+)?|urothelial\s+|ductal\s+|prostatic\s+|renal\s+cell\s+)?(?:adenocarcinoma|carcinoma|tumou?r\s+(?:present|identified))\b(?!\s+(?:\w+\s+){0,2}within\b))",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"\b(?:final|new|true|further|additional|deeper|wider|repeat\w*|re-?\s?excis\w+|re-?\s?resect\w+|revised|second|extra|subsequent)\b|#\s?[2-9]\b",
    re.IGNORECASE,
)
_OWN_SPECIMEN = re.compile(
    r"\W{0,3}(?:(?:part|specimen)\s+)?\(?(?:[A-Z]|\d{1,2})[).:][^\n]{0,90}\bmargin", re.IGNORECASE
)
_SITES = re.compile(
    r"\b(?:deep|lateral|medial|anterior|posterior|superior|inferior|proximal|distal|apical|radial|urethral|ureteral|"
    r"uncinate|retroperitoneal|vascular|neck|bile\s+duct|bronchial|vaginal|serosal|mesenteric|circumferential)\b"
)
_FARTHEST = 110
_CLOSE_MM = 1.0
_WEAK: tuple[SectionName, ...] = ("frozen", "gross", "history")


@dataclass(frozen=True, slots=True)
class Margin:
    """What a statement says of resection margins: their status, the nearest distance in mm; None: not said.

    `is_final` marks a margin that was cut anew ("re-excised", "final margin", "new margin").
    """

    status: MarginStatus | None
    distance_mm: float | None
    span: Span
    is_final: bool = False


def find_margins(text: str, sentences: Sequence[Sentence] | None = None) -> tuple[Margin, ...]:
    """Resection margins, one value for each statement of their status or of a distance, in order.

    The status stands in the margin's sentence, or in the next lines where a form or a specimen is labelled with it.
    sentences: those of the text, where they were split already.
    """
    statements = _list_statements(text, sentences)
    sizes = [size for size in find_lengths(text) if len(size.dimensions_mm) == 1]
    margins = []
    for index, sentence in enumerate(statements):
        words = _find_words(text, sentence)
        raw = text[sentence.start : sentence.end]
        if not words or _EMPTY_BOX.match(raw) or (_BLOCK_KEY.match(raw) and not _VERB.search(raw)):
            continue
        distance = _find_distance(text, sentence, words, sizes)
        own = _read_own_lines(raw)
        statuses = own or _find_statuses(raw, [word.start() - sentence.start for word in words])
        end = sentence.end
        if not statuses and (answer := _find_answer(text, raw, sentence.end, statements[index + 1 : index + 10])):
            statuses, end = answer
        is_final = _FINAL.search(raw) is not None
        for position, status in enumerate(statuses or ([None] if distance else [])):
            nearest = distance.dimensions_mm[0] if distance and position == 0 else None
            margins.append(Margin(status, nearest, Span(sentence.start, end), is_final))
    return tuple(margins)


def find_sizes(text: str, sentences: Sequence[Sentence] | None = None) -> tuple[Measurement, ...]:
    """Every length with a unit ("2.2 x 1.9 x 1.6 cm", "5 mm") that is not the distance of a margin."""
    lengths = find_lengths(text)
    single = [size for size in lengths if len(size.dimensions_mm) == 1]
    distances = set()
    for sentence in _list_statements(text, sentences):
        words = _find_words(text, sentence)
        if words and (distance := _find_distance(text, sentence, words, single)):
            distances.add(distance.span)
    return tuple(size for size in lengths if size.span not in distances)


def decide_margin(margins: Iterable[Margin], sections: Sections) -> tuple[CaseMargin, CaseMargin]:
    """The margin of a case, and that of the tissue that was cut last.

    "mixed" is a margin that was involved first and free when it was cut anew; its outcome is the second value. Frozen
    sections count only where nothing else is said, what the naked eye or a scan saw never.
    """
    margins = tuple(margins)
    stated = [margin for margin in margins if margin.status]
    strong = [margin for margin in stated if sections.find(margin.span).name not in _WEAK]
    counted = strong or [margin for margin in stated if sections.find(margin.span).name == "frozen"]
    statuses = {margin.status for margin in counted}
    final = [margin for margin in counted if margin.is_final]
    if "involved" in statuses:
        is_freed = bool(final) and final[-1].status == "free" and not _is_elsewhere(final[-1], counted, sections.text)
        is_mended = is_freed or _is_cut_anew(counted, sections.text)
        return ("mixed", "free") if is_mended else ("involved", "involved")
    status: CaseMargin = "free" if "free" in statuses else "close" if "close" in statuses else ""
    if not counted:
        status = _judge_distance(margins, sections)
    return status, status


def _is_elsewhere(final: Margin, margins: Sequence[Margin], text: str) -> bool:
    """Whether a final margin that is free is of another site than one that was involved."""
    sites = _list_sites(text, final)
    involved = [_list_sites(text, margin) for margin in margins if margin.status == "involved"]
    return bool(sites) and any(places and not places & sites for places in involved)


def _is_cut_anew(margins: Sequence[Margin], text: str) -> bool:
    """Whether each margin that is involved has a free specimen of its own further on ("B. Deep margin, biopsy")."""
    involved = [margin for margin in margins if margin.status == "involved"]
    sites = [_list_sites(text, margin) for margin in involved]
    own = [margin for margin in margins if margin.status == "free" and _OWN_SPECIMEN.match(text, margin.span.start)]
    return all(
        places
        and all(
            any(place in _list_sites(text, other) for other in own if other.span.start > margin.span.start)
            for place in places
        )
        for margin, places in zip(involved, sites, strict=True)
    )


def _list_sites(text: str, margin: Margin) -> set[str]:
    """The sides and layers that a statement of a margin names."""
    return set(_SITES.findall(text[margin.span.start : margin.span.end].lower()))


def _judge_distance(margins: Iterable[Margin], sections: Sections) -> CaseMargin:
    """The margin of a case of which only a distance is stated, and not of the specimen as it was cut up."""
    strong = (margin for margin in margins if sections.find(margin.span).name not in _WEAK)
    nearest = min((margin.distance_mm for margin in strong if margin.distance_mm), default=None)
    return "" if nearest is None else "close" if nearest < _CLOSE_MM else "free"


def _list_statements(text: str, sentences: Sequence[Sentence] | None) -> list[Span]:
    """The places of sentences, a question together with its answer."""
    statements: list[Span] = []
    for sentence in split_sentences(text) if sentences is None else sentences:
        if statements and text[statements[-1].end - 1] == "?":
            statements[-1] = Span(statements[-1].start, sentence.end)
        else:
            statements.append(Span(sentence.start, sentence.end))
    return statements


def _find_words(text: str, sentence: Span) -> list[re.Match[str]]:
    return [
        match
        for match in _MARGIN.finditer(text, sentence.start, sentence.end)
        if not _NO_RESECTION.search(text, max(sentence.start, match.start() - 30), match.start())
    ]


def _find_statuses(raw: str, places: Sequence[int]) -> list[MarginStatus]:
    """What a sentence says of margins at some places in it: at most free and involved, in the order written."""
    free = [match for match in _FREE.finditer(raw) if _is_linked(raw, match, places)]
    involved = [
        match
        for match in _INVOLVED.finditer(raw)
        if _is_linked(raw, match, _choose_places(match, places))
        and not any(match.start() < other.end() and other.start() < match.end() for other in free)
        and not re.search(
            r"\b(?:no|not|without|nor|negative\s+for)\s+(?:\w+\s+){0,3}\Z",
            raw[max(0, match.start() - 40) : match.start()],
            re.I,
        )
        and not _NO_INVASION.search(raw, max(0, match.start() - 45), match.end())
        and not _BENIGN.search(raw, max(0, match.start() - 45), match.start())
        and not _SECTIONING.search(raw)
    ]
    if re.search(r"\bnot\s+free\b", raw, re.IGNORECASE):
        free = [match for match in free if match.group().lower() != "free"]
    found: list[tuple[int, MarginStatus]] = [(match.start(), "free") for match in free[:1]]
    found += [(match.start(), "involved") for match in involved[:1]]
    if not found and not _UNSTATED.search(raw):
        found += [(match.start(), "close") for match in _CLOSE.finditer(raw) if _is_linked(raw, match, places)][:1]
    return [status for _, status in sorted(found)]


def _choose_places(match: re.Match[str], places: Sequence[int]) -> Sequence[int]:
    """The margins that a status can be of: "involved by" and "with carcinoma" follow theirs."""
    return [place for place in places if place < match.start()] if match["by"] or match["holds"] else places


def _is_linked(raw: str, match: re.Match[str], places: Sequence[int]) -> bool:
    """Whether a word of status stands near a margin, with no other subject in between."""
    for place in places:
        gap = raw[match.end() : place] if place >= match.end() else raw[place : match.start()]
        if len(gap) <= _FARTHEST and not _OTHER_SUBJECT.search(gap) and ";" not in gap:
            return True
    return False


def _find_answer(text: str, raw: str, end: int, following: Sequence[Span]) -> tuple[list[MarginStatus], int] | None:
    """The status in the lines behind a label ("Margins:", "B. Deep margin, biopsy:"), and where it ends."""
    label = _INLINE_LABEL.search(raw)
    if label and (status := _parse_answer(raw[label.end() :])):
        return [status], end
    if not _LABEL.search(raw):
        return None
    if listed := _read_listed(text, raw, following):
        return listed
    kind = _name_label(raw)
    for sentence in following[:_FARTHEST_ANSWER]:
        answer = text[sentence.start : sentence.end]
        is_next = bool(kind) and _name_label(answer) == kind
        status = None if is_next else _parse_answer(answer)
        if status:
            return [status], sentence.end
        if is_next or _UNSTATED.search(answer) or _MARGIN.search(answer):
            break
        if not (_SUBLABEL.fullmatch(answer) or _SPECIMEN.search(raw)):
            break
    return None


def _read_listed(text: str, raw: str, following: Sequence[Span]) -> tuple[list[MarginStatus], int] | None:
    """The status in the lines that go through the sites behind a heading ("Surgical margins:", "Ureter: negative")."""
    if not _HEADING.search(raw):
        return None
    statuses: list[MarginStatus] = []
    end = 0
    for sentence in following:
        line = _SITE_LINE.match(text, sentence.start, sentence.end)
        if not line or _NO_SITE.search(line["site"]):
            break
        value = text[line.end() : sentence.end]
        status = _parse_answer(value)
        if not status and not _UNSTATED.search(value) and not _NO_MARGIN.match(value):
            break
        statuses += [status] if status else []
        end = sentence.end
    if not statuses:
        return None
    return (["involved"] if "involved" in statuses else ["free"]), end


def _read_own_lines(raw: str) -> list[MarginStatus]:
    """The status behind a specimen's own line ("(E) Left margin", then the diagnosis), where both are one sentence."""
    line = _SPECIMEN_LINE.match(raw)
    status = _parse_answer(raw[line.end() :]) if line else None
    return [status] if status else []


def _name_label(line: str) -> str:
    """How a line is numbered: by "letter", by "number", or "" where it is not ("PART 1", whose items are lettered)."""
    label = _LINE_LABEL.match(line)
    return "" if not label else "number" if label[1].isdigit() else "letter"


def _parse_answer(answer: str) -> MarginStatus | None:
    if _UNSTATED.search(answer):
        return None
    return "free" if _ANSWER_FREE.match(answer) else "involved" if _ANSWER_INVOLVED.match(answer) else None


def _find_distance(
    text: str, sentence: Span, words: list[re.Match[str]], sizes: Sequence[Measurement]
) -> Measurement | None:
    first = bisect_left(sizes, sentence.start, key=lambda size: size.span.start)
    last = bisect_left(sizes, sentence.end, key=lambda size: size.span.start)
    near = [size for size in sizes[first:last] if _is_distance(text, size.span, words)]
    return min(near, key=lambda size: size.largest_mm, default=None)


def _is_distance(text: str, size: Span, words: list[re.Match[str]]) -> bool:
    """Whether a length stands behind a word for margins, or shortly before one with no comma between."""
    if words[0].end() <= size.start:
        return True
    index = bisect_left(words, size.end, key=lambda word: word.start())
    following = words[index].start() if index < len(words) else len(text)
    return following <= size.end + 60 and "," not in text[size.end : following]
