"""Where weights are found, and what is said of files that are not what they should be."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from histoseek.encoders import weight_files
from histoseek.encoders.cards.card import Publication, WeightsFile
from histoseek.encoders.cards.catalogue import list_tile_models
from histoseek.encoders.published_files import identity
from histoseek.encoders.weight_files import find_encoder_files, locate_weights, read_tensors
from histoseek.errors import EncoderError, TooLarge
from histoseek.settings import get_settings
from tests.encoders.published import (
    COMMIT,
    FakeHub,
    clear_places,
    publication,
    put_into_cache,
    refuse_network,
    sha256,
)

torch = pytest.importorskip("torch")
from safetensors.torch import save, save_file  # noqa: E402

GOOD, OTHER = b"the published weights", b"those of another model"


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    clear_places(monkeypatch, tmp_path, weights=tmp_path / "weights")
    (tmp_path / "weights").mkdir()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def published(tmp_path: Path) -> Publication:
    return publication(digest(GOOD))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(path: Path, content: bytes = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def refusal(published: Publication, path: Path | None = None) -> str:
    with pytest.raises(EncoderError) as caught:
        find_encoder_files("small", published, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_path_is_a_file_or_a_folder(tmp_path: Path, published: Publication) -> None:
    file = put(tmp_path / "mine" / "pytorch_model.bin")
    for path in (file, file.parent):
        found = find_encoder_files("small", published, path)
        assert (found.weights, found.sha256, found.folder) == (file, digest(GOOD), file.parent)
    assert "no such weights file" in refusal(published, tmp_path / "nowhere.bin")
    with pytest.raises(EncoderError, match=r"there is no vocab\.json beside it"):
        found.require("vocab.json")
    put(file.parent / "vocab.json")
    assert found.require("vocab.json") == file.parent / "vocab.json"


def test_folders_of_a_repository_begin_where_its_names_do(tmp_path: Path) -> None:
    deep = replace(publication(digest(GOOD)), files=(WeightsFile("visual/model.bin", digest(GOOD)),))
    file = put(tmp_path / "mine" / "visual" / "model.bin")
    assert find_encoder_files("small", deep, tmp_path / "mine").folder == tmp_path / "mine"
    flat = put(tmp_path / "flat" / "model.bin")
    assert find_encoder_files("small", deep, tmp_path / "flat").folder == flat.parent
    assert find_encoder_files("small", deep, file).folder == tmp_path / "mine"


@pytest.mark.parametrize(
    "place",
    [
        "small/pytorch_model.bin",
        "Lab--small/pytorch_model.bin",
        "Lab/small/pytorch_model.bin",
        "small.bin",
        "pytorch_model.bin",
    ],
)
def test_the_folder_of_weights_may_have_several_forms(tmp_path: Path, published: Publication, place: str) -> None:
    file = put(tmp_path / "weights" / place)
    assert find_encoder_files("small:cls", published, None).weights == file
    located = locate_weights("small", published)
    assert located is not None
    assert (located.path, located.origin) == (file, "HISTOSEEK_WEIGHTS")


def test_files_of_one_name_are_told_apart_by_their_content(tmp_path: Path, published: Publication) -> None:
    put(tmp_path / "weights" / "pytorch_model.bin", OTHER)
    said = refusal(published)
    assert "not on this machine (pytorch_model.bin of Lab/small)" in said
    assert "weights/pytorch_model.bin is another file" in said
    right = put_into_cache(tmp_path / "hf" / "hub", GOOD, "pytorch_model.bin")
    assert find_encoder_files("small", published, None).weights == right
    put(tmp_path / "weights" / "small" / "pytorch_model.bin", OTHER)
    assert "SHA-256 is not that of small's" in refusal(published), "a folder of the model's own name is believed"


def test_renamed_files_are_known_by_their_content(tmp_path: Path, published: Publication) -> None:
    for place in ("first/pytorch_model.bin", "second/pytorch_model.bin", "copy of something.pth"):
        put(tmp_path / "weights" / place, OTHER)
    assert locate_weights("small", published) is None
    assert "not on this machine" in refusal(published)
    right = put(tmp_path / "weights" / "second" / "pytorch_model (1).bin")
    assert find_encoder_files("small", published, None).weights == right
    located = locate_weights("small", published)
    assert located is not None
    assert located.path == right


def test_places_are_looked_into_in_their_order(tmp_path: Path, published: Publication) -> None:
    refs = [
        put_into_cache(tmp_path / "hf" / "hub", GOOD, "pytorch_model.bin"),
        put(tmp_path / "weights" / "pytorch_model.bin"),
        put(tmp_path / "weights" / "small" / "pytorch_model.bin"),
    ]
    for expected in reversed(refs):
        assert find_encoder_files("small", published, None).weights == expected
        expected.unlink()
    assert "not on this machine" in refusal(published)


def test_the_hub_cache_of_other_tools_is_read(
    tmp_path: Path, published: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hf" / "hub"
    link = put_into_cache(hub, GOOD, "pytorch_model.bin")
    assert link.is_symlink()
    found = find_encoder_files("small", published, None)
    assert (found.weights, found.folder) == (link, link.parent)
    link.unlink()
    older = put_into_cache(hub, GOOD, "pytorch_model.bin", revision="f" * 40)
    assert find_encoder_files("small", published, None).weights == older, "another revision of the same content"
    older.unlink()
    put_into_cache(hub, OTHER, "pytorch_model.bin", revision="e" * 40)
    assert "is another file" in refusal(published)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    moved = put_into_cache(tmp_path / "elsewhere", GOOD, "pytorch_model.bin")
    assert find_encoder_files("small", published, None).weights == moved


def test_torch_hub_has_what_is_published_at_an_address(tmp_path: Path) -> None:
    at = publication(digest(GOOD), "small.torch", repository="https://example.org/weights", revision="")
    file = put(tmp_path / "torch" / "hub" / "checkpoints" / "small.torch")
    assert find_encoder_files("small", at, None).weights == file


def test_without_a_download_no_network_is_asked(published: Publication, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_network(monkeypatch)
    said = refusal(published)
    assert "Give small@/path/pytorch_model.bin, put it into HISTOSEEK_WEIGHTS as small/pytorch_model.bin" in said
    assert "--download" in said
    code = "import sys; from histoseek.encoders.tile.registry import *; print('huggingface_hub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def run_download(tmp_path: Path, endpoint: str, published: Publication, **environment: str) -> str:
    """What a process of its own says, which reads the hub's settings when it begins."""
    code = (
        "from histoseek.encoders.cards.card import *\n"
        "from histoseek.encoders.weight_files import find_encoder_files\n"
        "from histoseek.errors import HistoseekError\n"
        f"try:\n    print(find_encoder_files('small', {published!r}, None).weights)\n"
        "except HistoseekError as error:\n    print(error)"
    )
    variables = {"HF_ENDPOINT": endpoint, "HISTOSEEK_DOWNLOAD": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **variables, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        check=True,
    )
    return done.stdout.strip()


def test_a_download_goes_where_other_tools_look(tmp_path: Path, published: Publication) -> None:
    hub = FakeHub({"pytorch_model.bin": GOOD})
    with hub.serving() as endpoint:
        said = run_download(tmp_path, endpoint, published)
    assert said == str(tmp_path / "hf" / "hub" / "models--Lab--small" / "snapshots" / COMMIT / "pytorch_model.bin"), (
        said
    )
    assert any("/Lab/small/resolve/" in path for path in hub.asked)
    assert find_encoder_files("small", published, None).sha256 == digest(GOOD)


def test_a_download_of_something_else_is_refused(tmp_path: Path, published: Publication) -> None:
    with FakeHub({"pytorch_model.bin": OTHER}).serving() as endpoint:
        assert "SHA-256 is not that of small's" in run_download(tmp_path, endpoint, published)


def test_gated_models_say_where_their_terms_are(tmp_path: Path, published: Publication) -> None:
    gated, hub = replace(published, gated=True), FakeHub({"pytorch_model.bin": GOOD}, token="hf_mine")
    with hub.serving() as endpoint:
        said = run_download(tmp_path, endpoint, gated)
        assert said == (
            f"small: is gated, and there is no token to download it with. Accept its terms at {endpoint}/Lab/small, "
            "and set HF_TOKEN to a token of that account"
        )
        assert not hub.asked, "nothing is asked without a token"
        assert "your token has no access" in run_download(tmp_path, endpoint, gated, HF_TOKEN="hf_other")
        assert run_download(tmp_path, endpoint, gated, HF_TOKEN="hf_mine").endswith("pytorch_model.bin")
    with FakeHub({}).serving() as endpoint:
        elsewhere = {"HF_HOME": str(tmp_path / "empty")}
        assert "can't be downloaded from" in run_download(tmp_path, endpoint, published, **elsewhere)


def test_addresses_are_downloaded_into_torch_hub(tmp_path: Path) -> None:
    with FakeHub({"small.torch": GOOD}).serving() as endpoint:
        at = publication(digest(GOOD), "small.torch", repository=f"{endpoint}/weights", revision="")
        said = run_download(tmp_path, endpoint, at)
        assert said == str(tmp_path / "torch" / "hub" / "checkpoints" / "small.torch")
    assert "is no https address" in run_download(
        tmp_path, "http://127.0.0.1:9", publication("", "small.pt", repository="http://example.org/weights")
    )


def test_another_models_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: Publication) -> None:
    models = list_tile_models()
    theirs = replace(models[0].publication, files=(WeightsFile("pytorch_model.bin", digest(OTHER)),))
    monkeypatch.setattr(identity, "list_tile_models", lambda: (replace(models[0], publication=theirs),))
    said = refusal(published, put(tmp_path / "mine.bin", OTHER))
    assert f"not weights of small, but of {models[0].name} ({theirs.repository}, pytorch_model.bin)" in said
    monkeypatch.setenv("HISTOSEEK_ACCEPT_UNKNOWN_WEIGHTS", "1")
    get_settings.cache_clear()
    assert "but of" in refusal(published, tmp_path / "mine.bin"), "known ones of another model are never accepted"
    put(tmp_path / "weights" / "pytorch_model.bin", OTHER)
    assert f"pytorch_model.bin is that of {models[0].name}" in refusal(published)
    assert "not on this machine" in refusal(publication()), "without a SHA-256 another model's file is no guess"


def test_unknown_files_are_taken_where_the_user_says_so(
    tmp_path: Path, published: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = put(tmp_path / "tuned.bin", b"fine-tuned")
    said = refusal(published, tuned)
    assert "its SHA-256 is not that of small's published weights: fine-tuned ones, or damaged" in said
    assert "--accept-unknown-weights" in said
    monkeypatch.setenv("HISTOSEEK_ACCEPT_UNKNOWN_WEIGHTS", "1")
    get_settings.cache_clear()
    assert find_encoder_files("small", published, tuned).sha256 == digest(b"fine-tuned")


def test_weights_without_a_known_digest_are_taken_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weight_files._note_unknown.cache_clear()
    file = put(tmp_path / "weights" / "small" / "pytorch_model.bin", OTHER)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert find_encoder_files("small", publication(), None).weights == file
    assert [record.getMessage() for record in caplog.records] == [
        "small: no SHA-256 of its weights is known, so they are taken as they are"
    ]


def test_files_that_are_not_all_there_say_so(tmp_path: Path) -> None:
    whole = save({"weight": torch.ones(100)})
    cut = publication("", "model.safetensors")
    assert "is cut off: 60 bytes" in refusal(cut, put(tmp_path / "model.safetensors", whole[:60]))
    assert f"is cut off: 200 bytes of {len(whole)}" in refusal(cut, put(tmp_path / "model.safetensors", whole[:200]))
    assert "is no safetensors file" in refusal(cut, put(tmp_path / "model.safetensors", b"\2" + bytes(7) + b"[]" * 9))
    torch.save({"weight": torch.ones(1000)}, tmp_path / "whole.bin")
    half = put(tmp_path / "half.bin", (tmp_path / "whole.bin").read_bytes()[:900])
    assert "is cut off: its 900 bytes lack the end of the zip file" in refusal(publication(), half)
    assert "is empty" in refusal(publication(), put(tmp_path / "half.bin", b""))
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0"
    assert "pointer of Git LFS" in refusal(publication(), put(tmp_path / "half.bin", pointer))
    assert "a web page" in refusal(publication(), put(tmp_path / "half.bin", b"<!DOCTYPE html><html>Log in"))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_pickles_with_code_are_refused_and_run_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trapped"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(trap),)

    path = tmp_path / "pytorch_model.bin"
    for write in (
        lambda: torch.save({"weight": torch.ones(2), "more": Trap()}, path),
        lambda: put(path, pickle.dumps({"weight": Trap()})),
    ):
        write()
        files = find_encoder_files("small", publication(sha256(path)), path)
        with pytest.raises(EncoderError, match=r"holds more than tensors \(code could run from it\)"):
            read_tensors(files.weights)
        assert not trap.exists()


def test_tensors_are_read_from_either_form_and_from_a_training(tmp_path: Path) -> None:
    state = {"weight": torch.arange(6.0).view(2, 3)}
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.bin")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "c.pth")
    for name in ("a.safetensors", "b.bin", "c.pth"):
        tensors = read_tensors(tmp_path / name)
        assert list(tensors) == ["weight"]
        assert torch.equal(tensors["weight"], state["weight"])
    torch.save([state], tmp_path / "d.bin")
    with pytest.raises(EncoderError, match="holds a list, not a state dict"):
        read_tensors(tmp_path / "d.bin")
    torch.save({"epoch": 3}, tmp_path / "e.bin")
    with pytest.raises(EncoderError, match="holds no tensors by name"):
        read_tensors(tmp_path / "e.bin")


def test_only_files_that_nobody_knows_are_held_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.ones(5 * 2**20)}, path)
    monkeypatch.setenv("HISTOSEEK_READ_MEMORY_MB", "16")
    get_settings.cache_clear()
    with pytest.raises(TooLarge):
        read_tensors(path)
    monkeypatch.setattr(identity, "name_file", lambda sha: "small" if sha == sha256(path) else "")
    assert len(read_tensors(path)) == 1


def test_digests_of_large_files_are_remembered_by_their_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_LARGE_BYTES", 0)
    path = put(tmp_path / "large.bin")
    assert identity.digest_weights(path) == digest(GOOD)
    monkeypatch.setattr(identity, "digest_file", lambda _: pytest.fail("was computed again"))
    assert identity.digest_weights(path) == digest(GOOD)
    monkeypatch.undo()
    put(path, OTHER)
    monkeypatch.setattr(identity, "_LARGE_BYTES", 0)
    assert identity.digest_weights(path) == digest(OTHER)
