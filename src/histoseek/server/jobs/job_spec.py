"""What an indexing job is to do, as its row in the state keeps it: slides without identifiers, emptied at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

from histoseek.archive.indexing.slide_ids import holds_person_name
from histoseek.archive.indexing.waiting_slides import CleanSlide, WaitingSlide, clean_waiting_slides
from histoseek.errors import InputError

EMPTY = "{}"
"""What is left of a spec when its job has ended."""

PLACEHOLDER = "[NAME]"
"""What files are called whose names tell who the patient is."""


@dataclass(frozen=True, slots=True)
class NewSlide:
    """A file to be indexed, what its user calls it, and what is known of it."""

    file: Path
    name: str
    metadata: Mapping[str, str]
    report: str | None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said of it beside its file."""
        return not self.metadata and self.report is None

    @property
    def upload_id(self) -> str:
        """Of the upload that it was: the name of its folder."""
        return self.file.parent.name


def dump_spec(slides: Sequence[NewSlide]) -> str:
    """As JSON."""
    return json.dumps({"slides": [{**asdict(slide), "file": str(slide.file)} for slide in slides]})


def parse_spec(spec: str) -> tuple[NewSlide, ...]:
    """The slides that a job names; none: all of the import folder is meant."""
    slides = json.loads(spec).get("slides", ())
    return tuple(NewSlide(**{**slide, "file": Path(slide["file"])}) for slide in slides)


def clean_spec(spec: str) -> str:
    """A spec of an older version without identifiers; what can't be cleaned loses metadata and report."""
    slides = parse_spec(spec)
    waiting = [WaitingSlide(PurePath(slide.name).stem, slide.metadata, slide.report) for slide in slides]
    try:
        clean = clean_waiting_slides(waiting, choice=True)
    except InputError:
        clean = [CleanSlide({}, None, has_private_name=True) for _ in slides]
    pairs = zip(slides, clean, strict=True)
    return dump_spec([NewSlide(old.file, _choose_name(old.name, one), one.metadata, one.report) for old, one in pairs])


def _choose_name(name: str, slide: CleanSlide) -> str:
    return hide_name(name) if slide.has_private_name else name


def hide_name(name: str) -> str:
    """A placeholder in place of the name of a file, with its folder and ending."""
    path = PurePath(name)
    return str(path.with_name(f"{PLACEHOLDER}{path.suffix}"))


def hide_person_name(name: str) -> str:
    """The name of a file, or a placeholder where the name tells who the patient is."""
    return hide_name(name) if holds_person_name(PurePath(name).stem) else name
