"""Keeps wheels and source archives from being built without the page, which git does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("src/histoseek/server/static/index.html")


class PageHook(BuildHookInterface[Any]):
    """Looks for the built page; editable installs do without, since `make page` builds it in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise SystemExit, of one line, when the page is not there."""
        if version != "editable" and not (Path(self.root) / PAGE).is_file():
            raise SystemExit(f"histoseek: {PAGE} is missing: build the page with `make page`, then try again")
