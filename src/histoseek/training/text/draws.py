"""What a training step sees of the reports: pairs that agree, beside texts that say something else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.training.text.corpus import CorpusText
from histoseek.training.text.facts import Passage, names_disease, opposes, read_passage
from histoseek.training.text.opposites import find_opposite
from histoseek.training.text.paraphrase import paraphrase_sentences
from histoseek.training.text.statements import list_stated_concepts, query_about, statement_triple

Rng = np.random.Generator
DrawKind = Literal["parts", "paraphrase", "facts", "query", "statement"]
KINDS: tuple[DrawKind, ...] = get_args(DrawKind)

_TRIES = 4
_SHARES: dict[str, float] = {"paraphrase": 0.35, "query": 0.3, "facts": 0.2, "parts": 0.15}
"""How often each way is tried for a report; parts of one report often agree in little but their case."""

_LONGEST_WORDS = 96
"""Longer texts are seen by whole sentences, some at a time: what a step takes then has a bound."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Two passages that agree, and none, one or two that oppose the first; kind: how they were made.

    parts: two sections or two sets of sentences of one report; paraphrase: a report and the same in other words;
    facts: two reports with the same facts; query: a short query and a report that answers it; statement: two short
    statements about a concept of the vocabulary.
    """

    kind: DrawKind
    anchor: Passage
    positive: Passage
    negatives: tuple[Passage, ...]


class Drawer:
    """Makes the draws of an epoch; which ones depends on seed, epoch and place only."""

    def __init__(self, texts: Sequence[CorpusText], vocabulary: Vocabulary, statements: float, seed: int) -> None:
        self._texts, self._vocabulary, self._seed = texts, vocabulary, seed
        self._concepts = list_stated_concepts(vocabulary)
        self._statements = round(statements * len(texts)) if self._concepts else 0
        self._same_facts: dict[frozenset[str], list[int]] = defaultdict(list)
        for place, text in enumerate(texts):
            if text.whole.facts:
                self._same_facts[text.whole.facts].append(place)

    def __len__(self) -> int:
        """Draws of an epoch: one a report, and the statements."""
        return len(self._texts) + self._statements

    def draw(self, place: int, epoch: int) -> Draw | None:
        """The draw at a place of an epoch, None where its text yields none."""
        rng = np.random.default_rng([self._seed, epoch, place])
        for _ in range(_TRIES):
            draw = self._draw_statement(rng) if place >= len(self._texts) else self._draw_from_report(place, rng)
            if draw is not None and draw.anchor.key != draw.positive.key:
                return draw
        return None

    def _draw_statement(self, rng: Rng) -> Draw | None:
        triple = statement_triple(self._concepts[int(rng.integers(len(self._concepts)))], rng, self._vocabulary)
        return Draw("statement", *triple) if triple else None

    def _draw_from_report(self, place: int, rng: Rng) -> Draw | None:
        text = self._texts[place]
        kind = rng.choice(list(_SHARES), p=list(_SHARES.values()))
        if kind == "parts":
            return self._draw_parts(text, rng)
        if kind == "facts":
            return self._draw_same_facts(place, rng)
        passage = self._shorten(text, rng)
        if kind == "query":
            query = query_about(passage, rng, self._vocabulary)
            return None if query is None else Draw("query", query, passage, self._oppose(query, passage, rng))
        paraphrase = paraphrase_sentences(passage.text.split("\n"), rng, self._vocabulary)
        other = read_passage(paraphrase, self._vocabulary, text.whole)
        return Draw("paraphrase", passage, other, self._oppose(passage, passage, rng))

    def _draw_parts(self, text: CorpusText, rng: Rng) -> Draw | None:
        """Two sections, or the sentences dealt out in two."""
        if len(text.parts) > 1 and rng.random() < 0.5:
            first, second = rng.permutation(len(text.parts))[:2]
            halves = [text.parts[int(first)], text.parts[int(second)]]
        else:
            sentences = text.sentences
            if len(sentences) < 2:
                return None
            first_half = set(rng.permutation(len(sentences))[: int(rng.integers(1, len(sentences)))].tolist())
            halves = [
                tuple(sentence for place, sentence in enumerate(sentences) if (place in first_half) == chosen)
                for chosen in (True, False)
            ]
        views = [self._view(_cut(half, rng), text) for half in halves]
        if not all(names_disease(view, self._vocabulary) for view in views):
            return None
        return Draw("parts", views[0], views[1], self._oppose(views[0], views[1], rng))

    def _draw_same_facts(self, place: int, rng: Rng) -> Draw | None:
        text = self._texts[place]
        others = [number for number in self._same_facts.get(text.whole.facts, ()) if number != place]
        if not others:
            return None
        other = self._texts[others[int(rng.integers(len(others)))]]
        anchor = self._shorten(text, rng)
        return Draw("facts", anchor, self._shorten(other, rng), self._oppose(anchor, anchor, rng))

    def _oppose(self, anchor: Passage, like: Passage, rng: Rng) -> tuple[Passage, ...]:
        """A passage like a given one, changed so that it opposes the anchor."""
        opposite = find_opposite(like, rng, self._vocabulary)
        return (opposite,) if opposite is not None and opposes(opposite, anchor) else ()

    def _shorten(self, text: CorpusText, rng: Rng) -> Passage:
        """The report, or of a long one some sentences."""
        if _words(text.sentences) <= _LONGEST_WORDS:
            return text.whole
        return self._view(_cut(text.sentences, rng), text)

    def _view(self, sentences: Sequence[str], text: CorpusText) -> Passage:
        return read_passage("\n".join(sentences), self._vocabulary, text.whole)


def _words(sentences: Sequence[str]) -> int:
    return sum(len(sentence.split()) for sentence in sentences)


def _cut(sentences: Sequence[str], rng: Rng) -> tuple[str, ...]:
    """Neighbouring sentences, at most _LONGEST_WORDS words of them, from a random place; at least one sentence."""
    if _words(sentences) <= _LONGEST_WORDS:
        return tuple(sentences)
    start = int(rng.integers(len(sentences)))
    window = [" ".join(sentences[start].split()[:_LONGEST_WORDS])]
    for sentence in sentences[start + 1 :]:
        if _words([*window, sentence]) > _LONGEST_WORDS:
            break
        window.append(sentence)
    return tuple(window)
