"""The words that deny, doubt or date what stands beside them: patterns of words, kept as data for each language."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import Any, Literal

from histoseek.reports.language.words import Span

Side = Literal["before", "after", "turn", "last", "site", "none", "between", "about", "idle"]
AnswerMeaning = Literal["yes", "no", "unstated", "doubt", "choose"]

_WORD = re.compile(
    r"(?<![^\W_])(?<!\w[-\u2010])(?:[dln]|qu)(?=['\u2019][^\W\d_]{3})|(?<![^\W_])(?<!\w[-\u2010])[^\W\d_]+(?:[-\u2010'\u2019/][^\W\d_]+)*"
)
_SLOT = re.compile(r"\[[^\]]*\]|\{\w+\}|[^\s{}\[\]]+")
_DOTTED_GAP = re.compile(r"['\u2019]|\.?\s{0,12}")
_ABBREVIATIONS = frozenset({"neg", "pos", "z", "v", "k", "n", "vs", "hx"})
_LONGEST_ANSWER = 160
_GAP = re.compile(r"['\u2019]|\s{0,12}")


class Status(StrEnum):
    """How a text speaks of a concept."""

    AFFIRMED = "affirmed"
    NEGATED = "negated"
    UNCERTAIN = "uncertain"
    HISTORICAL = "historical"
    UNSTATED = "unstated"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that give a status to what stands on a side of them; see the head of a language's file for the sides."""

    place: Span
    status: Status
    side: Side


class _Node:
    """A place between two words of a pattern."""

    __slots__ = ("meaning", "next_nodes", "skips")

    def __init__(self) -> None:
        self.meaning: tuple[str, str] | None = None
        self.next_nodes: dict[str, list[_Node]] = {}
        self.skips: list[_Node] = []


class _NodeSet:
    """All places that the words so far can have led to; its steps are worked out once and remembered."""

    __slots__ = ("meaning", "nodes", "steps")

    def __init__(self, nodes: Iterable[_Node]) -> None:
        reached, waiting = dict[int, _Node](), list(nodes)
        while waiting:
            node = waiting.pop()
            if id(node) not in reached:
                reached[id(node)] = node
                waiting.extend(node.skips)
        self.nodes = tuple(reached.values())
        meanings = [node.meaning for node in self.nodes if node.meaning is not None]
        self.meaning = max(meanings, key=lambda meaning: (meaning[1] == "idle", meaning[0] == "doubt"), default=None)
        self.steps: dict[str, _NodeSet | None] = {}


class PhraseMatcher:
    """Patterns of words as one automaton: the longest match at each word, in time linear in the text."""

    def __init__(self) -> None:
        self._root = _Node()
        self._start: _NodeSet | None = None
        self._shared: dict[frozenset[int], _NodeSet] = {}
        self._words: set[str] = set()

    def add(self, pattern: str, meaning: tuple[str, str], slots: Mapping[str, list[str]]) -> None:
        """A pattern and what it means; "{slot}" is any of a list, "[..]" may be left out."""
        nodes = self._root
        for part in _SLOT.findall(pattern):
            content = part.strip("[]")
            options: list[list[str]] = [[]] if part.startswith("[") else []
            options += [choice.split() for choice in _expand(content, slots)]
            nodes = self._add_options(nodes, options)
        end = _Node()
        end.meaning = meaning
        nodes.skips.append(end)

    @property
    def words(self) -> frozenset[str]:
        """The words of all patterns."""
        return frozenset(self._words)

    def _add_options(self, node: _Node, options: list[list[str]]) -> _Node:
        end = _Node()
        for words in options:
            last = node
            for word in words[:-1]:
                following = _Node()
                last.next_nodes.setdefault(word, []).append(following)
                last = following
            if words:
                last.next_nodes.setdefault(words[-1], []).append(end)
            else:
                node.skips.append(end)
            self._words.update(words)
        return end

    def find(self, text: str, start: int, end: int) -> Iterator[tuple[Span, tuple[str, str]]]:
        """Longest matches in text[start:end] of a lower-case text, from left to right, none overlapping.

        A match gives way to one that begins within it and goes on behind it ("is negative" to "negative for").
        """
        self._start = self._start or _NodeSet([self._root])
        words = [(match.group().replace("\u2019", "'"), *match.span()) for match in _WORD.finditer(text, start, end)]
        index = 0
        while index < len(words):
            length, meaning = self._match(text, words, index, self._start)
            for later in range(index + 1, index + length):
                if later + self._match(text, words, later, self._start)[0] > index + length:
                    index, length = later, 0
                    break
            if length and meaning is not None:
                yield Span(words[index][1], words[index + length - 1][2]), meaning
                index += length
            elif not length and meaning is None:
                index += 1

    def _match(
        self, text: str, words: list[tuple[str, int, int]], first: int, state: _NodeSet
    ) -> tuple[int, tuple[str, str] | None]:
        best: tuple[int, tuple[str, str] | None] = (0, None)
        for index in range(first, len(words)):
            word, word_start, _ = words[index]
            if index > first:
                before, _, before_end = words[index - 1]
                gap = _DOTTED_GAP if before in _ABBREVIATIONS else _GAP
                if not gap.fullmatch(text, before_end, word_start):
                    break
            following = self._step(state, word)
            if following is None:
                break
            state = following
            if state.meaning is not None:
                best = index - first + 1, state.meaning
        return best

    def _step(self, state: _NodeSet, word: str) -> _NodeSet | None:
        if word not in self._words:
            return None
        if word not in state.steps:
            nodes = [after for node in state.nodes for after in node.next_nodes.get(word, ())]
            key = frozenset(map(id, nodes))
            state.steps[word] = self._shared.setdefault(key, _NodeSet(nodes)) if nodes else None
        return state.steps[word]


def _expand(content: str, slots: Mapping[str, list[str]]) -> list[str]:
    """All texts of a part of a pattern: "{evidence} {of}" is "sign of", "sign for", ..."""
    parts = [slots[part[1:-1]] if part.startswith("{") else [part] for part in _SLOT.findall(content)]
    return [" ".join(choice) for choice in product(*parts)]


@lru_cache(maxsize=1)
def _load_languages() -> tuple[dict[str, Any], ...]:
    folder = files("histoseek.reports.language") / "cues"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return tuple(tomllib.loads((folder / name).read_text(encoding="utf-8")) for name in names)


@lru_cache(maxsize=1)
def _load_cues() -> PhraseMatcher:
    matcher = PhraseMatcher()
    for language in _load_languages():
        for status in Status:
            for side, patterns in language.get(status.value, {}).items():
                for pattern in patterns:
                    matcher.add(pattern, (status.value, side), language["words"])
    return matcher


@lru_cache(maxsize=1)
def _load_answers() -> PhraseMatcher:
    matcher = PhraseMatcher()
    for language in _load_languages():
        for meaning, patterns in language.get("answers", {}).items():
            for pattern in patterns:
                matcher.add(pattern, (meaning, ""), language["words"])
    return matcher


@dataclass(frozen=True, slots=True)
class Reach:
    """What ends the reach of cues, in lower-case text."""

    forward: re.Pattern[str]
    done: re.Pattern[str]
    either: re.Pattern[str]
    soft: re.Pattern[str]
    backward: re.Pattern[str]
    link: re.Pattern[str]
    among: re.Pattern[str]
    attribute: re.Pattern[str]
    place: re.Pattern[str]
    definite: re.Pattern[str]
    open_end: re.Pattern[str]
    close_start: re.Pattern[str]
    list_start: re.Pattern[str]
    list_start_within: re.Pattern[str]
    list_word: re.Pattern[str]
    opening: re.Pattern[str]


@lru_cache(maxsize=1)
def load_reach() -> Reach:
    """The words of all languages that end a cue's reach or carry it on."""

    def any_of(*names: str) -> str:
        words = {word for language in _load_languages() for name in names for word in language["reach"].get(name, ())}
        return "|".join(r"\s+".join(map(re.escape, word.split())) for word in sorted(words, key=len, reverse=True))

    place = rf"\b(?!(?:{any_of('not_place')})\b)(?:{any_of('place')})\b"
    comma = rf",\s*(?:and\s+)?(?:{any_of('comma')})\b"
    stop = rf"\b(?:{any_of('end')})\b|{comma}|:(?!\s*$)|(?<=\S)[ \t]-{{1,2}}[ \t]|\s\u2013\s|\.[\"\u201d]"
    stop += r"|(?<=[a-z]{3})\.\s+(?=[a-z]{3})"  # a full stop before a small letter, as OCR has them
    end = f"{stop}|{place}"
    done = rf"(?<=\w )(?:{any_of('done')})\b(?!\s*(?:/|(?:{any_of('either')})\b))"
    return Reach(
        forward=re.compile(rf"{end}|\b(?:{any_of('offer')})\b"),
        done=re.compile(done),
        either=re.compile(rf"\b(?:{any_of('either')})\b"),
        soft=re.compile(rf"{stop}|,(?!\s*(?:{any_of('list')})\b)|\)"),
        backward=re.compile(rf"\b(?:{any_of('backward')})\b"),
        link=re.compile(rf"\b(?:{any_of('link')})\b"),
        among=re.compile(rf"(?:\b(?:{any_of('present')})\s+)?\b(?:{any_of('among')})\s+(?:only\s+)?\(?$"),
        attribute=re.compile(rf"(?<!high[ -])(?<!low[ -])\b(?:{any_of('attribute')})\b"),
        place=re.compile(place),
        definite=re.compile(rf"(?:{any_of('definite')})\b"),
        open_end=re.compile(rf"(?<![\w-])(?:{any_of('open')})\s*$"),
        close_start=re.compile(rf"\s*(?:{any_of('close')})\b"),
        list_start=re.compile(rf"\b(?:{any_of('list_start')})\s*:\s*$"),
        list_start_within=re.compile(rf"\b(?:{any_of('list_start')})\s*:\s*\n"),
        opening=re.compile(rf"\W*(?:{any_of('opening')})\b[a-z ]{{0,12}}"),
        list_word=re.compile(rf"\b(?:{any_of('list_word')})\b"),
    )


def find_cues(text: str, start: int, end: int) -> list[Cue]:
    """The cues of text[start:end] of a lower-case text in order, the longest at each place; idle ones among them."""
    return [
        Cue(place, Status(status), side)  # type: ignore[arg-type]
        for place, (status, side) in _load_cues().find(text, start, end)
    ]


def list_cue_words() -> frozenset[str]:
    """The words of all languages that cues are made of."""
    return _load_cues().words


def match_answer(text: str, start: int, end: int) -> tuple[Span, AnswerMeaning] | None:
    """The answer that a lower-case text[start:end] begins with, the longest there is."""
    end = min(end, start + _LONGEST_ANSWER)
    first = _WORD.search(text, start, end)
    if first is None or text[start : first.start()].strip(" \t\n-*\u2022(\u00b7<>[_\"'"):
        return None
    place, meaning = next(_load_answers().find(text, start, end), (Span(end, end), ("", "")))
    return (place, meaning[0]) if place.start == first.start() else None  # type: ignore[return-value]
