"""An adapted tile encoder as a folder that is named behind its base, with a card of where it was measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek._version import __version__
from histoseek.archive.folder import ArchiveFolder
from histoseek.encoders.inventory.adapted_folders import note_adapted
from histoseek.encoders.tile.adapted import CARD_FILE, WEIGHTS_FILE, read_adapted
from histoseek.encoders.weights import PARTS, PartName, PatientParts
from histoseek.errors import EncoderError
from histoseek.files import read_checked_json, write_atomic, write_checked_json
from histoseek.jsonable import plain
from histoseek.progress import Reporter, SilentReporter
from histoseek.training.new_folder import require_empty, writing_folder
from histoseek.training.tiles.adapt import TileAdaptation, adapt_tiles
from histoseek.training.tiles.cases import LabelledSlides, SlideParts
from histoseek.training.tiles.retrieval import Gain
from histoseek.training.tiles.settings import TileAdaptSettings

if TYPE_CHECKING:
    from histoseek.training.tiles.cases import Places
    from histoseek.training.tiles.task import TileEpoch

_SCOPE = "slides of this archive's institution, stained and scanned as these; others were not measured"
_NOT_ACROSS = "not measured: it has the tiles of one site, or nobody named a column of sites (--site)"
_ACROSS = (
    "held-out patients asked slides of other sites; tiles of all these sites were trained on, so new sites were not"
)


@dataclass(frozen=True, slots=True)
class PartSize:
    """How many slides of how many patients a part has."""

    slides: int
    patients: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Where an adapted encoder was measured: the archive's folder by name, the column of labels, the labels, and what
    the figures do not say."""

    archive: str
    label_column: str
    labels: tuple[str, ...]
    valid_for: str
    across_sites: str


@dataclass(frozen=True, slots=True)
class TileAdaptationCard:
    """What an adapted tile encoder says about itself: counts and hashes of slides, never ids.

    load_with: how to name it for `--encoder`; sha256: of the weights; gain: MAP@5 of the test patients, whose tiles
    neither trained nor chose anything, before and after; helps: whether a gain is shown (p < .05); across: the same
    between sites, None where not measured; slides_sha256: over ids, labels and patients; parts: whose tiles were where,
    as keys that lead back to no id; licence: of the base, which these inherit; created: UTC.
    """

    load_with: str
    base_encoder: str
    base_sha256: str
    sha256: str
    measured: Measured
    helps: bool
    gain: Gain
    across: Gain | None
    blend: float
    best_epoch: int
    epochs: tuple[TileEpoch, ...]
    settings: TileAdaptSettings
    tiles: int
    train: PartSize
    validation: PartSize
    test: PartSize
    slides_sha256: str
    parts: PatientParts
    data: str
    licence: str
    seconds: float
    version: str
    created: str


def adapt_to_folder(
    archive: ArchiveFolder,
    column: str,
    folder: Path,
    settings: TileAdaptSettings | None = None,
    *,
    site: str | None = None,
    data: str = "not stated",
    licence: str = "",
    reporter: Reporter | None = None,
) -> tuple[TileAdaptationCard, tuple[str, ...]]:
    """Adapt an archive's tile encoder to a column of labels and write it to a new folder; its card, and notes.

    data, licence: for the card, "" for the licence of the encoder before. Checkpoint, log and what the frozen blocks
    give lie in `FOLDER.training` beside it, from which the same call continues. Nothing is written where no epoch was
    better than the encoder before. Raises as `adapt_tiles` and `save_tile_adaptation` do.
    """
    require_empty(folder)
    work = name_work_folder(folder)
    chosen = settings or TileAdaptSettings()
    adaptation = adapt_tiles(archive, column, chosen, work, reporter or SilentReporter(), site)
    name = archive.short_name
    card = save_tile_adaptation(adaptation, folder, name, data=data, licence=licence)
    if adaptation.blend:
        note_adapted(folder)
    return card, adaptation.notes


def name_work_folder(folder: Path) -> Path:
    """Where the files of an adaptation lie that is under way."""
    return folder.with_name(folder.name + ".training")


def read_parts(folder: Path) -> PatientParts | None:
    """Whose tiles an adapted encoder was trained on or chosen by, None for a folder of anything else; raises
    EncoderError for a damaged card."""
    if read_adapted(folder) is None:
        return None
    try:
        parts = read_checked_json(folder / CARD_FILE)["parts"]
        return PatientParts(str(parts["salt"]), *(tuple(map(str, parts[name])) for name in PARTS))
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = "does not say which patients it was adapted to"
        raise EncoderError(str(folder / CARD_FILE), what, "Copy the whole folder again, or adapt anew") from error


def save_tile_adaptation(
    adaptation: TileAdaptation, folder: Path, archive: str, *, data: str, licence: str
) -> TileAdaptationCard:
    """Write the folder, whole or not at all, and return its card; nothing where the plain encoder was best.

    licence: "" for that of the base. Raises ConfigurationError when it is not empty or cannot be written.
    """
    require_empty(folder)
    from safetensors.torch import save

    content = save({name: value.contiguous() for name, value in adaptation.tensors.items()}, {"format": "pt"})
    sha256 = hashlib.sha256(content).hexdigest()
    card = _make_card(adaptation, folder, sha256, archive, data, licence)
    if not adaptation.blend:
        return card
    with writing_folder(folder) as temporary:
        write_atomic(temporary / WEIGHTS_FILE, content)
        write_checked_json(temporary / CARD_FILE, plain(card))
    return card


def _make_card(
    adaptation: TileAdaptation, folder: Path, sha256: str, archive: str, data: str, licence: str
) -> TileAdaptationCard:
    slides, parts = adaptation.slides, adaptation.parts
    across = adaptation.across
    return TileAdaptationCard(
        load_with=f"{adaptation.base_encoder}@{folder.absolute()}" if adaptation.blend else adaptation.base_encoder,
        base_encoder=adaptation.base_encoder,
        base_sha256=adaptation.base_sha256,
        sha256=sha256,
        measured=Measured(archive, slides.column, slides.classes, _SCOPE, _ACROSS if across else _NOT_ACROSS),
        helps=bool(adaptation.blend) and adaptation.gain.helps,
        gain=adaptation.gain,
        across=across,
        blend=adaptation.blend,
        best_epoch=adaptation.best_epoch,
        epochs=adaptation.epochs,
        settings=adaptation.settings,
        tiles=adaptation.tiles,
        train=_count(slides, parts.train),
        validation=_count(slides, parts.validation),
        test=_count(slides, parts.test),
        slides_sha256=slides.sha256,
        parts=_hash_parts(slides, parts),
        data=data,
        licence=licence or f"{adaptation.base_licence} (of {adaptation.base_encoder}, whose weights these are made of)",
        seconds=round(adaptation.seconds, 1),
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _hash_parts(slides: LabelledSlides, parts: SlideParts) -> PatientParts:
    ids: dict[PartName, list[tuple[str, str]]] = {
        "train": _list_ids(slides, parts.train),
        "validation": _list_ids(slides, parts.validation),
        "test": _list_ids(slides, parts.test),
    }
    return PatientParts.from_ids(ids, slides.sha256[:32])


def _list_ids(slides: LabelledSlides, places: Places) -> list[tuple[str, str]]:
    return [(slides.slides[place].patient, slides.slides[place].slide_id) for place in places]


def _count(slides: LabelledSlides, places: Places) -> PartSize:
    return PartSize(len(places), len({slides.slides[place].patient for place in places}))
