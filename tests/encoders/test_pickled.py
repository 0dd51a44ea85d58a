"""Files of torch and pickles of arrays are read without torch, and nothing in them is run."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.encoders.pickled_tensors import load_tensors, read_pickled
from histoseek.encoders.pickled_values import RefusedPickle, read_pickle
from histoseek.errors import HistoseekError, TooLarge

torch = pytest.importorskip("torch")

NUMBERS = torch.arange(60.0).view(3, 4, 5)
TENSORS = {
    "whole": NUMBERS,
    "turned": NUMBERS.permute(2, 0, 1)[1:],
    "half": NUMBERS.half(),
    "bfloat16": NUMBERS.bfloat16(),
    "double": NUMBERS.double(),
    "int64": NUMBERS.long(),
    "bytes": NUMBERS.byte(),
    "bool": NUMBERS > 3,
    "none": torch.zeros(0, 3),
    "one": torch.tensor(3),
    "repeated": torch.ones(1).expand(7, 2),
    "parameter": torch.nn.Parameter(NUMBERS[0]),
}
VALUES: dict[str, Any] = {
    "text": "tissue",
    "bytes": b"\x00\xff",
    "large": 2**70,
    "list": [1, None, True, 2.5, ("a", ())],
    "table": {"a": {0: "b"}},
    "number": np.float32(2.5),
    "array": np.arange(6, dtype=">f4").reshape(2, 3).T,
    "names": np.array(["a", "bc"]),
}


def save(path: Path, content: object, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def as_numpy(tensor: Any) -> Any:
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("as_zip", [True, False])
def test_tensors_are_those_that_torch_reads(as_zip: bool, protocol: int, tmp_path: Path) -> None:
    options = {"_use_new_zipfile_serialization": as_zip, "pickle_protocol": protocol}
    found = load_tensors(save(tmp_path / "tensors.pt", OrderedDict(TENSORS), **options))
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        expected = as_numpy(tensor)
        assert found[name].dtype == expected.dtype and np.array_equal(found[name], expected), name
    held = read_pickled(save(tmp_path / "values.pt", {**VALUES, "device": torch.device("cuda", 1)}, **options))
    assert isinstance(held, dict) and held.pop("device") == "cuda:1"
    require_values(held)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_give_their_values(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "values.pkl").write_bytes(pickle.dumps(VALUES, protocol))
    require_values(read_pickled(tmp_path / "values.pkl"))


def require_values(found: object) -> None:
    assert isinstance(found, dict) and list(found) == list(VALUES)
    for name, value in VALUES.items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype and np.array_equal(found[name], value), name
        else:
            assert found[name] == value, name


def test_a_state_with_notes_of_the_library_is_read(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    found = load_tensors(save(tmp_path / "state.pth", module.state_dict()))
    assert {name: value.shape for name, value in found.items()} == {
        name: tuple(value.shape) for name, value in module.state_dict().items()
    }
    with pytest.raises(RefusedPickle, match="not a table of tensors"):
        load_tensors(save(tmp_path / "checkpoint.pth", {"epoch": 3, "model": module.state_dict()}))


class Runs:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> object:
        return self._call


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (lambda mark: Runs(os.mkdir, mark), "posix.mkdir"),
        (lambda mark: {"features": np.ones(3), "note": Runs(eval, f"__import__('os').mkdir({mark!r})")}, "eval"),
        (lambda mark: Runs(getattr, NUMBERS, "shape"), "getattr"),
        (lambda mark: Runs(bytearray, 2**40), "allocates as much|bytearray"),
        (lambda mark: torch.nn.Linear(2, 2), r"torch\.nn"),
        (lambda mark: {1, 2}, "set|SET"),
    ],
)
@pytest.mark.parametrize("as_pickle", [True, False])
def test_code_is_refused_and_never_run(
    content: Callable[[str], object], named: str, as_pickle: bool, tmp_path: Path
) -> None:
    mark, path = tmp_path / "ran", tmp_path / "file"
    held = content(str(mark))
    if as_pickle:
        path.write_bytes(pickle.dumps(held))
    else:
        save(path, held)
    with pytest.raises((RefusedPickle, TooLarge), match=named):
        read_pickled(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (b"cnumpy\ndtype\n(S'O'\nI0\nI1\ntR.", "other things than numbers"),
        (b"cnumpy\nndarray\n(I4\ntR.", "calls what is no function"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.", "damaged|ends early"),
        (b"(i__main__\nf\n.", "INST"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02]q\x00X\x01\x00\x00\x00ab.", "sets the state|damaged"),
        (b"\x80\x02}(K\x01)K\x02e.", "damaged"),
        (b"\x80\x02})K\x02s.", "by tuple"),
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x020.", "damaged"),
        (b"\x80\x02K\x01(0.", "damaged"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\x00\x00ab.", "damaged"),
        (b"\x80\x02K\x01", "damaged|ends early"),
        (b"", "damaged|ends early"),
    ],
)
def test_what_no_file_of_arrays_needs_is_refused(pickled: bytes, reason: str) -> None:
    with pytest.raises(RefusedPickle, match=reason):
        read_pickle(io.BytesIO(pickled), 2**20)


def test_a_pickle_of_too_many_steps_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.encoders.pickled_values._MOST_STEPS", 1000)
    assert read_pickle(io.BytesIO(b"\x80\x02" + b"N0" * 400 + b"N."), 0) is None
    with pytest.raises(RefusedPickle, match="too many steps"):
        read_pickle(io.BytesIO(b"\x80\x02" + b"N0" * 600 + b"N."), 0)


def rebuilt(**changes: Any) -> bytes:
    """A file of torch whose tensor of 60 numbers was given other facts."""
    file = io.BytesIO()
    torch.save(NUMBERS, file, pickle_protocol=2)
    out = io.BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(out, "w") as changed:
        for entry in archive.namelist():
            data = archive.read(entry)
            if entry.endswith("data.pkl"):
                for old, new in changes.values():
                    assert data.count(old) == 1
                    data = data.replace(old, new)
            if not ("drop" in changes and entry.endswith("data/0")):
                changed.writestr(entry, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": (b"K\x03K\x04K\x05", b"K\x03K\x04K\x06")}, "reaches beyond"),
        ({"strides": (b"K\x14K\x05K\x01", b"K\x14K\x06K\x01")}, "reaches beyond"),
        ({"strides": (b"K\x14K\x05K\x01", b"J\xff\xff\xff\xffK\x05K\x01")}, "reaches beyond"),
        ({"kind": (b"FloatStorage", b"DoubleStorage")}, "ends early"),
        ({"kind": (b"FloatStorage", b"ComplexFloatStorage")}, "ComplexFloatStorage"),
        (
            {
                "repeats": (b"K\x03K\x04K\x05", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7fK\x05"),
                "strides": (b"K\x14K\x05K\x01", b"K\x00K\x00K\x01"),
            },
            "too often",
        ),
    ],
)
def test_tensors_stay_within_their_numbers(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    (tmp_path / "file.pt").write_bytes(rebuilt(**changes))
    with pytest.raises(RefusedPickle, match=reason):
        read_pickled(tmp_path / "file.pt")


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1), byte=st.integers(0, 255), as_zip=st.booleans(), cut=st.booleans())
def test_damage_is_one_line(place: float, byte: int, as_zip: bool, cut: bool, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("damaged") / "file.pt"
    content = {"features": NUMBERS, "array": VALUES["array"], "table": OrderedDict(a=[1.5])}
    data = bytearray(save(path, content, _use_new_zipfile_serialization=as_zip).read_bytes())
    where = int(place * (len(data) - 1))
    data[where] = byte
    path.write_bytes(data[: where + 1] if cut else data)
    try:
        read_pickled(path)
    except (RefusedPickle, HistoseekError) as error:
        assert "\n" not in str(error)


def test_a_directory_that_points_before_the_file_is_damage(tmp_path: Path) -> None:
    path = save(tmp_path / "file.pt", TENSORS)
    data = bytearray(path.read_bytes())
    for mark, at, size in ((b"PK\x06\x06", 48, 8), (b"PK\x05\x06", 16, 4)):
        place = data.rfind(mark) + at
        if place >= at:
            start = int.from_bytes(data[place : place + size], "little")
            data[place : place + size] = (start + 10**6).to_bytes(size, "little")
    path.write_bytes(data)
    with pytest.raises(RefusedPickle, match="damaged"):
        read_pickled(path)


def test_torch_is_not_imported(tmp_path: Path) -> None:
    import subprocess

    path = save(tmp_path / "file.pt", TENSORS)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path; from histoseek.encoders.pickled_tensors import load_tensors\n"
        f"assert len(load_tensors(Path({str(path)!r}))) == {len(TENSORS)}"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
