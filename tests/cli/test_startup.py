"""Commands import what they use: nothing here measures time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from tests.cli.process import histoseek

HEAVY = (
    "cv2",
    "lance_namespace_urllib3_client.models",
    "numba",
    "onnxruntime",
    "openslide",
    "PIL",
    "pypdf",
    "pyvips",
    "rapidfuzz",
    "scipy",
    "tifffile",
    "tokenizers",
    "transformers",
    "umap",
)
"""What takes long to import, and has no part in listing slides or comparing few of them."""

_RUN = """
import json, sys
from histoseek.cli import main
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import h5py

    folder = tmp_path_factory.mktemp("startup")
    rng = np.random.default_rng(0)
    (folder / "features").mkdir()
    for name in ("a", "b", "c"):
        with h5py.File(folder / "features" / f"{name}.h5", "w") as file:
            file["features"] = rng.standard_normal((20, 64)).astype(np.float32)
            file["coords"] = np.arange(40).reshape(20, 2) * 256
    opened = Archive.create(folder / "archive", Recipe(encoder="features:unnamed"), text_encoder="none")
    opened.index([folder / "features"])
    return folder / "archive"


def modules_after(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", _RUN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("command", [("list",), ("search", "--like", "a"), ("stats",), ("facets",), ("show", "a")])
def test_short_commands_import_nothing_heavy(archive: Path, command: tuple[str, ...]) -> None:
    loaded = modules_after(*command, "--archive", str(archive))
    assert "lancedb" in loaded
    assert [name for name in HEAVY if name in loaded] == []
    assert not any(name.startswith("histoseek.encoders.tile.networks.") and name.endswith("conch") for name in loaded)


def test_help_reads_no_settings() -> None:
    loaded = modules_after("--help")
    assert "typer" in loaded
    assert [name for name in ("pydantic", "numpy", *HEAVY) if name in loaded] == []


@pytest.mark.parametrize("command", [("--help",), ("--version",), ("list", "--help"), ("search", "--help")])
def test_help_opens_no_archive(command: tuple[str, ...]) -> None:
    loaded = modules_after(*command)
    assert [name for name in (*HEAVY, "lancedb", "numpy", "pyarrow") if name in loaded] == []


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, histoseek; print([name for name in ('numpy', 'pydantic', 'typer') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_searches_give_the_same_with_compiled_kernels(archive: Path) -> None:
    plainly = histoseek("search", "--archive", archive, "--like", "a", "--json")
    compiled = subprocess.run(
        [
            sys.executable,
            "-c",
            "from histoseek.mosaics import kernel_choice as k; k._compared = 10**9; import histoseek.__main__",
            *("search", "--archive", str(archive), "--like", "a", "--json"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = (json.loads(text) for text in (plainly.stdout, compiled.stdout))
    assert {**first, "elapsed_ms": 0} == {**second, "elapsed_ms": 0}
    assert len(first["results"]) == 2
