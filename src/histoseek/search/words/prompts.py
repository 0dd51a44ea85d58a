"""From the words of a query to what a text tower is asked: each concept in several ways and under all its names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from histoseek.reports.concepts.terms import Mention, find_terms
from histoseek.reports.concepts.vocabulary import Concept, Vocabulary, load_vocabulary
from histoseek.reports.language.negation import Status

_VISIBLE = ("organ", "tissue", "diagnosis", "finding")
"""Kinds of concepts that a section can show."""

_MOST_NAMES = 4
_MOST_CONCEPTS = 8
_LONGEST_TEXT = 200
"""Characters of a text that is put as it is; of reports, which are longer, the concepts alone are."""

_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing that a query speaks of: its name, and the ways in which it is put; unwanted: it must not be there."""

    name: str
    texts: tuple[str, ...]
    unwanted: bool = False


@dataclass(frozen=True, slots=True)
class PromptWords:
    """What `prompts.toml` says."""

    single: str
    usual: tuple[str, ...]
    probes: tuple[str, ...]
    filler: frozenset[str]
    templates: Mapping[str, tuple[str, ...]]

    def fill(self, kind: str, names: Sequence[str]) -> tuple[str, ...]:
        """All names in all ways of a kind."""
        templates = self.templates.get(kind, self.templates["any"])
        return tuple(dict.fromkeys(template.format(name) for name in names for template in templates))


@lru_cache(maxsize=1)
def load_prompt_words() -> PromptWords:
    """The packaged file."""
    content = tomllib.loads((resources.files(__package__) / "prompts.toml").read_text("utf-8"))
    return PromptWords(
        single=content["single"],
        usual=tuple(content["usual"]),
        probes=tuple(content["probes"]),
        filler=frozenset(content["filler"]),
        templates={kind: tuple(ways) for kind, ways in content["templates"].items()},
    )


def make_prompts(text: str) -> tuple[Prompt, ...]:
    """What a text asks of tiles: its concepts, and the text as it is where it says more than these.

    What it denies is unwanted; where it only denies, that is set against what all sections show. At least one prompt is
    not unwanted.
    """
    vocabulary = load_vocabulary()
    mentions = find_terms(text, vocabulary)
    denied = {mention.concept_id for mention in mentions if mention.status == Status.NEGATED}
    wanted = _list_visible(vocabulary, (m.concept_id for m in mentions if m.concept_id not in denied))
    unwanted = _list_visible(vocabulary, denied)
    prompts = [make_concept_prompt(vocabulary, concept_id) for concept_id in wanted]
    rest = _find_rest(text, mentions)
    if len(text) <= _LONGEST_TEXT and _says_something(rest):
        plain = rest if denied else text.strip()
        prompts.append(Prompt(plain, (plain,)))
    whole = text.strip()[:_LONGEST_TEXT].strip()
    if whole and not (prompts or denied):
        prompts.append(Prompt(whole, (whole,)))
    if not prompts:
        prompts.append(Prompt("tissue", load_prompt_words().usual))
    return (*prompts, *(make_concept_prompt(vocabulary, concept_id, unwanted=True) for concept_id in unwanted))


def make_query_prompts(text: str, without: Sequence[str] = ()) -> tuple[Prompt, ...]:
    """What a text asks of tiles, and after that what the texts of what is not wanted do."""
    opposed = (prompt for other in without for prompt in make_prompts(other) if not prompt.unwanted)
    return (*make_prompts(text), *(replace(prompt, unwanted=True) for prompt in opposed))


def make_concept_prompt(vocabulary: Vocabulary, concept_id: str, *, unwanted: bool = False) -> Prompt:
    """A concept under its name and its first synonyms, in the ways of its kind; abbreviations mean too much else."""
    concept = vocabulary[concept_id]
    names = tuple(dict.fromkeys((concept.name, *concept.synonyms)))[:_MOST_NAMES]
    return Prompt(concept.name, load_prompt_words().fill(concept.kind, names), unwanted)


def make_label_prompt(label: str) -> Prompt:
    """A label as an ensemble: that of the concept it names, else its words in all ways."""
    concept = _find_named(label)
    own = load_prompt_words().fill("any", (label,))
    if concept is None:
        return Prompt(label, own)
    return Prompt(label, tuple(dict.fromkeys((*own, *make_concept_prompt(load_vocabulary(), concept.id).texts))))


def list_other_names(label: str) -> tuple[str, ...]:
    """The names, without abbreviations, of the concept that a label names; none where it names no concept alone."""
    concept = _find_named(label)
    return () if concept is None else tuple(dict.fromkeys((concept.name, *concept.synonyms)))


def _find_named(label: str) -> Concept | None:
    vocabulary = load_vocabulary()
    mentions = find_terms(label, vocabulary)
    named = [mention for mention in mentions if not _says_something(_find_rest(label, [mention]))]
    return vocabulary[named[0].concept_id] if len(named) == 1 and named[0].status != Status.NEGATED else None


def make_single_prompt(label: str) -> Prompt:
    """A label in one way only, to compare ensembles with."""
    return Prompt(label, (load_prompt_words().single.format(label),))


def _list_visible(vocabulary: Vocabulary, concept_ids: object) -> Sequence[str]:
    listed = [one for one in concept_ids if vocabulary[one].kind in _VISIBLE]  # type: ignore[attr-defined]
    return vocabulary.keep_most_specific(sorted(listed, key=listed.index))[:_MOST_CONCEPTS]


def _find_rest(text: str, mentions: Sequence[Mention]) -> str:
    """What no concept takes up, and no word that denies one."""
    cues = [m.cue for m in mentions if m.cue and m.status == Status.NEGATED]
    characters = list(text)
    for start, end in [*((m.start, m.end) for m in mentions), *((cue.start, cue.end) for cue in cues)]:
        characters[start:end] = " " * (end - start)
    return re.sub(r"[\s,;.]+", " ", "".join(characters)).strip()


def _says_something(text: str) -> bool:
    return any(word.lower() not in load_prompt_words().filler for word in _WORD.findall(text))
