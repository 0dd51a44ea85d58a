"""The OpenAPI description as a file: `python -m histoseek.server.openapi web/openapi.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from histoseek.server.app import described


def description() -> str:
    """The description as JSON; the version is left out, as it changes without the API."""
    found = described().openapi()
    found["info"]["version"] = "1"
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(description(), encoding="utf-8")
