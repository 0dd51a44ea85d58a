"""Reports cleaned by the words of a vocabulary."""

from __future__ import annotations

from histoseek.reports.cleaning.clean_text import clean_text
from histoseek.reports.cleaning.mends import CleanText
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary


def clean_report(
    text: str, vocabulary: Vocabulary | None = None, boilerplate: frozenset[str] = frozenset()
) -> CleanText:
    """What of a report is read for its facts and words (see `clean_text`), as no word of the vocabulary is misspelt."""
    return clean_text(text, boilerplate, (vocabulary or load_vocabulary()).spellings)
