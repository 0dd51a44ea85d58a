"""Models that are drawn without torch give what torch's modules give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoseek.encoders.onnx_graph import OnnxGraph
from histoseek.encoders.pickled_tensors import load_tensors
from histoseek.encoders.text import minilm
from histoseek.encoders.text.bert_graph import draw_graph, read_sizes
from histoseek.encoders.text.encoding import TowerEncoder
from histoseek.encoders.text.folder import ModelFolder
from histoseek.encoders.tile import lite0, lite0_graph
from histoseek.encoders.token_rows import TokenRows
from histoseek.errors import EncoderError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

RANDOM = np.random.default_rng(0)


def run(model: bytes, outputs: list[str], **inputs: Any) -> list[Any]:
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(outputs, inputs)


def relative(found: Any, expected: Any) -> float:
    """The largest difference of one vector to another, as a share of its length."""
    return float((np.linalg.norm(found - expected, axis=-1) / np.linalg.norm(expected, axis=-1)).max())


def test_lite0_equals_torch() -> None:
    path = lite0.packaged_weights()
    pixels = RANDOM.integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    pixels[0] //= 8
    module = lite0.load_module(path).eval()
    preparation = lite0.CARD.preparation
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (preparation.mean, preparation.std))
    with torch.inference_mode():
        expected = module((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std).numpy()
    (found,) = run(lite0_graph.draw_graph(load_tensors(path), preparation), ["features"], pixels=pixels)
    assert found.shape == (3, 1280) and found.dtype == np.float32
    assert relative(found, expected) < 1e-5


def test_lite0_refuses_other_tensors(tmp_path: Path) -> None:
    tensors = load_tensors(lite0.packaged_weights())
    for name, change in {
        "_conv_head.weight": tensors["_conv_head.weight"][:, :-1],
        "_blocks.16._bn2.bias": tensors["_bn0.bias"],
    }.items():
        with pytest.raises(ValueError, match="differ"):
            lite0_graph.draw_graph({**tensors, name: change}, lite0.CARD.preparation)
        path = tmp_path / f"{name}.pth"
        torch.save({key: torch.tensor(value) for key, value in {**tensors, name: change}.items()}, path)
        with pytest.raises(EncoderError, match="not weights of EfficientNet-Lite0"):
            lite0.load(path)


def test_minilm_equals_torch() -> None:
    tower = minilm.load_tower(None).eval()
    folder = minilm.find_folder(None)
    sizes = read_sizes(folder.config())
    assert sizes is not None
    model = draw_graph(folder.tensors(), sizes, "vectors", "states")
    rows = tower.tokenizer.rows(
        tower.tokenizer.first_windows(["carcinoma", "margins free " * 140, "clear cell renal cell carcinoma"])
    )
    with torch.inference_mode():
        expected = tower.states(tower.to_tokens(rows)).numpy()
    vectors, states = run(model, ["vectors", "states"], ids=rows.ids, mask=rows.mask)
    assert relative(states[rows.mask], expected[rows.mask]) < 1e-5
    assert relative(vectors, torch_vectors(tower, rows)) < 1e-5
    assert relative(vectors[:1], TowerEncoder(tower).encode(["carcinoma"])) < 1e-5


def torch_vectors(tower: Any, rows: TokenRows) -> Any:
    with torch.inference_mode():
        return tower(tower.to_tokens(rows)).numpy()


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_tensors_of_a_folder_are_read_as_float32(kind: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    numbers = torch.arange(12.0).view(3, 4)
    parts = {"bert.a": numbers.to(getattr(torch, kind)), "ids": torch.arange(3)}
    save_file(parts, tmp_path / "model.safetensors")
    (found,) = ModelFolder(tmp_path).tensors().values()
    assert found.dtype == np.float32 and np.array_equal(found, numbers.numpy())
    (tmp_path / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        ModelFolder(tmp_path).tensors()


def test_missing_tensors_are_named() -> None:
    folder = minilm.find_folder(None)
    sizes = read_sizes(folder.config())
    tensors = folder.tensors()
    del tensors["encoder.layer.3.output.dense.weight"]
    assert sizes is not None
    with pytest.raises(ValueError, match=r"1 of its weights .*encoder\.layer\.3\.output\.dense\.weight"):
        draw_graph(tensors, sizes, "vectors", "states")


@pytest.mark.parametrize(
    "change", [{"hidden_act": "relu"}, {"position_embedding_type": "relative_key"}, {"num_attention_heads": 7}]
)
def test_other_kinds_of_bert_are_not_drawn(change: dict[str, object]) -> None:
    assert read_sizes({"hidden_act": "gelu", "num_attention_heads": 12}) is not None
    assert read_sizes(change) is None


def test_every_kind_of_field_is_written() -> None:
    graph = OnnxGraph("all")
    values = graph.input("values", "int64", ("rows", 300))
    shifted = graph.add("Add", values, graph.constant(np.array([-1, 2**40] * 150)))
    scaled = graph.add("LeakyRelu", graph.add("Cast", shifted, to=1), alpha=0.25)
    graph.add("ReduceSum", scaled, graph.constant(np.array([-1])), keepdims=0, output="sums")
    graph.output("sums", "float32", ("rows",))
    numbers = RANDOM.integers(-1000, 1000, (2, 300))
    (found,) = run(graph.to_bytes(), ["sums"], values=numbers)
    moved = (numbers + np.array([-1, 2**40] * 150)).astype(np.float32)
    assert np.allclose(found, np.where(moved < 0, moved / 4, moved).sum(axis=1), rtol=1e-6)
