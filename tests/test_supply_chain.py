"""Every package that is installed is pinned to one version, and its files to their SHA-256."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("constraints.txt", "constraints-cpu.txt", "constraints-cuda.txt")
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?: ; [^\\]+)?")
HASH = re.compile(r"sha256:[0-9a-f]{64}")


def read_lock(name: str) -> dict[str, list[str]]:
    """The hashes of each pin, by its name in lower case with hyphens."""
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = {}
    for line in re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text)).splitlines():
        pin, *hashes = line.split("--hash=")
        match = PIN.fullmatch(pin.strip())
        assert match, line
        pins[re.sub(r"[-_.]+", "-", match["name"]).lower()] = [one.strip() for one in hashes]
    return pins


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    pins = read_lock(name)
    assert pins
    for package, hashes in pins.items():
        assert hashes and all(HASH.fullmatch(one) for one in hashes), package


def test_all_that_is_named_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    installed = ("fast", "torch", "text", "train", "evaluation", "tables", "server", "dev")
    named = [*project["project"]["dependencies"], *(line for extra in installed for line in extras[extra])]
    named += project["build-system"]["requires"]
    names = {re.split(r"[\[<>=;~! ]", line)[0].lower() for line in named} - {"histoseek"}
    assert names <= set(read_lock("constraints.txt"))


def test_make_installs_nothing_without_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "$(INSTALL)" in line]
    assert installs and "pip install --quiet --no-deps\n" in makefile
    for line in installs:
        assert "--require-hashes" in line or "--editable ." in line, line


def test_the_pages_packages_have_hashes() -> None:
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert len(packages) > 10
    for name, package in packages.items():
        assert not name or package.get("link") or package["integrity"].startswith("sha512-"), name
