"""Vocabulary files: TOML tables by kind, checked entry by entry."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from histoseek.errors import InputError

ConceptKind = Literal["organ", "tissue", "procedure", "laterality", "diagnosis", "finding", "stain"]
_KINDS: tuple[str, ...] = get_args(ConceptKind)
_LISTS = ("synonyms", "abbreviations", "parents", "remove")
_TEXTS = ("name", "organ")


@dataclass(frozen=True, slots=True)
class VocabularyEntry:
    """One entry as written; None where a key is not given. `remove` takes inherited ways of writing away."""

    file: str
    id: str
    kind: ConceptKind
    name: str | None
    organ: str | None
    parents: tuple[str, ...] | None
    synonyms: tuple[str, ...]
    abbreviations: tuple[str, ...]
    remove: tuple[str, ...]

    def merge_onto(self, base: VocabularyEntry) -> VocabularyEntry:
        """This entry laid over one of the same id. Raises InputError when the kinds differ."""
        if self.kind != base.kind:
            what = f"is under [{self.kind}], but it is known as {base.kind}"
            raise InputError(f"{self.file}, entry {self.id}", what, f"Move it to [{base.kind}], or choose another id")
        return replace(
            self,
            name=base.name if self.name is None else self.name,
            organ=base.organ if self.organ is None else self.organ,
            parents=base.parents if self.parents is None else self.parents,
            synonyms=(*base.synonyms, *self.synonyms),
            abbreviations=(*base.abbreviations, *self.abbreviations),
        )


@dataclass(frozen=True, slots=True)
class VocabularyFile:
    """A file's version, its entries in order, and its words that mean the same."""

    version: str
    entries: tuple[VocabularyEntry, ...]
    words: Mapping[str, tuple[str, ...]]


def read_vocabulary_file(name: str, data: bytes) -> VocabularyFile:
    """Read and check one file. Raises InputError naming the file and, where there is one, the entry."""
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (RecursionError, ValueError) as error:
        raise InputError(name, f"is not a TOML file ({error})", "Correct the file") from error
    version = content.pop("version", None)
    if not isinstance(version, str) or not version:
        raise InputError(name, "has no version", 'Begin it with a line like: version = "1.0"')
    words = _parse_words(name, content.pop("words", {}))
    for kind in content:
        if kind not in _KINDS:
            raise InputError(name, f"[{kind}] is not a kind of concept", f"The kinds are: {', '.join(_KINDS)}, words")
    entries = tuple(
        _parse_entry(name, kind, entry_id, value)
        for kind in _KINDS
        for entry_id, value in _require_table(name, kind, content.get(kind, {})).items()
    )
    return VocabularyFile(version, entries, words)


def _parse_entry(file: str, kind: Any, entry_id: str, value: Any) -> VocabularyEntry:
    where = f"{file}, entry {entry_id}"
    fields = _require_table(where, "the entry", value)
    for key in fields:
        if key not in (*_TEXTS, *_LISTS):
            raise InputError(where, f"unknown key {key!r}", f"The keys are: {', '.join((*_TEXTS, *_LISTS))}")
    lists = {key: _require_texts(where, key, fields[key]) for key in _LISTS if key in fields}
    return VocabularyEntry(
        file=file,
        id=entry_id,
        kind=kind,
        name=_require_text(where, "name", fields["name"]) if "name" in fields else None,
        organ=_require_text(where, "organ", fields["organ"]) if "organ" in fields else None,
        parents=lists.get("parents"),
        synonyms=lists.get("synonyms", ()),
        abbreviations=lists.get("abbreviations", ()),
        remove=lists.get("remove", ()),
    )


def _parse_words(file: str, value: Any) -> dict[str, tuple[str, ...]]:
    table = _require_table(file, "[words]", value)
    return {word: _require_texts(f"{file}, entry {word}", "words", others) for word, others in table.items()}


def _require_table(where: str, what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(where, f"{what} is not a table", "Write it as: id = { name = ..., synonyms = [...] }")
    return value


def _require_text(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(where, f"{key} is not a text", f'Write it as: {key} = "..."')
    return value.strip()


def _require_texts(where: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputError(where, f"{key} is not a list", f'Write it as: {key} = ["...", "..."]')
    return tuple(_require_text(where, key, item) for item in value)
