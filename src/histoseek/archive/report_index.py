"""Reports as an archive keeps them beside their text: tokens with their places, facts and windows."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MOST_WINDOWS = 8
"""Vectors that a report may have beside its own; the windows of longer reports are larger."""

_CHARACTERS_PER_TOKEN = 3
"""A cautious figure: on reports of surgical pathology, tokens of the default encoder have 3 to 4."""

_WINDOWS_IN_CONTEXT = 4
"""Smaller than what an encoder reads at once: a passage of a report is found by windows of its own size."""


def make_analyser_mark() -> str:
    """What decides the tokens and facts that a report gives: the analyser's version and the vocabulary's hash."""
    from histoseek.reports.concepts.vocabulary import load_vocabulary
    from histoseek.reports.index.analyser import ANALYSER_VERSION

    return f"{ANALYSER_VERSION}-{load_vocabulary().fingerprint}"


def make_record_mark() -> str:
    """What decides the tokens that a record gives."""
    from histoseek.reports.index.record_words import RECORD_VERSION

    return f"{RECORD_VERSION}-{make_analyser_mark()}"


@dataclass(frozen=True, slots=True)
class ReportIndex:
    """What is kept of a report beside its text.

    tokens: parted and enclosed by blanks; facts: each as field:value, of which one is the report's quality; places:
    where the tokens stand, packed.
    """

    tokens: str
    facts: tuple[str, ...]
    places: bytes


def read_report(text: str, boilerplate: frozenset[str] = frozenset()) -> tuple[str, tuple[str, ...]]:
    """A report's tokens and facts, as in `ReportIndex`."""
    index = index_report(text, boilerplate)
    return index.tokens, index.facts


@lru_cache(maxsize=4096)
def index_report(text: str, boilerplate: frozenset[str] = frozenset()) -> ReportIndex:
    """Read a report; boilerplate: pieces that the archive's reports have in common, which are not read."""
    from histoseek.reports.concepts.vocabulary import load_vocabulary
    from histoseek.reports.facts.quality import judge_quality
    from histoseek.reports.facts.report_facts import list_facts
    from histoseek.reports.facts.structured import extract_facts
    from histoseek.reports.index.analyser import analyse

    vocabulary = load_vocabulary()
    read = extract_facts(text, vocabulary, boilerplate)
    terms = analyse(text, read, vocabulary, boilerplate)
    quality = f"quality:{judge_quality(text, read, vocabulary, boilerplate).value}"
    return ReportIndex(
        tokens=f" {' '.join(term.token for term in terms)} ",
        facts=(*list_facts(read, vocabulary), quality),
        places=pack_places([(term.start, term.end) for term in terms]),
    )


def pack_places(places: Sequence[tuple[int, int]]) -> bytes:
    """Places in a text, start and end, as bytes: the differences of starts and the lengths, compressed."""
    array = np.array(places, np.int32).reshape(-1, 2)
    steps = np.diff(array[:, 0], prepend=np.int32(0))
    return zlib.compress(np.stack([steps, array[:, 1] - array[:, 0]]).astype("<i4").tobytes(), 1)


def find_places(tokens: str, packed: bytes, wanted: Collection[str]) -> list[tuple[int, int]] | None:
    """Where some of a report's tokens stand in its text; None for places that are those of other tokens."""
    steps, lengths = np.frombuffer(zlib.decompress(packed), "<i4").reshape(2, -1)
    listed = tokens.split()
    if len(listed) != len(steps):
        return None
    starts = np.cumsum(steps)
    rows = [row for row, token in enumerate(listed) if token in wanted]
    return list(zip(starts[rows].tolist(), (starts[rows] + lengths[rows]).tolist(), strict=True))


def split_windows(text: str, context_tokens: int) -> tuple[str, ...]:
    """A text in at most MOST_WINDOWS parts of whole sentences, each about a quarter of what a text encoder reads.

    None for a text that is no longer than two of them.
    """
    from histoseek.reports.language.sentences import split_sentences

    length = context_tokens * _CHARACTERS_PER_TOKEN // _WINDOWS_IN_CONTEXT
    if len(text) <= 2 * length:
        return ()
    length = max(length, -(-len(text) // (MOST_WINDOWS - 1)))
    windows: list[str] = []
    for sentence in split_sentences(text):
        if windows and (len(windows) == MOST_WINDOWS or len(windows[-1]) + len(sentence.text) < length):
            windows[-1] += " " + sentence.text
        else:
            windows.append(sentence.text)
    return tuple(windows)
