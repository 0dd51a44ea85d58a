"""Names of organs and cancers that mean something else ("heart rate", "Department of Breast Surgery", "brain MRI")."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources

from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary

_LONGEST = 40


def drop_lookalikes(text: str, mentions: Iterable[Mention], vocabulary: Vocabulary) -> tuple[Mention, ...]:
    """The mentions without organs and diagnoses that belong to a scan, a measurement, an institution or a form."""
    before, after = _load_patterns()
    return tuple(
        mention
        for mention in mentions
        if vocabulary[mention.concept_id].kind not in {"organ", "diagnosis"}
        or not (after.match(text, mention.end) or before.search(text, max(0, mention.start - _LONGEST), mention.start))
    )


@lru_cache(maxsize=1)
def _load_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    content = (resources.files("histoseek.reports.concepts") / "lookalikes.toml").read_text("utf-8")
    words = tomllib.loads(content)["lookalikes"]
    before, after = (
        "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in sorted(words[side], key=len, reverse=True))
        for side in ("before", "after")
    )
    return (
        re.compile(rf"\b(?:{before})\s*(?:the\s+)?(?:\w+\s+(?:and|&)\s+)?\Z", re.IGNORECASE),
        re.compile(rf"[ \t,]+(?:{after})\b", re.IGNORECASE),
    )
