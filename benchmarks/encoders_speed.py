"""Tiles a second, CPU seconds and memory of six architectures in every runtime and precision, taking turns in one run.

    python benchmarks/encoders_speed.py FOLDER [--only NAME ...] [--rounds 5] [--threads 2]

The networks are timm's, with random weights, which cost as much as any. FOLDER keeps their prepared models. Each engine
lives in a process of its own, so that its peak memory is its own; the processes take turns, and `before` is how tiles
were computed until this version: ONNX Runtime, all threads sharing each tile of a batch of 32. `lite0` is the default
encoder itself; its last line is what `HISTOSEEK_RUNTIME=auto` chose. Networks whose engines don't fit into memory
together are measured one after the other. Torch needs `timm`; bf16 needs a processor that computes in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

BEFORE = "before"
BATCH_BEFORE = 32


@dataclass(frozen=True)
class Architecture:
    """tiles: of one turn; are_apart: whether its engines are measured one after the other."""

    name: str
    timm: str
    tiles: int
    dimension: int
    px: int = 224
    has_products: bool = True
    are_apart: bool = False


ARCHITECTURES = (
    Architecture("lite0", "", 32, 1280, has_products=False),
    Architecture("EfficientNet-Lite0", "efficientnet_lite0", 32, 1280, has_products=False),
    Architecture("ResNet-50", "resnet50", 8, 2048, has_products=False),
    Architecture("ViT-S/16", "vit_small_patch16_224", 8, 384),
    Architecture("ViT-B/16", "vit_base_patch16_224", 4, 768),
    Architecture("ViT-L/16", "vit_large_patch16_224", 2, 1024, are_apart=True),
    Architecture("ViT-H/14", "vit_huge_patch14_224", 2, 1280, are_apart=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.update(HISTOSEEK_CACHE_DIR=str(given.folder), HISTOSEEK_THREADS=str(given.threads))
    if given.part:
        serve(next(one for one in ARCHITECTURES if one.name == given.part[0]), given.part[1])
        return
    print("| network | computed by | tiles/s, best (median) | CPU s for 1,000 tiles (least) | times before | peak MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for architecture in ARCHITECTURES:
        if not given.only or architecture.name in given.only:
            compare(architecture, given)


def compare(architecture: Architecture, given: argparse.Namespace) -> None:
    names = list_engines(architecture)
    Process(architecture, "prepare", given).end()
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for group in [[name] for name in names] if architecture.are_apart else [names]:
        processes = {name: Process(architecture, name, given) for name in group}
        for _ in range(given.rounds):
            for name, process in processes.items():
                turns[name].append(process.take_turn())
                print(architecture.name, name, turns[name][-1], file=sys.stderr, flush=True)
        for process in processes.values():
            process.end()
    before = least(turns[BEFORE])
    for name in names:
        rates = [architecture.tiles / turn["wall"] for turn in turns[name]]
        cpu = least(turns[name]) / architecture.tiles * 1000
        ratio = before / least(turns[name])
        cells = (
            architecture.name,
            str(turns[name][0]["name"]) if name != BEFORE else f"{BEFORE}: onnx float32, threads share a tile",
            f"{max(rates):.1f} ({statistics.median(rates):.1f})",
            f"{cpu:.1f}",
            f"{ratio:.2f}",
            f"{max(turn['peak_mb'] for turn in turns[name]):.0f}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


def least(turns: list[dict[str, float]]) -> float:
    """CPU seconds of the best turn: others' work on the machine only adds to them."""
    return min(turn["cpu"] for turn in turns)


def list_engines(architecture: Architecture) -> list[str]:
    from histoseek.encoders.devices import computes_bfloat16

    bfloat16 = ["openvino bf16", "torch bf16"] if computes_bfloat16() else []
    int8 = ["onnx int8"] if architecture.has_products else []
    auto = [] if architecture.timm else ["auto"]
    return [BEFORE, "onnx float32", *int8, "openvino float32", *bfloat16, "torch float32", *auto]


class Process:
    """An engine in a process of its own."""

    def __init__(self, architecture: Architecture, name: str, given: argparse.Namespace) -> None:
        command = [sys.executable, __file__, str(given.folder), "--threads", str(given.threads)]
        self._process = subprocess.Popen(
            [*command, "--part", architecture.name, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def take_turn(self) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write("turn\n")
        self._process.stdin.flush()
        return self._read()

    def end(self) -> None:
        self._process.communicate()

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a process ended early")
        found: dict[str, float] = json.loads(line)
        return found


def serve(architecture: Architecture, name: str) -> None:
    """Answer each line with what one turn took, after a first one that does not count."""
    if name == "prepare":
        prepare(architecture)
        print("{}", flush=True)
        return
    encode, shown = make(architecture, name)
    shape = (architecture.tiles, architecture.px, architecture.px, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    encode(pixels)
    print("{}", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        encode(pixels)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"wall": wall, "cpu": cpu, "peak_mb": peak, "name": shown}), flush=True)


def make(architecture: Architecture, name: str) -> tuple[Callable[[np.ndarray], object], str]:
    from histoseek.encoders.tile.registry import load_tile_encoder
    from histoseek.encoders.tile.runtimes.choice import Option, make_engine
    from histoseek.encoders.tile.runtimes.graphs import prepare_graph
    from histoseek.encoders.tile.runtimes.model import PreparedEncoder
    from histoseek.settings import get_settings

    if name == "auto":
        encoder = load_tile_encoder("lite0")
        return encoder.encode, f"auto: {encoder.runtime}"
    model, settings = describe(architecture), get_settings()
    if name == BEFORE:
        return compute_as_before(prepare_graph(model, settings.cache_dir), settings.threads), name
    engine = make_engine(model, Option(*name.split()), settings)
    return PreparedEncoder(model, engine).encode, engine.name


def compute_as_before(graph: Path, threads: int) -> Callable[[np.ndarray], object]:
    from histoseek.encoders.devices import import_onnxruntime

    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    starts = range(0, 10**6, BATCH_BEFORE)

    def encode(pixels: np.ndarray) -> list[np.ndarray]:
        return [session.run(None, {"pixels": pixels[i : i + BATCH_BEFORE]})[0] for i in starts if i < len(pixels)]

    return encode


def prepare(architecture: Architecture) -> None:
    """Make the prepared models, and have the default encoder's trial, in a process whose memory is not looked at."""
    from histoseek.encoders.tile.registry import load_tile_encoder
    from histoseek.encoders.tile.runtimes.graphs import prepare_graph, prepare_int8
    from histoseek.settings import get_settings

    if not architecture.timm:
        load_tile_encoder("lite0")
    prepare_graph(describe(architecture), get_settings().cache_dir)
    if architecture.has_products:
        prepare_int8(describe(architecture), get_settings().cache_dir)


def describe(architecture: Architecture) -> object:
    from histoseek.encoders.cards.card import Preparation, Variant
    from histoseek.encoders.packaged_files import digest_file
    from histoseek.encoders.tile import lite0
    from histoseek.encoders.tile.runtimes.model import Model

    def build() -> object:
        import torch

        from histoseek.encoders.devices import import_timm

        torch.manual_seed(0)
        return import_timm().create_model(architecture.timm, pretrained=False, num_classes=0).eval()

    if not architecture.timm:
        path = lite0.packaged_weights()
        digest = digest_file(path)[:16]
        return Model(lite0.CARD, digest, lambda: lite0.load_module(path), lambda: lite0._draw_graph(path))
    card = replace(
        lite0.CARD,
        name=architecture.timm,
        variant=Variant("pooled", architecture.dimension, "pooled"),
        preparation=Preparation(architecture.px, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    )
    return Model(card, "random", build)


if __name__ == "__main__":
    main()
