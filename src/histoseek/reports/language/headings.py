"""The words of headings and specimens, from the packaged file, and what a heading says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal, cast, get_args

SectionName = Literal[
    "diagnosis", "microscopy", "gross", "history", "comment", "ancillary", "addendum", "frozen", "other"
]
SECTION_NAMES: tuple[SectionName, ...] = get_args(SectionName)
_MOST_WORDS = 9
_PARENTHESES = re.compile(r"\([^)]*\)")
_NUMBER = re.compile(r"^(?:\d{1,2}|[ivx]{1,4}|[a-h])[.)]\s+")
_LABEL = re.compile(r"\d{1,2}|[ivx]{1,4}|[a-z]")


@dataclass(frozen=True, slots=True)
class Headings:
    """Headings by their plain spelling, words that may stand beside them, and the words of specimens."""

    section_of: Mapping[str, SectionName]
    qualifiers: frozenset[str]
    specimen_words: tuple[str, ...]
    specimen_names: re.Pattern[str]

    def find_section(self, title: str) -> SectionName | None:
        """The section that a title opens, or None when it is not a heading.

        It is one of the file's headings, or begins or ends with one and has only qualifiers beside it. A title in
        capitals may have any words before a heading of two words or more ("HOSPITAL X CLINICAL HISTORY").
        """
        plain = normalise_title(title)
        if plain in self.section_of:
            return self.section_of[plain]
        words = plain.split()
        if len(words) > _MOST_WORDS:
            return None
        while len(words) > 2 and _LABEL.fullmatch(words[-1]):
            words.pop()
        for length in range(len(words), 0, -1):
            for core, rest in ((words[-length:], words[:-length]), (words[:length], words[length:])):
                section = self.section_of.get(" ".join(core))
                is_upper = title.isupper() and length > 1 and core == words[-length:]
                if section and (is_upper or all(word in self.qualifiers for word in rest)):
                    return section
        return None

    def names_specimen(self, line: str) -> bool:
        """Whether a line says how a specimen was taken, as "Prostate, left apex, needle biopsy" does."""
        return bool(self.specimen_names.search(line))


def normalise_title(title: str) -> str:
    """A title in lower case without marks, numbering and what stands in parentheses."""
    plain = _PARENTHESES.sub("", title).strip(" \t#*_=-:.").lower()
    plain = _NUMBER.sub("", plain)
    return " ".join(re.sub(r"[&/+,]", " and ", plain).split())


@lru_cache(maxsize=1)
def load_headings() -> Headings:
    """The headings that come with the package (language/headings.toml)."""
    data = tomllib.loads((resources.files("histoseek.reports.language") / "headings.toml").read_text("utf-8"))
    section_of = {
        normalise_title(title): cast("SectionName", name)
        for name, titles in data["sections"].items()
        for title in titles
    }
    names = "|".join(re.escape(word) for word in data["specimens"]["named_by"])
    return Headings(
        section_of=section_of,
        qualifiers=frozenset(data["qualifiers"]["words"]),
        specimen_words=tuple(data["specimens"]["words"]),
        specimen_names=re.compile(rf"\b(?:{names}|\w+(?:ectomy|ectomies|ektomie|ectomie))\b", re.IGNORECASE),
    )
