"""The organ that a report is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from histoseek.reports.concepts.diagnosis import is_metastatic
from histoseek.reports.concepts.readings import find_preferred_organ, is_bound
from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.language.headings import SectionName
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import Section, Sections
from histoseek.reports.language.words import Span

_HEADING = re.compile(
    r"(?:^|\n)\s*(?:specimen(?:\s+type|\s+description|s)?|type\s+of\s+material|material|site|organ|tissue|location)\s*:\s*$",
    re.IGNORECASE,
)
_SITE_FIELD = re.compile(
    r"\b(?:tumou?r\s+(?:site|location)|primary\s+(?:tumou?r\s+)?site|site\s+of\s+(?:primary|tumou?r|origin)|locali[sz]ation|"
    r"location\s+of\s+(?:tumou?r|primary\s+site)|specimen\s+type|procedure|tissue\s+checklist)\s*[:(-]?[^\n:;.]{0,40}\Z",
    re.IGNORECASE,
)
_CHECKLIST = re.compile(r"\s+(?:tissue|cancer|carcinoma|tumou?r)?\s*(?:checklist|case\s+summary)\b", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\s*(?:primary|origin|metastas)", re.IGNORECASE)
_FROM = re.compile(r"(?:from|origin\s+in|primary\s+in)\s+(?:the\s+|an?\s+)?$", re.IGNORECASE)
# What lies about an organ is named in reports on others: margins, vessels, nodes, coverings.
_BESIDE = re.compile(
    r"\s+(?:margins?|veins?|arter\w+|vessels?|nodes?|fat|surface|invasion|involvement|metasta\w+|capsule|peritoneum|serosa|nodules?|implants?|flap)\b",
    re.I,
)
# Nodes and linings are sampled with many organs and seldom what a report is about.
_WEIGHTS = {
    **{"pleura": 0.4, "lymph-node": 0.2, "blood-vessel": 0.3, "peripheral-nerve": 0.3, "peritoneum": 0.5},
    **{"soft-tissue": 0.3, "axilla": 0.4, "neck": 0.3, "bone": 0.6, "skin": 0.7, "cartilage": 0.3, "omentum": 0.6},
    **{"abdominal-wall": 0.4, "mesentery": 0.4, "retroperitoneum": 0.4, "bone-marrow": 0.6},
}
_SECTION_WEIGHTS: dict[SectionName, float] = {
    **{"diagnosis": 1.0, "addendum": 0.5, "microscopy": 0.6, "comment": 0.5, "other": 1.0, "ancillary": 0.1},
    **{"frozen": 0.4, "gross": 0.3, "history": 0.4},
}
_HEADING_CHARACTERS, _BEFORE_CHARACTERS = 200, 150
_HEADING_BONUS, _BEFORE_BONUS, _SENTENCE_BONUS, _FIELD_BONUS, _SAMPLED_BONUS = 4.0, 2.0, 3.0, 4.0, 2.0
_MAIN_WEIGHT, _PREFERRED_WEIGHT, _OTHER_WEIGHT, _UNBOUND_SHARE, _ELSEWHERE_SHARE, _BESIDE_SHARE = (
    6.0,
    6.0,
    1.0,
    0.15,
    0.4,
    0.2,
)
# Nodes and linings named in passing are not what a report is about.
_LEAST_VOTE = 0.25
_LABEL_END = re.compile(r"[^:.;\n]{0,60}:")
_NEW_SENTENCE = re.compile(r"[.;]\s|\n\s*\n")


def find_main_organ(
    text: str, mentions: Sequence[Mention], vocabulary: Vocabulary, sections: Sections, main: Mention | None = None
) -> str:
    """The id of the organ that the main diagnosis lies in, "" where the text does not tell.

    In a report of one specimen an organ under a specimen heading, or the first word of the text, decides, unless the
    main diagnosis arises in another that is named. Else all that
    speaks for an organ is weighed: the heading of the main diagnosis' specimen, its own sentence, a form's field for
    the site, procedures, and what the main diagnosis is bound to, unless it is a metastasis. What is named often counts
    less each time.
    """
    if len(sections.specimens) < 2 and (organ := _find_opening_organ(text, mentions, vocabulary, main)):
        return organ
    votes: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for organ, weight, bonus in _weigh_organs(text, mentions, vocabulary, sections, main):
        times[organ] += 1
        votes[organ] += (weight / times[organ] + bonus) * _WEIGHTS.get(organ, 1.0)  # type: ignore[assignment]
    for organ, weight in _weigh_diagnoses(text, mentions, vocabulary, main, set(times)):
        votes[organ] += weight * _WEIGHTS.get(organ, 1.0)  # type: ignore[assignment]
    organ = max(votes, key=lambda organ: votes[organ], default="")
    return organ if votes[organ] >= _LEAST_VOTE else ""


def _find_opening_organ(text: str, mentions: Sequence[Mention], vocabulary: Vocabulary, main: Mention | None) -> str:
    """The organ under a specimen heading or at the start; "" where the text also names the main diagnosis' own."""
    places = [mention for mention in mentions if vocabulary[mention.concept_id].kind == "organ"]
    for mention in places:
        if _HEADING.search(text, max(0, mention.start - 80), mention.start) or _opens_text(text, mention):
            own = vocabulary[main.concept_id].organ if main else ""
            organ = vocabulary.find_organ(mention.concept_id)
            named = {vocabulary.find_organ(place.concept_id) for place in places}
            return "" if own and vocabulary.find_organ(own) in named - {organ} else organ
    return ""


def _opens_text(text: str, mention: Mention) -> bool:
    return mention.start < 40 and not text[: mention.start].strip()


def _opens_item(text: str, mention: Mention) -> bool:
    """Whether an organ begins a line that is labelled with it ("GALLBLADDER: chronic cholecystitis")."""
    return not text[text.rfind("\n", 0, mention.start) + 1 : mention.start].strip(" \t-*•.") and (
        _LABEL_END.match(text, mention.end) is not None
    )


def _weigh_organs(
    text: str, mentions: Sequence[Mention], vocabulary: Vocabulary, sections: Sections, main: Mention | None
) -> Iterator[tuple[str, float, float]]:
    """For each organ that is named, or that a procedure is of: its weight, and a bonus for its place."""
    home = sections.find(Span(main.start, main.end)) if main else None
    headed: Counter[int] = Counter()
    for index, mention in enumerate(mentions):
        concept = vocabulary[mention.concept_id]
        is_site = concept.kind == "organ" or (concept.kind == "procedure" and concept.organ)
        if not is_site or mention.status in {Status.NEGATED, Status.UNCERTAIN}:
            continue
        if _ELSEWHERE.match(text, mention.end) or _FROM.search(text[max(0, mention.start - 20) : mention.start]):
            continue
        section = sections.find(Span(mention.start, mention.end))
        weight, bonus = _SECTION_WEIGHTS[section.name], 0.0
        if section.specimen and home and section.specimen != home.specimen:
            weight *= _ELSEWHERE_SHARE
        following = mentions[index + 1] if index + 1 < len(mentions) else None
        if following and following.start - mention.end < 15 and vocabulary[following.concept_id].kind == "procedure":
            weight += _SAMPLED_BONUS * weight
        if main and home:
            bonus = _measure_nearness(text, mention, main, section, home, headed)
        if _SITE_FIELD.search(text, max(0, mention.start - 70), mention.start) or _CHECKLIST.match(text, mention.end):
            bonus += _FIELD_BONUS
        share = _BESIDE_SHARE if _BESIDE.match(text, mention.end) else 1.0
        yield vocabulary.find_organ(mention.concept_id), weight * share, bonus * share


def _measure_nearness(
    text: str, mention: Mention, main: Mention, section: Section, home: Section, headed: Counter[int]
) -> float:
    """What an organ's place says for it: in the heading of the main diagnosis' specimen, before it, in its sentence.

    Of several organs in a heading the first counts most; `headed` counts them by section.
    """
    bonus = 0.0
    is_home = section.start == home.start
    is_same = section.specimen is not None and section.specimen == home.specimen
    if is_same and mention.start - section.start < _HEADING_CHARACTERS and (not is_home or mention.start < main.end):
        headed[section.start] += 1
        bonus += _HEADING_BONUS * (1.0 if is_home else 0.5) / headed[section.start]
    elif is_home and 0 <= main.start - mention.end < _BEFORE_CHARACTERS:
        bonus += _BEFORE_BONUS
    first, last = sorted((mention, main), key=lambda one: one.start)
    between = text[first.end : last.start]
    if len(between) < 120 and not _NEW_SENTENCE.search(between) and not (last is mention and _opens_item(text, last)):
        bonus += _SENTENCE_BONUS
    return bonus


def _weigh_diagnoses(
    text: str, mentions: Sequence[Mention], vocabulary: Vocabulary, main: Mention | None, named: set[str]
) -> Iterator[tuple[str, float]]:
    """The organs that diagnoses are bound to; those whose names do not tell it count where the report names it."""
    preferred = find_preferred_organ(main.concept_id, vocabulary) if main else ""
    if preferred in named:
        yield preferred, _PREFERRED_WEIGHT
    times: Counter[str] = Counter()
    for mention in mentions:
        concept = vocabulary[mention.concept_id]
        if concept.kind != "diagnosis" or not concept.organ or mention.status != Status.AFFIRMED:
            continue
        if is_metastatic(mention, text, vocabulary):
            continue
        organ = vocabulary.find_organ(mention.concept_id)
        times[organ] += 1
        weight = _MAIN_WEIGHT if mention is main else _OTHER_WEIGHT / times[organ]
        yield organ, weight if organ in named or is_bound(mention, text, vocabulary) else weight * _UNBOUND_SHARE
