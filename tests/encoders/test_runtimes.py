"""What computes tile encoders: which runtimes may, how one is chosen and remembered, and that all give the same."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek.encoders.cards.card import Preparation, Variant
from histoseek.encoders.tile import lite0
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.encoders.tile.runtimes import choice, several_devices
from histoseek.encoders.tile.runtimes.choice import Option, describe_runtime, list_options, load_prepared
from histoseek.encoders.tile.runtimes.graphs import prepare_graph
from histoseek.encoders.tile.runtimes.model import Model, PreparedEncoder, Rate
from histoseek.errors import ConfigurationError, EncoderError
from histoseek.settings import Settings, get_settings

EDGE = 32
CARD = replace(
    lite0.CARD,
    name="tiny",
    variant=Variant("pooled", 24, "pooled"),
    preparation=Preparation(EDGE, (0.5, 0.4, 0.6), (0.2, 0.3, 0.25)),
    tile_bytes=2**20,
)
PIXELS = np.random.default_rng(0).integers(0, 256, (5, EDGE, EDGE, 3), dtype=np.uint8)


def make_transformer() -> Any:
    """One block of a transformer over patches of 8 px."""
    torch = pytest.importorskip("torch")

    class Tiny(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.patches = torch.nn.Conv2d(3, 24, 8, 8)
            self.block = torch.nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True, norm_first=True)

        def forward(self, images: Any) -> Any:
            tokens = self.patches(images).flatten(2).transpose(1, 2)
            return self.block(tokens).mean(1)

    torch.manual_seed(0)
    return Tiny().eval()


def set_up(monkeypatch: pytest.MonkeyPatch, cache: Path, **values: object) -> None:
    for name, value in {"runtime": "auto", "cache_dir": cache, **values}.items():
        monkeypatch.setenv(f"HISTOSEEK_{name.upper()}", str(value))
    monkeypatch.setattr(choice, "get_settings", Settings)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the graph of the transformer under the hash 0."""
    folder = tmp_path_factory.mktemp("exported")
    prepare_graph(Model(CARD, "0", make_transformer), folder)
    return folder


@pytest.fixture
def cache(exported: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(exported, tmp_path / "cache")
    return tmp_path / "cache"


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return values


@pytest.mark.parametrize(
    ("settings", "bfloat16", "expected"),
    [
        ({}, False, ("onnx float32", "openvino float32", "torch float32")),
        ({}, True, ("onnx float32", "openvino float32", "torch float32")),
        ({"precision": "float32"}, True, ("onnx float32", "openvino float32", "torch float32")),
        ({"precision": "int8"}, True, ("onnx int8",)),
        ({"precision": "bf16"}, True, ("openvino bf16",)),
        ({"runtime": "openvino"}, True, ("openvino float32",)),
        ({"runtime": "onnx"}, True, ("onnx float32",)),
        ({"runtime": "torch"}, True, ("torch float32",)),
        ({"runtime": "torch", "precision": "bf16"}, False, ("torch bf16",)),
    ],
)
def test_settings_say_what_may_compute(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], bfloat16: bool, expected: tuple[str, ...]
) -> None:
    monkeypatch.setattr(choice, "has_openvino", lambda: True)
    monkeypatch.setattr(choice, "computes_bfloat16", lambda: bfloat16)
    given = Settings(**{"runtime": "auto", "precision": "auto", **settings})  # type: ignore[arg-type]
    found = list_options(Model(CARD, "0", make_transformer, None), given)
    assert tuple(option.name for option in found) == expected


def test_a_precision_that_nothing_here_computes_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_openvino", lambda: True)
    monkeypatch.setattr(choice, "computes_bfloat16", lambda: False)
    with pytest.raises(ConfigurationError, match="--precision bf16: is not what"):
        list_options(Model(CARD, "0", make_transformer), Settings(runtime="auto", precision="bf16"))


def test_torch_is_not_tried_where_nothing_else_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_openvino", lambda: False)
    found = list_options(Model(CARD, "0", make_transformer, lambda: b""), Settings(runtime="auto"))
    assert found == (Option("onnx", "float32"),)


def test_all_runtimes_give_the_same_features(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    found = {}
    for runtime in ("torch", "onnx", "openvino"):
        if runtime == "openvino":
            pytest.importorskip("openvino")
        set_up(monkeypatch, cache, runtime=runtime, precision="float32", threads=2)
        encoder = load_prepared(CARD, "0", make_transformer)
        assert encoder.runtime == f"{runtime} float32"
        found[runtime] = encoder.encode(PIXELS)
        assert np.abs(found[runtime] - found["torch"]).max() < 1e-5


def test_int8_is_close_and_made_once(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    set_up(monkeypatch, cache, precision="float32", runtime="onnx")
    exact = load_prepared(CARD, "0", make_transformer).encode(PIXELS)
    set_up(monkeypatch, cache, precision="int8")
    encoder = load_prepared(CARD, "0", make_transformer)
    assert encoder.runtime == "onnx int8"
    found = encoder.encode(PIXELS)
    assert np.abs(found - exact).max() > 0
    assert cosines(found, exact).min() > 0.99
    made = {path.name: path.stat().st_mtime_ns for path in (cache / "onnx").iterdir()}
    assert set(made) == {"tiny-1-0.onnx", "tiny-1-0-int8.onnx"}
    again = load_prepared(CARD, "0", make_transformer).encode(PIXELS)
    assert np.array_equal(again, found)
    assert made == {path.name: path.stat().st_mtime_ns for path in (cache / "onnx").iterdir()}


def test_int8_is_refused_where_it_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    load_tile_encoder("lite0")
    folder = get_settings().cache_dir / "onnx"
    before = set(folder.iterdir())
    set_up(monkeypatch, folder.parent, precision="int8")
    with pytest.raises(EncoderError, match="lite0: has no matrix products"):
        load_tile_encoder("lite0")
    assert set(folder.iterdir()) == before


def test_a_damaged_graph_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_up(monkeypatch, tmp_path, runtime="onnx")
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "tiny-1-0.onnx").write_bytes(b"no graph")
    with pytest.raises(EncoderError, match="a damaged prepared model"):
        load_prepared(CARD, "0", make_transformer)


def test_a_choice_is_remembered_until_something_changes(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    set_up(monkeypatch, cache, threads=1)
    monkeypatch.setattr(choice, "has_openvino", lambda: False)
    trials = []
    real = choice.measure

    def measure(*arguments: Any) -> Any:
        trials.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(choice, "measure", measure)
    monkeypatch.setattr(choice, "_TRIAL_SECONDS", 0.0)
    first = load_prepared(CARD, "0", make_transformer)
    assert "tiles a second in a trial here: " in describe_runtime(first)
    second = load_prepared(CARD, "0", make_transformer)
    assert len(trials) == 1
    assert (second.runtime, describe_runtime(second)) == (first.runtime, describe_runtime(first))
    set_up(monkeypatch, cache, threads=2)
    load_prepared(CARD, "0", make_transformer)
    assert len(trials) == 2
    for path in (cache / "runtimes").iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    load_prepared(CARD, "0", make_transformer)
    assert len(trials) == 3


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    set_up(monkeypatch, cache, threads=1)
    monkeypatch.setattr(choice, "_TRIAL_SECONDS", 0.0)
    (cache / "runtimes").write_text("a file where a folder should be")
    assert load_prepared(CARD, "0", make_transformer).encode(PIXELS).shape == (5, 24)


class Fake:
    """An engine that gives each tile's first pixel, and notes which pieces it was given."""

    def __init__(self, parallel: int = 1, most: int = 8, memory: int = 2**30, taken: Callable[[], int] = lambda: 0):
        self.name, self.parallel, self.most, self.batch_memory_bytes = "fake float32", parallel, most, memory
        self.take_memory = taken
        self.pieces: list[int] = []
        self.threads: set[int] = set()

    def run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.pieces.append(len(pixels))
        self.threads.add(threading.get_ident())
        return pixels[:, 0, 0].astype(np.float32)


@pytest.mark.parametrize(("parallel", "count"), [(1, 1), (1, 20), (3, 2), (3, 50)])
def test_pieces_come_back_in_order(parallel: int, count: int) -> None:
    pixels = np.arange(count * 3, dtype=np.uint8).reshape(count, 1, 1, 3).repeat(EDGE, 1).repeat(EDGE, 2)
    engine = Fake(parallel)
    found = PreparedEncoder(Model(CARD, "0", make_transformer), engine).encode(pixels)
    assert np.array_equal(found, pixels[:, 0, 0])
    assert sum(engine.pieces) == count
    assert max(engine.pieces) <= 8


def test_pieces_follow_the_memory_that_tiles_take() -> None:
    held = [2**20]

    def take() -> int:
        held[0] += 2**24
        return held[0]

    engine = Fake(parallel=2, memory=2**25, taken=take)
    encoder = PreparedEncoder(Model(CARD, "0", make_transformer), engine)
    assert encoder.batch_size == 16
    encoder.encode(np.zeros((20, EDGE, EDGE, 3), np.uint8))
    assert engine.pieces[:2] == [1, 3]
    assert set(engine.pieces[2:]) == {2}, "8 MiB each, 32 MiB for two at once"


def test_the_usual_runtime_stays_unless_another_is_clearly_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"onnx float32": (100, 1.0), "openvino float32": (105, 1.0), "torch float32": (300, 0.97)}
    options = tuple(Option(*name.split()) for name in rates)  # type: ignore[arg-type]
    monkeypatch.setattr(choice, "make_engine", lambda model, option, settings: option)

    def time(encoder: PreparedEncoder, option: Option, *rest: Any) -> tuple[Rate, NDArray[np.float32]]:
        return Rate(option.name, *rates[option.name]), np.zeros((1, 1), np.float32)

    monkeypatch.setattr(choice, "_time", time)
    model, settings = Model(CARD, "0", make_transformer), Settings()
    quickest, found = choice.measure(model, options, settings)
    assert quickest == options[0]
    assert [rate.engine for rate in found] == list(rates)
    rates["openvino float32"] = (120, 1.0)
    assert choice.measure(model, options, settings)[0] == options[1]
    rates["torch float32"] = (300, 0.99999)
    quickest, found = choice.measure(model, options, settings)
    assert quickest == options[2]
    assert found[0].engine == "torch float32"
    rates["openvino float32"] = (1000, 0.99)
    assert choice.measure(model, options, settings)[0] == options[2], "what differs is not the same model"


def test_several_devices_share_tiles_and_end(tmp_path: Path) -> None:
    alone = load_tile_encoder("lite0")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    group = several_devices.load_on_devices("lite0", alone.card, ("cpu", "cpu"), load_tile_encoder)
    engine = group.engine
    assert isinstance(engine, several_devices.DeviceGroup)
    assert group.runtime == f"{alone.runtime} and 1 more"
    assert group.weights_hash == alone.weights_hash
    assert np.abs(group.encode(pixels) - alone.encode(pixels)).max() < 1e-5
    processes = [worker.process for worker in engine._workers]
    processes[0].kill()
    processes[0].join()
    with pytest.raises(EncoderError, match=r"cpu: its process ended \(exit code -9\)"):
        for _ in range(2):
            group.encode(pixels)
    assert not any(process.is_alive() for process in processes)


def test_a_device_that_fails_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no such weights file") as caught:
        several_devices.load_on_devices(f"lite0@{tmp_path}/none", CARD, ("cpu",), load_tile_encoder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cpu,cuda:0", "cuda:0;cuda:1"])
def test_devices_are_named_as_documented(device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        Settings(device=device)
    assert Settings(device="cuda:0,cuda:1").devices == ("cuda:0", "cuda:1")
    assert get_settings().devices == ("cpu",)
