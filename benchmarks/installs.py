"""What an installation takes: MB and files of the base and of each extra, in fresh virtual environments.

`make wheel; python benchmarks/installs.py dist/histoseek-*.whl`: versions are those of constraints.txt; torch is the
build for CPUs alone where pip can find it. Files that Python compiles are counted, pip itself is not. Names behind the
wheel choose extras ("base", "server", "torch,text", ...).
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETS = ("base", "fast", "server", "openvino", "zarr", "tables", "evaluation", "torch", "text", "train", "models")
LARGEST = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("extras", nargs="*", default=SETS)
    arguments = parser.parse_args()
    print(f"wheel: {arguments.wheel.stat().st_size / 1e6:.1f} MB")
    for extras in arguments.extras:
        with tempfile.TemporaryDirectory() as folder:
            measure(arguments.wheel.resolve(), extras, Path(folder))


def measure(wheel: Path, extras: str, folder: Path) -> None:
    """Install into a fresh environment, print what it takes, and what takes most of it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    named = str(wheel) if extras == "base" else f"{wheel}[{extras}]"
    options = ["--quiet", "--disable-pip-version-check", "--constraint", write_pins(folder)]
    install = [sys.executable, "-m", "pip", "--python", folder / "venv" / "bin" / "python", "install", *options, named]
    subprocess.run(install, check=True)
    packages = next((folder / "venv" / "lib").glob("python*/site-packages"))
    sizes = sorted(((*size_of(package), package.name) for package in distributions(path=[str(packages)])), reverse=True)
    total, files = count(path for path in packages.rglob("*"))
    print(f"{extras}: {total / 1e6:,.0f} MB, {files:,} files, {len(sizes)} packages", flush=True)
    print("   ", ", ".join(f"{name} {size / 1e6:.0f}" for size, _, name in sizes[:LARGEST]), flush=True)
    shutil.rmtree(folder / "venv")


def write_pins(folder: Path) -> Path:
    """The lock as constraints, without hashes: the wheel that is measured has none in it."""
    lines = re.sub(r" *\\\n(\s+--hash=\S+( \\\n)?)+", "", (ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pins = folder / "pins.txt"
    pins.write_text(re.sub(r"(?m)^(torch==[\d.]+).*$", r"\1", lines), encoding="utf-8")
    return pins


def size_of(package: Distribution) -> tuple[int, int]:
    return count(Path(str(package.locate_file(file))) for file in package.files or ())


def count(paths: object) -> tuple[int, int]:
    """Bytes and number of the files among paths."""
    sizes = [path.lstat().st_size for path in paths if path.is_file()]  # type: ignore[attr-defined]
    return sum(sizes), len(sizes)


if __name__ == "__main__":
    main()
