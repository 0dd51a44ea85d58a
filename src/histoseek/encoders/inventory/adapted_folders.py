"""Folders of adapted tile encoders on this machine, noted when they are made, so that they can be listed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from histoseek.encoders.tile.adapted import CARD_FILE, WEIGHTS_FILE
from histoseek.errors import HistoseekError
from histoseek.files import read_checked_json, write_checked_json
from histoseek.settings import get_settings

_NOTES = "adapted.json"


@dataclass(frozen=True, slots=True)
class AdaptedEncoder:
    """An adapted encoder as its card says; summary: to what, and with what gain, in one line."""

    spec: str
    base: str
    weights: Path
    summary: str
    licence: str


def note_adapted(folder: Path) -> None:
    """Note a folder for `list_adapted`; where that can't be written, it is not listed, and of use all the same."""
    path = get_settings().encoders_dir / _NOTES
    with suppress(OSError, HistoseekError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checked_json(path, {"folders": [*dict.fromkeys((*_read_notes(path), str(folder.absolute())))]})


def list_adapted() -> Iterator[AdaptedEncoder]:
    """Those that were made on this machine and are still where they were; damaged cards are passed over."""
    for name in _read_notes(get_settings().encoders_dir / _NOTES):
        folder = Path(name)
        with suppress(OSError, ValueError, KeyError, TypeError):
            card = read_checked_json(folder / CARD_FILE)
            measured, gain = card["measured"], card["gain"]
            summary = f"adapted to {measured['label_column']} of {measured['archive']}: MAP@5 of patients held out "
            summary += f"{gain['before']:.3f} before, {gain['after']:.3f} after, a gain is "
            summary += "shown" if card["helps"] else "not shown"
            base = str(card["base_encoder"])
            yield AdaptedEncoder(f"{base}@{folder}", base, folder / WEIGHTS_FILE, summary, str(card["licence"]))


def _read_notes(path: Path) -> list[str]:
    try:
        return [str(name) for name in read_checked_json(path)["folders"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
