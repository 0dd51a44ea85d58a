"""The organ that a report is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.language.negation import Status

_HEADING = re.compile(
    r"(?:^|\n)\s*(?:specimen(?:\s+type|\s+description|s)?|type\s+of\s+material|material|site|organ|tissue|location)\s*:\s*$",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(r"\s*(?:primary|origin|metastas)", re.IGNORECASE)
_FROM = re.compile(r"(?:from|origin\s+in|primary\s+in)\s+(?:the\s+|an?\s+)?$", re.IGNORECASE)
# Nodes and linings are sampled with many organs and seldom what a report is about.
_WEIGHTS = {"pleura": 0.4, "lymph-node": 0.3, "blood-vessel": 0.3, "peripheral-nerve": 0.3, "peritoneum": 0.5}


def find_main_organ(text: str, mentions: Sequence[Mention], vocabulary: Vocabulary) -> str:
    """The id of the organ that the specimen comes from, "" where the text does not tell.

    An organ under a specimen heading, or the first word of the text, decides. Else each organ named counts 1, or 3
    where a procedure follows it, and each organ that a diagnosis is bound to 2, unless there are metastases.
    """
    organ_mentions = [mention for mention in mentions if vocabulary[mention.concept_id].kind == "organ"]
    for mention in organ_mentions:
        if _HEADING.search(text, max(0, mention.start - 80), mention.start) or _opens_text(text, mention):
            return vocabulary.find_organ(mention.concept_id)
    votes: Counter[str] = Counter()
    for organ, weight in (*_weigh_organs(text, mentions, vocabulary), *_weigh_diagnoses(mentions, vocabulary)):
        votes[organ] += weight * _WEIGHTS.get(organ, 1.0)  # type: ignore[assignment]
    return max(votes, key=lambda organ: votes[organ], default="")


def _opens_text(text: str, mention: Mention) -> bool:
    return mention.start < 40 and not text[: mention.start].strip()


def _weigh_organs(text: str, mentions: Sequence[Mention], vocabulary: Vocabulary) -> Iterator[tuple[str, float]]:
    for index, mention in enumerate(mentions):
        if vocabulary[mention.concept_id].kind != "organ" or mention.status != Status.AFFIRMED:
            continue
        if _ELSEWHERE.match(text, mention.end) or _FROM.search(text[max(0, mention.start - 20) : mention.start]):
            continue
        following = mentions[index + 1] if index + 1 < len(mentions) else None
        is_sampled = (
            following is not None
            and following.start - mention.end < 15
            and vocabulary[following.concept_id].kind == "procedure"
        )
        yield vocabulary.find_organ(mention.concept_id), 3.0 if is_sampled else 1.0


def _weigh_diagnoses(mentions: Sequence[Mention], vocabulary: Vocabulary) -> Iterator[tuple[str, float]]:
    affirmed = [mention.concept_id for mention in mentions if mention.status == Status.AFFIRMED]
    if any(
        concept_id == "metastasis" or "metastasis" in vocabulary.find_ancestors(concept_id) for concept_id in affirmed
    ):
        return
    for concept_id in affirmed:
        if vocabulary[concept_id].kind == "diagnosis" and vocabulary[concept_id].organ:
            yield vocabulary.find_organ(concept_id), 2.0
