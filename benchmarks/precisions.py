"""What bfloat16 and int8 lose in retrieval: one graph in float32, int8 and rounded to bfloat16, on the real tiles.

    python benchmarks/precisions.py DATA [--vit FILE.onnx --output NAME] [--most 600]

DATA: the folder of real tiles with its manifest. Each image is a slide, of its tiles of 224 px (three by three at
most); the nearest slides of other patients by centred cosine of their means, the database in one precision, the queries
in the same or in another. --vit: an ONNX file with the weights of a trained vision transformer for images of 224 px
with ImageNet's normalisation; --output: the tensor [B, T, D] in it whose first token is the feature.

int8 is what `HISTOSEEK_PRECISION=int8` computes, by ONNX Runtime, where there are matrix products. bfloat16 is
emulated, so that any processor can run this: weights and the results of products, sums and softmax are rounded to it,
and products summed in float32, as the instructions do.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from histoseek.encoders.devices import import_onnxruntime
from histoseek.encoders.tile.runtimes.graphs import quantise
from histoseek.errors import EncoderError

EDGE = 224
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
TASKS = (
    ("Lung (LC25000), 3 classes", ("lc25000_lung",), "diagnosis"),
    ("Colon (LC25000), 2 classes", ("lc25000_colon",), "diagnosis"),
    ("NSCLC (TCGA tiles), 2 classes", ("uni_nsclc_demo",), "class_label"),
    ("Oral cavity at 400x, 2 classes", ("oral_400x",), "diagnosis"),
    ("Oral cavity at 100x, 2 classes", ("oral_100x",), "diagnosis"),
    ("Organ (MoNuSeg, CryoNuSeg)", ("monuseg", "cryonuseg"), "organ"),
    ("Colon, grade (GlaS)", ("glas",), "class_label"),
)
PAIRS = (
    ("float32", "float32"),
    ("bf16", "bf16"),
    ("bf16", "float32"),
    ("float32", "bf16"),
    ("int8", "int8"),
    ("int8", "float32"),
    ("float32", "int8"),
)

ROUNDED = ("Conv", "MatMul", "Gemm", "Add", "Softmax", "Clip")

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Images:
    tiles: list[Pixels]
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vit", type=Path)
    parser.add_argument("--output", default="")
    parser.add_argument("--most", type=int, default=600, help="images of a task")
    parser.add_argument("--tiles", type=int, default=9, help="tiles of an image")
    parser.add_argument("--only-vit", action="store_true")
    parser.add_argument("--only", choices=("bf16", "int8"), help="one precision beside float32")
    given = parser.parse_args()
    tasks = [(name, read_images(given.data, folders, label, given.most, given.tiles)) for name, folders, label in TASKS]
    for name, model in models(given.vit, given.output, given.only_vit):
        print(f"\n{name}\n")
        measure(model, tasks, given.only)


def models(vit: Path | None, output: str, only_vit: bool) -> Iterator[tuple[str, onnx.ModelProto]]:
    if not only_vit:
        yield "lite0", lite0_graph()
    if vit is not None:
        yield f"vision transformer ({vit.name})", cut(onnx.load(str(vit)), output)


def lite0_graph() -> onnx.ModelProto:
    from histoseek.encoders.tile.registry import load_tile_encoder
    from histoseek.settings import get_settings

    load_tile_encoder("lite0")
    return onnx.load(str(next(file for file in (get_settings().cache_dir / "onnx").glob("lite0-*.onnx"))))


def cut(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """The graph up to a tensor of tokens, of which the first is taken; pixels as uint8 and normalised before it."""
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder) / "whole.onnx", Path(folder) / "part.onnx"
        onnx.save(model, str(whole))
        name = model.graph.input[0].name
        onnx.utils.extract_model(str(whole), str(part), [name], [output])
        model = onnx.load(str(part))
    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in IMAGENET)
    constants = {"own_scale": 1 / (255 * std), "own_shift": -mean / std, "own_first": np.array(0, np.int64)}
    before = [
        helper.make_node("Transpose", ["pixels"], ["own_a"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["own_a"], ["own_b"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["own_b", "own_scale"], ["own_c"]),
        helper.make_node("Add", ["own_c", "own_shift"], [name]),
    ]
    after = helper.make_node("Gather", [output, "own_first"], ["features"], axis=1)
    graph = helper.make_graph(
        [*before, *model.graph.node, after],
        "cut",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["tiles", EDGE, EDGE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["tiles", "dimension"])],
        [*model.graph.initializer, *(numpy_helper.from_array(v.astype(v.dtype), k) for k, v in constants.items())],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=10)


def round_to_bfloat16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights, and the results of operations with a share of the work, rounded to bfloat16."""
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    graph = rounded.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    typed = onnx.shape_inference.infer_shapes(rounded)
    floats = {v.name for v in typed.graph.value_info if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    kept = {output.name for output in graph.output}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for place, output in enumerate(node.output):
            if output in floats and output not in kept and node.op_type in ROUNDED:
                node.output[place] = f"{output}_exact"
                nodes.append(
                    helper.make_node("Cast", [f"{output}_exact"], [f"{output}_short"], to=TensorProto.BFLOAT16)
                )
                nodes.append(helper.make_node("Cast", [f"{output}_short"], [output], to=TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(nodes)
    return rounded


def measure(model: onnx.ModelProto, tasks: Sequence[tuple[str, Images]], only: str | None) -> None:
    runs = {"float32": runner(model)}
    if only != "int8":
        runs["bf16"] = runner(round_to_bfloat16(model))
    if only != "bf16":
        runs |= int8(model)
    pairs = [pair for pair in PAIRS if all(name in runs for name in pair)]
    heads = [f"{base} asked by {asked}" if base != asked else base for base, asked in pairs]
    others = [name for name in runs if name != "float32"]
    print(f"| task | slides | lowest cosine to float32: {'; '.join(others)} | {' | '.join(heads)} |")
    print("| --- " * (len(heads) + 3) + "|")
    sums = defaultdict(list)
    for name, images in tasks:
        features = {precision: encode(run, images.tiles) for precision, run in runs.items()}
        exact = np.concatenate(features["float32"])
        near = "; ".join(f"{lowest_cosine(exact, np.concatenate(features[other])):.4f}" for other in others)
        means = {p: np.stack([part.mean(0) for part in parts]) for p, parts in features.items()}
        cells = []
        for pair in pairs:
            found = retrieve(means[pair[0]], means[pair[1]], images)
            sums[pair].append(found)
            cells.append(" / ".join(f"{value:.3f}" for value in found))
        print(f"| {name} | {len(images.tiles)} | {near} | {' | '.join(cells)} |", flush=True)
    means_of = [" / ".join(f"{value:.4f}" for value in np.mean(sums[pair], axis=0)) for pair in pairs]
    print(f"| mean | | | {' | '.join(means_of)} |", flush=True)


def int8(model: onnx.ModelProto) -> dict[str, Callable[[Pixels], Floats]]:
    with tempfile.TemporaryDirectory() as folder:
        exact, path = Path(folder) / "exact.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, str(exact))
        try:
            quantise(exact, path, "this network")
        except EncoderError as error:
            print(f"(int8: {error})\n")
            return {}
        return {"int8": runner(onnx.load(str(path)))}


def runner(model: onnx.ModelProto) -> Callable[[Pixels], Floats]:
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {"pixels": pixels})[0]


def encode(run: Callable[[Pixels], Floats], slides: Sequence[Pixels]) -> list[Floats]:
    tiles = np.concatenate(slides)
    found = np.concatenate([run(tiles[i : i + 16]) for i in range(0, len(tiles), 16)])
    return np.split(found, np.cumsum([len(slide) for slide in slides])[:-1])


def lowest_cosine(a: Floats, b: Floats) -> float:
    return float((np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def retrieve(base: Floats, asked: Floats, images: Images) -> tuple[float, float, float]:
    """Top-1, majority of five and mean average precision of five, over the queries that can be answered."""
    centre = base.mean(0)
    units = [(x - centre) / np.linalg.norm(x - centre, axis=1, keepdims=True) for x in (base, asked)]
    likeness = units[1] @ units[0].T
    likeness[images.patients[:, None] == images.patients[None, :]] = -np.inf
    right = (images.labels[:, None] == images.labels[None, :]) & (likeness > -np.inf)
    order = np.argsort(-likeness, axis=1, kind="stable")[:, :5]
    scores = []
    for i in np.flatnonzero(right.any(1)):
        hits = right[i, order[i]]
        votes = Counter(images.labels[order[i]].tolist()).most_common()
        precisions = np.cumsum(hits) / np.arange(1, 6)
        scores.append((hits[0], votes[0][0] == images.labels[i], (precisions * hits).sum() / max(hits.sum(), 1)))
    top1, majority, average = np.mean(scores, axis=0)
    return float(top1), float(majority), float(average)


def read_images(data: Path, folders: Sequence[str], label: str, most: int, tiles_each: int) -> Images:
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].split("/")[1] in folders]
    rng = np.random.default_rng(0)
    rows = [rows[i] for i in sorted(rng.permutation(len(rows))[:most])]
    tiles = [cut_tiles(np.asarray(Image.open(data / row["file"]).convert("RGB")))[:tiles_each] for row in rows]
    kept = [i for i, found in enumerate(tiles) if len(found)]
    codes = [
        np.unique([rows[i][column] for i in kept], return_inverse=True)[1] for column in (label, "patient_or_group")
    ]
    return Images([tiles[i] for i in kept], codes[0], codes[1])


def cut_tiles(image: Pixels) -> Pixels:
    """Up to three by three tiles around the middle of an image."""
    counts = [min(length // EDGE, 3) for length in image.shape[:2]]
    starts = [(length - count * EDGE) // 2 for length, count in zip(image.shape[:2], counts, strict=True)]
    cut = [
        image[starts[0] + i * EDGE :, starts[1] + j * EDGE :][:EDGE, :EDGE]
        for i in range(counts[0])
        for j in range(counts[1])
    ]
    return np.stack(cut) if cut else np.zeros((0, EDGE, EDGE, 3), np.uint8)


if __name__ == "__main__":
    main()
