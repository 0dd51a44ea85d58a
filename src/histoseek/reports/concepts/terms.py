"""Finding the vocabulary's concepts in a text, each with its place and whether it is affirmed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from histoseek.errors import InputError
from histoseek.reports.concepts.vocabulary import Surface, Vocabulary, load_vocabulary
from histoseek.reports.language.negation import ScopeIndex, Spared, Status, find_scopes
from histoseek.reports.language.words import Span, Word, split_words

_LINKS = frozenset({"or", "and", ",", "nor", "but", "not", "no"})
_TYPE = "type"
_SITE_KINDS = frozenset({"organ", "procedure", "laterality", "tissue"})
_TUMOURS = frozenset({"neoplasm", "malignant-neoplasm", "metastasis", "precancerous-lesion", "carcinoma-in-situ"})
_SITE_FINDINGS = frozenset({"resection-margin"})
_PLACE = re.compile(
    r"\b(?:in|within|of|from|at|on|into|to|through|beyond|outside|involving|involve|involves|invading)\s+(?:[\w'-]+\s+){0,4}$",
    re.IGNORECASE,
)
# Words that may stand between a site that is denied and what denies it: nothing else is denied then.
_BETWEEN = frozenset(
    (
        *(
            "is",
            "are",
            "was",
            "were",
            "be",
            "been",
            "being",
            "has",
            "have",
            "could",
            "can",
            "present",
            "identified",
            "seen",
        ),
        *(
            "submitted",
            "examined",
            "sampled",
            "tissue",
            "node",
            "nodes",
            "gland",
            "glands",
            "left",
            "right",
            "bilateral",
        ),
    )
)
_LISTED = re.compile(r"\b(?:and|or)\b")
_REMARK = re.compile(r"\([^()]{0,60}\)")
_LETTERS = re.compile(r"[a-z]{2,}")
_FARTHEST_PLACE = 60
_LONGEST_REMARK = 3
# "ca. 5 mm", and a word that a scan tore ("Ca:c is").
_NO_CARCINOMA = re.compile(r"\.\s*\d|:\w")


# Start, end and concept of a term.
_TermMatch = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Mention:
    """A concept named in a text: `text[start:end]`, its status, and the words that decide it (None: affirmed)."""

    start: int
    end: int
    concept_id: str
    status: Status
    cue: Span | None


class _Node:
    """A word in the tree of terms: the words that can follow, and the concept that ends here."""

    __slots__ = ("concept_id", "next_words")

    def __init__(self) -> None:
        self.concept_id = ""
        self.next_words: dict[str, _Node] = {}


class TermMatcher:
    """All terms of a vocabulary as one tree of words; matching is linear in the text's length."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._words = vocabulary.words
        self._root = _Node()
        for concept_id in vocabulary.concepts:
            for surface in vocabulary.list_surfaces(concept_id):
                for words in _list_variants(surface, self._words):
                    self._add(words, concept_id, surface.text)
        for concept_id in vocabulary.concepts:
            for words in _list_inversions(concept_id, vocabulary):
                node = self._add_path(words)
                node.concept_id = node.concept_id or concept_id

    def _add_path(self, words: tuple[str, ...]) -> _Node:
        node = self._root
        for word in words:
            node = node.next_words.setdefault(word, _Node())
        return node

    def _add(self, words: tuple[str, ...], concept_id: str, text: str) -> None:
        node = self._add_path(words)
        if node.concept_id not in {"", concept_id}:
            advice = f"Remove it from one of them (remove = [{text!r}])"
            raise InputError(f"entry {concept_id}", f"{text!r} is already a way to write {node.concept_id}", advice)
        node.concept_id = concept_id

    def find(self, text: str) -> tuple[_TermMatch, ...]:
        """Start, end and concept of each term in order, the longest at each place, none overlapping.

        Of terms that share their last word ("vascular or perineural invasion") each is found.
        """
        words = split_words(text)
        matches: list[_TermMatch] = []
        position = 0
        while position < len(words):
            length, concept_id = self._find_longest(words, position, text)
            if length > 1 and position and words[position - 1].key == "non":  # "non-mucinous adenocarcinoma"
                length = 0
            if length:
                if length > 1:
                    _insert_shared(matches, self._find_sharing(words, position, length))
                matches.append((words[position].start, words[position + length - 1].end, concept_id))
            position += max(length, 1)
        return tuple(matches)

    def _find_sharing(self, words: tuple[Word, ...], position: int, length: int) -> list[_TermMatch]:
        """Terms of one word before this one that its last words complete ("ductal and lobular carcinoma in situ")."""
        end, matches = position + length, list[_TermMatch]()
        while position >= 2:
            link = position - 1
            while link > 0 and words[link].key in _LINKS:
                link -= 1
            concept_ids = (self._complete_term(words[link], words[start:end]) for start in range(position + 1, end))
            concept_id = next(filter(None, concept_ids), "")
            if link == position - 1 or not concept_id:
                break
            matches.insert(0, (words[link].start, words[link].end, concept_id))
            position = link
        return matches

    def _complete_term(self, first: Word, rest: tuple[Word, ...]) -> str:
        nodes = self._step([self._root], first)
        for word in rest:
            nodes = self._step(nodes, word)
        return next((node.concept_id for node in nodes if node.concept_id), "")

    def _find_longest(self, words: tuple[Word, ...], position: int, text: str) -> tuple[int, str]:
        """How many words the longest term at this place has, and its concept; (0, "") where none begins."""
        best, concept_id = 0, ""
        nodes = [self._root]
        behind_remark = -1
        for index in range(position, len(words)):
            word = words[index]
            if index < behind_remark:
                continue
            if index > position and not word.is_joined and index != behind_remark:
                behind_remark = self._skip_remark(words, index, text)
                if behind_remark < 0:
                    break
                continue
            nodes = self._step(nodes, word)
            if not nodes:
                break
            end_concept = next((node.concept_id for node in nodes if node.concept_id), "")
            if end_concept and not _is_other_ca(word, text):
                best, concept_id = index - position + 1, end_concept
        return best, concept_id

    def _skip_remark(self, words: tuple[Word, ...], index: int, text: str) -> int:
        """The word behind a short remark in brackets that holds no term ("venous (large vessel) invasion"), or -1."""
        if text[words[index - 1].end : words[index].start].strip() != "(":
            return -1
        for last in range(index, min(index + _LONGEST_REMARK, len(words) - 1)):
            gap = text[words[last].end : words[last + 1].start]
            if gap.strip() == ")" and "\n" not in gap:
                is_term = any(self._find_longest(words, place, text)[0] for place in range(index, last + 1))
                return -1 if is_term else last + 1
            if gap.strip():
                break
        return -1

    def _step(self, nodes: list[_Node], word: Word) -> list[_Node]:
        exact, plain = "=" + word.raw, self._words.get(word.key, word.key)
        return [node.next_words[key] for node in nodes for key in (exact, plain) if key in node.next_words]


def _insert_shared(matches: list[_TermMatch], shared: list[_TermMatch]) -> None:
    """Add terms that share a later one's last words, in the place of their bare first words."""
    tail: list[_TermMatch] = []
    while shared and matches and matches[-1][1] > shared[0][0]:
        tail.insert(0, matches.pop())
    inner = [match for match in shared if not any(other[0] < match[0] < other[1] for other in tail)]
    starts = {match[0] for match in inner}
    matches.extend(sorted([*(match for match in tail if match[0] not in starts), *inner]))


def _list_variants(surface: Surface, synonyms: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """The word sequences of one way of writing: hyphenated words also joined ("non-invasive", "noninvasive")."""
    spellings = [surface.text]
    if "-" in surface.text and not surface.exact:
        spellings.append(surface.text.replace("-", ""))
    for text in spellings:
        words = split_words(text)
        if surface.exact:
            yield tuple("=" + word.raw for word in words)
            yield (*("=" + word.raw for word in words[:-1]), "=" + words[-1].raw + "s")
        else:
            yield tuple(synonyms.get(word.key, word.key) for word in words)


def _list_inversions(concept_id: str, vocabulary: Vocabulary) -> Iterator[tuple[str, ...]]:
    """A diagnosis named by its parent with the type behind it ("renal cell carcinoma, papillary type")."""
    concept = vocabulary[concept_id]
    if concept.kind != "diagnosis":
        return
    own_words = {
        words for surface in vocabulary.list_surfaces(concept_id) for words in _list_plain_variants(surface, vocabulary)
    }
    heads = {
        words
        for ancestor in vocabulary.find_ancestors(concept_id)
        for surface in vocabulary.list_surfaces(ancestor)
        for words in _list_plain_variants(surface, vocabulary)
    }
    pairs = {(words[: -len(head)], head) for words in own_words for head in heads if words[-len(head) :] == head}
    parents = (surface for parent in concept.parents for surface in vocabulary.list_surfaces(parent))
    above = {words for surface in parents for words in _list_plain_variants(surface, vocabulary)}
    for kind in {kind for kind, _ in pairs if kind}:
        ending = kind if kind[-1] == _TYPE else (*kind, _TYPE)
        for head in above | {head for other, head in pairs if other == kind}:
            yield from ((*head, link, *ending) for link in (",", "of"))


def _list_plain_variants(surface: Surface, vocabulary: Vocabulary) -> Iterator[tuple[str, ...]]:
    return iter(()) if surface.exact else _list_variants(surface, vocabulary.words)


def _is_other_ca(word: Word, text: str) -> bool:
    return word.raw in {"ca", "Ca"} and _NO_CARCINOMA.match(text, word.end) is not None


@lru_cache(maxsize=8)
def _get_matcher(vocabulary: Vocabulary) -> TermMatcher:
    return TermMatcher(vocabulary)


def find_terms(text: str, vocabulary: Vocabulary | None = None) -> tuple[Mention, ...]:
    """The concepts named in a text, in order, the longest term at each place.

    Words match in any case, number, hyphenation and spelling (British or American); abbreviations only as written.
    """
    vocabulary = vocabulary or load_vocabulary()
    matches = _get_matcher(vocabulary).find(text)
    places = [Span(start, end) for start, end, _ in matches]
    scope_index = ScopeIndex(scope for scope in find_scopes(text) if not _is_part(scope.cue, places))
    return tuple(
        Mention(place.start, place.end, concept_id, *_find_status(text, place, concept_id, scope_index, vocabulary))
        for place, (_, _, concept_id) in zip(places, matches, strict=True)
    )


def _find_status(
    text: str, place: Span, concept_id: str, scope_index: ScopeIndex, vocabulary: Vocabulary
) -> tuple[Status, Span | None]:
    """A site named as the place of something ("no carcinoma in the colon") is there, whatever is not in it."""
    kind = vocabulary[concept_id].kind
    is_site = kind in _SITE_KINDS or concept_id in _SITE_FINDINGS
    kinds: set[Spared] = {"site"} if is_site else set()
    if kind == "diagnosis":
        is_tumour = concept_id in _TUMOURS or not _TUMOURS.isdisjoint(vocabulary.find_ancestors(concept_id))
        kinds |= {"diagnosis"} if is_tumour else {"diagnosis", "benign"}
    status, cue = scope_index.find_status(place, frozenset(kinds))
    if is_site and cue is not None and status in {Status.NEGATED, Status.UNSTATED}:
        start = max(cue.end if cue.end <= place.start else 0, place.start - _FARTHEST_PLACE)
        if not _is_head(text[place.end : cue.start].lower()) or _PLACE.search(text, start, place.start):
            return Status.AFFIRMED, None
    return status, cue


def _is_head(between: str) -> bool:
    """Whether a site itself is denied by what stands behind it, not a part of it ("renal vein thrombus: none")."""
    words = _LETTERS.findall(_REMARK.sub("", between))
    return _LISTED.search(between) is not None or all(word in _BETWEEN for word in words)


def _is_part(cue: Span, places: list[Span]) -> bool:
    """Whether a cue is part of a term ("of no special type")."""
    index = bisect_right(places, cue.start, key=lambda place: place.start)
    return cue.start < cue.end and any(
        place.start <= cue.start and cue.end <= place.end for place in places[max(0, index - 1) : index]
    )
