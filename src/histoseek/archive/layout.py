"""Where things lie in an archive's folder."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.remote.working_copy import WorkingCopy, open_copy
from histoseek.errors import ArchiveBusy, ArchiveError
from histoseek.files import as_archive_errors, make_folder


@dataclass(frozen=True, slots=True)
class ArchiveLayout:
    """The folder of an archive and the places in it; `number` is that of its embedding space's own folder.

    address: of the archive where it lies on a server, as it was given; its folder then is where its files are worked
    with on this machine.
    """

    root: Path
    number: int = 1
    address: str = field(default="", repr=False)

    @classmethod
    def of(cls, address: ArchiveAddress) -> ArchiveLayout:
        """That of an archive, wherever it lies."""
        return cls(address.folder, address=address.text if address.is_remote else "")

    @property
    def name(self) -> str:
        """What the archive is called in messages: its folder, or its address without a password."""
        return str(ArchiveAddress.parse(self.address)) if self.address else str(self.root)

    @property
    def short_name(self) -> str:
        """The last part of that."""
        return self.name.partition("?")[0].rstrip("/").rpartition("/")[2] if self.address else self.root.absolute().name

    @property
    def full_address(self) -> str:
        """By which it is opened again: with the password where one was given, so neither shown nor logged."""
        return self.address or str(self.root)

    @property
    def copy(self) -> WorkingCopy | None:
        """What keeps the folder in step with a server; None of an archive that lies in its folder."""
        return open_copy(self.address) if self.address else None

    def refresh(self) -> None:
        """See what others have changed on a server."""
        if self.copy:
            self.copy.refresh()

    def publish(self) -> None:
        """Let a server have what was changed beside the store, while the write lock is held."""
        if self.copy:
            self.copy.publish()

    @property
    def exists(self) -> bool:
        """Whether an archive is there."""
        return self.copy.exists() if self.copy else self.manifest.exists()

    @property
    def is_free(self) -> bool:
        """Whether an archive can be made here: nothing there, but for what a killed creation may have left."""
        if self.copy:
            return self.copy.is_free()
        if not self.root.exists():
            return True
        leftover = f".{self.manifest.name}."
        return self.root.is_dir() and all(path.name.startswith(leftover) for path in self.root.iterdir())

    @property
    def manifest(self) -> Path:
        """What the archive is: format, recipe, embedding space."""
        return self.root / "archive.json"

    @property
    def manifest_copy(self) -> Path:
        """The same once more, for when it is damaged."""
        return self.root / "archive-copy.json"

    @property
    def spaces(self) -> Path:
        """One folder for each embedding space: the one in use, one that is being made, the one before."""
        return self.root / "spaces"

    @property
    def space(self) -> Path:
        """The folder of the embedding space: everything that changes when the archive is re-encoded."""
        return self.spaces / f"{self.number:04d}"

    @property
    def target(self) -> Path:
        """What the space is being made for (.json); there only until it is complete."""
        return self.space / "target.json"

    @property
    def centre(self) -> Path:
        """The vector that an untrained encoder subtracts from features (.npy)."""
        return self.space / "centre.npy"

    @property
    def context_centre(self) -> Path:
        """The same for features at the coarser spacing (.npy)."""
        return self.space / "context_centre.npy"

    @property
    def weights(self) -> Path:
        """The trained slide encoder (.safetensors, with its card beside it)."""
        return self.space / "weights.safetensors"

    @property
    def alignment(self) -> Path:
        """The maps of slides and texts into their shared space (.safetensors)."""
        return self.space / "alignment.safetensors"

    @property
    def calibration(self) -> Path:
        """What distances between slides mean in this space (.json)."""
        return self.space / "calibration.json"

    @property
    def chance(self) -> Path:
        """What words that have nothing to do with the archive find in this space (.json)."""
        return self.space / "chance.json"

    @property
    def fusion(self) -> Path:
        """How the parts of distances between slides are weighed in this space (.json)."""
        return self.space / "fusion.json"

    @property
    def tuning(self) -> Path:
        """How slides are ranked for a slide in this space (.safetensors)."""
        return self.space / "tuning.safetensors"

    @property
    def novelty(self) -> Path:
        """What the archive's tiles are like, so that others can be told from them (.safetensors)."""
        return self.space / "novelty.safetensors"

    @property
    def graph(self) -> Path:
        """Which slides are near which, where neighbours have a say in the ranking (.safetensors)."""
        return self.space / "graph.safetensors"

    @property
    def store(self) -> Path:
        """The store's own folder."""
        return self.space / "store"

    @property
    def bags(self) -> Path:
        """Cached tile features."""
        return self.root / "bags"

    @property
    def journal(self) -> Path:
        """What happened, one JSON object a line."""
        return self.root / "journal.jsonl"

    @property
    def refused(self) -> Path:
        """What was refused and why, one JSON object a line."""
        return self.root / "refused.jsonl"

    @property
    def unmatched(self) -> Path:
        """Rows of the last run's tables that match no slide, and slides without a row (.json)."""
        return self.root / "unmatched.json"

    @property
    def reading(self) -> Path:
        """How reports are read: the boilerplate, and how far a reading anew has come (.json)."""
        return self.root / "reading.json"

    @property
    def erasure(self) -> Path:
        """What of removed and replaced slides waits to be erased (.json); there only while something does."""
        return self.root / "erasure.json"

    @property
    def tombstones(self) -> Path:
        """Which slides were removed, as digests (.json)."""
        return self.root / "tombstones.json"

    @property
    def lock(self) -> Path:
        """Held by the one process that writes."""
        return self.root / "lock"

    def bag(self, slide_id: str) -> Path:
        """The bag of a slide; ids of any kind become safe names, and no id shows in a file name."""
        name = hashlib.sha256(slide_id.encode()).hexdigest()[:32]
        return self.bags / name[:2] / f"{name}.safetensors"

    def context_bag(self, slide_id: str) -> Path:
        """The bag of a slide at the archive's coarser spacing."""
        return self.bag(slide_id).with_suffix(".context.safetensors")

    def list_bags(self, slide_id: str) -> tuple[Path, ...]:
        """Where bags of a slide lie, at whatever spacing."""
        return self.bag(slide_id), self.context_bag(slide_id)


@contextmanager
def hold_write_lock(layout: ArchiveLayout) -> Iterator[None]:
    """Hold the archive's write lock; the system frees it when the process dies.

    Raises ArchiveBusy when another process holds it, ArchiveReadOnly when the folder can't be written, ArchiveError on
    file systems that have no locks. On a server its lock is held as well, and what was changed is published at the end.
    """
    try:
        with as_archive_errors(layout.root):
            if layout.copy:
                make_folder(layout.root)
            file = layout.lock.open("a")
    except OSError as error:
        raise _make_lock_error(layout, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArchiveBusy(layout.name) from error
        except OSError as error:
            raise _make_lock_error(layout, error) from error
        with layout.copy.writing() if layout.copy else nullcontext():
            yield


def _make_lock_error(layout: ArchiveLayout, error: OSError) -> ArchiveError:
    what = f"its lock cannot be taken ({error.strerror})"
    return ArchiveError(layout.name, what, "Write to it where its file system has locks (flock)")
