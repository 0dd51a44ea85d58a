"""Files of published weights: where they lie on this machine, and their tensors, read without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from histoseek.bounds import require_file_bytes
from histoseek.encoders.cards.card import Publication
from histoseek.encoders.packaged_files import digest_file
from histoseek.encoders.pickled_tensors import require_tensor_bytes
from histoseek.errors import EncoderError, MissingExtra

if TYPE_CHECKING:
    from torch import Tensor

_ADVICE = "Download the file again"
_WRAPPERS = ("state_dict", "model")


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """The files of an encoder on this machine.

    weights: the file with its tensors; sha256: of that file; folder: where its other files lie.
    """

    weights: Path
    sha256: str
    folder: Path


def find_encoder_files(name: str, publication: Publication, path: Path | None) -> EncoderFiles:
    """The files of an encoder: at `path`, a file or a folder; raises EncoderError, which says where they come from."""
    published = publication.files[0].name
    if path is None:
        what = f"its weights are not on this machine ({published} of {publication.repository})"
        raise EncoderError(name, what, f"Give the file: {name}@/path/{Path(published).name}")
    file = path / published if path.is_dir() else path
    if not file.is_file():
        raise EncoderError(str(file), "no such weights file", f"Download {published} of {publication.repository}")
    return EncoderFiles(file, digest_file(file), file.parent)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by their names (.safetensors, or what torch loads with weights_only).

    Raises EncoderError for a file that is damaged, or holds more than tensors; MissingExtra.
    """
    try:
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "torch") from error
    try:
        if path.suffix == ".safetensors":
            require_file_bytes(path)
            return load_file(path)
        require_tensor_bytes(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, KeyError, OSError, EOFError, UnpicklingError, SafetensorError) as error:
        raise EncoderError(str(path), "damaged, or not weights alone", _ADVICE) from error
    return _unwrap(path, content)


def _unwrap(path: Path, content: object) -> dict[str, Tensor]:
    import torch

    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise EncoderError(str(path), "not a table of weights", _ADVICE)
    return {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
