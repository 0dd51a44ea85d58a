"""The vocabulary of surgical pathology: concepts with their names, their parents and their organ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

from histoseek.errors import InputError
from histoseek.reports.concepts.vocabulary_files import (
    ConceptKind,
    VocabularyEntry,
    VocabularyFile,
    read_vocabulary_file,
)
from histoseek.reports.language.words import split_words


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing that reports speak of.

    `synonyms` match in any case and number, `abbreviations` only as written. `parents` are the concepts it is a kind
    of (organs: part of); `organ` is where it arises, "" where that can be anywhere.
    """

    id: str
    kind: ConceptKind
    name: str
    synonyms: tuple[str, ...]
    abbreviations: tuple[str, ...]
    parents: tuple[str, ...]
    organ: str


@dataclass(frozen=True, slots=True)
class Surface:
    """A way to write a concept; `exact` surfaces match only in their own case."""

    text: str
    exact: bool


class Vocabulary:
    """Concepts by id, their tree (several parents are allowed), and words that mean the same.

    `version` is that of the packaged files; `fingerprint` also changes with whatever a user's file adds.
    """

    def __init__(self, concepts: Mapping[str, Concept], words: Mapping[str, str], version: str) -> None:
        self.concepts = dict(concepts)
        self.words = dict(words)
        self.version = version

    def __getitem__(self, concept_id: str) -> Concept:
        """The concept of this id. Raises InputError where there is none."""
        if concept_id not in self.concepts:
            raise InputError(
                concept_id, "no such concept in the vocabulary", "Check the id, or add it to your own file"
            )
        return self.concepts[concept_id]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all content, 16 hex digits."""
        content = repr((sorted(self.concepts.items()), sorted(self.words.items())))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """The direct children of each concept that has any, in the order of the files."""
        children: dict[str, list[str]] = {}
        for concept in self.concepts.values():
            for parent in concept.parents:
                children.setdefault(parent, []).append(concept.id)
        return {parent: tuple(child_ids) for parent, child_ids in children.items()}

    @cached_property
    def spellings(self) -> frozenset[str]:
        """Every word that concepts are written with, in lower case but for abbreviations and names."""
        texts = [surface.text for concept_id in self.concepts for surface in self.list_surfaces(concept_id)]
        words = {word.raw for text in texts for word in split_words(text) if word.raw.isalpha()}
        return frozenset(word for word in words if len(word) > 1)

    @cached_property
    def _known_ancestors(self) -> dict[str, frozenset[str]]:
        return {}

    def find_ancestors(self, concept_id: str) -> frozenset[str]:
        """Every concept above this one, without itself."""
        ancestors = self._known_ancestors.get(concept_id)
        if ancestors is None:
            parents = self[concept_id].parents
            ancestors = frozenset(parents).union(*(self.find_ancestors(parent) for parent in parents))
            self._known_ancestors[concept_id] = ancestors
        return ancestors

    def find_descendants(self, concept_id: str) -> frozenset[str]:
        """Every concept below this one, without itself."""
        return self._known_descendants.get(concept_id, frozenset())

    @cached_property
    def _known_descendants(self) -> Mapping[str, frozenset[str]]:
        descendants: dict[str, list[str]] = {}
        for concept_id in self.concepts:
            for ancestor in self.find_ancestors(concept_id):
                descendants.setdefault(ancestor, []).append(concept_id)
        return {ancestor: frozenset(below) for ancestor, below in descendants.items()}

    def measure_depth(self, concept_id: str) -> int:
        """Steps to the farthest root: 0 for a concept without parents."""
        return max((1 + self.measure_depth(parent) for parent in self[concept_id].parents), default=0)

    def keep_most_specific(self, concept_ids: Iterable[str]) -> tuple[str, ...]:
        """The ids, first occurrence first, without those that stand above another one among them."""
        unique_ids = tuple(dict.fromkeys(concept_ids))
        above = frozenset().union(*(self.find_ancestors(concept_id) for concept_id in unique_ids))
        return tuple(concept_id for concept_id in unique_ids if concept_id not in above)

    def find_organ(self, concept_id: str) -> str:
        """The whole organ that a part lies in, or a diagnosis arises in; "" where it is not bound to one."""
        concept = self[concept_id]
        if concept.kind != "organ":
            return self.find_organ(concept.organ) if concept.organ else ""
        return self.find_organ(concept.parents[0]) if concept.parents else concept.id

    def list_surfaces(self, concept_id: str) -> tuple[Surface, ...]:
        """All ways to write a concept: its name, synonyms and abbreviations."""
        concept = self[concept_id]
        names = dict.fromkeys((concept.name, *concept.synonyms))
        return (*(Surface(text, False) for text in names), *(Surface(text, True) for text in concept.abbreviations))


@lru_cache(maxsize=8)
def load_vocabulary(user_file: Path | None = None) -> Vocabulary:
    """The packaged vocabulary, with a user's file laid over it.

    An entry of a new id adds a concept. One of a known id adds its synonyms and abbreviations, and replaces the name,
    parents and organ it gives; `remove` takes ways of writing away. Raises InputError naming file and entry.
    """
    folder = files("histoseek.reports.concepts") / "vocabulary"
    packaged = sorted((item for item in folder.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    vocabulary_files = [read_vocabulary_file(item.name, item.read_bytes()) for item in packaged]
    if user_file is not None:
        vocabulary_files.append(read_vocabulary_file(str(user_file), _read_user_file(user_file)))
    entries: dict[str, VocabularyEntry] = {}
    for file in vocabulary_files:
        for entry in file.entries:
            entries[entry.id] = entry if entry.id not in entries else entry.merge_onto(entries[entry.id])
    concepts = {entry.id: _make_concept(entry) for entry in entries.values()}
    _check_references(concepts, {entry.id: entry.file for entry in entries.values()})
    return Vocabulary(concepts, _merge_words(vocabulary_files), vocabulary_files[0].version)


def _read_user_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "Check the path") from error


def _merge_words(vocabulary_files: list[VocabularyFile]) -> dict[str, str]:
    return {other: word for file in vocabulary_files for word, others in file.words.items() for other in others}


def _make_concept(entry: VocabularyEntry) -> Concept:
    removed = set(entry.remove)
    synonyms = tuple(text for text in dict.fromkeys(entry.synonyms) if text not in removed and text != entry.name)
    abbreviations = tuple(text for text in dict.fromkeys(entry.abbreviations) if text not in removed)
    name = entry.name or entry.id.replace("-", " ")
    return Concept(entry.id, entry.kind, name, synonyms, abbreviations, entry.parents or (), entry.organ or "")


def _check_references(concepts: Mapping[str, Concept], source: Mapping[str, str]) -> None:
    for concept in concepts.values():
        where = f"{source[concept.id]}, entry {concept.id}"
        for parent in concept.parents:
            if parent not in concepts:
                raise InputError(where, f"parent {parent!r} is not a concept", "Give the id of an entry")
        if concept.organ and (concept.organ not in concepts or concepts[concept.organ].kind != "organ"):
            raise InputError(where, f"organ {concept.organ!r} is not an organ", "Give the id of an [organ] entry")
    _check_cycles(concepts, source)


def _check_cycles(concepts: Mapping[str, Concept], source: Mapping[str, str]) -> None:
    checked: set[str] = set()

    def visit(concept_id: str, path: tuple[str, ...]) -> None:
        if concept_id in path:
            circle = " > ".join((*path[path.index(concept_id) :], concept_id))
            where = f"{source[concept_id]}, entry {concept_id}"
            raise InputError(where, f"is its own ancestor ({circle})", "Remove one of these parents")
        if concept_id not in checked:
            for parent in concepts[concept_id].parents:
                visit(parent, (*path, concept_id))
            checked.add(concept_id)

    for concept_id in concepts:
        visit(concept_id, ())
