"""A report's text without what scanning and pages did to it, and where each part of it stands in the original."""

from __future__ import annotations

from functools import lru_cache

from histoseek.reports.cleaning.furniture import find_furniture
from histoseek.reports.cleaning.mends import CleanText, apply_mends
from histoseek.reports.cleaning.misreadings import find_misreadings
from histoseek.reports.cleaning.spelling import load_dictionary


@lru_cache(maxsize=256)
def clean_text(raw: str, boilerplate: frozenset[str] = frozenset(), terms: frozenset[str] = frozenset()) -> CleanText:
    """Mend a text. Never raises for what it says; an undamaged text stays as it is.

    boilerplate: pieces that the archive's reports have in common (`normalise_piece`), which go; terms: words of a
    vocabulary in lower case, which are right as they are and what misspelt ones are corrected to.
    """
    taken = find_furniture(raw, boilerplate)
    return apply_mends(raw, find_misreadings(raw, taken, load_dictionary(terms)))
