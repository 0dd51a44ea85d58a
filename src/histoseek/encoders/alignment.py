"""Alignments: how slide vectors and text vectors come into one shared space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

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
    name, none where they come with weights, whose card says it.
    """

    kind: Kind
    slide: Affine | None
    text: Affine | None
    measured: SharedRecall | None = None
    facts: Mapping[str, str | float] = field(default_factory=dict)

    def slides(self, vectors: Floats) -> Floats:
        """Slide vectors [B, D] in the shared space, [B, S], of length one."""
        return normalise_rows(self.slide(vectors) if self.slide else vectors)

    def texts(self, vectors: Floats) -> Floats:
        """Text vectors [B, T] in the shared space, [B, S], of length one."""
        return normalise_rows(self.text(vectors) if self.text else vectors)

    def dimension(self, slide_dimension: int) -> int:
        """Dimension of the shared space for slide vectors of this dimension."""
        return self.slide.matrix.shape[1] if self.slide else slide_dimension

    @property
    def fingerprint(self) -> str:
        """Hash of the maps, 16 hex digits; what was measured has no part in it."""
        return hashlib.sha256(self._serialise({"kind": self.kind})).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        measured = {"measured": json.dumps(asdict(self.measured))} if self.measured else {}
        facts = {"facts": json.dumps(dict(self.facts))} if self.facts else {}
        write_atomic(path, self._serialise({"kind": self.kind, **measured, **facts}))

    def _serialise(self, metadata: dict[str, str]) -> bytes:
        parts = (("slide", self.slide), ("text", self.text))
        arrays = {
            f"{name}.{field}": np.ascontiguousarray(getattr(part, field))
            for name, part in parts
            if part
            for field in ("matrix", "offset")
        }
        return save(arrays, metadata=metadata)


def load_alignment(path: Path, expected_hash: str) -> Alignment:
    """Read an alignment back; raises DamagedArchive when it is missing, unreadable, or another one."""
    try:
        with safe_open(path, "numpy") as file:
            names = set(file.keys())
            slide, text = (
                Affine(file.get_tensor(f"{part}.matrix"), file.get_tensor(f"{part}.offset"))
                if f"{part}.matrix" in names
                else None
                for part in ("slide", "text")
            )
            facts = file.metadata() or {}
            measured = SharedRecall(**json.loads(facts["measured"])) if "measured" in facts else None
            alignment = Alignment(facts["kind"], slide, text, measured, json.loads(facts.get("facts", "{}")))
    except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise DamagedArchive(path, "not a readable alignment") from error
    if alignment.fingerprint != expected_hash:
        raise DamagedArchive(path, "its hash differs from the embedding space's")
    return alignment
