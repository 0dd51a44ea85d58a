"""The words that deny, doubt or date what stands beside them, and those that end their reach."""

from __future__ import annotations

import re

BEFORE, AFTER, BOTH_SIDES, PSEUDO_CUE = "before", "after", "either", "idle"
_NEGATED, _UNCERTAIN, _HISTORICAL = "negated", "uncertain", "historical"

# BEFORE: the cue stands before what it is about; AFTER: behind it; EITHER: between; IDLE: looks like a cue and is none.
_PHRASES: dict[tuple[str, str], tuple[str, ...]] = {
    (_NEGATED, BEFORE): (
        "no", "no evidence of", "no evidence for", "no sign of", "no signs of", "no definite evidence of",
        "no indication of", "no specific indication of", "no history of", "no known", "no previous", "no prior",
        "without history of", "without", "without evidence of", "without any", "negative for", "free of",
        "free from", "absence of", "lack of", "lacks", "lacking", "lacked", "devoid of", "neither", "nor", "not",
        "non-diagnostic of", "not diagnostic of", "not consistent with", "does not show", "does not align with",
        "do not align with", "did not show", "cannot be seen", "fails to show", "failed to show", "never",
        "insufficient for", "rather than", "excludes", "excluding", "rules out", "ruled out", "no longer", "loss of",
    ),
    (_NEGATED, AFTER): (
        "not identified", "not seen", "not present", "not observed", "not detected", "not noted", "not found",
        "not evident", "not involved", "not apparent", "not demonstrated", "not appreciated", "not recognized",
        "not recognised", "not visible", "not shown", "none identified", "none seen", "absent", "is excluded",
        "are excluded", "was excluded", "has been excluded", "can be excluded", "is ruled out", "been ruled out",
        "is negative", "are negative", "was negative", "were negative", ": negative", ": none", ": no", ": nil",
        "-free", "not in evidence", "not exist", "not notable", "not specifically noted",
        "not specifically identified", "not definitely identified", "not clearly identified", "not conspicuous",
    ),
    (_UNCERTAIN, BEFORE): (
        "suspicious for", "suspicious of", "suspicion of", "suggestive of", "suggest", "suggests", "suggesting",
        "suspected", "suspect", "favor", "favors", "favored", "favoring", "favour", "favours", "favoured",
        "favouring", "possible", "possibly", "probable", "probably", "likely", "most likely", "presumed",
        "presumably", "questionable", "rule out", "r/o", "query", "differential diagnosis includes",
        "differential diagnosis", "may represent", "may be", "might be", "might represent", "could be",
        "could represent", "cannot exclude", "can not exclude", "cannot rule out", "can not rule out",
        "could not exclude", "does not exclude", "not excluding", "equivocal for", "worrisome for", "concerning for",
        "possibility of", "potential for", "risk of", "precursor to", "precursor of", "precursor lesion to",
        "borderline for", "cannot be distinguished from", "atypical for", "than with", "in question", "resembling",
        "reminiscent of", "not unequivocally", "not certain for", "not definite for",
    ),
    (_UNCERTAIN, AFTER): (
        "cannot be excluded", "can not be excluded", "cannot be ruled out", "can not be ruled out", "not excluded",
        "cannot entirely be excluded", "cannot be completely excluded", "not be excluded", "not ruled out",
        "is suspected", "are suspected", "was suspected", "is possible", "is likely", "is probable", "is favored",
        "is favoured", "is considered", "unlikely", "not unequivocally present", "not unequivocally identified",
        "not mentioned", "not assessed", "not assessable", "cannot be assessed", "not specified", "not evaluated",
        "not applicable", "indeterminate", "is questionable", "to be excluded", "should be excluded",
    ),
    (_UNCERTAIN, BOTH_SIDES): (
        "vs", "vs.", "versus",
    ),
    (_HISTORICAL, BEFORE): (
        "history of", "past history of", "known history of", "previous", "previously diagnosed", "prior",
        "status post", "s/p", "known", "former", "formerly", "status after", "treated for", "background history of",
    ),
    ("", PSEUDO_CUE): (
        "no increase", "no significant increase", "no change", "no further", "no doubt", "not only",
        "not necessarily", "not just", "not limited to", "not otherwise specified", "no special type",
        "no specific type", "prior to", "without difficulty", "known as", "likely to", "no significant change",
        "no interval change", "if not", "more consistent with", "also known as",
    ),
}  # fmt: skip


def _make_pattern(phrases: list[str]) -> str:
    """One alternation, longest first; its branches begin with plain letters, which is what makes it fast."""
    words = sorted((phrase for phrase in phrases if phrase[0] not in ":-"), key=len, reverse=True)
    spaced = (r"\s+".join(re.escape(word) for word in phrase.split()) for phrase in words)
    punctuated = (re.escape(phrase).replace(r"\ ", r"\s*") for phrase in phrases if phrase[0] in ":-")
    return rf"(?<![\w-])(?:{'|'.join(spaced)})(?!\w)|(?:{'|'.join(punctuated)})(?!\w)"


_MEANINGS = {phrase: meaning for meaning, phrases in _PHRASES.items() for phrase in phrases}
# These are for lower-case text.
CUE = re.compile(_make_pattern(list(_MEANINGS)))
_END = (
    r"\b(?:but|however|although|though|except|apart\s+from|other\s+than|yet|whereas|while|which|because|since|"
    r"there\s+(?:is|are)|shows?|showing|reveals?|arising|and\s+with|in\s+(?:a|the)\s+background|due\s+to|"
    r"secondary\s+to|remains?|present\s+in)\b|"
    r",\s*(?:and\s+)?(?:with|an?|the|there|it|this|these|only|some|focal|abundant|extensive)\b|:(?!\s*$)"
)
# What is denied ends where something is offered in its place; what is doubted or past ends at most commas.
FORWARD_END = re.compile(_END + r"|\b(?:(?:consistent|compatible)\s+with|suspicious|suggestive|favou?r)\b")
SOFT_END = re.compile(_END + r"|,(?!\s*(?:or|and|versus|vs)\b)|\)")


def look_up_cue(text: str) -> tuple[str, str]:
    """Status and side of a matched cue."""
    plain = re.sub(r"\s+", " ", text.lower()).strip()
    meaning = _MEANINGS.get(plain)
    return meaning if meaning is not None else _MEANINGS[re.sub(r"^:\s*", ": ", plain)]
