"""Where the files of a published model may lie here: in a folder of the user's, in caches as other tools left them.

Nothing here opens a file or the network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from histoseek.encoders.cards.card import Publication
from histoseek.settings import get_settings

_HASH_DIGITS = 64
_MOST_LOOKED_AT = 500
_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".torch", ".ckpt")


@dataclass(frozen=True, slots=True)
class Place:
    """A file that may be the one looked for.

    origin: what it was found in, for people; is_named: whether the place says that it is this model's, so that another
    file there is a mistake rather than a neighbour.
    """

    path: Path
    origin: str
    is_named: bool

    @property
    def stated_sha256(self) -> str:
        """The SHA-256 that a cache names the file by, "" where it does not."""
        name = self.path.resolve().name
        is_hash = len(name) == _HASH_DIGITS and all(digit in "0123456789abcdef" for digit in name)
        return name if is_hash and self.path.is_symlink() else ""


def list_places(name: str, publication: Publication) -> Iterator[Place]:
    """The files that may be a model's weights, best first; name: of its card, with its variant or without."""
    published = publication.files[0].name
    bare = name.partition(":")[0]
    yield from _list_own(bare, publication.repository, published)
    if is_address(publication.repository):
        yield from _existing(find_torch_hub() / Path(published).name, "torch hub's cache", is_named=False)
    else:
        yield from _list_hub_cache(publication, published)
    if publication.files[0].sha256:
        yield from _list_renamed()


def is_address(repository: str) -> bool:
    """Whether weights are published at an address rather than in a repository of the hub."""
    return "://" in repository


def is_repository(repository: str) -> bool:
    """Whether weights are published in a repository of the hub ("owner/name")."""
    return repository.count("/") == 1 and " " not in repository and not is_address(repository)


def find_torch_hub() -> Path:
    """Where torch keeps what it loads from addresses."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or cache / "torch").expanduser() / "hub" / "checkpoints"


def _list_own(name: str, repository: str, published: str) -> Iterator[Place]:
    """In the folder of HISTOSEEK_WEIGHTS: of the model's own name, of its repository's, then by the file's name."""
    folder, file = get_settings().weights, Path(published).name
    if folder is None:
        return
    folder, origin = folder.expanduser(), "HISTOSEEK_WEIGHTS"
    own = [folder / name, folder / repository.replace("/", "--"), folder / repository]
    for place in own if is_repository(repository) else own[:1]:
        for path in dict.fromkeys((place / published, place / file)):
            yield from _existing(path, origin, is_named=True)
    for suffix in _SUFFIXES:
        yield from _existing(folder / f"{name}{suffix}", origin, is_named=True)
    for path in dict.fromkeys((folder / published, folder / file)):
        yield from _existing(path, origin, is_named=False)


def _list_renamed() -> Iterator[Place]:
    """All weights in the folder of HISTOSEEK_WEIGHTS and its folders, whatever they are called: content tells."""
    folder = get_settings().weights
    if folder is None:
        return
    found = sorted(
        path for depth in ("*", "*/*") for path in folder.expanduser().glob(depth) if path.suffix in _SUFFIXES
    )
    for path in found[:_MOST_LOOKED_AT]:
        yield from _existing(path, "HISTOSEEK_WEIGHTS", is_named=False)


def _list_hub_cache(publication: Publication, published: str) -> Iterator[Place]:
    """In the Hugging Face cache: of the card's revision, of the newest that was loaded, then of others."""
    if not is_repository(publication.repository):
        return
    for cache in _hub_caches():
        repository = cache / f"models--{publication.repository.replace('/', '--')}"
        snapshots, main = repository / "snapshots", _read_reference(repository / "refs" / "main")
        others = sorted(path.name for path in snapshots.iterdir()) if snapshots.is_dir() else []
        for revision in dict.fromkeys((publication.revision, main, *others)):
            if revision:
                is_named = revision == publication.revision or not publication.revision
                yield from _existing(snapshots / revision / published, "the Hugging Face cache", is_named=is_named)


def _hub_caches() -> Iterator[Path]:
    """Where the hub's library and older tools put what they load, as their environment variables say."""
    read, home = os.environ.get, Path.home()
    cache = Path(read("XDG_CACHE_HOME") or home / ".cache")
    stated = [read("HF_HUB_CACHE"), read("HUGGINGFACE_HUB_CACHE")]
    given = [Path(folder) for folder in stated if folder] or [Path(read("HF_HOME") or cache / "huggingface") / "hub"]
    yield from dict.fromkeys(folder.expanduser() for folder in given)


def _read_reference(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _existing(path: Path, origin: str, *, is_named: bool) -> Iterator[Place]:
    if path.is_file():
        yield Place(path, origin, is_named)
