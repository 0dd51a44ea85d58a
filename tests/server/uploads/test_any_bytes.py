"""Whatever the bytes are: a picture, a refusal or an ended process, and the next slide is read as ever."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from histoseek.encoders.recipe import Recipe
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.server.uploads.errors import RefusedSlide, SandboxFailure
from histoseek.server.uploads.file_names import UPLOAD_SUFFIXES
from histoseek.server.uploads.sandbox import Sandbox, SandboxLimits

_FEW = settings(max_examples=25, derandomize=True, suppress_health_check=list(HealthCheck))
_LIMITS = ChildLimits(2**30, 5.0, 10.0)
_OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
    'DimensionOrder="XYCZT" Type="uint8" SizeX="96" SizeY="64" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="0.5" '
    'PhysicalSizeY="0.5"><Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData/></Pixels></Image></OME>'
)


def _good() -> dict[str, bytes]:
    """Small files of several formats by their suffix."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    made = {}
    for suffix, description in ((".tif", None), (".ome.tif", _OME), (".svs", "Aperio Image Library v11\r\n|MPP = 0.5")):
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer, pixels, tile=(32, 32), photometric="rgb", compression="jpeg", description=description, metadata=None
        )
        made[suffix] = buffer.getvalue()
    for suffix, kind in ((".png", "PNG"), (".jpg", "JPEG")):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        made[suffix] = buffer.getvalue()
    return made


GOOD = _good()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uploads")
    for suffix, content in GOOD.items():
        (folder / f"good{suffix}").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def sandbox(folder: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(folder, SandboxLimits(_LIMITS, _LIMITS))
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("suffix", GOOD)
def test_the_files_are_good_before_they_are_changed(sandbox: Sandbox, folder: Path, suffix: str) -> None:
    facts = sandbox.describe(folder / f"good{suffix}")
    assert (facts.width, facts.height) == (96, 64)
    assert sandbox.make_tile(folder / f"good{suffix}", facts.max_level, 0, 0).startswith(b"\xff\xd8")


def _new(folder: Path, suffix: str, content: bytes) -> Path:
    """A file of its own, as uploads never change."""
    path = folder / f"{hashlib.sha256(content).hexdigest()[:32]}{suffix}"
    path.write_bytes(content)
    return path


@_FEW
@given(content=st.binary(max_size=2000), suffix=st.sampled_from(sorted(UPLOAD_SUFFIXES)))
def test_random_bytes_are_refused(sandbox: Sandbox, folder: Path, content: bytes, suffix: str) -> None:
    path = _new(folder, suffix, content)
    with pytest.raises((RefusedSlide, SandboxFailure)):
        sandbox.describe(path)


@settings(_FEW, max_examples=60)
@given(
    suffix=st.sampled_from(sorted(GOOD)),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    in_header=st.booleans(),
    kept=st.sampled_from((1.0, 1.0, 0.7, 0.3)),
)
def test_altered_slides_do_no_harm(
    sandbox: Sandbox, folder: Path, suffix: str, places: list[tuple[float, int]], in_header: bool, kept: float
) -> None:
    content = bytearray(GOOD[suffix])
    for place, value in places:
        content[int(place * (min(200, len(content)) if in_header else len(content)))] = value
    path = _new(folder, suffix, content[: int(kept * len(content))])
    try:
        facts = sandbox.describe(path)
        assert sandbox.make_thumbnail(path, 64).startswith(b"\xff\xd8")
        assert sandbox.make_tile(path, facts.max_level, 0, 0).startswith(b"\xff\xd8")
    except (RefusedSlide, SandboxFailure) as error:
        assert str(folder) not in str(error)


@settings(_FEW, max_examples=6)
@given(suffix=st.sampled_from((".svs", ".tif", ".png")), place=st.floats(0, 1, exclude_max=True))
def test_altered_slides_can_be_encoded_or_refused(sandbox: Sandbox, folder: Path, suffix: str, place: float) -> None:
    content = bytearray(GOOD[suffix])
    content[int(place * len(content))] ^= 0xFF
    path = _new(folder, suffix, content)
    try:
        assert len(sandbox.encode(path, Recipe(tissue_threshold=0.0), 0.5)) > 0
    except (RefusedSlide, SandboxFailure) as error:
        assert str(folder) not in str(error)


def test_the_next_slide_is_read_as_ever(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(RefusedSlide):
        sandbox.describe(_new(folder, ".svs", b"no slide"))
    assert sandbox.describe(folder / "good.svs").spacing_um_per_px == 0.5
