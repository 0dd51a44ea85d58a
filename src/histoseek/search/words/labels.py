"""Labels of slides without any training: which of some words a slide's tiles fit best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Where
from histoseek.archive.folder import ArchiveFolder
from histoseek.errors import ArchiveError, InputError
from histoseek.search.words.comparison import TileWords
from histoseek.search.words.prompts import make_label_prompt, make_single_prompt


@dataclass(frozen=True, slots=True)
class ZeroShotLabels:
    """How well S slides fit L labels, by id: scores float32 [S, L], cosines that compare within a row only."""

    slide_ids: tuple[str, ...]
    labels: tuple[str, ...]
    scores: NDArray[np.float32]

    @property
    def best(self) -> dict[str, str]:
        """By slide, the label that it fits best."""
        return {one: self.labels[place] for one, place in zip(self.slide_ids, self.scores.argmax(axis=1), strict=True)}


def label_zero_shot(
    archive: ArchiveFolder, labels: Sequence[str], where: Where = None, *, single: bool = False
) -> ZeroShotLabels:
    """The labels of the slides of a filter by the words of the archive's tile encoder; see docs/searching.md.

    single: put each label in one way only, in place of an ensemble of ways and synonyms. Raises InputError for fewer
    than two labels, EncoderError and ArchiveError where there are no words, BadFilter.
    """
    if isinstance(labels, str) or len(set(labels)) < 2 or not all(label.strip() for label in labels):
        raise InputError("labels", "at least two different ones are needed", "Give a list such as ['colon', 'lung']")
    store = archive.store.snapshot()
    tiles = TileWords.open(archive, store)
    if tiles is None:
        archive.words.require_tower()
        raise ArchiveError(archive.address, "its tiles were not compared with words", "Run `histoseek index`")
    make = make_single_prompt if single else make_label_prompt
    scores = tiles.measure(tiles.embed_prompts([make(label) for label in labels]))
    allowed = np.flatnonzero(tiles.rows.among(store.find_rows(store.filter(where))))
    order = allowed[np.argsort(tiles.rows.slide_ids[allowed])]
    return ZeroShotLabels(tuple(tiles.rows.slide_ids[order].tolist()), tuple(labels), scores[:, order].T)
