"""Write constraints.txt, constraints-cpu.txt and constraints-cuda.txt: versions, and the SHA-256 of their files.

`python tools/lock.py` keeps the versions that are pinned and adds what is missing; `--upgrade` resolves all anew. Needs
pip and packaging of constraints.txt, and the registry that pip is set up with: no package is downloaded whole. Run it
with `PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS=` where pip is set up to prefer other builds than the registry's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "constraints.txt"
CPU_LOCK = ROOT / "constraints-cpu.txt"
CUDA_LOCK = ROOT / "constraints-cuda.txt"

EXTRAS = (
    *("fast", "torch", "text", "models", "openvino", "train", "evaluation", "server"),
    *("postgres", "milvus", "s3", "cluster", "dev"),
)
BUILD_TOOLS = ("pip==26.3", "hatchling", "editables", "pkgconfig", "setuptools", "wheel", "packaging")
"""What builds histoseek and pyvips, which is there as source alone; versions as far as nothing else decides on them."""

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = (("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64"))
CPU_TORCH = {
    "2.13.0": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
}
"""torch-VERSION+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, which pip may be told of; it is not in the registry."""

_JSON_INDEX = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True)
class Package:
    """One release, and all that it may require."""

    name: str
    version: str
    requires: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock; marker: None where every environment needs the package."""

    name: str
    version: str
    marker: Marker | None


def main() -> None:
    """Resolve, complete for all environments, look hashes up, and write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit together")
    pins = {} if parser.parse_args().upgrade else read_pins(LOCK, CUDA_LOCK)
    packages = resolve(pins)
    with IndexClient() as index:
        everywhere = collect_pins(packages, index, pins, with_cuda=True)
        plain = collect_pins(packages, index, pins, with_cuda=False)
        cuda = {name: pin for name, pin in everywhere.items() if name not in plain}
        write_lock(LOCK, plain.values(), index)
        write_lock(CUDA_LOCK, cuda.values(), index)
    write_cpu_lock(plain["torch"].version)


def read_pins(*paths: Path) -> dict[str, str]:
    """Versions by canonical names, of lines such as `name==1.0 ; marker \\`."""
    pins = {}
    for line in (line for path in paths if path.is_file() for line in path.read_text(encoding="utf-8").splitlines()):
        if "==" in line and not line.startswith((" ", "#")):
            name, _, rest = line.partition("==")
            pins[canonicalize_name(name)] = rest.split()[0]
    return pins


def resolve(pins: Mapping[str, str]) -> dict[str, Package]:
    """The packages that pip would install here, with the registry's torch."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, report = Path(folder) / "pins.txt", Path(folder) / "report.json"
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), encoding="utf-8")
        arguments = ["--dry-run", "--ignore-installed", "--use-feature=fast-deps", "--report", str(report)]
        wanted = [f"{ROOT}[{','.join(EXTRAS)}]", *BUILD_TOOLS]
        command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments, "--constraint", str(constraints)]
        subprocess.run([*command, *wanted], check=True)
        items = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {package.name: package for package in map(_parse_package, items)}


def _parse_package(item: dict[str, Any]) -> Package:
    metadata = item["metadata"]
    return Package(
        canonicalize_name(metadata["name"]),
        metadata["version"],
        tuple(Requirement(text) for text in metadata.get("requires_dist", ())),
    )


def collect_pins(
    packages: Mapping[str, Package], index: IndexClient, pins: Mapping[str, str], with_cuda: bool
) -> dict[str, Pin]:
    """What any environment needs, by name; of what only others than this one need, the pinned or newest version."""
    markers: dict[str, set[str]] = {canonicalize_name(Requirement(tool).name): {""} for tool in BUILD_TOOLS}
    versions = {package.name: package.version for package in packages.values()}
    waiting = [("histoseek", frozenset(EXTRAS)), *((tool, frozenset[str]()) for tool in markers)]
    seen = set[tuple[str, frozenset[str]]]()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen or name not in packages:
            continue
        seen.add((name, extras))
        for requirement in _list_needed(packages[name], extras, with_cuda):
            needed = canonicalize_name(requirement.name)
            markers.setdefault(needed, set()).add(_describe_marker(requirement))
            if needed not in versions:
                versions[needed] = pins.get(needed) or index.find_newest(needed, requirement)
            waiting.append((needed, frozenset(requirement.extras)))
    markers.pop("histoseek", None)
    return {name: Pin(name, versions[name], _join_markers(markers[name])) for name in sorted(markers)}


def _list_needed(package: Package, extras: Iterable[str], with_cuda: bool) -> Iterator[Requirement]:
    """What a package with these extras requires in any of the environments."""
    for requirement in package.requires:
        is_cuda = package.name == "torch" and "Linux" in str(requirement.marker)
        if (with_cuda or not is_cuda) and any(_is_needed(requirement, extras, place) for place in _list_places()):
            yield requirement


def _is_needed(requirement: Requirement, extras: Iterable[str], place: dict[str, str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**place, "extra": extra}) for extra in ("", *extras))


def _list_places() -> Iterator[dict[str, str]]:
    for python, (platform, system, machine) in product(PYTHONS, SYSTEMS):
        yield {
            **{key: str(value) for key, value in default_environment().items()},
            "python_version": python,
            "python_full_version": f"{python}.5",
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
        }


def _describe_marker(requirement: Requirement) -> str:
    """The marker, "" where it asks for an extra: that was wanted, or it would not be here."""
    text = str(requirement.marker or "")
    return "" if "extra ==" in text or all(_is_needed(requirement, (), place) for place in _list_places()) else text


def _join_markers(texts: set[str]) -> Marker | None:
    return None if "" in texts else Marker(" or ".join(f"({text})" for text in sorted(texts)))


class IndexClient:
    """The registry's JSON index (PEP 691), asked with pip's own session: its settings, certificates and proxies."""

    def __init__(self) -> None:
        from pip._internal.commands import create_command

        command: Any = create_command("download")
        options, _ = command.parse_args(["histoseek"])
        self._url = options.index_url
        self._session = command._build_session(options)
        self._files: dict[str, list[dict[str, Any]]] = {}

    def __enter__(self) -> IndexClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def find_newest(self, name: str, requirement: Requirement) -> str:
        """The newest release that meets a requirement."""
        versions = {version for file in self._list_files(name) for version in _parse_version(file["filename"])}
        return str(max(requirement.specifier.filter(versions)))

    def list_hashes(self, name: str, version: str) -> list[str]:
        """SHA-256 of the release's wheels for our environments; of its source where there are none for all of them."""
        files = [file for file in self._list_files(name) if Version(version) in _parse_version(file["filename"])]
        wheels = [file for file in files if file["filename"].endswith(".whl") and _fits(file["filename"])]
        kept = wheels or [file for file in files if not file["filename"].endswith(".whl")]
        if not kept:
            raise SystemExit(f"{name} {version}: no file of it fits")
        others = {CPU_TORCH[version]} if name == "torch" and version in CPU_TORCH else set()
        return sorted({file["hashes"]["sha256"] for file in kept} | others)

    def _list_files(self, name: str) -> list[dict[str, Any]]:
        if name not in self._files:
            response = self._session.get(f"{self._url}/{name}/", headers={"Accept": _JSON_INDEX})
            response.raise_for_status()
            self._files[name] = response.json()["files"]
        return self._files[name]


def _parse_version(file_name: str) -> tuple[Version, ...]:
    """The release that a file belongs to, () for a file of another kind."""
    try:
        parse = parse_wheel_filename if file_name.endswith(".whl") else parse_sdist_filename
        return (parse(file_name)[1],)
    except ValueError:
        return ()


def _fits(wheel: str) -> bool:
    try:
        return any(_fits_tag(tag) for tag in parse_wheel_filename(wheel)[3])
    except InvalidWheelFilename:
        return False


def _fits_tag(tag: Tag) -> bool:
    interpreters = {f"cp{python.replace('.', '')}" for python in PYTHONS}
    runs = tag.interpreter == "py3" or (tag.interpreter in interpreters and tag.abi in (*interpreters, "none", "abi3"))
    is_stable = tag.abi == "abi3" and tag.interpreter in {f"cp3{minor}" for minor in range(2, 15)}
    machine = tag.platform == "any" or (
        tag.platform.startswith(("manylinux", "linux", "macosx"))
        and tag.platform.endswith(("x86_64", "aarch64", "arm64", "universal2"))
    )
    return (runs or is_stable) and machine


def write_lock(path: Path, pins: Iterable[Pin], index: IndexClient) -> None:
    """Write pins as a file that pip takes as requirements and as constraints."""
    _write(path, [_format(pin, index.list_hashes(pin.name, pin.version)) for pin in pins])


def write_cpu_lock(version: str) -> None:
    """Write torch's build for the CPU alone, or nothing where its hash isn't known."""
    digest = CPU_TORCH.get(version)
    _write(CPU_LOCK, [_format(Pin("torch", f"{version}+cpu", None), [digest])] if digest else [])


def _format(pin: Pin, digests: Iterable[str]) -> str:
    marker = f" ; {pin.marker}" if pin.marker else ""
    return " \\\n    ".join((f"{pin.name}=={pin.version}{marker}", *(f"--hash=sha256:{digest}" for digest in digests)))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(("# Made by tools/lock.py: do not edit.", *lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
