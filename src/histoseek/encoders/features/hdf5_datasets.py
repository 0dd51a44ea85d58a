"""Datasets of HDF5 files, looked at before they are read: where their values lie, and how much they would take."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import MOST_NAMED_PARTS, require_memory
from histoseek.errors import BadFeatureFile, SlideTooLarge

if TYPE_CHECKING:
    import h5py

_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
"""Those that come with the library; others are programs that HDF5 would look for in a folder of plugins."""

_MOST_ATTRIBUTE_BYTES = 2**16


def find_datasets(file: h5py.File, names: Iterable[str], path: Path) -> dict[str, h5py.Dataset]:
    """Those of the datasets that the file itself holds under these names; no other object of it is opened.

    Raises BadFeatureFile for a name that leads out of the file: external links, external storage, virtual datasets,
    and soft links that lead anywhere but straight to a dataset.
    """
    import h5py

    datasets = {}
    for name in names:
        link = file.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise BadFeatureFile(path, f"its '{name}' is a link to another file")
        if isinstance(link, h5py.SoftLink):
            _require_direct(file, link.path, name, path)
        part = file[name] if link is not None else None
        if isinstance(part, h5py.Dataset):
            _require_own_values(part, name, path)
            datasets[name] = part
    return datasets


def read_dataset(dataset: h5py.Dataset, name: str, path: Path) -> NDArray[np.generic]:
    """All its numbers; raises BadFeatureFile for what holds none, SlideTooLarge for more than one file may take."""
    if dataset.shape is None or dataset.dtype.kind not in "fiub":
        raise BadFeatureFile(path, f"{name} of type {dataset.dtype}")
    stored_bytes = min(dataset.id.get_storage_size(), path.stat().st_size)
    values = int(dataset.size)
    if values and not stored_bytes:
        raise BadFeatureFile(path, f"{name} of shape {dataset.shape} of which nothing is stored")
    # Whatever type they are stored in, they are float32 or wider afterwards.
    value_bytes = max(4, dataset.dtype.itemsize)
    shape = f"{name} of shape {dataset.shape}"
    require_memory(path, shape, values * value_bytes, stored_bytes, SlideTooLarge)
    if dataset.chunks:
        chunk_values = int(np.prod([int(edge) for edge in dataset.chunks], dtype=object))
        require_memory(path, f"a chunk of {shape}", chunk_values * value_bytes, stored_bytes, SlideTooLarge)
    return np.asarray(dataset)


def read_attributes(parts: Iterable[h5py.HLObject]) -> dict[str, object]:
    """The attributes of several parts as one, those of later ones counting more; very large ones are left out."""
    attributes: dict[str, object] = {}
    for part in parts:
        for name in islice(part.attrs, MOST_NAMED_PARTS):
            if part.attrs.get_id(name).get_storage_size() <= _MOST_ATTRIBUTE_BYTES:
                attributes[name] = part.attrs[name]
    return attributes


def _require_direct(file: h5py.File, target: str, name: str, path: Path) -> None:
    """Raise BadFeatureFile unless a soft link leads over plain links only, so that it can't go round or out."""
    import h5py

    group: object = file
    steps = [step for step in target.split("/") if step not in ("", ".")]
    for place, step in enumerate(steps, start=1):
        link = group.get(step, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise BadFeatureFile(path, f"its '{name}' is a link that leads to no dataset of this file")
        if place < len(steps):
            group = group[step] if isinstance(group, h5py.Group) else None


def _require_own_values(dataset: h5py.Dataset, name: str, path: Path) -> None:
    import h5py

    made = dataset.id.get_create_plist()
    if made.get_layout() == h5py.h5d.VIRTUAL:
        raise BadFeatureFile(path, f"its '{name}' is a virtual dataset, whose values lie in other files")
    if made.get_external_count():
        raise BadFeatureFile(path, f"its '{name}' has its values in other files")
    kinds = [made.get_filter(number)[0] for number in range(made.get_nfilters())]
    unknown = next((kind for kind in kinds if kind not in _FILTERS), None)
    if unknown is not None:
        known = ", ".join(_FILTERS.values())
        raise BadFeatureFile(path, f"its '{name}' is compressed by filter {unknown}, known are {known}")
