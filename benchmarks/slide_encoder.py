"""The slide encoders in one run: PathSearch's as published, in our reference mode and in our masked mode, and FGCR's
in our anchored mode.

pip install 'histoseek[train]'; python benchmarks/slide_encoder.py [--quick] [--ways masked dense anchored]

Every figure comes from a process of its own: seconds are the best of some runs, memory is the peak resident size of
that process, torch included. Processor seconds are of all threads; with OMP_NUM_THREADS=1 they tell ways apart on a
busy machine, too. "plain" is PathSearch's straightforward composition: padded bags, the library's Nystrom
attention, one gated attention after the other. "dense" is that of FGCR: every tile with every anchor, a mask for all
heads, all tiles at once. A training step is forward, loss, backward and AdamW.
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
from histoseek.encoders.slide.fgcr.anchors import place_anchors
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.fgcr.blocks import NEGLIGIBLE
from histoseek.encoders.slide.fgcr.network import AnchoredNetwork
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork

WAYS = ("plain", "reference", "masked", "dense", "anchored")
TILES = (1_000, 5_000, 20_000, 50_000, 100_000)
TRAINING = ((12, "plain"), (12, "masked"), (12, "anchored"), (64, "masked"), (64, "anchored"))
TILES_IN_TRAINING = 512


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    processor_seconds: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out 100,000 tiles and the large training batch")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--one", nargs=3, metavar=("WORK", "WAY", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        work, way, size = arguments.one
        print(json.dumps(asdict(encoding(way, int(size)) if work == "encode" else training(way, int(size)))))
        return
    first = arguments.ways[0]
    print(f"| tiles | way | s | processor s | us a tile | times {first} | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for tiles in TILES[:-1] if arguments.quick else TILES:
        costs = {way: apart("encode", way, tiles) for way in arguments.ways}
        for way, cost in costs.items():
            row(f"{tiles:,}", tiles, way, cost, costs[first])
    print(f"\n| slides x tiles | training step | s | processor s | us a tile | times {first} | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    of_first = {}
    for slides, way in TRAINING[:3] if arguments.quick else TRAINING:
        if way in arguments.ways:
            cost = apart("train", way, slides)
            of_first.setdefault(slides, cost)
            row(f"{slides} x {TILES_IN_TRAINING}", slides * TILES_IN_TRAINING, way, cost, of_first[slides])


def row(size: str, tiles: int, way: str, cost: Cost, first: Cost) -> None:
    times = f"{first.processor_seconds / cost.processor_seconds:.1f}"
    each = f"{1e6 * cost.processor_seconds / tiles:,.0f}"
    seconds = f"{cost.seconds:.2f} | {cost.processor_seconds:.2f}"
    print(f"| {size} | {way} | {seconds} | {each} | {times} | {cost.peak_mb:,.0f} |", flush=True)


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
    bags = BagBatch(features[None], cells[None], torch.ones(1, tiles, dtype=torch.bool))
    if way == "dense":
        dense = Dense().eval()
        return measured(lambda: dense(features, cells), 2)
    if way == "anchored":
        anchored = AnchoredNetwork(FgcrArchitecture()).eval()
        return measured(lambda: anchored(bags), 3)
    network = PathSearchNetwork(PathSearchArchitecture()).eval()
    return measured((lambda: network.reference(features)) if way == "reference" else (lambda: network(bags)), 3)


def measured(work: Callable[[], object], times: int) -> Cost:
    with torch.inference_mode():
        return cost_of(work, times)


def cost_of(work: Callable[[], object], times: int) -> Cost:
    seconds, processor_seconds = [], []
    for _ in range(times):
        start, processor_start = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - start)
        processor_seconds.append(time.process_time() - processor_start)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return Cost(min(seconds), min(processor_seconds), peak / 1024)


def training(way: str, slides: int) -> Cost:
    torch.manual_seed(0)
    dimension = FgcrArchitecture().dimension if way == "anchored" else PathSearchArchitecture().dimension
    features, reports = torch.randn(slides, TILES_IN_TRAINING, 768), F.normalize(torch.randn(slides, dimension), dim=1)
    where = disc(5_000)
    cells = torch.stack([where[torch.randperm(len(where))[:TILES_IN_TRAINING]] for _ in range(slides)])
    bags = BagBatch(features, cells, torch.ones(slides, TILES_IN_TRAINING, dtype=torch.bool))
    makers = {"plain": Plain, "anchored": lambda: AnchoredNetwork(FgcrArchitecture())}
    module = makers.get(way, lambda: PathSearchNetwork(PathSearchArchitecture()))().train()
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


class Dense(nn.Module):
    """FGCR's anchored network, written plainly, over all tiles [N, 768] of one bag with a mask of all anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.network = AnchoredNetwork(FgcrArchitecture())

    def forward(self, features: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        network, sizes = self.network, self.network.architecture
        placed = place_anchors(cells.numpy(), sizes)
        positions, widths = (torch.from_numpy(each) for each in (placed.positions, sizes.mask_width * placed.sides))
        squares = (positions[:, None] - cells).square().sum(dim=2)
        log_mask = (-0.5 * squares / widths[:, None].square()).float()
        own = torch.zeros(len(placed), len(cells), dtype=torch.bool)
        own.scatter_(0, torch.from_numpy(placed.members), True)
        log_mask = log_mask.masked_fill((log_mask.exp() < NEGLIGIBLE) & ~own, -torch.inf)
        mask = log_mask.expand(sizes.heads, -1, -1).contiguous()
        tiles = network.to_patch_embedding(features)
        anchors, token = network.kernel_token[0, torch.from_numpy(placed.scales)], network.img_cls_token[0]
        for layer in network.kt.layers:
            anchors = dense_step(layer, anchors, tiles, mask)
            token = dense_step(layer, token, anchors, torch.zeros(sizes.heads, 1, len(anchors)))
            tiles = dense_step(layer, tiles, anchors, mask.mT)
        return F.normalize(network.head(token), dim=1)[0], F.normalize(network.head(anchors), dim=1)


def dense_step(layer: nn.ModuleList, rows: Tensor, others: Tensor, mask: Tensor) -> Tensor:
    norm, attention, feed_forward = layer
    query, _, _ = by_head(attention, norm(rows))
    _, key, value = by_head(attention, norm(others))
    weights = (query @ key.mT / query.shape[2] ** 0.5 + mask).softmax(dim=2)
    rows = rows + attention.to_out((weights @ value).transpose(0, 1).flatten(1))
    return rows + feed_forward.fn.net(feed_forward.norm(rows))


def by_head(attention: nn.Module, rows: Tensor) -> Tensor:
    """Queries, keys and values of rows, [3, heads, N, d]."""
    return attention.to_qkv(rows).unflatten(1, (3, attention.heads, -1)).permute(1, 2, 0, 3)


if __name__ == "__main__":
    main()
