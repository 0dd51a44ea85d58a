"""Files of published weights: found on this machine, known by their SHA-256, read without running anything.

They are looked for at the path that a spec names, in the folder of HISTOSEEK_WEIGHTS, in the Hugging Face cache, and,
for those published at an address, in torch hub's. Nothing is downloaded unless HISTOSEEK_DOWNLOAD or `--download` asks.
"""

from __future__ import annotations

import logging
import warnings
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from histoseek.bounds import describe_exhaustion, require_file_bytes
from histoseek.encoders.cards.card import Publication
from histoseek.encoders.pickled_tensors import require_tensor_bytes
from histoseek.encoders.published_files.download import download_files
from histoseek.encoders.published_files.identity import (
    digest_weights,
    find_damage,
    is_known_file,
    name_file,
    recall_digest,
)
from histoseek.encoders.published_files.places import Place, list_places
from histoseek.errors import EncoderError, HistoseekError, MissingExtra
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

_AGAIN = "Download the file again"
_WRAPPERS = ("state_dict", "model", "model_state_dict", "teacher")


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """The files of an encoder on this machine.

    weights: the file with its tensors; sha256: of that file; folder: where its other files lie.
    """

    weights: Path
    sha256: str
    folder: Path

    def require(self, name: str) -> Path:
        """One of its other files; raises EncoderError, which names it."""
        path = self.folder / name
        if not path.is_file():
            raise EncoderError(str(self.weights), f"there is no {name} beside it", f"Put {name} into that folder, too")
        return path


def locate_weights(name: str, publication: Publication, path: Path | None = None) -> Place | None:
    """Where an encoder's weights seem to lie, without reading large files; None where they are not on this machine."""
    if not publication.files:
        return None
    if path is not None:
        file = _choose_file(path, publication.files[0].name)
        return Place(file, "the path given", True) if file.is_file() else None
    wanted = publication.files[0].sha256
    return next((place for place in list_places(name, publication) if _seems_to_be(place, wanted)), None)


def find_encoder_files(name: str, publication: Publication, path: Path | None) -> EncoderFiles:
    """The files of an encoder: at `path`, a file or a folder, or else in the first place that has them.

    Raises EncoderError: where they are nowhere, it says how to get them; a file that is cut off, another model's, or
    unknown is refused with what it is (`accept_unknown_weights` takes one that nobody knows).
    """
    if path is not None:
        return _take(name, publication, _require_given(path, publication))
    if not publication.files:
        raise EncoderError(name, "its card names no files", f"Give the file: {name}@/path/of/weights")
    passed = ""
    for place in list_places(name, publication):
        if place.is_named or _may_be(place, publication.files[0].sha256):
            return _take(name, publication, place)
        passed = passed or _describe_neighbour(place, publication.files[0].name)
    if get_settings().download:
        return _take(name, publication, Place(download_files(name, publication), "the download", True))
    raise EncoderError(name, f"{_describe_absence(publication)}{passed}", _advise_where(name, publication))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by their names, those of a training's checkpoint without its other parts.

    Raises as `read_state` does.
    """
    import_torch()
    import torch

    content = unwrap_state(read_state(path), _WRAPPERS)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise EncoderError(str(path), "holds no tensors by name", _AGAIN)
    return tensors


def read_state(path: Path) -> Mapping[str, object]:
    """What a weights file holds by name (.safetensors, or what torch loads with weights_only).

    Raises EncoderError for a file that is damaged, or holds more than tensors (nothing of it is run); TooLarge, except
    for files that a card states; MissingExtra.
    """
    import_torch()
    import torch
    from safetensors.torch import load_file

    try:
        is_known = is_known_file(path)
        if path.suffix == ".safetensors":
            if not is_known:
                require_file_bytes(path)
            return load_file(path)
        if not is_known:
            require_tensor_bytes(path)
        # Namespaces are what trainings leave their arguments in: they hold values, and do nothing.
        with warnings.catch_warnings(), torch.serialization.safe_globals([Namespace]):
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        what = "holds more than tensors (code could run from it), so it was not loaded"
        raise EncoderError(str(path), what, "Ask its authors for safetensors, or a plain state dict") from error
    except HistoseekError:
        raise
    except Exception as error:  # in damaged pickles torch meets errors of every kind
        reason = describe_exhaustion(error) or type(error).__name__
        raise EncoderError(str(path), f"is damaged, or no checkpoint ({reason})", _AGAIN) from error
    if not isinstance(content, Mapping):
        raise EncoderError(str(path), f"holds a {type(content).__name__}, not a state dict", _AGAIN)
    return content


def unwrap_state(content: Mapping[str, object], wrappers: tuple[str, ...]) -> Mapping[str, object]:
    """What lies under the names that trainings put their weights below, in this order, as far as it has them."""
    for wrapper in wrappers:
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            content = inner
    return content


def import_torch() -> None:
    """Raise MissingExtra unless tensors can be read."""
    try:
        import torch  # noqa: F401
        from safetensors.torch import load_file  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "torch") from error


def _require_given(path: Path, publication: Publication) -> Place:
    published = publication.files[0].name if publication.files else ""
    file = _choose_file(path, published)
    if not file.is_file():
        where = f"{published} of {publication.repository}" if published else "the model's weights"
        raise EncoderError(str(file), "no such weights file", f"Give the path of {where}")
    return Place(file, "the path given", True)


def _choose_file(path: Path, published: str) -> Path:
    """The weights in a folder, which may have the repository's folders or not; a file as it is."""
    if not path.is_dir():
        return path
    deep = path / published
    return deep if deep.is_file() else path / Path(published).name


def _take(name: str, publication: Publication, place: Place) -> EncoderFiles:
    """A file that is what it should be; raises EncoderError, which says what it is instead."""
    path, wanted = place.path, publication.files[0].sha256 if publication.files else ""
    if damage := find_damage(path):
        raise EncoderError(str(path), damage, _AGAIN)
    sha256 = digest_weights(path)
    if not wanted:
        _note_unknown(name)
    elif sha256 != wanted:
        _require_accepted(name, path, sha256)
    return EncoderFiles(path, sha256, _find_folder(path, publication))


def _find_folder(path: Path, publication: Publication) -> Path:
    """The folder that the names of the repository's files begin at."""
    depth = len(Path(publication.files[0].name).parts) if publication.files else 1
    is_deep = publication.files and path.parts[-depth:] == Path(publication.files[0].name).parts
    return path.parents[depth - 1] if is_deep else path.parent


def _require_accepted(name: str, path: Path, sha256: str) -> None:
    if known := name_file(sha256):
        raise EncoderError(str(path), f"not weights of {name}, but of {known}", "Name that model, or give another file")
    if not get_settings().accept_unknown_weights:
        what = f"its SHA-256 is not that of {name}'s published weights: fine-tuned ones, or damaged"
        advice = "If you know that they are fine-tuned: --accept-unknown-weights, or HISTOSEEK_ACCEPT_UNKNOWN_WEIGHTS=1"
        raise EncoderError(str(path), what, advice)


@lru_cache(maxsize=256)
def _note_unknown(name: str) -> None:
    log.warning("%s: no SHA-256 of its weights is known, so they are taken as they are", name)


def _may_be(place: Place, wanted: str) -> bool:
    """Whether a file in a place that names no model is the one wanted, or, without a known SHA-256, of no other."""
    if not wanted:
        return not name_file(digest_weights(place.path))
    return place.stated_sha256 in ("", wanted) and digest_weights(place.path) == wanted


def _seems_to_be(place: Place, wanted: str) -> bool:
    return place.is_named or not wanted or wanted in (place.stated_sha256, recall_digest(place.path))


def _describe_neighbour(place: Place, published: str) -> str:
    """What a file is that has the right name alone, "" for one of another name."""
    if place.path.name != Path(published).name:
        return ""
    known = name_file(place.stated_sha256 or digest_weights(place.path))
    return f"; {place.path} is {f'that of {known}' if known else 'another file'}"


def _describe_absence(publication: Publication) -> str:
    return f"its weights are not on this machine ({publication.files[0].name} of {publication.repository})"


def _advise_where(name: str, publication: Publication) -> str:
    file = Path(publication.files[0].name).name
    bare = name.partition(":")[0]
    return f"Give {name}@/path/{file}, put it into HISTOSEEK_WEIGHTS as {bare}/{file}, or download it with --download"
