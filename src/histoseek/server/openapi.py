"""The OpenAPI description as a file: `python -m histoseek.server.openapi web/openapi.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from histoseek.server.app import create_bare_app


def dump_description() -> str:
    """The description as JSON; the version is left out, as it changes without the API."""
    description = create_bare_app().openapi()
    description["info"]["version"] = "1"
    return json.dumps(description, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(dump_description(), encoding="utf-8")
