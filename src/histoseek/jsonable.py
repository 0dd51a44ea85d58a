"""Dataclasses as what JSON knows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

NOT_IN_JSON: Mapping[str, bool] = MappingProxyType({"json": False})
"""Marks a field that is for Python only."""


def json_name(name: str) -> Mapping[str, str]:
    """Gives a field another name in JSON, where documented names outlive those of the code."""
    return MappingProxyType({"json": name})


def plain(value: Any) -> Any:
    """Dataclasses, mappings, sequences and dates as what JSON knows, which is no NaN and no infinity (null); a trailing
    underscore of a field is dropped."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = {field.name: field.metadata.get("json", field.name.rstrip("_")) for field in dataclasses.fields(value)}
        return {key: plain(getattr(value, name)) for name, key in names.items() if key}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
