"""Alignments: how slide vectors and text vectors come into one shared space."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from histoseek.encoders.side_by_side import SideBySide
from histoseek.equality import EqualByContent
from histoseek.errors import DamagedArchive
from histoseek.files import write_atomic
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float32]
Kind = Literal["projection", "ridge"]
"""`projection`: trained with the slide encoder; `ridge`: fitted in closed form on an archive's own pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Affine(EqualByContent):
    """x -> x @ matrix + offset; matrix float32 [from, to], offset float32 [to]."""

    matrix: Floats
    offset: Floats

    def __call__(self, vectors: Floats) -> Floats:
        """Map vectors [B, from] to [B, to]."""
        return np.asarray(vectors @ self.matrix + self.offset, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class JoinedMaps(EqualByContent):
    """The maps of two text encoders, whose vectors lie side by side, into two spaces side by side; share: of the first
    in cosines."""

    first: Affine
    second: Affine
    share: float

    def __call__(self, vectors: Floats) -> Floats:
        """Map vectors [B, from] of both to [B, to], of length one in each of the spaces but for its share."""
        own = SideBySide(len(self.first.matrix), len(self.second.matrix), self.share).split(vectors)
        mapped = [normalise_rows(each(part)) for each, part in zip((self.first, self.second), own, strict=True)]
        shared = SideBySide(mapped[0].shape[1], mapped[1].shape[1], self.share)
        return shared.join(mapped[0], mapped[1])


@dataclass(frozen=True, slots=True)
class SharedRecall:
    """How often a report's own slide (or one with a report of the same text) is among the five nearest to it in the
    shared space, over patients that the maps have not seen; chance: in a random order of the same slides. Five, since
    many slides fit a report about as well as its own."""

    value: float
    chance: float

    @property
    def above_chance(self) -> float:
        """The share of what chance misses that the space finds, 0 to 1."""
        return max(0.0, self.value - self.chance) / (1 - self.chance) if self.chance < 1 else 0.0


@dataclass(frozen=True, slots=True)
class Alignment:
    """The maps of slide vectors [D] and text vectors [T] into a shared space [S]; None leaves vectors as they are.

    measured: how well texts find slides there, None where that was never measured; facts: how they were fitted, by
    name, none where they come with weights, whose card says it; mosaic_text: of text vectors into the space of mosaic
    vectors, where a model tied words and regions apart from slides and texts, else None.
    """

    kind: Kind
    slide: Affine | None
    text: Affine | JoinedMaps | None
    measured: SharedRecall | None = None
    facts: Mapping[str, str | float] = field(default_factory=dict)
    mosaic_text: Affine | None = None

    @property
    def pair(self) -> SideBySide | None:
        """Where the shared spaces of two encoders lie side by side, None for one."""
        if not isinstance(self.text, JoinedMaps):
            return None
        first, second = (each.matrix.shape[1] for each in (self.text.first, self.text.second))
        return SideBySide(first, second, self.text.share)

    def slides(self, vectors: Floats) -> Floats:
        """Slide vectors [B, D] in the shared space, [B, S], of length one."""
        return normalise_rows(self.slide(vectors) if self.slide else vectors)

    def texts(self, vectors: Floats) -> Floats:
        """Text vectors [B, T] in the shared space, [B, S], of length one."""
        return normalise_rows(self.text(vectors) if self.text else vectors)

    def mosaics(self, vectors: Floats) -> Floats:
        """Mosaic vectors [B, D] in the shared space, [B, S], so that their products with texts are cosines.

        Of length one but in a space of two encoders, where a mosaic vector has the numbers of one of them alone, and a
        text the root of its share: there each is as much longer as that is shorter.
        """
        if self.pair is None:
            return self.slides(vectors)
        scales = (np.float32(1 / math.sqrt(share)) for share in self.pair.shares)
        own = self.pair.cut(self.slides(vectors))
        return np.concatenate([scale * part for scale, part in zip(scales, own, strict=True)], axis=1)

    def dimension(self, slide_dimension: int) -> int:
        """Dimension of the shared space for slide vectors of this dimension."""
        return self.slide.matrix.shape[1] if self.slide else slide_dimension

    @property
    def regional(self) -> Alignment:
        """The maps of mosaic vectors and text vectors into a space that these share."""
        return self if self.mosaic_text is None else Alignment(self.kind, None, self.mosaic_text, self.measured)

    @property
    def fingerprint(self) -> str:
        """Hash of the maps, 16 hex digits; what was measured has no part in it."""
        maps = self._serialise({"kind": self.kind})  # of one fact alone: several have no order in such files
        return hashlib.sha256(maps + (repr(self.pair.share).encode() if self.pair else b"")).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        measured = {"measured": json.dumps(asdict(self.measured))} if self.measured else {}
        facts = {"facts": json.dumps(dict(self.facts))} if self.facts else {}
        pair = {"share": repr(self.pair.share)} if self.pair else {}
        write_atomic(path, self._serialise({"kind": self.kind, **pair, **measured, **facts}))

    def _serialise(self, metadata: dict[str, str]) -> bytes:
        texts = (
            (("text.first", self.text.first), ("text.second", self.text.second))
            if isinstance(self.text, JoinedMaps)
            else (("text", self.text),)
        )
        parts = (("slide", self.slide), *texts, ("mosaic_text", self.mosaic_text))
        arrays = {
            f"{name}.{field}": np.ascontiguousarray(getattr(part, field))
            for name, part in parts
            if part
            for field in ("matrix", "offset")
        }
        return save(arrays, metadata=metadata)


def join_alignments(first: Alignment | None, second: Alignment | None, layout: SideBySide) -> Alignment | None:
    """The alignment of two slide encoders side by side, whose own leave slides as they are; layout: of their vectors.

    Where one has no texts, slides are compared with texts by the other alone. What a pair is worth was not measured: it
    is taken for that of the worse one.
    """
    if first is None or second is None:
        one = first or second
        if one is None:
            return None
        chosen = layout.cut(np.eye(layout.dimension, dtype=np.float32))[0 if second is None else 1]
        return Alignment(one.kind, Affine(chosen, np.zeros(chosen.shape[1], np.float32)), one.text, one.measured)
    assert isinstance(first.text, Affine) and isinstance(second.text, Affine)
    known = [each.measured for each in (first, second) if each.measured is not None]
    measured = min(known, key=lambda each: each.above_chance) if len(known) == 2 else None
    return Alignment(first.kind, None, JoinedMaps(first.text, second.text, layout.share), measured)


def load_alignment(path: Path, expected_hash: str) -> Alignment:
    """Read an alignment back; raises DamagedArchive when it is missing, unreadable, or another one."""
    try:
        with safe_open(path, "numpy") as file:
            slide, text, first, second, mosaic_text = (
                Affine(file.get_tensor(f"{part}.matrix"), file.get_tensor(f"{part}.offset"))
                if f"{part}.matrix" in set(file.keys())
                else None
                for part in ("slide", "text", "text.first", "text.second", "mosaic_text")
            )
            facts = file.metadata() or {}
            joined = JoinedMaps(first, second, float(facts["share"])) if first and second else None
            measured = SharedRecall(**json.loads(facts["measured"])) if "measured" in facts else None
            fitted = json.loads(facts.get("facts", "{}"))
            alignment = Alignment(facts["kind"], slide, joined or text, measured, fitted, mosaic_text)
    except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise DamagedArchive(path, "not a readable alignment") from error
    if alignment.fingerprint != expected_hash:
        raise DamagedArchive(path, "its hash differs from the embedding space's")
    return alignment
