"""What an installation takes: MB and files of the base and of each extra.

`make wheel; python benchmarks/installs.py dist/histoseek-*.whl` installs the wheel with all extras into one fresh
virtual environment, and counts for each of them the packages that it reaches. Versions are those of constraints.txt;
torch is the build for CPUs alone where pip can find it. Files that Python compiles are counted, pip itself is not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = (
    "fast",
    "server",
    "openvino",
    "tables",
    "evaluation",
    "torch",
    "text",
    "train",
    "models",
    "postgres",
    "milvus",
    "s3",
    "cluster",
)
LARGEST = 12

Packages = dict[str, Distribution]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--extras", default=",".join(EXTRAS))
    arguments = parser.parse_args()
    extras = [extra for extra in arguments.extras.split(",") if extra]
    print(f"wheel: {arguments.wheel.stat().st_size / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as folder:
        packages = install(arguments.wheel.resolve(), extras, Path(folder))
        sizes = {name: measure(package) for name, package in packages.items()}
        base = reach(packages, [])
        describe("base", base, sizes)
        for extra in extras:
            describe(f"[{extra}]", reach(packages, [extra]), sizes, base)


def install(wheel: Path, extras: list[str], folder: Path) -> Packages:
    """All that the wheel with these extras brings, by canonical name."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    options = ["--quiet", "--disable-pip-version-check", "--constraint", write_pins(folder)]
    pip = [sys.executable, "-m", "pip", "--python", folder / "venv" / "bin" / "python"]
    subprocess.run([*pip, "install", *options, f"{wheel}[{','.join(extras)}]" if extras else str(wheel)], check=True)
    place = next((folder / "venv" / "lib").glob("python*/site-packages"))
    return {canonicalize_name(package.name): package for package in distributions(path=[str(place)])}


def write_pins(folder: Path) -> Path:
    """The lock as constraints, without hashes: the wheel that is measured has none in it."""
    lines = re.sub(r" *\\\n(\s+--hash=\S+( \\\n)?)+", "", (ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pins = folder / "pins.txt"
    pins.write_text(lines, encoding="utf-8")
    return pins


def reach(packages: Packages, extras: list[str]) -> set[str]:
    """The names of all packages that histoseek with these extras requires, its own among them."""
    todo, seen = [("histoseek", frozenset(extras))], set[tuple[str, frozenset[str]]]()
    while todo:
        name, chosen = todo.pop()
        if (name, chosen) in seen or name not in packages:
            continue
        seen.add((name, chosen))
        for line in packages[name].requires or ():
            required = Requirement(line)
            if is_wanted(required, chosen):
                todo.append((canonicalize_name(required.name), frozenset(required.extras)))
    return {name for name, _ in seen}


def is_wanted(required: Requirement, extras: Iterable[str]) -> bool:
    marker = required.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def measure(package: Distribution) -> tuple[int, int]:
    """Bytes and number of a package's files."""
    paths = [Path(str(package.locate_file(file))) for file in package.files or ()]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return sum(sizes), len(sizes)


def describe(title: str, names: set[str], sizes: dict[str, tuple[int, int]], base: Iterable[str] = ()) -> None:
    """Print what these packages take, and which take most of what is not in the base."""
    taken, files = (sum(sizes[name][part] for name in names) for part in (0, 1))
    more = sorted(names - set(base), key=lambda name: -sizes[name][0])
    added = sum(sizes[name][0] for name in more)
    print(f"{title}: {taken / 1e6:,.0f} MB, {files:,} files, {len(names)} packages; {added / 1e6:,.0f} MB of its own")
    print("   ", ", ".join(f"{name} {sizes[name][0] / 1e6:.0f}" for name in more[:LARGEST]), flush=True)


if __name__ == "__main__":
    main()
