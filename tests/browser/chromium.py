"""Where the Chromium of the browser tests is: $HISTOSEEK_CHROMIUM, that of web/node_modules, or the machine's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tests.waiting import HANG_S

WEB = Path(__file__).resolve().parents[2] / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
_MACHINE = Path("/usr/bin/chromium")
_FONTS = Path("/etc/fonts")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
)


@dataclass(frozen=True)
class Chromium:
    """A program, and what of its environment differs from ours."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def find_chromium() -> Chromium | None:
    """The first that is there; None without any."""
    given = os.environ.get("HISTOSEEK_CHROMIUM")
    if given:
        return Chromium(Path(given))
    return _of_node_modules() or (Chromium(_MACHINE) if _MACHINE.is_file() else None)


def _of_node_modules() -> Chromium | None:
    if not (WEB / "node_modules" / "@sparticuz" / "chromium").is_dir():
        return None
    asked = ["sh", str(WEB / "with-node"), "node", "scripts/chromium.mjs"]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=HANG_S, check=False)
    if answer.returncode != 0:
        return None
    path, libraries = answer.stdout.split()
    environment = {"LD_LIBRARY_PATH": libraries}
    if not _FONTS.is_dir():
        environment["FONTCONFIG_PATH"] = str(Path(path).parent / "fonts")
    return Chromium(Path(path), environment)
