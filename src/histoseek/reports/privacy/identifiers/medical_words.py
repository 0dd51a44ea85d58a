"""Words of reports that are no names of persons: the vocabulary, headings, and what is formed or spelt like them."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.language.headings import load_headings
from histoseek.reports.privacy.identifiers.languages import list_phrases
from histoseek.reports.privacy.identifiers.lexicon import fold, load_lexicon, read_words

_WORDS = re.compile(r"[^\W\d_]{2,}")
_LABELS = ("name", "byline", "title", "id", "phone", "date", "address", "institution")
_TITLES = frozenset(list_phrases("labels", "title"))
_SHORTEST_FORM = 6
_SHORTEST_MISSPELT = 6
_LONG = 10
_NUMERAL = re.compile(r"[ivx]{2,}")
_FORMS = re.compile(
    r".{5,}omas?|.{3,}(?:omata|omatous|itis|itides|osis|oses|a?emias?|ectom(?:y|ies)|otom(?:y|ies)|ostom(?:y|ies)|"
    r"plast(?:y|ies|ic)|plasias?|path(?:y|ies|ic|ology)|genic|cytes?|cytic|blasts?|blastic|scop(?:y|ies|ic)|graph(?:y|ic)|"
    r"lysis|megaly|philic|troph(?:y|ic)|rrhagia|rrhea|algia|uria|oids?|ations?|tions?|sions?|ities|ability|ated|ating|"
    r"ically|ology|ologist|ologic(?:al)?|inous|eous|atous|"
    r"karzinome?|karzinoms|sarkome?|melanome?|tumore?n?|gewebe|schleimhaut|drusen?|zellen|zellig(?:e[nrs]?)?|rung(?:en)?|"
    r"keit|heit|ische[nrsm]?|praparat|lymphknoten|"
    r"carcinomes?|ectomies?|ologiques?|atiques?|ulaires?|tumeurs?|"
    r"ciones|cion|mente|ectomia|zione|zioni|"
    r"carcinoom|weefsel|klieren?|slijmvlies|cellige?|"
    r"cancern?|krabbamein|karsinooma|skodun|kirtill|kortlar|kortel|knutor|knuder)"
)


def is_medical(word: str) -> bool:
    """Whether a folded word stands in the vocabulary, in a heading or among the common words of reports."""
    if word.removesuffix("'s") in _load_words():
        return True
    return "-" in word and all(part in _load_words() or load_lexicon().is_ordinary(part) for part in word.split("-"))


@lru_cache(maxsize=1 << 14)
def looks_medical(word: str) -> bool:
    """Whether a folded word is one of reports, is formed like one, or is a misread one ("carcinorna")."""
    if is_medical(word) or _NUMERAL.fullmatch(word):
        return True
    stem = word.lstrip("il1")
    if len(stem) > 3 and (is_medical(stem) or load_lexicon().is_ordinary(stem)):
        return True
    if len(word) > 4 and sum(mark in "il1" for mark in word) > 0.8 * len(word):
        return not load_lexicon().is_listed(word)
    if load_lexicon().is_listed(word) or any(mark.isdigit() for mark in word):
        return False
    if len(word) >= _SHORTEST_FORM and _FORMS.fullmatch(word):
        return True
    return len(word) >= _SHORTEST_MISSPELT and _is_misspelt(word)


def is_bar_code(text: str) -> bool:
    """Whether a text is what a scan reads in the strokes of a bar code, as it is written: not "Willi" or "Lilli"."""
    marks = [mark for mark in text if mark.isalnum()]
    return sum(mark in "I1" for mark in marks) > 2 and sum(mark in "Il1" for mark in marks) >= 0.7 * len(marks)


def _is_misspelt(word: str) -> bool:
    """Whether one edit, in long words two, makes a word of reports; "rn" counts for "m", as scans have it."""
    plain = word.replace("rn", "m").replace("1", "l").replace("0", "o")
    limit = 2 if len(plain) >= _LONG else 1
    lengths = _list_by_length()
    candidates = [
        entry for length in range(len(plain) - limit, len(plain) + limit + 1) for entry in lengths.get(length, ())
    ]
    return plain in _load_words() or bool(
        process.extractOne(plain, candidates, scorer=DamerauLevenshtein.distance, score_cutoff=limit)
    )


@lru_cache(maxsize=1)
def _list_by_length() -> dict[int, list[str]]:
    by_length: dict[int, list[str]] = {}
    for word in sorted(_load_words() | {word for word in load_lexicon().ordinary if len(word) >= _SHORTEST_MISSPELT}):
        by_length.setdefault(len(word), []).append(word)
    return by_length


@lru_cache(maxsize=1)
def _load_words() -> frozenset[str]:
    """Folded words without names and eponyms: those need a second sign anyway."""
    vocabulary, lists = load_vocabulary(), load_lexicon()
    texts = [surface.text for concept in vocabulary.concepts for surface in vocabulary.list_surfaces(concept)]
    words = {fold(word) for text in (*texts, *load_headings().section_of) for word in _WORDS.findall(text)}
    labels = (label for kind in _LABELS for label in list_phrases("labels", kind))
    words |= {word for label in labels for word in _WORDS.findall(fold(label)) if len(word) > 2 or label in _TITLES}
    words |= set(map(fold, load_headings().qualifiers)) | set(map(fold, read_words("report_words.txt")))
    return frozenset(word for word in words if not lists.is_listed(word) and not lists.is_eponym(word))
