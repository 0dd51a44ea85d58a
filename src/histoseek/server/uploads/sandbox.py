"""Reading uploaded slides where they can do no harm: in processes of their own, with limits, ended when need be."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.numpy import load

from histoseek.encoders.bag import Bag, check_bag
from histoseek.encoders.recipe import Recipe
from histoseek.errors import BadFeatureFile, EncoderError, HistoseekError, InputError
from histoseek.geometry import Rect
from histoseek.reports.files.texts import LONGEST_TEXT
from histoseek.sandbox.child_process import ChildProcess
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.sandbox.confinement import Confinement
from histoseek.sandbox.failures import NotStarted, ProcessExit, RequestFailure
from histoseek.server.settings import UploadLimits
from histoseek.server.tiles.region import RegionPicture
from histoseek.server.tiles.tile_grid import NoSuchTile
from histoseek.server.uploads.errors import RefusedSlide, SandboxBusy, SandboxFailure
from histoseek.server.uploads.messages import (
    DescribeRequest,
    EncodedBag,
    EncodeRequest,
    Failure,
    FigureRequest,
    OnProgress,
    Picture,
    ProgressReply,
    ReadText,
    RegionRequest,
    Reply,
    Request,
    SlideDescription,
    TextRequest,
    ThumbnailRequest,
    TileRequest,
    dump_message,
    ignore_progress,
    parse_reply,
)
from histoseek.server.uploads.slide_facts import SlideFacts
from histoseek.viewing.appearance import StainName
from histoseek.viewing.figure import FigureSpec

_HANDLER = "histoseek.server.uploads.slide_reader"
_ENCODING_TAKES = 10
_ENCODING_THREADS = 2
"""Computing time is counted over all threads; more than these are seldom busy at once."""

_A = TypeVar("_A", SlideDescription, Picture, EncodedBag, ReadText)

_FAILURES_OF_ONE_SLIDE = 3
"""A slide that cost so many processes is not opened again: others wait while it is."""

_FAILURES_KEPT = 10_000
_REQUESTS_OF_ONE_PROCESS = 5000
"""After so many it is replaced, so that nothing that leaks in a library adds up."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What the process that reads may take, and the one that encodes; wait_s: for one's turn, behind others."""

    reading: ChildLimits = field(default_factory=lambda: ChildLimits(4 * 2**30, 30.0, 30.0))
    encoding: ChildLimits = field(default_factory=lambda: ChildLimits(4 * 2**30, 1200.0, 600.0))
    wait_s: float = 30.0

    @classmethod
    def from_upload_limits(cls, limits: UploadLimits) -> SandboxLimits:
        """What the server's settings say; encoding a slide may take ten times what a look at it may."""
        reading = ChildLimits(limits.sandbox_bytes, limits.sandbox_s, limits.sandbox_s)
        encoding_s = _ENCODING_TAKES * limits.sandbox_s
        return cls(reading, ChildLimits(limits.sandbox_bytes, _ENCODING_THREADS * encoding_s, encoding_s))


class Sandbox:
    """Opens slides below `folder` in two processes: one reads, one encodes. Safe to use from several threads.

    All requests raise RefusedSlide for what the slide is to blame for, SandboxFailure when it cost its process, and
    SandboxBusy after waiting in vain. `name` is shown in errors in place of the path; with `is_required`, nothing is
    opened in a process that isn't confined in every way.
    """

    def __init__(self, folder: Path, limits: SandboxLimits | None = None, is_required: bool = False) -> None:
        limits = limits or SandboxLimits()
        folder = folder.absolute()
        self._reading = _ProcessSlot(folder, limits.reading, limits.wait_s, is_required)
        self._encoding = _ProcessSlot(folder, limits.encoding, limits.wait_s, is_required)

    @property
    def confinement(self) -> Confinement | None:
        """What the process that reads said holds; None: none has started yet."""
        return self._reading.confinement

    def find_confinement(self) -> Confinement:
        """What holds for the process that reads, which is started for it; raises SandboxFailure, SandboxBusy."""
        return self._reading.find_confinement()

    def start(self, encoder: str | None = None) -> None:
        """Start the process that reads, and with an encoder the one that encodes, so that the first need not wait."""
        self._reading.start(None)
        if encoder is not None:
            self._encoding.start(encoder)

    def describe(self, path: Path, spacing_um_per_px: float | None = None, name: str | None = None) -> SlideFacts:
        """Look at a slide; a spacing given here wins over the file's, which may say none."""
        reply, _ = self._reading.ask(DescribeRequest(path, spacing_um_per_px), SlideDescription, name)
        return reply.facts

    def make_thumbnail(self, path: Path, px: int, name: str | None = None) -> bytes:
        """The whole slide as a JPEG file with its longer edge as given; raises InputError for an odd length."""
        return self._reading.ask(ThumbnailRequest(path, px), Picture, name)[1]

    def make_tile(
        self,
        path: Path,
        level: int,
        column: int,
        row: int,
        name: str | None = None,
        stain: StainName | None = None,
    ) -> bytes:
        """A Deep Zoom tile as a JPEG file; raises NoSuchTile outside of the image."""
        return self._reading.ask(TileRequest(path, level, column, row, stain), Picture, name)[1]

    def draw_figure(self, path: Path, spec: FigureSpec, name: str | None = None) -> bytes:
        """A view of a slide as a PNG file."""
        return self._reading.ask(FigureRequest(path, spec), Picture, name)[1]

    def read_text(self, path: Path, name: str) -> str:
        """The text of a PDF or of a plain file; raises InputError for what is neither, too long or without text."""
        _, payload = self._reading.ask(TextRequest(path), ReadText, name)
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            raise SandboxFailure("it could not be read") from error
        if len(text) > LONGEST_TEXT:
            raise SandboxFailure("it could not be read")
        return text

    def make_region(self, path: Path, picture: RegionPicture, name: str | None = None) -> bytes:
        """A region of a slide as a JPEG file; raises InputError for one outside of it, or too costly to read."""
        return self._reading.ask(RegionRequest(path, picture), Picture, name)[1]

    def encode(
        self,
        path: Path,
        recipe: Recipe,
        spacing_um_per_px: float | None = None,
        regions: Sequence[Rect] = (),
        on_progress: OnProgress = ignore_progress,
        name: str | None = None,
    ) -> Bag:
        """The bag of a slide by an archive's recipe, or of regions in level-0 px, as indexing would make it.

        What `on_progress` raises ends the work and is passed on. Raises EncoderError for a model that can't be used.
        """
        if recipe.imported:
            what = "was made from feature files: slides can't be encoded for it"
            raise InputError("archive", what, "Search with its own slides, or with text")
        request = EncodeRequest(path, recipe, spacing_um_per_px, tuple(regions))
        reply, payload = self._encoding.ask(request, EncodedBag, name, recipe.encoder, on_progress)
        return _parse_bag(reply, payload)

    def close(self) -> None:
        """End both processes, also while they work."""
        self._reading.close()
        self._encoding.close()


class _ProcessSlot:
    """A place for one process, which is started when it is needed, and for one request at a time."""

    def __init__(self, folder: Path, limits: ChildLimits, wait_s: float, is_required: bool) -> None:
        self.confinement: Confinement | None = None
        self._is_required = is_required
        self._folder = folder
        self._limits = limits
        self._wait_s = wait_s
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._child: ChildProcess | None = None
        self._is_closed = False
        self._failures: Counter[Path] = Counter()

    def start(self, encoder: str | None) -> None:
        with self._turn:
            self._get_process(encoder)

    def find_confinement(self) -> Confinement:
        with self._turn:
            child = self._get_process(None)
            with _translated_errors():
                try:
                    return self._check(child)
                except ProcessExit as error:
                    raise SandboxFailure(error.reason) from error

    def ask(
        self,
        request: Request,
        reply_type: type[_A],
        name: str | None,
        encoder: str | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> tuple[_A, bytes]:
        """The answer of the wanted kind and its bytes; raises what the process says is wrong."""
        if self._failures[request.path] >= _FAILURES_OF_ONE_SLIDE:
            raise SandboxFailure("reading it failed several times")
        if not self._turn.acquire(timeout=self._wait_s):
            raise SandboxBusy
        try:
            reply, payload = self._exchange(request, encoder, on_progress)
            if isinstance(reply, Failure):
                raise _to_error(request, reply, name)
            if not isinstance(reply, reply_type):
                self._get_process(encoder).kill()
                raise SandboxFailure("it could not be read")
            return reply, payload
        except SandboxFailure:
            self._note_failure(request.path)
            raise
        finally:
            self._turn.release()

    def close(self) -> None:
        with self._guard:
            self._is_closed = True
            if self._child is not None:
                self._child.kill()

    def _exchange(self, request: Request, encoder: str | None, on_progress: OnProgress) -> tuple[Reply, bytes]:
        """The answer of a process; of a second one, when the first had served others and may have ended for that."""
        child = self._get_process(encoder)
        had_served = child.request_count > 0
        try:
            return self._ask(child, request, on_progress)
        except ProcessExit as error:
            if not had_served:
                raise SandboxFailure(error.reason) from error
        try:
            return self._ask(self._get_process(encoder), request, on_progress)
        except ProcessExit as error:
            raise SandboxFailure(error.reason) from error

    def _ask(self, child: ChildProcess, request: Request, on_progress: OnProgress) -> tuple[Reply, bytes]:
        """The last reply to a request and its bytes; raises SandboxFailure, SandboxBusy, ProcessExit."""

        def parse(header: bytes, payload: bytes) -> tuple[Reply, bytes] | None:
            reply = parse_reply(header)
            if not isinstance(reply, ProgressReply):
                return reply, payload
            on_progress(reply.done, reply.total)
            return None

        with _translated_errors():
            self._check(child)
            return child.ask(dump_message(request), parse)

    def _check(self, child: ChildProcess) -> Confinement:
        """What holds for a process; one that isn't confined as required is ended. Raises SandboxBusy, ChildError."""
        self.confinement = child.wait_until_ready()
        if self._is_required and not self.confinement.is_complete:
            child.kill()
            raise SandboxBusy("slides can't be opened safely on this machine")
        return self.confinement

    def _note_failure(self, path: Path) -> None:
        if len(self._failures) >= _FAILURES_KEPT:
            self._failures.clear()
        self._failures[path] += 1

    def _get_process(self, encoder: str | None) -> ChildProcess:
        """A process that can be asked, with this encoder."""
        with self._guard:
            if self._is_closed:
                raise SandboxBusy("the server is shutting down")
            old = self._child
            if (
                old is not None
                and old.is_running
                and old.encoder == encoder
                and old.request_count < _REQUESTS_OF_ONE_PROCESS
            ):
                return old
            if old is not None:
                old.kill()
            try:
                self._child = ChildProcess(_HANDLER, self._folder, encoder, self._limits)
            except OSError as error:
                raise SandboxBusy("the server can't start another process") from error
            return self._child


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Errors of a process as those of the sandbox; ProcessExit is passed on."""
    try:
        yield
    except RequestFailure as error:
        raise SandboxFailure(error.reason) from error
    except NotStarted as error:
        raise SandboxBusy(error.reason) from error


def _to_error(request: Request, failure: Failure, name: str | None) -> HistoseekError:
    """What the process says is wrong, without the server's path."""
    name = name or request.path.name
    where, what, advice = (
        _clean(
            text.replace(str(request.path), name).replace(str(request.path.parent), "").replace(request.path.name, name)
        )
        for text in (failure.where, failure.what, failure.advice)
    )
    if failure.family == "tile" and isinstance(request, TileRequest):
        return NoSuchTile(request.level, request.column, request.row)
    if failure.family == "slide":
        return RefusedSlide(failure.error, name, what, advice)
    kind = EncoderError if failure.family == "encoder" else InputError
    return kind(where, what, advice)


def _clean(text: str) -> str:
    """One line without control characters, whoever wrote it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _parse_bag(reply: EncodedBag, payload: bytes) -> Bag:
    """The bag in an answer; raises SandboxFailure when it is none."""
    try:
        arrays = load(payload)
        bag = Bag(
            features=arrays["features"],
            coords=arrays["coords"],
            weights=arrays["weights"],
            tissue=arrays.get("tissue"),
            tile_size_level0=reply.tile_size_level0,
            spacing_um_per_px=reply.spacing_um_per_px,
            encoder=reply.encoder,
        )
        check_bag(bag, Path("bag"))
    except (SafetensorError, KeyError, ValueError, TypeError, BadFeatureFile) as error:
        raise SandboxFailure("it could not be encoded") from error
    types = [array.dtype.name for array in (bag.features, bag.coords, bag.weights)]
    if bag.tissue is not None and bag.tissue.dtype.name != "float32":
        raise SandboxFailure("it could not be encoded")
    if types != ["float32", "int32", "float32"] or bag.weights.shape != (len(bag),):
        raise SandboxFailure("it could not be encoded")
    return bag
