"""Which sentences of a report a stained slide can show: a named rule decides each, and a language model may look too.

The full text is what search reads; the visible text is for training, where a sentence that no slide can show
teaches a model to make things up.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Protocol

from histoseek.errors import ConfigurationError
from histoseek.reports.language.headings import SECTION_NAMES, SectionName
from histoseek.reports.language.sections import Section, Sections
from histoseek.reports.language.sentences import Sentence

JUDGED = "language model"


class SentenceJudge(Protocol):
    """Says of sentences whether a stained slide can show them."""

    def visible(self, sentences: Sequence[str]) -> tuple[bool, ...]:
        """One answer a sentence, in order. Raises EncoderError when there is no usable answer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Marks sentences that no slide stained with H&E can show.

    It fits a sentence under a heading of one of `sections` (none: anywhere, heading or not) in which `pattern` is
    found (None: any), unless `unless` is found in it. why: in words for users.
    """

    name: str
    why: str
    sections: tuple[SectionName, ...]
    pattern: re.Pattern[str] | None
    unless: re.Pattern[str] | None

    def fits(self, sentence: str, section: Section) -> bool:
        """Whether the rule marks this sentence."""
        if self.sections and not (section.heading and section.name in self.sections):
            return False
        if self.pattern and not self.pattern.search(sentence):
            return False
        return not (self.unless and self.unless.search(sentence))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence and its section; rule: the name of the rule that says no slide shows it, None when it is visible."""

    sentence: Sentence
    section: Section
    rule: str | None

    @property
    def visible(self) -> bool:
        """Whether a slide can show it."""
        return self.rule is None


def verdicts(
    report: Sections, rules: Sequence[Rule] | None = None, judge: SentenceJudge | None = None
) -> tuple[Verdict, ...]:
    """One verdict for each sentence, in order; rules: those of the package unless given.

    judge: asked only about sentences that the rules leave; its noes carry the rule name "language model". Give it
    only text that was de-identified before.
    """
    rules = packaged_rules() if rules is None else rules
    found = [
        Verdict(sentence, section, _first_fitting(rules, sentence.text, section))
        for section in report.sections
        for sentence in section.sentences
    ]
    left = [place for place, verdict in enumerate(found) if verdict.visible] if judge else []
    if judge and left:
        answers = judge.visible([found[place].sentence.text for place in left])
        for place, is_visible in zip(left, answers, strict=True):
            verdict = found[place]
            found[place] = Verdict(verdict.sentence, verdict.section, None if is_visible else JUDGED)
    return tuple(found)


def visible_text(report: Sections, rules: Sequence[Rule] | None = None, judge: SentenceJudge | None = None) -> str:
    """The sentences that a slide can show, one section (or specimen of one) a line; "" when there is none."""
    kept = [verdict for verdict in verdicts(report, rules, judge) if verdict.visible]
    by_section = groupby(kept, key=lambda verdict: id(verdict.section))
    return "\n".join(" ".join(verdict.sentence.text for verdict in group) for _, group in by_section)


@lru_cache(maxsize=1)
def packaged_rules() -> tuple[Rule, ...]:
    """The rules that come with the package (rules/visible.toml)."""
    written = (resources.files("histoseek.reports.visible") / "rules.toml").read_text("utf-8")
    return tuple(_rules(written, "rules/visible.toml"))


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Rules from a file in the packaged one's layout. Raises ConfigurationError naming what is wrong in it."""
    try:
        return tuple(_rules(path.read_text("utf-8"), str(path)))
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "cannot be read", "Check the path") from error


def _rules(written: str, where: str) -> Iterator[Rule]:
    try:
        entries = tomllib.loads(written)["rule"]
        for entry in entries:
            yield _rule(entry, where)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(where, f"no rules ({error})", "See the packaged rules/visible.toml") from error


def _rule(entry: dict[str, object], where: str) -> Rule:
    name = str(entry["name"])
    sections = entry.get("sections", [])
    named = tuple(found for found in SECTION_NAMES if isinstance(sections, list) and found in sections)
    if not isinstance(sections, list) or len(named) < len(sections):
        advice = f"Sections are: {', '.join(SECTION_NAMES)}"
        raise ConfigurationError(where, f"rule {name!r} has unknown sections {sections}", advice)
    pattern, unless = _pattern(entry, "pattern", where), _pattern(entry, "unless", where)
    if not named and not pattern:
        raise ConfigurationError(where, f"rule {name!r} fits everything", "Give it a pattern or sections")
    return Rule(name, str(entry["why"]), named, pattern, unless)


def _pattern(entry: dict[str, object], field: str, where: str) -> re.Pattern[str] | None:
    """A pattern, which may be written over several lines."""
    if field not in entry:
        return None
    try:
        return re.compile(str(entry[field]).replace("\n", ""), re.IGNORECASE)
    except re.error as error:
        fault = f"{field} of rule {entry['name']!r} is no regular expression ({error})"
        raise ConfigurationError(where, fault, "Mend it") from error


def _first_fitting(rules: Sequence[Rule], sentence: str, section: Section) -> str | None:
    return next((rule.name for rule in rules if rule.fits(sentence, section)), None)
