"""Which runtime computes a tile encoder: as the settings say, else the quickest here, by a trial that is remembered.

The trial takes a second or two for a small network, once for a card and its weights on a kind of processor with the
same versions and threads. What it found lies in the cache folder (`runtimes/`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoseek.encoders.devices import (
    computes_bfloat16,
    describe_processor,
    find_torch_device,
    has_openvino,
    thread_count,
)
from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.encoders.tile.runtimes.graphs import has_graph, prepare_graph, prepare_int8
from histoseek.encoders.tile.runtimes.model import Engine, Floats, Model, Pixels, Precision, PreparedEncoder, Rate
from histoseek.encoders.tile.runtimes.processor_engines import OnnxEngine, OpenVinoEngine
from histoseek.errors import ConfigurationError, EncoderError, HistoseekError
from histoseek.files import read_checked_json, write_checked_json
from histoseek.settings import Settings, get_settings

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

_FORMAT = 1
_TRIAL_SECONDS = 0.5
"""For which each candidate is timed, after its first batch."""

_TILES_OF_A_THREAD = 2
_CLEARLY = 1.1
"""How many times as quick as those before it a candidate must be: less is noise, and the first are the usual ones."""

_SAME_COSINE = 0.9999
"""Between two runtimes in float32: with less, one of them computes something else."""


Runtime = Literal["onnx", "openvino", "torch"]
_RUNTIMES: tuple[Runtime, ...] = ("onnx", "openvino", "torch")


@dataclass(frozen=True, slots=True)
class Option:
    """A runtime in a precision."""

    runtime: Runtime
    precision: Precision

    @property
    def name(self) -> str:
        """As engines are called."""
        return f"{self.runtime} {self.precision}"


def load_prepared(
    card: TileCard, weights_hash: str, module: Callable[[], nn.Module], graph: Callable[[], bytes] | None = None
) -> TileEncoder:
    """The encoder in the runtime and precision that the settings ask for; the arguments are those of `Model`.

    "auto" measures ONNX Runtime, OpenVINO and torch as far as they are installed. Raises MissingExtra for a runtime
    that is not, ConfigurationError for a device or precision that is not here, EncoderError.
    """
    settings = get_settings()
    model = Model(card, weights_hash, module, graph)
    if settings.has_gpu:
        return PreparedEncoder(model, _make_gpu_engine(model, settings))
    options = list_options(model, settings)
    if len(options) == 1:
        encoder = PreparedEncoder(model, make_engine(model, options[0], settings))
    else:
        encoder = _take_quickest(model, options, settings)
    log.info("%s is computed by %s", card.name, describe_runtime(encoder))
    return encoder


def load_in_torch(card: TileCard, weights_hash: str, module: nn.Module) -> TileEncoder:
    """The encoder in torch, on the device and in the precision of the settings: for networks that nobody exports."""
    settings = get_settings()
    model = Model(card, weights_hash, lambda: module)
    if settings.has_gpu:
        return PreparedEncoder(model, _make_gpu_engine(model, settings))
    precision: Precision = "bf16" if settings.precision == "bf16" else "float32"
    return PreparedEncoder(model, make_engine(model, Option("torch", precision), settings))


def describe_runtime(encoder: TileEncoder) -> str:
    """What computes an encoder, and how the others did in the trial, in one line."""
    rates = encoder.rates if isinstance(encoder, PreparedEncoder) else ()
    measured = ", ".join(f"{rate.engine} {rate.tiles_per_second:.0f}" for rate in rates)
    return f"{encoder.runtime} (tiles a second in a trial here: {measured})" if measured else encoder.runtime


def list_options(model: Model, settings: Settings) -> tuple[Option, ...]:
    """What may compute a model on the processor, the usual one first; one of them where the settings leave no choice.

    Without a prepared model, and without the packages that make one, only torch is left.
    """
    wanted = settings.runtime
    if wanted == "auto" and not has_graph(model, settings.cache_dir):
        log.warning("onnx or onnxscript is not installed: tiles are encoded by torch, which is slower")
        wanted = "torch"
    runtimes = [name for name in _RUNTIMES if wanted == name or _may_try(name, wanted, model)]
    options = [Option(name, precision) for name in runtimes for precision in _list_precisions(name, settings)]
    if not options:
        what = "is not what the runtimes here compute in on this processor"
        raise ConfigurationError(f"--precision {settings.precision}", what, "Use float32, int8 or auto")
    return tuple(options)


def _may_try(name: str, wanted: str, model: Model) -> bool:
    """Whether a runtime is among those that are measured; torch only where it has to be loaded anyway."""
    if wanted != "auto":
        return False
    if name == "torch":
        return model.graph is None and find_spec("torch") is not None
    return name == "onnx" or has_openvino()


def _list_precisions(runtime: str, settings: Settings) -> tuple[Precision, ...]:
    """The precisions of a runtime that the settings allow; other than float32 only where it is asked for."""
    if settings.precision == "auto":
        return ("float32",)
    has_bfloat16 = runtime == "openvino" and settings.precision == "bf16" and computes_bfloat16()
    had: dict[str, tuple[Precision, ...]] = {
        "onnx": ("float32", "int8"),
        "openvino": ("float32", "bf16") if has_bfloat16 else ("float32",),
        "torch": ("float32", "bf16") if settings.runtime == "torch" else ("float32",),
    }
    return tuple(name for name in had[runtime] if name == settings.precision)


def make_engine(model: Model, option: Option, settings: Settings) -> Engine:
    """What computes a model on the processor; raises MissingExtra, EncoderError, ConfigurationError."""
    if option.runtime == "torch":
        from histoseek.encoders.tile.runtimes.torch_engine import TorchEngine

        return TorchEngine(model, option.precision, settings)
    prepare = prepare_int8 if option.precision == "int8" else prepare_graph
    graph = prepare(model, settings.cache_dir)
    return (OnnxEngine if option.runtime == "onnx" else OpenVinoEngine)(graph, option.precision, settings)


def _make_gpu_engine(model: Model, settings: Settings) -> Engine:
    from histoseek.encoders.tile.runtimes.torch_engine import TorchEngine, choose_gpu_precision

    name = settings.devices[0]
    precision = choose_gpu_precision(model.card.precision, settings.precision, find_torch_device(name, settings))
    return TorchEngine(model, precision, settings, name)


def _take_quickest(model: Model, options: tuple[Option, ...], settings: Settings) -> PreparedEncoder:
    """The quickest as it is remembered, else as it is measured now."""
    path = _memory_path(model, options, settings)
    rates = _recall(path)
    chosen = next((option for option in options if rates and option.name == rates[0].engine), None)
    if chosen is not None:
        return PreparedEncoder(model, make_engine(model, chosen, settings), rates)
    quickest, rates = measure(model, options, settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checked_json(path, {"rates": [asdict(rate) for rate in rates]})
    except (OSError, HistoseekError) as error:
        log.debug("the trial of %s is not remembered: %s", model.card.name, error)
    return PreparedEncoder(model, quickest, rates)


def measure(model: Model, options: tuple[Option, ...], settings: Settings) -> tuple[Engine, tuple[Rate, ...]]:
    """The quickest engine, and how all that could be made did: it first, the others in their order.

    The first option is what the others are compared with; of these, what can't be made or computes something else is
    left out. At most two engines are in memory at a time.
    """
    pixels = make_trial_tiles(_TILES_OF_A_THREAD * thread_count(settings), model.card.preparation.input_px)
    best: Engine | None = None
    exact: Floats | None = None
    rates: list[Rate] = []
    for option in options:
        try:
            engine = make_engine(model, option, settings)
            rate, features = _time(PreparedEncoder(model, engine), option, pixels, exact)
        except (HistoseekError, RuntimeError) as error:
            if option == options[0]:
                raise
            log.warning("%s can't compute %s: %s", option.name, model.card.name, error)
            continue
        exact = features if exact is None else exact
        if rate.lowest_cosine < _SAME_COSINE:
            log.warning("%s computes other features of %s: not used", option.name, model.card.name)
        elif best is None or rate.tiles_per_second > _CLEARLY * rates[0].tiles_per_second:
            best = engine
            rates.insert(0, rate)
            continue
        rates.append(rate)
    if best is None:
        raise EncoderError(model.card.name, "gives no features that can be compared", "Check its weights")
    return best, tuple(rates)


def _time(encoder: PreparedEncoder, option: Option, pixels: Pixels, exact: Floats | None) -> tuple[Rate, Floats]:
    """Its rate in its best batch: what else the machine does only makes batches slower."""
    features = encoder.encode(pixels)
    end, best = time.monotonic() + _TRIAL_SECONDS, np.inf
    while True:
        start = time.perf_counter()
        encoder.encode(pixels)
        best = min(best, time.perf_counter() - start)
        if time.monotonic() > end:
            break
    return Rate(
        option.name, len(pixels) / best, _lowest_cosine(features, features if exact is None else exact)
    ), features


def _lowest_cosine(features: Floats, exact: Floats) -> float:
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(exact, axis=1)
    return float(np.nan_to_num(np.sum(features * exact, axis=1) / np.maximum(lengths, 1e-30), nan=-1).min())


def make_trial_tiles(count: int, edge_px: int) -> Pixels:
    """Tiles [count, S, S, 3] with the colours and the grain of stained tissue, the same ones each time."""
    rng = np.random.default_rng(0)
    coarse = rng.random((count, 14, 14, 1)).repeat(-(-edge_px // 14), 1).repeat(-(-edge_px // 14), 2)
    share = 0.7 * coarse[:, :edge_px, :edge_px] + 0.3 * rng.random((count, edge_px, edge_px, 1))
    eosin, haematoxylin = np.array([236.0, 190.0, 215.0]), np.array([110.0, 80.0, 150.0])
    return (share * eosin + (1 - share) * haematoxylin).astype(np.uint8)


def _memory_path(model: Model, options: tuple[Option, ...], settings: Settings) -> Path:
    """Where a choice is remembered: under all that can change it."""
    facts = (
        _FORMAT,
        describe_processor(),
        thread_count(settings),
        [option.name for option in options],
        *_list_versions(),
    )
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    name = model.card.name.replace(":", "-")
    return settings.cache_dir / "runtimes" / f"{name}-{model.card.version}-{model.weights_hash}-{key}.json"


def _list_versions() -> Iterator[str]:
    for package in ("onnxruntime", "openvino", "torch"):
        try:
            yield version(package)
        except PackageNotFoundError:
            yield "none"


def _recall(path: Path) -> tuple[Rate, ...]:
    """What a trial found, the quickest first; nothing where there was none or its file is damaged."""
    try:
        return tuple(Rate(**rate) for rate in read_checked_json(path)["rates"])
    except (OSError, ValueError, TypeError, KeyError):
        return ()
