"""Random places in reports, the same however a batch is cut and padded."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def draw_places(eligible: Tensor, share: float, most: int, seed: tuple[int, ...], row: int) -> Tensor:
    """Some of each report's eligible places, bool [b, L]: a share of them, but at least 1 and at most `most`.

    row: the place of the first report in the whole batch; a report's draw depends on the seed, on its own place and on
    which of its places are eligible. Numbers of the seed and row must not be negative.
    """
    places = eligible.cpu().numpy()
    chosen = np.zeros_like(places)
    for report, candidates in enumerate(map(np.flatnonzero, places)):
        count = min(most, max(1, round(share * len(candidates))), len(candidates))
        random = np.random.default_rng([*seed, row + report])
        chosen[report, random.choice(candidates, count, replace=False)] = True
    return torch.from_numpy(chosen).to(eligible.device)
