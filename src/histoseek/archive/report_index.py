"""Reports as an archive keeps them beside their text: tokens, facts and windows; and the facts counted."""

from __future__ import annotations

from functools import lru_cache

MOST_WINDOWS = 8
"""Vectors that a report may have beside its own; the windows of longer reports are larger."""

_CHARACTERS_PER_TOKEN = 3
"""A cautious figure: on reports of surgical pathology, tokens of the default encoder have 3 to 4."""

_WINDOWS_IN_CONTEXT = 4
"""Smaller than what an encoder reads at once: a passage of a report is found by windows of its own size."""


def make_analyser_mark() -> str:
    """What decides the tokens and facts that a report gives: the analyser's version and the vocabulary's hash."""
    from histoseek.reports.concepts.vocabulary import load_vocabulary
    from histoseek.reports.index.analyser import ANALYSER_VERSION

    return f"{ANALYSER_VERSION}-{load_vocabulary().fingerprint}"


@lru_cache(maxsize=4096)
def read_report(text: str, boilerplate: frozenset[str] = frozenset()) -> tuple[str, tuple[str, ...]]:
    """A report's tokens, parted and enclosed by blanks, and its facts, of which one is its quality.

    boilerplate: pieces that the archive's reports have in common, which are not read.
    """
    from histoseek.reports.concepts.vocabulary import load_vocabulary
    from histoseek.reports.facts.quality import judge_quality
    from histoseek.reports.facts.report_facts import list_facts
    from histoseek.reports.facts.structured import extract_facts
    from histoseek.reports.index.analyser import analyse

    vocabulary = load_vocabulary()
    read = extract_facts(text, vocabulary, boilerplate)
    tokens = (term.token for term in analyse(text, read, vocabulary, boilerplate))
    quality = f"quality:{judge_quality(text, read, vocabulary, boilerplate).value}"
    return f" {' '.join(tokens)} ", (*list_facts(read, vocabulary), quality)


def split_windows(text: str, context_tokens: int) -> tuple[str, ...]:
    """A text in at most MOST_WINDOWS parts of whole sentences, each about a quarter of what a text encoder reads.

    None for a text that is no longer than two of them.
    """
    from histoseek.reports.language.sentences import split_sentences

    length = context_tokens * _CHARACTERS_PER_TOKEN // _WINDOWS_IN_CONTEXT
    if len(text) <= 2 * length:
        return ()
    length = max(length, -(-len(text) // (MOST_WINDOWS - 1)))
    windows: list[str] = []
    for sentence in split_sentences(text):
        if windows and (len(windows) == MOST_WINDOWS or len(windows[-1]) + len(sentence.text) < length):
            windows[-1] += " " + sentence.text
        else:
            windows.append(sentence.text)
    return tuple(windows)
