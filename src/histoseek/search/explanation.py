"""Why a result was found, as typed objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from histoseek.geometry import Rect


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one pair of vectors gave the score.

    query_mosaic, result_mosaic: mosaic vectors by number, None for the vector of the whole slide; distance: between the
    two, in the unit of the distance's local part; share: of the score; query_region, result_region: the tile that
    carries each most, in level-0 px, None for the whole slide and where the place is not known.
    """

    query_mosaic: int | None
    result_mosaic: int | None
    distance: float
    share: float
    query_region: Rect | None
    result_region: Rect | None


@dataclass(frozen=True, slots=True)
class OtherPairs:
    """Pairs that are not listed: how many there are, and their share of the score in all."""

    count: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of what the score between two slides is made: base + global_ + context + neighbours + the shares of all pairs,
    listed or not, = 1 - distance.

    That is the result's score, or, where several channels led to it, its score in the channel "similar slides". Parts
    count from a typical pair of unrelated slides, whose score is 0: above 0 for what is nearer than there. The base is
    0 then, and other than 0 for distances that know of no typical pair (see `mosaics.contributions`). global_: what the
    vectors of the whole slides gave in the distance's global part; context: what they gave there at the archive's
    coarser spacing, 0 where the two were not compared at it; neighbours: what the query's neighbours gave, their share
    of the score times how much they agree on the slide, 0 where they do not lead to it or have no say; pairs: those
    that weigh most, largest share first; other_pairs: the rest, of slides of many regions.
    """

    base: float
    global_: float
    pairs: tuple[Contribution, ...]
    context: float = 0.0
    neighbours: float = 0.0
    other_pairs: OtherPairs = OtherPairs()

    @property
    def score(self) -> float:
        """The sum of all parts."""
        paired = sum(pair.share for pair in self.pairs) + self.other_pairs.share
        return self.base + self.global_ + self.context + self.neighbours + paired


@dataclass(frozen=True, slots=True)
class CasePart:
    """What slides of one stain gave the score of a case: the shares of all its stains add up to it.

    stain: as `archive.stains` names it, "any stain" where two cases share none and that of some slides is not known;
    distance: of the case by this stain; query_slide, slide_id: the nearest pair, and how far it is (nearest).
    """

    stain: str
    share: float
    distance: float
    query_slide: int
    slide_id: str
    nearest: float


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of a report that a text speaks of, report[start:end].

    kind: "meaning", a sentence, and its score is the cosine of its vector and the text's; "words", a word or term of
    the text in some form, of score 1.
    """

    start: int
    end: int
    score: float
    kind: Literal["meaning", "words"]


@dataclass(frozen=True, slots=True)
class TextRegion:
    """A part of a slide that is near a text.

    In the space that slides and texts share, mosaic: the number of a mosaic vector; similarity: the cosine; region: the
    tile that carries it most. In the space of tiles and words, mosaic is None; region: a tile; words: what it is near
    to, as the query names it; contribution: what it gives the score of the slide in the channel "tile words", below 0
    for what is not wanted; all contributions add up to that score. Regions are in level-0 px, None where the place is
    not known.
    """

    mosaic: int | None
    similarity: float
    region: Rect | None
    words: str | None = None
    contribution: float | None = None
