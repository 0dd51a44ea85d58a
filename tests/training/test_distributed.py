"""Two processes under torchrun train as one would."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from histoseek.training.pairs import read_pairs
from histoseek.training.slides.learning.distributed import World
from tests.training.helpers import SMALL_FGCR, train_small, write_pairs
from tests.waiting import HANG_S

ROOT = Path(__file__).resolve().parents[2]


def _losses(work: Path) -> list[list[float]]:
    with (work / "log.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith(("train_", "validation_")) or name.endswith("_r1")]
    assert len(names) >= 7
    return [[float(row[name]) for name in names] for row in rows]


def test_two_processes_give_the_loss_of_one(tmp_path: Path) -> None:
    """The batch of 12 is cut into 6 and 6 both ways, so that dropout is the same, too. After a step whose gradients are
    not summed over the processes, the validation's losses would differ."""
    features, table, together = tmp_path / "features", tmp_path / "pairs.csv", tmp_path / "two"
    features.mkdir()
    pairs = write_pairs(features, patients=37)
    lines = [f"{pair.slide_id},{pair.case_id},{pair.patient_id},{pair.report}" for pair in pairs]
    table.write_text("\n".join(["slide_id,case_id,patient_id,report", *lines]) + "\n", encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [str(path) for path in (Path(__file__).with_name("worker.py"), table, features, together)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, *arguments], check=False, env=environment, capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr
    torch.set_num_threads(1)
    alone = train_small(read_pairs(table, features), tmp_path / "one", epochs=2, micro_batch=6)
    for two, one in zip(_losses(together), _losses(tmp_path / "one"), strict=True):
        assert two == pytest.approx(one, abs=1e-4)
    train_small(read_pairs(table, features), tmp_path / "fgcr", base=SMALL_FGCR, epochs=1, micro_batch=6)
    for two, one in zip(_losses(together / "fgcr"), _losses(tmp_path / "fgcr"), strict=True):
        assert two == pytest.approx(one, abs=1e-4)
    scores = json.loads((together / "scores.json").read_text())
    assert scores == pytest.approx(
        [alone.validation.after.losses["contrastive"], alone.test.after.losses["contrastive"]], abs=1e-4
    )


@pytest.mark.parametrize(("count", "size"), [(12, 1), (12, 5), (3, 4), (1, 2)])
def test_shares_cover_a_batch_once_and_evenly(count: int, size: int) -> None:
    shares = [range(count)[World(rank, size, torch.device("cpu")).share(count)] for rank in range(size)]
    assert [row for share in shares for row in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
