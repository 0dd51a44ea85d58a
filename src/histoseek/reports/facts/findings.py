"""Invasion of vessels and nerves, necrosis and growth through a capsule: there or not, and of which organ."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.facts.staging import StageCategory
from histoseek.reports.language.answers import Answer, AnswerKind, find_answers
from histoseek.reports.language.headings import SectionName
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import Sections
from histoseek.reports.language.words import Span

FindingState = Literal["present", "absent", "uncertain"]

_STATES: dict[Status, FindingState] = {
    **{Status.AFFIRMED: "present", Status.NEGATED: "absent", Status.UNCERTAIN: "uncertain"}
}
_LYMPHOVASCULAR, _PERINEURAL, _NECROSIS = "lymphovascular-invasion", "perineural-invasion", "necrosis"
_ROOTS = (_LYMPHOVASCULAR, _PERINEURAL, _NECROSIS, "extracapsular-extension")
# Necrosis of fat, and of the nodes of a large metastasis, is none of the tumour.
_NOT_OF_TUMOUR = frozenset({"fat-necrosis"})
_AXES = {"L": "lymphatic-invasion", "V": "venous-invasion", "Pn": _PERINEURAL}
_VESSELS = (
    r"(?:blood\s+vessels?|lymph(?:atic)?\s*(?:vessels?|spaces?|channels?)|lymphatics|vascular\s+(?:spaces?|channels?|lumen)|"
    r"lymphovascular\s+(?:spaces?|channels?)|vessels)"
)
_NERVES = r"(?:nerves|perineural\s+(?:sheaths?|spaces?)|nerve\s+(?:fib\w+|bundles?|sheaths?|trunks?|stems?))"
_REACHES = r"\b(?:invad\w+|invasion\s+(?:of|into)|infiltrat\w+|involv\w+|permeat\w+|surround\w+)\b[^.;:]{0,45}?\b"
_GROWTH = re.compile(
    rf"{_REACHES}(?:(?P<vessels>{_VESSELS})(?:\s+(?:or|and)\s+(?P<also>{_NERVES}))?|(?P<nerves>{_NERVES}))\b|"
    rf"\b(?:tumou?r|carcinoma|deposits?|emboli|cells)\b[^.;:]{{0,50}}?\b(?:in|within)\s+(?:the\s+|a\s+)?(?P<inside>{_VESSELS})\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:no|not|without|nor|neither|free\s+of)\b[^.;:]{0,90}\Z", re.IGNORECASE)
_DENIED_BEHIND = re.compile(r"[^.;:,]{0,20}\b(?:is|are|was|were)\s+(?:\w+\s+)?(?:not|absent)\b", re.IGNORECASE)
_NO_TUMOUR_VESSEL = re.compile(
    r"\b(?:renal|great|hilar|iliac|umbilical|staple\w*)\s+(?:vessels?|vein)|margin", re.IGNORECASE
)
_LABELS = (
    (re.compile(r"\A\W*(?:tumou?r\W*|coagulative\s+)?necrosis\b", re.IGNORECASE), _NECROSIS),
    (re.compile(r"\b(?:perineural|intra-?neural|neural|nerve)\b", re.IGNORECASE), _PERINEURAL),
    (
        re.compile(r"\b(?:lymph\w*|angio\w*|venous|vascular|(?:micro-?)?vessel|capillary)\b", re.IGNORECASE),
        _LYMPHOVASCULAR,
    ),
)
# A label whose first word stands on the line before.
_TORN_LABEL = re.compile(
    r"\b(?:lymph\w*|venous|vascular|angio\w*|perineural|neural|(?:large|small)\s+vessel)[ \t/-]*\n\s*\Z", re.I
)
_INVASION_LABEL = re.compile(
    r"\b(?:invasion|permeation|involvement|infiltration|extension|spread)\b|\A\W*\w+(?:\s*/\s*\w+)?(?:\s*\([^()]*\))?\W*\Z",
    re.I,
)
_OTHER_LABEL = re.compile(
    r"\b(?:nodes?|renal\s+vein|vena|portal|margins?|muscle|capsule|capsular|thrombus|number|extent|supply|pattern|malformation|metasta\w*)\b",
    re.IGNORECASE,
)
_VALUE_NO = re.compile(
    r"\s*(?:(?:is|are|was|were)\s+)?(?:not|no|none|absent|negative|uninvolved|free)\b", re.IGNORECASE
)
_VALUE_YES = re.compile(
    r"\s*(?:(?:is|are|was|were)\s+)?(?:present|positive|identified|yes|seen|extensive|focal\w*|multifocal|involved|microscopic|macroscopic|rare)\b",
    re.I,
)
_SHARE = re.compile(r"\s*[<>~]?\s*(\d{1,3}(?:\.\d)?)\s?%")
_NODE = re.compile(r"\b(?:nodes?|nodal)\b", re.IGNORECASE)
_TUMOUR = re.compile(r"\b(?:tumou?r(?:al)?|mass|lesion|carcinoma|neoplasm)\b", re.IGNORECASE)
# What a test cannot cope with is not what this case has.
_LIMIT = re.compile(
    r"\b(?:factors\s+such\s+as|(?:may|might|can|could)\s+(?:preclude|interfere|affect|limit|reduce|prevent|lead|result|cause))\b",
    re.IGNORECASE,
)
# A field that nothing is filled in.
_OPEN_LABEL = re.compile(r"[ \t]*(?:\([^()\n]*\)[ \t]*)?:[ \t]*(?:\n|\Z)")
_SENTENCE_END = re.compile(r"[.;](?=\s)|\n\s*\n|\n\s*[-*\u2022]")
_OTHER_TISSUE = re.compile(r"\b(?:parenchyma|cysts?|remain\w*|adjacent|uninvolved|fat|adipose|skin)\b", re.IGNORECASE)
_AROUND = 160
_BEFORE_NECROSIS = 300
# Whose word counts: tests of an addendum add no findings to the diagnosis.
_ORDER: tuple[SectionName, ...] = (
    *("diagnosis", "microscopy", "comment", "other", "addendum", "ancillary", "frozen", "gross", "history"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding with what the report says of it, and the organ it belongs to ("" where that is not told)."""

    concept_id: str
    state: FindingState
    organ: str
    span: Span


def find_findings(
    text: str,
    mentions: Sequence[Mention],
    tnm: Iterable[StageCategory],
    sections: Sections,
    organ: str,
    vocabulary: Vocabulary,
) -> tuple[Finding, ...]:
    """Findings of a report in order: as they are named, answered in a form, classified (L0, V1, Pn1) or described."""
    answered = list(_read_answers(text))
    places = [span for _, _, span in answered]
    named = [
        (mention.concept_id, _STATES[mention.status], Span(mention.start, mention.end))
        for mention in mentions
        if mention.status in _STATES and _is_finding(mention, text, sections, vocabulary)
    ]
    found = [
        *((concept_id, state, span) for concept_id, state, span in answered if state is not None),
        *(one for one in named if not any(one[2].overlaps(place) for place in places)),
        *_read_categories(tnm),
        *_read_growth(text),
    ]
    sites = sorted((one for one in mentions if vocabulary[one.concept_id].kind == "organ"), key=lambda one: one.start)
    return tuple(
        Finding(concept_id, state, _find_organ(text, span, sites, organ, vocabulary), span)
        for concept_id, state, span in sorted(found, key=lambda one: one[2].start)
    )


def decide_finding(concept_id: str, findings: Iterable[Finding], sections: Sections, vocabulary: Vocabulary) -> str:
    """What a case has of a finding or any kind of it, by the section whose word counts most; "" where nothing is said.

    In one section presence counts before doubt and doubt before absence: one vessel is invaded, or another.
    """
    by_section: dict[SectionName, set[str]] = {}
    for finding in findings:
        if concept_id in vocabulary.find_ancestors(finding.concept_id) | {finding.concept_id}:
            by_section.setdefault(sections.find(finding.span).name, set()).add(finding.state)
    states = next((by_section[name] for name in _ORDER if name in by_section), set())
    return next((state for state in ("present", "uncertain", "absent") if state in states), "")


def _is_finding(mention: Mention, text: str, sections: Sections, vocabulary: Vocabulary) -> bool:
    above = vocabulary.find_ancestors(mention.concept_id) | {mention.concept_id}
    if not above.intersection(_ROOTS) or above & _NOT_OF_TUMOUR or _OPEN_LABEL.match(text, mention.end):
        return False
    sentence = _find_sentence(text, Span(mention.start, mention.end))
    if _LIMIT.search(sentence):
        return False
    if _NECROSIS not in above or sections.find(Span(mention.start, mention.end)).name != "gross":
        return True
    if _NODE.search(sentence):
        return False
    before = _SENTENCE_END.split(text[max(0, mention.start - _BEFORE_NECROSIS) : mention.start])
    is_described = _TUMOUR.search("".join(before[-2:])) and not _OTHER_TISSUE.search(sentence)
    return _TUMOUR.search(sentence) is not None or bool(is_described)


def _read_answers(text: str) -> Iterator[tuple[str, FindingState | None, Span]]:
    """Fields of forms on invasion, however their label is worded ("Venous/lymphatic (large/small vessel) invasion")."""
    for answer in find_answers(text):
        torn = _TORN_LABEL.search(text, max(0, answer.label.start - 40), answer.label.start)
        start = torn.start() if torn else answer.label.start
        label = text[start : answer.label.end]
        concept_id = next((concept_id for pattern, concept_id in _LABELS if pattern.search(label)), "")
        is_named = concept_id == _NECROSIS or (_INVASION_LABEL.search(label) and not _OTHER_LABEL.search(label))
        state = _parse_answer(text, answer)
        if concept_id and is_named and (state or answer.kind == AnswerKind.UNSTATED):
            yield concept_id, state, Span(start, max(answer.value.end, answer.label.end))


def _parse_answer(text: str, answer: Answer) -> FindingState | None:
    if answer.kind in {AnswerKind.YES, AnswerKind.NO}:
        return "present" if answer.kind == AnswerKind.YES else "absent"
    value = text[answer.value.start : answer.value.end]
    if answer.kind in {AnswerKind.UNSTATED, AnswerKind.DOUBT}:
        return "uncertain" if answer.kind == AnswerKind.DOUBT else None
    share = _SHARE.match(value)
    if share:
        return "present" if float(share[1]) else "absent"
    return "absent" if _VALUE_NO.match(value) else "present" if _VALUE_YES.match(value) else None


def _read_categories(tnm: Iterable[StageCategory]) -> Iterator[tuple[str, FindingState, Span]]:
    for category in tnm:
        if category.axis in _AXES and category.value[0] in "012":
            yield _AXES[category.axis], "absent" if category.value[0] == "0" else "present", category.span


def _read_growth(text: str) -> Iterator[tuple[str, FindingState, Span]]:
    """Invasion that is described: "tumour infiltrates vessels or nerves", "carcinoma within lymphatic spaces"."""
    for match in _GROWTH.finditer(text):
        if _NO_TUMOUR_VESSEL.search(text, match.start(), match.end() + 10):
            continue
        is_denied = (
            _DENIED.search(text, max(0, match.start() - 100), match.start())
            or _DENIED.search(match.group())
            or _DENIED_BEHIND.match(text, match.end())
        )
        state: FindingState = "absent" if is_denied else "present"
        span = Span(*match.span())
        if match["vessels"] or match["inside"]:
            yield _LYMPHOVASCULAR, state, span
        if match["nerves"] or match["also"]:
            yield _PERINEURAL, state, span


def _find_organ(text: str, span: Span, sites: Sequence[Mention], organ: str, vocabulary: Vocabulary) -> str:
    """The organ that the sentence names nearest to a finding, else that of the report. sites: all organs, in order."""
    sentence = _find_sentence(text, span)
    if _NODE.search(sentence):
        return "lymph-node"
    start = text.find(sentence, max(0, span.start - _AROUND))
    first, last = (bisect_left(sites, at, key=lambda mention: mention.start) for at in (start, start + len(sentence)))
    near = sites[first:last]
    nearest = min(near, key=lambda mention: abs(mention.start - span.start), default=None)
    return vocabulary.find_organ(nearest.concept_id) if nearest else organ


def _find_sentence(text: str, span: Span) -> str:
    before = _SENTENCE_END.split(text[max(0, span.start - _AROUND) : span.start])[-1]
    behind = _SENTENCE_END.split(text[span.end : span.end + _AROUND])[0]
    return before + text[span.start : span.end] + behind
