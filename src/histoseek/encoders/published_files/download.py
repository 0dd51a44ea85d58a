"""Downloads of published files, which happen only when the user asks for them, with the user's own token."""

from __future__ import annotations

import shutil
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path

from histoseek.encoders.cards.card import Publication
from histoseek.encoders.published_files.places import find_torch_hub, is_address, is_repository
from histoseek.errors import EncoderError, HistoseekError, MissingExtra

_TOKEN = "HF_TOKEN"
_SECONDS = 60.0


def download_files(name: str, publication: Publication) -> Path:
    """Fetch a model's files to where other tools look for them as well; the path of the first of them.

    From the hub into its cache, from an address into torch hub's. Raises EncoderError, which says for a gated model
    where its terms are and which variable takes the token; MissingExtra without huggingface_hub.
    """
    if is_address(publication.repository):
        return _fetch_address(name, publication)
    if not is_repository(publication.repository):
        raise EncoderError(name, f"can't be downloaded from {publication.repository}", "Give its files: see the card")
    return _fetch_repository(name, publication)


def _fetch_repository(name: str, publication: Publication) -> Path:
    try:
        from huggingface_hub import constants, get_token, hf_hub_download
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    except ImportError as error:
        raise MissingExtra(error.name or "huggingface_hub", "models") from error
    terms = f"{constants.ENDPOINT}/{publication.repository}"
    gated = f"Accept its terms at {terms}, and set {_TOKEN} to a token of that account"
    if publication.gated and not get_token():
        raise EncoderError(name, "is gated, and there is no token to download it with", gated)
    revision = publication.revision or None
    try:
        paths = [hf_hub_download(publication.repository, each.name, revision=revision) for each in publication.files]
    except GatedRepoError as error:
        raise EncoderError(name, "is gated, and your token has no access", gated) from error
    except RepositoryNotFoundError as error:
        raise EncoderError(name, f"there is no {terms}, or your token has no access to it", gated) from error
    except HistoseekError:
        raise
    except Exception as error:  # whatever the network and the hub do
        what = f"can't be downloaded from {terms} ({type(error).__name__})"
        raise EncoderError(name, what, "Try again, or fetch its files on another machine") from error
    return Path(paths[0])


def _fetch_address(name: str, publication: Publication) -> Path:
    folder = find_torch_hub()
    paths = [_fetch_file(name, _join(publication.repository, each.name), folder) for each in publication.files]
    return paths[0]


def _join(address: str, file: str) -> str:
    """The address of a file: as it is given, or below the one of its folder."""
    return address if address.endswith(f"/{file}") else f"{address.rstrip('/')}/{file}"


def _fetch_file(name: str, address: str, folder: Path) -> Path:
    if not address.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise EncoderError(name, f"{address} is no https address", "Fetch the file by other means")
    target, part = folder / Path(address).name, None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(address, timeout=_SECONDS) as response,
            tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file,
        ):
            part = Path(file.name)
            shutil.copyfileobj(response, file)
        part.replace(target)
    except OSError as error:
        raise EncoderError(name, f"can't be downloaded from {address} ({type(error).__name__})", "Try again") from error
    finally:
        if part is not None:
            with suppress(OSError):
                part.unlink()
    return target
