"""The way into adapting a tile encoder to an archive's own labelled slides; importing this module needs no torch."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histoseek.archive.folder import ArchiveFolder
from histoseek.encoders.devices import import_timm
from histoseek.errors import EncoderError, MissingExtra
from histoseek.own_code import is_own
from histoseek.progress import Reporter
from histoseek.training.tiles.cases import LabelledSlides, SlideParts, load_labelled_slides, split_slides
from histoseek.training.tiles.retrieval import Gain, compare_precisions, measure_precision
from histoseek.training.tiles.settings import BLENDS, TileAdaptSettings

if TYPE_CHECKING:
    from torch import Tensor

    from histoseek.training.checkpoint import Identity
    from histoseek.training.tiles.activations import Activations
    from histoseek.training.tiles.network import SplitNetwork
    from histoseek.training.tiles.task import TileEpoch, TileTask

_FREE = ("device", "checkpoint_steps")
"""Settings that may change on the way: they decide how it is computed."""

_FEW_PATIENTS = 30


@dataclass(frozen=True, slots=True)
class TileAdaptation:
    """An adapted network and how it came about.

    tensors: of the whole network, blended; blend: the share of the adapted weights in them, 0 where no epoch was better
    on the validation patients, whose tensors are then those before; gain: of the test patients, who asked the slides of
    all others; across: the same where they could be answered by slides of other sites alone, None without sites.
    """

    base_encoder: str
    base_sha256: str
    base_licence: str
    tensors: dict[str, Tensor]
    slides: LabelledSlides
    parts: SlideParts
    tiles: int
    settings: TileAdaptSettings
    blend: float
    best_epoch: int
    epochs: tuple[TileEpoch, ...]
    gain: Gain
    across: Gain | None
    seconds: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        lines = list(self.slides.notes)
        if not self.blend:
            lines.append("no epoch was better on the validation patients than the plain encoder: keep that")
        elif not self.gain.helps:
            lines.append("no gain is shown on the test patients: keep the plain encoder, or give more patients")
        if self.gain.patients < _FEW_PATIENTS:
            lines.append(f"only {self.gain.patients} test patients: the figures are rough")
        return tuple(lines)


def adapt_tiles(
    archive: ArchiveFolder,
    column: str,
    settings: TileAdaptSettings,
    work: Path,
    reporter: Reporter,
    site: str | None = None,
) -> TileAdaptation:
    """Adapt an archive's tile encoder to its slides' labels; goes on from what is in `work` when there is anything.

    column: of the labels; site: a column of sites, to measure across them. Raises MissingExtra; InputError for too few
    labels or patients, slides whose files are gone, an archive of feature files; EncoderError for an encoder that can't
    be adapted; ConfigurationError for a checkpoint of another adaptation. KeyboardInterrupt passes through, with a
    checkpoint left behind.
    """
    slides = load_labelled_slides(archive, column, site)
    require_packages(archive.recipe.encoder)
    from histoseek.training.tiles.activations import compute_activations
    from histoseek.training.tiles.network import load_split_network

    network = load_split_network(archive.recipe.encoder, settings.blocks)
    with reporter.part("reading tiles of slides", len(slides)) as part:
        activations = compute_activations(
            network, slides.slides, settings.tiles, settings.views, settings.seed, work, part
        )
    slides, activations = _drop_unreadable(slides, activations)
    parts = split_slides(slides, settings.shares, settings.seed)
    return train_blocks(network, activations, slides, parts, settings, work, reporter)


def require_packages(encoder: str) -> None:
    """Raise MissingExtra when a package that this needs is not installed, EncoderError for the user's own code."""
    if is_own(encoder):
        raise EncoderError(encoder, "is code of your own, which can't be adapted", "Take lite0 or one of the catalogue")
    if encoder.partition("@")[0] != "lite0":
        import_timm()
        return
    for module in ("torch", "efficientnet_lite_pytorch"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtra(module, "torch") from error


def train_blocks(
    network: SplitNetwork,
    activations: Activations,
    slides: LabelledSlides,
    parts: SlideParts,
    settings: TileAdaptSettings,
    work: Path,
    reporter: Reporter,
) -> TileAdaptation:
    """Train on the train part, choose epoch and blend on the validation part, and measure the test part, once."""
    from histoseek.training.compute import choose_compute
    from histoseek.training.loop import TrainingLoop, WorkFolder
    from histoseek.training.tiles.task import TileTask

    task = TileTask(network, activations, slides, parts, settings, choose_compute(settings.device))
    base, everyone = task.state(), range(len(slides))
    before = task.encode_slides(everyone)
    identity = identify_adaptation(settings, slides, parts, network.identity)
    progress = TrainingLoop(task, settings, WorkFolder(work), identity, reporter).run()
    blend = _choose_blend(task, base, progress.best_weights) if progress.best_epoch else 0.0
    task.load_state(_blend(base, progress.best_weights, blend) if blend else base)
    gain, across = _measure(before, task.encode_slides(everyone), slides, parts, settings.seed)
    return TileAdaptation(
        base_encoder=network.card.name,
        base_sha256=network.sha256,
        base_licence=network.card.publication.licence,
        tensors={name: value.detach().cpu() for name, value in network.network.state_dict().items()},
        slides=slides,
        parts=parts,
        tiles=len(activations.slide_of),
        settings=settings,
        blend=blend,
        best_epoch=progress.best_epoch,
        epochs=tuple(progress.rows),
        gain=gain,
        across=across,
        seconds=progress.seconds,
    )


def identify_adaptation(
    settings: TileAdaptSettings, slides: LabelledSlides, parts: SlideParts, encoder: str
) -> Identity:
    """What an adaptation is; slides enter as one hash."""
    from histoseek.training.checkpoint import hash_parts

    chosen = {name: value for name, value in asdict(settings).items() if name not in _FREE}
    drawn = hash_parts([slides.sha256, asdict(parts)])
    return {"kind": "tiles", "settings": hash_parts(chosen), "slides": drawn, "tile_encoder": encoder}


def _drop_unreadable(slides: LabelledSlides, activations: Activations) -> tuple[LabelledSlides, Activations]:
    """The slides that have tiles, with these, numbered anew."""
    from histoseek.training.tiles.activations import Activations as Kind

    readable = [place not in activations.unreadable for place in range(len(slides))]
    kept = slides.keep(readable, "are left out, as they could not be read")
    if len(kept) == len(slides):
        return slides, activations
    new_places = {slide.slide_id: place for place, slide in enumerate(kept.slides)}
    moved = np.array([new_places.get(slide.slide_id, -1) for slide in slides.slides], np.int64)
    slide_of = moved[activations.slide_of]
    return kept, Kind(activations.values[slide_of >= 0], slide_of[slide_of >= 0])


def _choose_blend(task: TileTask, base: dict[str, Tensor], adapted: dict[str, Tensor]) -> float:
    """The share of the adapted weights that is best on the validation patients; of equal ones the smallest."""
    found = []
    for share in BLENDS:
        task.load_state(_blend(base, adapted, share))
        found.append(task.measure_validation())
    return BLENDS[int(np.argmax(found))]


def _blend(base: dict[str, Tensor], adapted: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    return {name: base[name] + share * (value - base[name]) for name, value in adapted.items()}


def _measure(
    before: np.ndarray, after: np.ndarray, slides: LabelledSlides, parts: SlideParts, seed: int
) -> tuple[Gain, Gain | None]:
    """The gain of the test patients among all slides, and among those of other sites."""
    queries, everyone = parts.test, range(len(slides))
    owners = slides.patients[list(queries)]
    gains = []
    for sites in (None, slides.sites):
        first, last = (
            measure_precision(vectors, slides.labels, slides.patients, queries, everyone, sites)
            for vectors in (before, after)
        )
        gains.append(compare_precisions(first, last, owners, seed))
    return gains[0], gains[1] if slides.sites is not None else None
