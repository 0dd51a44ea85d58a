"""Small files that declare more than a machine has are refused in one line, and take next to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.bounds import refusing_exhaustion, require_memory
from histoseek.encoders.features.feature_files import read_features
from histoseek.errors import BadFeatureFile, BadTable, HistoseekError, SlideError, SlideTooLarge, TooLarge
from tests.attacks.bomb_files import BOMBS, QUICK
from tests.attacks.hostile_readers import Outcome, read_files

_MEMORY_MB = 1500
_SECONDS = 60.0


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What became of each quick bomb, read in processes with a limit of memory."""
    folder = tmp_path_factory.mktemp("bombs") / "files"
    folder.mkdir()

    def read() -> Iterator[Outcome]:
        bombs = [bomb for bomb in BOMBS if bomb[0] in QUICK]
        for name, _, write in bombs:
            write(folder / name)
        for reader in {reader for _, reader, _ in bombs}:
            yield from read_files(reader, folder, [n for n, r, _ in bombs if r == reader], _MEMORY_MB, _SECONDS)

    return {outcome.file: outcome for outcome in read()}


@pytest.mark.parametrize("name", sorted(QUICK))
def test_bombs_are_refused_and_take_little_memory(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert outcome.fate == "refused", outcome
    assert outcome.peak_mb < 700, outcome


def test_links_within_a_file_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/values"] = np.ones((3, 4), "f4")
        file["features"] = h5py.SoftLink("/group/values")
    assert len(read_features(path, "encoder").bag) == 3


@pytest.mark.parametrize(
    "how", [{}, {"compression": "gzip"}, {"compression": "lzf", "shuffle": True}, {"fletcher32": True}]
)
def test_large_honest_features_are_read(tmp_path: Path, how: dict[str, object]) -> None:
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).normal(size=(20_000, 1024)).astype("f4")
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=values, **how)
    np.testing.assert_array_equal(read_features(path, "encoder").bag.features, values)


def test_the_limit_and_its_setting_are_named() -> None:
    with pytest.raises(TooLarge, match=r"^a.h5: too large .* at most 4.0 GiB .*HISTOSEEK_READ_MEMORY_MB$") as caught:
        require_memory("a.h5", "features", 2**33)
    assert "\n" not in str(caught.value)
    with pytest.raises(SlideError, match="200 times what is stored"):
        require_memory("a.h5", "features", 2**30, 1000, SlideTooLarge)
    require_memory("a.h5", "features", 2**30, 2**24)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "memory"),
        (np._core._exceptions._ArrayMemoryError((10**9,), np.dtype("f8")), "memory"),  # type: ignore[attr-defined]
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), "memory"),
        (OSError(12, "Cannot allocate memory"), "memory"),
        (RecursionError(), "nested too deeply"),
        (type("PanicException", (BaseException,), {})("capacity overflow"), "cannot cope"),
    ],
)
def test_exhaustion_is_a_refusal(error: BaseException, reason: str) -> None:
    with pytest.raises(BadTable, match=reason), refusing_exhaustion(lambda why: BadTable("t.csv", why, "Check it")):
        raise error


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), BadFeatureFile("a.h5", "NaN")])
def test_other_errors_stay_what_they_are(error: BaseException) -> None:
    def make(reason: str) -> HistoseekError:
        raise AssertionError(reason)

    with pytest.raises(type(error)), refusing_exhaustion(make):
        raise error


def test_a_zip_file_of_several_disks_is_no_file_of_tensors(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"PK\x06\x07" + bytes(4) + bytes(8) + b"\x02\0\0\0" + b"PK\x05\x06" + bytes(18))
    with pytest.raises(BadFeatureFile, match="not a file of tensors"):
        read_features(path, "encoder")
