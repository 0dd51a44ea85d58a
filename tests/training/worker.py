"""One process of a small training under torchrun: worker.py PAIRS.csv FEATURES WORK."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from histoseek.training.pairs import read_pairs
from histoseek.training.slides.train import is_first_process
from tests.training.helpers import SMALL_FGCR, train_small


def main(table: Path, features: Path, work: Path) -> None:
    torch.set_num_threads(1)
    pairs = read_pairs(table, features)
    result = train_small(pairs, work, epochs=2)
    train_small(pairs, work / "fgcr", base=SMALL_FGCR, epochs=1)
    if is_first_process():
        scores = (result.validation.after.losses["contrastive"], result.test.after.losses["contrastive"])
        (work / "scores.json").write_text(json.dumps(scores))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
