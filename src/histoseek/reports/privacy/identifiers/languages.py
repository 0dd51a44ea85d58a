"""The packaged lists by language: labels that announce identifiers, and the words of dates."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=64)
def list_phrases(table: str, key: str) -> tuple[str, ...]:
    """The entries of `key` in the `table` of every language, in lower case, each once."""
    languages = load_languages().values()
    return tuple(dict.fromkeys(phrase for language in languages for phrase in language.get(table, {}).get(key, ())))


@lru_cache(maxsize=1)
def load_languages() -> dict[str, dict[str, dict[str, list[str]]]]:
    """What the file of each language holds, by its code, in the order of these."""
    folder = files(__package__).joinpath("languages")
    tables = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text("utf-8")) for entry in tables}
