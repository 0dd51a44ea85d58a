"""What an archive's channels give by chance: measured with sentences that no archive of slides has an answer to.

It lies beside the space that it is of, is measured by the first search with words after the archive has changed by
half, and kept where the folder can be written; it never changes by itself, so that scores don't.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import HAS_REPORT, one_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.text.base import TextEncoder
from histoseek.files import FileState, read_checked_json, read_file_state, write_checked_json
from histoseek.reports.index.query_words import QueryWord
from histoseek.reports.language.sentences import split_sentences

FORMAT = 2

_FEWEST_IN_SAMPLE = 2
_SAMPLE = 500
"""Reports whose tokens are counted."""

_SENTENCES, _SLIDES = 200, 32
"""Sentences of reports, and slides whose regions are compared with everyday sentences."""

_RECOMBINED, _LONGEST_RECOMBINED = 24, 7
_PARAGRAPHS, _SENTENCES_OF_PARAGRAPH = 3, 24
_GROWTH_NOTED = 0.5

_CHARACTERS_A_SENTENCE = 600
"""Of reports of so many characters each sentence is taken, of longer ones fewer."""

_LONGEST_SENTENCE = 200

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chance:
    """What is to be expected of words that have nothing to do with an archive.

    of: hash of what decides it beside the slides; slides, reports: how many there were; shares: of the reports that
    have a token; zeros: by channel, the cosine of the slide that is nearest to an everyday sentence, on the median,
    and by measure of regions that of the nearest region; near: the cosine there that almost none of these sentences
    has; ones: by channel or measure, the cosine that counts as 1, where that is another; word_tower: hash of the tower
    that tiles were compared with words by, "" for none; word_quality: how much better than chance these find
    what the archive's own reports state, 0 to 1, None where few state anything;
    tile: the cosine of a tile that almost none of these sentences has;
    least: the score from which on a result fits, by direction; sentence, region: the cosine that one of a report, or
    of a slide, must have to be near a text.
    """

    of: str
    slides: int
    reports: int
    shares: Mapping[str, float] = field(default_factory=dict)
    zeros: Mapping[str, float] = field(default_factory=dict)
    near: Mapping[str, float] = field(default_factory=dict)
    ones: Mapping[str, float] = field(default_factory=dict)
    word_tower: str = ""
    word_quality: float | None = None
    tile: float = 0.0
    least: Mapping[str, float] = field(default_factory=dict)
    sentence: float = 0.0
    region: float = 0.0
    format: int = FORMAT

    def is_outgrown(self, slides: int) -> bool:
        """Whether the archive, now of so many slides, has changed by half since."""
        return abs(slides - self.slides) > _GROWTH_NOTED * self.slides

    def cover(self, words: Sequence[QueryWord], reports: Collection[Collection[str]]) -> float:
        """The share of a query's words that one of some reports, each as tokens, has: the largest, 0 to 1.

        A word weighs the more the fewer reports have it.
        """
        weights = [self._inform(word) for word in words]
        whole = math.fsum(weights)
        covered = (
            math.fsum(
                weight * max((part for token, part in word.tokens.items() if token in tokens), default=0.0)
                for word, weight in zip(words, weights, strict=True)
            )
            for tokens in reports
        )
        return max(covered, default=0.0) / whole if whole else 0.0

    def _inform(self, word: QueryWord) -> float:
        share = max((self.shares.get(token, 0.0) for token, part in word.tokens.items() if part >= 1), default=0.0)
        return math.log1p(1 / max(share, 0.5 / max(self.reports, 1)))


def read_chance(archive: ArchiveFolder, store: SlideTable) -> Chance | None:
    """What was measured of an archive as it is; None where that was never done or the archive has changed by half."""
    path = archive.layout.chance
    try:
        chance = _read(path, read_file_state(path))
    except (OSError, ValueError, TypeError):
        return None
    usable = chance.format == FORMAT and chance.of == make_mark(archive, store)
    return chance if usable and not chance.is_outgrown(store.count(None)) else None


def keep_chance(archive: ArchiveFolder, chance: Chance) -> None:
    """Put it beside the archive's space, where that can be written."""
    with suppress(OSError):
        write_checked_json(archive.layout.chance, asdict(chance))


def make_mark(archive: ArchiveFolder, store: SlideTable) -> str:
    """Hash of what decides cosines and tokens: encoders, maps, and what read the texts."""
    space = archive.require_space()
    parts = (space.text_weights, space.alignment_weights, store.analyser, store.record_analyser, list_everyday())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@lru_cache(maxsize=8)
def _read(path: Path, _state: FileState) -> Chance:
    """Read once for each state of the file."""
    return Chance(**read_checked_json(path))


@lru_cache(maxsize=1)
def list_everyday() -> tuple[str, ...]:
    """Sentences of everyday life in several languages, what fingers type, and their words in no order."""
    sentences = files(__package__).joinpath("everyday.txt").read_text(encoding="utf-8").splitlines()
    rng = np.random.default_rng(0)
    words = sorted({word.strip(".,").lower() for sentence in sentences for word in sentence.split()})
    drawn = (rng.choice(words, rng.integers(2, _LONGEST_RECOMBINED + 1), replace=False) for _ in range(_RECOMBINED))
    return (*sentences, *(" ".join(some) for some in drawn))


@lru_cache(maxsize=1)
def list_paragraphs() -> tuple[str, ...]:
    """Everyday sentences one after the other, as long as reports."""
    rng = np.random.default_rng(0)
    everyday = list_everyday()
    return tuple(
        " ".join(rng.choice(everyday, _SENTENCES_OF_PARAGRAPH, replace=False).tolist()) for _ in range(_PARAGRAPHS)
    )


_read_before: dict[tuple[str, tuple[str, ...]], Floats] = {}


def encode_once(encoder: TextEncoder, texts: tuple[str, ...]) -> Floats:
    """Vectors of texts that every archive is measured with, read once in a process by each encoder."""
    key = encoder.weights_hash, texts
    if key not in _read_before:
        _read_before[key] = np.asarray(encoder.encode(list(texts)), np.float32)
    return _read_before[key]


def count_tokens(store: SlideTable) -> tuple[int, dict[str, float], list[str]]:
    """How many reports there are; the share of them that has a token, by those drawn; and some of their ids."""
    ids = store.slides(HAS_REPORT)
    drawn = np.random.default_rng(0).permutation(len(ids))[:_SAMPLE]
    sample = [ids[place] for place in np.sort(drawn)]
    tokens = store.list_report_tokens(sample)
    counts = Counter(token for own in tokens for token in own)
    shares = {t: round(n / len(tokens), 4) for t, n in counts.items() if n >= min(_FEWEST_IN_SAMPLE, len(tokens))}
    return len(ids), shares, sample


def read_sentences(store: SlideTable, slide_ids: Sequence[str]) -> list[str]:
    """Some sentences of some reports, each once, a few of each."""
    if not slide_ids:
        return []
    few = slide_ids[:: max(1, len(slide_ids) * 5 // _SENTENCES)]
    reports = store.columns(["report"], one_of("slide_id", few))["report"].to_pylist()
    parts = (split_sentences(report)[:: max(1, len(report) // _CHARACTERS_A_SENTENCE)] for report in reports)
    texts = (sentence.text for part in parts for sentence in part if " " in sentence.text)
    return list(dict.fromkeys(text[:_LONGEST_SENTENCE] for text in texts))[:_SENTENCES]


def draw_slides(store: SlideTable) -> list[str]:
    """Some slides whose regions are looked at."""
    ids = store.slides(None)
    return [ids[place] for place in np.random.default_rng(0).permutation(len(ids))[:_SLIDES]]
