"""What a retrieval system is to the harness."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class System(Protocol):
    """Distances between the slides of one cohort. Anything fitted is fitted on a fold's database only."""

    @property
    def name(self) -> str:
        """A short name for tables."""

    def fit(self, database: Ints) -> None:
        """Make ready for a database, int64 [C] places in the cohort; called once a fold, before `distances`."""

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """float32 [Q, C], smaller is more alike; places in the cohort."""
