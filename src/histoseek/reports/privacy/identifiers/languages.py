"""The packaged lists by language: labels that announce identifiers, and the words of dates."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=64)
def list_phrases(table: str, key: str) -> tuple[str, ...]:
    """The entries of `key` in the `table` of every language, in lower case, each once."""
    return tuple(
        dict.fromkeys(phrase for language in load_languages() for phrase in language.get(table, {}).get(key, ()))
    )


@lru_cache(maxsize=1)
def load_languages() -> tuple[dict[str, dict[str, list[str]]], ...]:
    """What the file of each language holds, in the order of their names."""
    folder = files(__package__).joinpath("languages")
    tables = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return tuple(tomllib.loads(entry.read_text("utf-8")) for entry in tables)
