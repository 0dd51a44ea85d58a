"""Keeps wheels and source archives from being built without the page and the text encoder, which git does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PARTS = {
    Path("src/histoseek/server/static/index.html"): "make page",
    Path("src/histoseek/encoders/text/all_minilm_l6_v2/model.safetensors"): "make model",
}


class PartsHook(BuildHookInterface[Any]):
    """Looks for the built parts; editable installs do without: the page is built in place, and the text encoder is
    taken from its package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise SystemExit, of one line, when a part is not there."""
        for path, command in PARTS.items():
            if version != "editable" and not (Path(self.root) / path).is_file():
                raise SystemExit(f"histoseek: {path} is missing: make it with `{command}`, then try again")
