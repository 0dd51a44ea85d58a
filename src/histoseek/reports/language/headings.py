"""The words of headings and specimens, from the packaged file, and what a heading says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, cast, get_args

SectionName = Literal[
    "diagnosis", "microscopy", "gross", "history", "comment", "ancillary", "addendum", "frozen", "other"
]
SECTION_NAMES: tuple[SectionName, ...] = get_args(SectionName)
_MOST_WORDS = 9
_MOST_MENDED_WORDS = 6
_MENDED_LETTERS = 7
_TWICE_MENDED_LETTERS = 11
_JOINED_LETTERS = 7
_LEAST_LETTERS = 4
_MOST_CUT = 2
_PARENTHESES = re.compile(r"\([^)]*\)")
_LISTS = re.compile(r"[,;:]\s?\w")
_EDGES = re.compile(r"^[^\w/]+|[\W_]+$")
_NUMBER = re.compile(r"^(?:\d{1,2}|[ivx]{1,4}|[a-h])[.)]\s+")
_TORN = re.compile(r"(?<=\w-)\s+(?=\w)")
_LABEL = re.compile(r"\d{1,2}|[ivx]{1,4}|[a-z]")
_MARKS = str.maketrans("", "", "~^`'\u2019")
_GLYPHS = str.maketrans("0158|!", "oisbii") | _MARKS
_STROKES = (("rn", "m"), ("in", "m"), ("ni", "m"), ("vv", "w"), ("l", "i"))
_NOT_BESIDE = frozenset(("see", "for", "per", "with", "no", "not", "is", "are", "was", "were", "by", "as", "refer"))


@dataclass(frozen=True, slots=True)
class Headings:
    """Headings by their plain spelling, words that may stand beside them, and the words of specimens.

    begins, ends: headings that may have any words behind or before them; forms, findings, nested, administrative:
    titles that open a section only in some places, or in none (`headings.toml` says which); lookalikes: words that
    are no heading, however near to one they are spelt; sites: where specimens come from;
    handling: what is done to specimens; rows: how a row of a form begins; statements: what states a diagnosis;
    numbered: headings that may have a number behind them ("ADDENDUM 1").
    """

    section_of: Mapping[str, SectionName]
    qualifiers: frozenset[str]
    begins: Mapping[str, SectionName]
    ends: Mapping[str, SectionName]
    forms: frozenset[str]
    findings: frozenset[str]
    nested: frozenset[str]
    administrative: frozenset[str]
    lookalikes: frozenset[str]
    specimen_words: tuple[str, ...]
    specimen_names: re.Pattern[str]
    sites: re.Pattern[str]
    handling: re.Pattern[str]
    rows: re.Pattern[str]
    statements: re.Pattern[str]
    numbered: frozenset[str]
    words: tuple[str, ...]
    joined: Mapping[str, SectionName]

    def find_section(self, title: str) -> SectionName | None:
        """The section that a title opens, or None when it is not a heading.

        It is one of the file's headings, or begins or ends with one and has only qualifiers or headings of the same
        section beside it. A title in capitals may have any words before a heading of two words or more ("HOSPITAL X
        CLINICAL HISTORY"), and a history any words behind ("Clinical History as given by the surgeon"). Lines of
        administration open none.
        """
        plain = normalise_title(title)
        if plain in self.administrative or title.count(")") > title.count("("):
            return None
        may_follow_others = title.isupper() and not _LISTS.search(title)
        return self.section_of.get(plain) or self._find_core(plain.split(), may_follow_others)

    def _find_core(self, words: list[str], may_follow_others: bool) -> SectionName | None:
        if len(words) > _MOST_WORDS:
            return None
        if opened := self._find_open_ended(words):
            return opened
        while len(words) > 1 and _LABEL.fullmatch(words[-1]) and (len(words) > 2 or words[0] in self.numbered):
            words = words[:-1]
        for length in range(len(words), 0, -1):
            for core, rest in ((words[-length:], words[:-length]), (words[:length], words[length:])):
                section = self.section_of.get(" ".join(core))
                if section is None:
                    continue
                is_behind = (
                    may_follow_others and length > 1 and core == words[-length:] and not _NOT_BESIDE.intersection(rest)
                )
                is_before = section == "history" and length > 1 and core == words[:length]
                if is_behind or is_before or all(self._may_stand_beside(word, section) for word in rest):
                    return section
        return None

    def _may_stand_beside(self, word: str, section: SectionName) -> bool:
        return word in self.qualifiers or self.section_of.get(word) == section

    def _find_open_ended(self, words: list[str]) -> SectionName | None:
        if _NOT_BESIDE.intersection(words):
            return None
        plain = " ".join(words)
        for title, section in self.begins.items():
            if plain.startswith(title) and not plain[len(title) : len(title) + 1].isalpha():
                return section
        return next((section for title, section in self.ends.items() if plain.endswith(f" {title}")), None)

    def find_mended_section(self, title: str) -> SectionName | None:
        """The section that a title opens which OCR misread: "GROSS EXANINATION", "C OMMENT", "Fmal Diagnosis".

        Each word must be a word of headings, or as near to one as its length allows; what is a word of its own stays
        as it is. Meant for what stands where headings stand, not for running text.
        """
        words = normalise_title(title).split()
        if len(words) > 1 and all(len(word) == 1 for word in words):
            return self._find_joined("".join(words))
        if not 0 < len(words) <= _MOST_MENDED_WORDS or " ".join(words) in self.administrative:
            return None
        if any(word in self.lookalikes for word in words):
            return None
        mended = [_mend_word(word, self.words) for word in words]
        if mended[0] is None and len(words) > 1:
            mended[0] = _complete_word(words[0], self.words)
        if mended != words and None not in mended:
            return self._find_core([word for word in mended if word], False)
        return self._find_joined("".join(words))

    def _find_joined(self, letters: str) -> SectionName | None:
        """Headings whose words were torn or run together."""
        letters = _trace_glyphs(letters)
        if len(letters) < _JOINED_LETTERS:
            return None
        return self.joined.get(letters)

    def is_administrative(self, title: str) -> bool:
        """Whether a title is that of a line of administration: "Accession No", "SURGICAL PATHOLOGY REPORT"."""
        return normalise_title(title) in self.administrative

    def names_specimen(self, line: str) -> bool:
        """Whether a line says how a specimen was taken, as "Prostate, left apex, needle biopsy" does."""
        return bool(self.specimen_names.search(line))


def normalise_title(title: str) -> str:
    """A title in lower case without marks, numbering and what stands in parentheses."""
    plain = _EDGES.sub("", _PARENTHESES.sub("", title)).lower()
    plain = _TORN.sub("", _NUMBER.sub("", plain))
    return " ".join(re.sub(r"[&/+,]", " and ", plain).split())


@lru_cache(maxsize=8192)
def _mend_word(word: str, heading_words: tuple[str, ...]) -> str | None:
    """The word of headings that this one is or was before OCR; None: there is none."""
    if word in heading_words or _LABEL.fullmatch(word):
        return word
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    if word.isalpha() and len(word) < 4:
        return None
    traced = _trace_glyphs(word)
    for candidate in heading_words:
        if len(candidate) > 3 and _trace_glyphs(candidate) == traced:
            return candidate
    most = 0 if len(traced) < _MENDED_LETTERS else 1 if len(traced) < _TWICE_MENDED_LETTERS else 2
    plain = word.translate(_MARKS)
    nearest = process.extractOne(plain, heading_words, scorer=Levenshtein.distance, score_cutoff=most) if most else None
    return nearest[0] if nearest and len(nearest[0]) >= _MENDED_LETTERS else None


@lru_cache(maxsize=8192)
def _complete_word(word: str, heading_words: tuple[str, ...]) -> str | None:
    """The word of headings whose first letters were cut off at the edge of the page: "inical" is "clinical"."""
    if len(word) < _LEAST_LETTERS:
        return None
    cut = (whole for whole in heading_words if whole.endswith(word) and len(whole) - len(word) <= _MOST_CUT)
    return next(cut, None)


@lru_cache(maxsize=8192)
def _trace_glyphs(word: str) -> str:
    """A word with one letter for those that look alike on paper."""
    traced = word.lower().translate(_GLYPHS)
    for written, stroke in _STROKES:
        traced = traced.replace(written, stroke)
    return traced


@lru_cache(maxsize=1)
def load_headings() -> Headings:
    """The headings that come with the package (language/headings.toml)."""
    data = tomllib.loads((resources.files("histoseek.reports.language") / "headings.toml").read_text("utf-8"))
    section_of = _read_titles(data["sections"])
    qualifiers = frozenset(data["qualifiers"]["words"])
    names = "|".join(re.escape(word) for word in data["specimens"]["named_by"])
    sites = "|".join(re.escape(word) for word in data["specimens"]["sites"])
    statements = "|".join(data["statements"]["patterns"])
    handling = "|".join(data["specimens"]["handling"])
    row_of, row_names = "|".join(data["specimens"]["row_of"]), "|".join(data["specimens"]["row_names"])
    row_ends = "|".join(data["specimens"]["row_ends"])
    places = {name: frozenset(map(normalise_title, titles)) for name, titles in data["rows"].items()}
    words = {word for title in section_of for word in title.split()} | qualifiers
    return Headings(
        section_of=section_of,
        qualifiers=qualifiers,
        begins=_read_titles(data["open_ended"]["begins"]),
        ends=_read_titles(data["open_ended"]["ends"]),
        **cast("dict[str, Any]", places),
        lookalikes=frozenset(data["lookalikes"]["words"]),
        specimen_words=tuple(data["specimens"]["words"]),
        specimen_names=re.compile(rf"\b(?:{names}|\w+(?:ectomy|ectomies|ektomie|ectomie))\b", re.IGNORECASE),
        sites=re.compile(rf"\b(?:{sites})(?:e?s|en)?\b", re.IGNORECASE),
        handling=re.compile(rf"\b(?:{handling})\b", re.IGNORECASE),
        rows=re.compile(
            rf"\W*(?:(?:{row_of})\s+){{0,2}}(?:{row_names})\b[^:;\n]{{0,60}}[:;]|[^:;\n]{{0,60}}\b(?:{row_ends})\s?[:;]",
            re.IGNORECASE,
        ),
        statements=re.compile(statements, re.IGNORECASE),
        numbered=frozenset(title for title, name in section_of.items() if name in ("addendum", "comment")),
        words=tuple(sorted(words)),
        joined={_trace_glyphs(re.sub(r"[\W_]", "", title)): name for title, name in section_of.items()},
    )


def _read_titles(titles_of: Mapping[str, list[str]]) -> dict[str, SectionName]:
    return {normalise_title(title): cast("SectionName", name) for name, titles in titles_of.items() for title in titles}
