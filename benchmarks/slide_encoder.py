"""The slide encoder: the plain module as published, our reference mode and our masked mode, in one run.

pip install 'histoseek[train]'; python benchmarks/slide_encoder.py [--quick]

Every figure comes from a process of its own: seconds are the best of some runs, memory is the peak resident size of
that process, torch included. "Plain" is the straightforward composition: padded bags, the library's Nystrom
attention, one gated attention after the other. A training step is forward, loss, backward and AdamW.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from nystrom_attention import NystromAttention
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.batches import BagBatch
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork

WAYS = ("plain", "reference", "masked")
TILES = (1_000, 5_000, 20_000, 100_000)
TRAINING = ((12, "plain"), (12, "masked"), (64, "masked"))
TILES_IN_TRAINING = 512


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out 100,000 tiles and the large training batch")
    parser.add_argument("--one", nargs=3, metavar=("WORK", "WAY", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        work, way, size = arguments.one
        print(json.dumps(asdict(encoding(way, int(size)) if work == "encode" else training(way, int(size)))))
        return
    print("| tiles | way | s | times plain | peak MB |\n| --- | --- | --- | --- | --- |")
    for tiles in TILES[:3] if arguments.quick else TILES:
        costs = {way: apart("encode", way, tiles) for way in WAYS}
        for way, cost in costs.items():
            row(f"{tiles:,}", way, cost, costs["plain"])
    print("\n| slides x tiles | training step | s | times plain | peak MB |\n| --- | --- | --- | --- | --- |")
    plain = None
    for slides, way in TRAINING[:2] if arguments.quick else TRAINING:
        cost = apart("train", way, slides)
        plain = plain or cost
        row(f"{slides} x {TILES_IN_TRAINING}", way, cost, plain if slides == TRAINING[0][0] else None)


def row(size: str, way: str, cost: Cost, plain: Cost | None) -> None:
    times = f"{plain.seconds / cost.seconds:.1f}" if plain else ""
    print(f"| {size} | {way} | {cost.seconds:.2f} | {times} | {cost.peak_mb:,.0f} |", flush=True)


def apart(work: str, way: str, size: int) -> Cost:
    """The cost of one piece of work, in a process of its own."""
    command = [sys.executable, __file__, "--one", work, way, str(size)]
    return Cost(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def encoding(way: str, tiles: int) -> Cost:
    torch.manual_seed(0)
    features, cells = torch.randn(tiles, 768), disc(tiles)
    if way == "plain":
        plain = Plain().eval()
        return measured(lambda: plain(features[None]), 3)
    network = PathSearchNetwork(PathSearchArchitecture()).eval()
    bags = BagBatch(features[None], cells[None], torch.ones(1, tiles, dtype=torch.bool))
    return measured((lambda: network.reference(features)) if way == "reference" else (lambda: network(bags)), 5)


def measured(work: Callable[[], object], times: int) -> Cost:
    with torch.inference_mode():
        return cost_of(work, times)


def cost_of(work: Callable[[], object], times: int) -> Cost:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return Cost(min(seconds), peak / 1024)


def training(way: str, slides: int) -> Cost:
    torch.manual_seed(0)
    features, reports = torch.randn(slides, TILES_IN_TRAINING, 768), F.normalize(torch.randn(slides, 768), dim=1)
    where = disc(5_000)
    cells = torch.stack([where[torch.randperm(len(where))[:TILES_IN_TRAINING]] for _ in range(slides)])
    bags = BagBatch(features, cells, torch.ones(slides, TILES_IN_TRAINING, dtype=torch.bool))
    module = (Plain() if way == "plain" else PathSearchNetwork(PathSearchArchitecture())).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=8e-5)

    def step() -> None:
        optimizer.zero_grad()
        if way == "plain":
            whole, mosaics = module(features)
        else:
            vectors = module(bags)
            whole, mosaics = vectors.global_vectors, vectors.mosaics
        logits = whole @ reports.T / 0.07
        match = F.cross_entropy(logits, torch.arange(slides)) + F.cross_entropy(logits.T, torch.arange(slides))
        (match + (mosaics @ mosaics.mT).mean()).backward()
        optimizer.step()

    return cost_of(step, 3)


def disc(tiles: int) -> Tensor:
    """Cells of a round piece of tissue, as (column, row)."""
    radius = int((tiles / 3.14) ** 0.5) + 2
    axis = torch.arange(-radius, radius + 1)
    grid = torch.cartesian_prod(axis, axis)
    nearest = grid.square().sum(dim=1).argsort(stable=True)[:tiles]
    return grid[nearest] + radius


class Plain(nn.Module):
    """The published composition, written plainly, over bags [B, N, 768] without a mask."""

    def __init__(self, dimension: int = 768, mosaic_size: int = 16) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.Linear(dimension, dimension), nn.ReLU())
        self.cls_token = nn.Parameter(torch.randn(1, 1, dimension))
        self.norms = nn.ModuleList(nn.LayerNorm(dimension) for _ in range(2))
        self.layers = nn.ModuleList(plain_attention(dimension) for _ in range(2))
        self.maps = nn.ModuleList(nn.Conv2d(dimension, dimension, k, 1, k // 2, groups=dimension) for k in (7, 5, 3))
        self.fc1 = nn.Linear(dimension, dimension, bias=False)
        self.norm = nn.BatchNorm1d(dimension)
        self.gates = nn.ModuleList(PlainGate(dimension) for _ in range(mosaic_size))
        self.gate = PlainGate(dimension)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.proj(features)
        count = x.shape[1]
        side = int(-(-(count**0.5) // 1))
        x = torch.cat([x, x[:, : side * side - count]], dim=1)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = x + self.layers[0](self.norms[0](x))
        grid = x[:, 1:].transpose(1, 2).view(len(x), -1, side, side)
        grid = grid + sum(conv(grid) for conv in self.maps)
        x = torch.cat([x[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
        x = x + self.layers[1](self.norms[1](x))
        h = self.fc1(x[:, 1 : count + 1])
        h = self.norm(h.transpose(1, 2)).transpose(1, 2).relu()
        mosaics = torch.cat([gate(h) for gate in self.gates], dim=1)
        return F.normalize(self.gate(mosaics)[:, 0], dim=-1), F.normalize(mosaics, dim=-1)


def plain_attention(dimension: int) -> nn.Module:
    return NystromAttention(
        dim=dimension, dim_head=dimension // 8, heads=8, num_landmarks=dimension // 2, residual=True, dropout=0.1
    )


class PlainGate(nn.Module):
    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.tanh = nn.Sequential(nn.Linear(dimension, 128), nn.Tanh())
        self.sigmoid = nn.Sequential(nn.Linear(dimension, 128), nn.Sigmoid())
        self.score = nn.Linear(128, 1)

    def forward(self, h: Tensor) -> Tensor:
        scores = self.score(self.tanh(h) * self.sigmoid(h))
        return scores.transpose(1, 2).softmax(dim=-1) @ h


if __name__ == "__main__":
    main()
