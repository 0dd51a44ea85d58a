"""What people call a slide: its id, unless that is a hash and its file has a name."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from histoseek.slides.sources.registry import source_name

_HASH = r"^(?:[0-9a-f]{16}|[0-9a-f]{32})?$"
"""Ids of slides that got no name, and of uploads."""


def make_titles(slide_ids: pa.Array, uris: pa.Array) -> pa.Array:
    """The titles of slides by their ids and the addresses of their files."""
    hashes = np.flatnonzero(pc.match_substring_regex(slide_ids, _HASH).to_numpy(zero_copy_only=False))
    if not len(hashes):
        return slide_ids
    pairs = zip(slide_ids.take(hashes).to_pylist(), uris.take(hashes).to_pylist(), strict=True)
    named = pa.array([source_name(uri or "") or slide_id for slide_id, uri in pairs], pa.string())
    mask = np.zeros(len(slide_ids), np.bool_)
    mask[hashes] = True
    return pc.replace_with_mask(slide_ids, pa.array(mask), named)


def make_title(slide_id: str, uri: str) -> str:
    """The title of one slide."""
    return source_name(uri) or slide_id if re.match(_HASH, slide_id) else slide_id
