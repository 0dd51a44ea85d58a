"""What every source of a slide offers, wherever the slide lies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from histoseek.slides.readers.base import PixelReader


class SlideSource(ABC):
    """What a slide is opened from. Making one touches nothing: it is an address that knows how to be opened.

    Each scheme of addresses is one subclass in one module, and a line in `sources.registry`; nothing else knows what
    an address means. Subclasses are frozen dataclasses: sources of one address are equal.
    """

    scheme: ClassVar[str]

    @classmethod
    @abstractmethod
    def parse(cls, address: str) -> Self:
        """The source at an address of this scheme. Raises InputError for an address that can't be one."""

    @classmethod
    @abstractmethod
    def discover(cls, addresses: Sequence[str]) -> Discovery:
        """All slides at these addresses and below them. Raises SlideNotFound, NoSlidesFound."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """Its identity as records keep it: `parse_source` gives the source back. Never holds a password or token."""

    @property
    def name(self) -> str:
        """What people call it, without the folders it lies in: for tables, messages and logs."""
        return PurePath(self.uri).name

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePath(self.name).stem

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders it lies in, outermost first, and its name."""
        return PurePath(self.uri).parts

    @abstractmethod
    def exists(self) -> bool:
        """Whether the slide is there, as far as that is known at once: it is asked for every slide of a list."""

    @abstractmethod
    def open(self) -> PixelReader:
        """Its pixels. Raises SlideNotFound, UnreadableSlide."""

    def open_confined(self) -> PixelReader:
        """Its pixels, read in a process that may do little else; in this very one where a source has no such way."""
        return self.open()

    @abstractmethod
    def fingerprint(self) -> str:
        """What identifies its content, wherever it lies: equal for equal slides.

        Raises SlideNotFound, UnreadableSlide.
        """

    @abstractmethod
    def state(self) -> str:
        """What changes when the content is replaced, known much faster than `fingerprint`: asked for at every tile.

        Raises SlideNotFound, UnreadableSlide.
        """

    def local_path(self) -> Path | None:
        """The file on this machine, for whoever reads files in their own way; None where there is none."""
        return None


@dataclass(frozen=True, slots=True)
class Discovery:
    """Slides, sorted and unique, and what was left out: how often for which reason (`describe_passed_over`), and notes
    on what is probably a mistake. named: those of the slides that were given themselves, not by a folder."""

    slides: tuple[SlideSource, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    named: frozenset[SlideSource] = frozenset()
