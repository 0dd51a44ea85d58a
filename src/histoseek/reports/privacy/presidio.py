"""Presidio as a second reader: what its model takes for identifiers goes too, words of reports excepted.

Presidio and a spaCy model are installed on demand (extra `presidio`) and imported only here, nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from histoseek.errors import ConfigurationError, MissingExtra
from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.languages import list_phrases
from histoseek.reports.privacy.identifiers.lexicon import load_lexicon
from histoseek.reports.privacy.identifiers.name_reader import NameReader
from histoseek.reports.privacy.identifiers.name_tokens import NameToken, tokenise

LEAST_SCORE = 0.4
# Organisations, web and network addresses are left to our rules: in reports Presidio takes headings for the first and
# sentences without a blank between ("margin.Tumor") for the others.
KIND_OF = {
    "PERSON": IdentifierKind.NAME,
    "LOCATION": IdentifierKind.ADDRESS,
    "DATE_TIME": IdentifierKind.DATE,
    "EMAIL_ADDRESS": IdentifierKind.EMAIL,
    "PHONE_NUMBER": IdentifierKind.PHONE,
    "US_SSN": IdentifierKind.ID,
    "US_PASSPORT": IdentifierKind.ID,
    "US_DRIVER_LICENSE": IdentifierKind.ID,
    "UK_NHS": IdentifierKind.ID,
    "IBAN_CODE": IdentifierKind.ID,
    "CREDIT_CARD": IdentifierKind.ID,
    "MEDICAL_LICENSE": IdentifierKind.ID,
}
_WRITTEN = frozenset((IdentifierKind.NAME, IdentifierKind.ADDRESS))


class _Result(Protocol):
    entity_type: str
    start: int
    end: int
    score: float


class Analyser(Protocol):
    """What is used of Presidio's AnalyzerEngine."""

    def analyze(self, text: str, language: str, entities: list[str]) -> Sequence[_Result]:
        """Ranges of the text that may be of the named entities, each with a score up to 1."""


@dataclass(frozen=True, slots=True)
class PresidioReader:
    """Reads a text with Presidio and returns what is left of its results without words of reports."""

    analyser: Analyser

    def __call__(self, text: str) -> Iterator[Identifier]:
        """Identifiers with a score of .4 or more; of names and places the words that can be nothing else."""
        reader = NameReader(text, tokenise(text), load_lexicon())
        for result in self.analyser.analyze(text=text, language="en", entities=list(KIND_OF)):
            kind = KIND_OF.get(result.entity_type)
            if kind is None or result.score < LEAST_SCORE:
                continue
            if kind in _WRITTEN:
                yield from _keep_certain_words(reader, result, kind)
            elif kind is not IdentifierKind.DATE or _is_date(text[result.start : result.end]):
                yield Identifier(result.start, result.end, kind)


@lru_cache(maxsize=1)
def load_presidio() -> PresidioReader:
    """Presidio on the largest English model of spaCy that is installed.

    Raises MissingExtra without Presidio, ConfigurationError without a model.
    """
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ImportError as error:
        raise MissingExtra("presidio-analyzer", "presidio") from error
    models = sorted(filter(lambda name: name.startswith("en_"), spacy.util.get_installed_models()), key=_rank_model)
    if not models:
        raise ConfigurationError(
            "--deidentify presidio", "needs an English model of spaCy", "Install one, such as en_core_web_lg"
        )
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": models[0]}]}
    engine = NlpEngineProvider(nlp_configuration=settings).create_engine()
    return PresidioReader(AnalyzerEngine(nlp_engine=engine, supported_languages=["en"]))


def _rank_model(name: str) -> int:
    sizes = [size for size, mark in enumerate(("_trf", "_lg", "_md", "_sm")) if mark in name]
    return sizes[0] if sizes else 9


def _keep_certain_words(reader: NameReader, result: _Result, kind: IdentifierKind) -> Iterator[Identifier]:
    """The run from the first to the last word that can be nothing else; nothing where a word of reports is between."""
    tokens = [token for token in reader.tokens if result.start <= token.start and token.end <= result.end]
    certain = [at for at, token in enumerate(tokens) if _is_certain(reader, token)]
    if not certain:
        return
    run = tokens[certain[0] : certain[-1] + 1]
    if not any(len(token.word) > 2 and reader.is_common(token) and not reader.is_degree(token) for token in run):
        yield Identifier(run[0].start, run[-1].end, kind)


def _is_certain(reader: NameReader, token: NameToken) -> bool:
    return reader.is_certain(token) and (len(token.word) > 3 or reader.words.is_listed(token.plain))


def _is_date(text: str) -> bool:
    """Whether a "date" has a day or a month: not a year, an age or a duration, which are kept."""
    has_month = any(token.plain in _MONTHS for token in tokenise(text))
    return (has_month and bool(re.search(r"\d", text))) or bool(re.search(r"\d[/.-]\d{1,2}[/.-]\d", text))


_MONTHS = frozenset(list_phrases("dates", "months"))
