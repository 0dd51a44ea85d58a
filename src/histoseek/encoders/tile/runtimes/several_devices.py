"""Several GPUs: one process for each, which has the whole encoder, and tiles dealt out among them.

A process of its own each, and not a thread: Python's one lock would make them wait for each other at every layer.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Lock
from typing import TYPE_CHECKING, Protocol
from weakref import finalize

import numpy as np

from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.encoders.tile.runtimes.model import Floats, Model, Pixels, PreparedEncoder
from histoseek.errors import EncoderError, HistoseekError
from histoseek.settings import change_settings

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from torch import nn

_TILES_OF_A_PROCESS = 64
"""Given to a process at once: its GPU cuts them to its memory."""

_START_SECONDS = 600.0
"""For a process to load its encoder."""

_END_SECONDS = 5.0
_ADVICE = "Try one device alone, as HISTOSEEK_DEVICE={}"


class Load(Protocol):
    """Loads an encoder by its spec: `registry.load_tile_encoder`, by its name in the process."""

    def __call__(self, spec: str) -> TileEncoder: ...  # noqa: D102


def load_on_devices(spec: str, card: TileCard, devices: Sequence[str], load: Load) -> PreparedEncoder:
    """The encoder on each of the devices; raises EncoderError for one on which it can't be loaded."""
    engine = DeviceGroup(spec, devices, load)

    def no_module() -> nn.Module:
        raise EncoderError(card.name, "is loaded in processes of its own")

    return PreparedEncoder(Model(card, engine.weights_hash, no_module), engine)


class DeviceGroup:
    """An engine that hands pieces to the processes, each to one that is free.

    runtime: as they state it, all alike. Ends its processes with `close`, with itself and with the program.
    """

    batch_memory_bytes = 2**62

    def __init__(self, spec: str, devices: Sequence[str], load: Load) -> None:
        self.parallel = len(devices)
        self.most = _TILES_OF_A_PROCESS
        self._failures: list[BaseException] = []
        self._workers = [_Worker(spec, device, load) for device in devices]
        self._close = finalize(self, _close_all, self._workers)
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        try:
            stated = [worker.await_loaded() for worker in self._workers]
        except BaseException:
            self.close()
            raise
        self.weights_hash = stated[0][0]
        self.name = f"{stated[0][1]} and {len(devices) - 1} more"
        for worker in self._workers:
            self._free.put(worker)

    def run(self, pixels: Pixels) -> Floats:
        """Features [B, D] of pixels [B, S, S, 3]; raises EncoderError, after which no process is left."""
        worker = self._free.get()
        try:
            return worker.encode(pixels)
        except BaseException as error:
            self._failures.append(error)  # the first one says why: it ends the other processes
            self.close()
            raise self._failures[0] from None
        finally:
            self._free.put(worker)

    def take_memory(self) -> int:
        """Not known here: each process looks after its own."""
        return 0

    def close(self) -> None:
        """End the processes."""
        self._close()


class _Worker:
    """One process, seen from outside."""

    def __init__(self, spec: str, device: str, load: Load) -> None:
        context = get_context("spawn")
        self.device = device
        self._connection, inner = context.Pipe()
        self._asked = Lock()
        self.process: SpawnProcess = context.Process(target=serve, args=(inner, spec, device, load), daemon=True)
        self.process.start()
        inner.close()

    def await_loaded(self) -> tuple[str, str]:
        """Hash of the weights, and what computes them."""
        with self._saying_what_failed():
            if not self._connection.poll(_START_SECONDS):
                raise EncoderError(self.device, "its process did not load the encoder in time", self._advice)
            kind, *values = self._connection.recv()
            self._require(kind == "loaded", values)
            return values[0], values[1]

    def encode(self, pixels: Pixels) -> Floats:
        """Features of pixels."""
        with self._asked, self._saying_what_failed():
            self._connection.send(pixels.shape)
            self._connection.send_bytes(_as_bytes(pixels))
            kind, *values = self._connection.recv()
            self._require(kind == "features", values)
            return np.frombuffer(self._connection.recv_bytes(), np.float32).reshape(values[0])

    def end(self) -> None:
        """See that the process ends: as it likes when it waits, at once when it computes."""
        if self._asked.acquire(blocking=False):
            with suppress(OSError, ValueError):
                self._connection.send(None)
            self._asked.release()
        else:
            self.process.terminate()
        self.process.join(_END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(_END_SECONDS)

    @property
    def _advice(self) -> str:
        return _ADVICE.format(self.device)

    def _require(self, is_good: bool, values: Sequence[str]) -> None:
        if not is_good:
            raise EncoderError(self.device, values[0], values[1] or self._advice)

    @contextmanager
    def _saying_what_failed(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            self.process.join(_END_SECONDS)
            what = f"its process ended (exit code {self.process.exitcode})"
            raise EncoderError(self.device, what, self._advice) from error


def _close_all(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.end()


def serve(connection: Connection, spec: str, device: str, load: Callable[[str], TileEncoder]) -> None:
    """What a process does: load the encoder on its device, then answer each batch with its features.

    Errors are answers, too; it ends when the other side does or says so.
    """
    change_settings(device=device)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        try:
            encoder = load(spec)
        except Exception as error:
            connection.send(_describe(error))
            return
        connection.send(("loaded", encoder.weights_hash, encoder.runtime))
        while (shape := connection.recv()) is not None:
            pixels = np.frombuffer(connection.recv_bytes(), np.uint8).reshape(shape)
            try:
                features = encoder.encode(pixels)
            except Exception as error:
                connection.send(_describe(error))
                continue
            connection.send(("features", features.shape))
            connection.send_bytes(_as_bytes(features))


def _as_bytes(values: Pixels | Floats) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _describe(error: Exception) -> tuple[str, str, str]:
    if isinstance(error, HistoseekError):
        return "failed", f"{error.where}: {error.what}", error.advice
    return "failed", f"{type(error).__name__}: {error}".splitlines()[0], ""
