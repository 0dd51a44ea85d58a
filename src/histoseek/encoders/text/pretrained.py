"""Loading transformers' models from a local folder: quietly, without pickles, without anyone else's code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.devices import import_transformers
from histoseek.encoders.text.folder import ModelFolder
from histoseek.encoders.token_rows import TextTokenizer, check_vocabulary, read_tokenizer
from histoseek.errors import EncoderError, MissingExtra

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import nn


def load_transformer(folder: ModelFolder) -> nn.Module:
    """The transformer without its own pooler, in float32, all weights from the folder.

    Raises EncoderError when the weights are damaged or are not all there.
    """
    import torch

    transformers = import_transformers()

    folder.check()
    try:
        with _silence_library():
            model, report = transformers.AutoModel.from_pretrained(
                folder.path,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # safetensors, transformers and torch share no class for a damaged file
        what = f"cannot be loaded ({type(error).__name__})"
        raise EncoderError(str(folder.path), what, "Download it again") from error
    _require_all_weights(folder.path, report)
    return _remove_pooler(model)


def load_tokenizer(folder: Path, context_tokens: int, transformer: nn.Module) -> TextTokenizer:
    """The folder's tokenizer, set up for a transformer; raises EncoderError when the two do not fit."""
    tokenizer = _read_tokenizer(folder)
    check_vocabulary(folder, tokenizer, int(transformer.config.vocab_size))
    return TextTokenizer(tokenizer, context_tokens, int(transformer.config.pad_token_id or 0))


def require_packages() -> None:
    """Raise MissingExtra, naming the first that is missing, without torch and transformers."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra("torch", "text") from error
    import_transformers()


def _read_tokenizer(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").is_file():
        return read_tokenizer(folder / "tokenizer.json")
    transformers = import_transformers()
    try:
        with _silence_library():
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        return tokenizer.backend_tokenizer
    except Exception as error:  # as many classes as there are tokenizers
        raise EncoderError(str(folder), "no usable tokenizer in it", "Add the model's tokenizer.json") from error


def _remove_pooler(model: nn.Module) -> nn.Module:
    """The model without the tanh pooler on top of BERT and its kin, which no text tower uses."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model


@contextmanager
def _silence_library() -> Iterator[None]:
    """Silence transformers' log lines and progress bars for as long as this lasts."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _require_all_weights(path: Path, report: dict[str, object]) -> None:
    missing = [key for key in _names(report.get("missing_keys")) if not key.startswith("pooler.")]
    unfit = [*missing, *_names(report.get("mismatched_keys"))]
    if unfit:
        what = f"{len(unfit)} of its weights are missing or of another shape ({unfit[0]})"
        raise EncoderError(str(path), what, "Download it again")


def _names(keys: object) -> list[str]:
    if not isinstance(keys, list | set | tuple):
        return []
    return sorted(key if isinstance(key, str) else str(key[0]) for key in keys)
