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
from typing import Protocol, TypeVar

from histoseek.errors import ConfigurationError
from histoseek.reports.language.headings import SECTION_NAMES, SectionName
from histoseek.reports.language.sections import Section, Sections
from histoseek.reports.language.sentences import Sentence
from histoseek.reports.visible.statements import Statement, Trait, list_statements

_Name = TypeVar("_Name", bound=str)
LANGUAGE_MODEL_RULE = "language model"


class SentenceJudge(Protocol):
    """Decides which sentences a stained slide can show."""

    def judge(self, sentences: Sequence[str]) -> tuple[bool, ...]:
        """One answer per sentence, in order. Raises EncoderError when there is no usable answer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Marks sentences that no slide stained with H&E can show.

    It fits a sentence in one of `sections` (none: anywhere; "other": only under a heading) with one of `traits`
    (none: any), in which `pattern` is found (None: any) and whose row of a form has a `label` and a `value` in which
    those are found (None: any, or no row), unless `unless` is found in it. why: in words for users.
    """

    name: str
    why: str
    sections: tuple[SectionName, ...] = ()
    traits: tuple[Trait, ...] = ()
    label: re.Pattern[str] | None = None
    value: re.Pattern[str] | None = None
    pattern: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None

    def fits(self, statement: Statement) -> bool:
        """Whether the rule marks this sentence."""
        section, text = statement.section, statement.sentence.text
        is_placed = section.name in self.sections and (section.name != "other" or bool(section.heading))
        if (self.sections and not is_placed) or (self.traits and not statement.traits.intersection(self.traits)):
            return False
        wanted = ((self.label, statement.label), (self.value, statement.value), (self.pattern, text))
        if any(pattern and not pattern.search(part) for pattern, part in wanted):
            return False
        return not (self.unless and self.unless.search(text))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence and its section; rule: the name of the rule that says no slide shows it, None when it is visible."""

    sentence: Sentence
    section: Section
    rule: str | None

    @property
    def is_visible(self) -> bool:
        """Whether a slide can show it."""
        return self.rule is None


def judge_sentences(
    report: Sections, rules: Sequence[Rule] | None = None, judge: SentenceJudge | None = None
) -> tuple[Verdict, ...]:
    """One verdict for each sentence, in order; rules: those of the package unless given.

    judge: asked only about sentences that the rules leave; its noes carry the rule name "language model". Give it
    only text that was de-identified before.
    """
    rules = load_packaged_rules() if rules is None else rules
    verdicts = [
        Verdict(statement.sentence, statement.section, _find_rule(rules, statement))
        for statement in list_statements(report)
    ]
    open_places = [place for place, verdict in enumerate(verdicts) if verdict.is_visible] if judge else []
    if judge and open_places:
        answers = judge.judge([verdicts[place].sentence.text for place in open_places])
        for place, is_visible in zip(open_places, answers, strict=True):
            verdict = verdicts[place]
            verdicts[place] = Verdict(verdict.sentence, verdict.section, None if is_visible else LANGUAGE_MODEL_RULE)
    return tuple(verdicts)


def select_visible_text(
    report: Sections, rules: Sequence[Rule] | None = None, judge: SentenceJudge | None = None
) -> str:
    """The sentences that a slide can show, one section (or specimen of one) a line; "" when there is none."""
    visible = [verdict for verdict in judge_sentences(report, rules, judge) if verdict.is_visible]
    by_section = groupby(visible, key=lambda verdict: id(verdict.section))
    return "\n".join(" ".join(verdict.sentence.text for verdict in group) for _, group in by_section)


@lru_cache(maxsize=1)
def load_packaged_rules() -> tuple[Rule, ...]:
    """The rules that come with the package (visible/rules.toml)."""
    text = (resources.files("histoseek.reports.visible") / "rules.toml").read_text("utf-8")
    return tuple(_parse_rules(text, "visible/rules.toml"))


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Rules from a file in the packaged one's layout. Raises ConfigurationError naming what is wrong in it."""
    try:
        return tuple(_parse_rules(path.read_text("utf-8"), str(path)))
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "cannot be read", "Check the path") from error


def _parse_rules(text: str, where: str) -> Iterator[Rule]:
    try:
        entries = tomllib.loads(text)["rule"]
        for entry in entries:
            yield _parse_rule(entry, where)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            where, f"not a file of rules ({error})", "See the packaged reports/visible/rules.toml"
        ) from error


def _parse_rule(entry: dict[str, object], where: str) -> Rule:
    name = str(entry["name"])
    sections = _parse_names(entry, "sections", SECTION_NAMES, where)
    traits = _parse_names(entry, "traits", tuple(Trait), where)
    patterns = {field: _parse_pattern(entry, field, where) for field in ("label", "value", "pattern", "unless")}
    if not sections and not traits and not any(patterns.values()):
        raise ConfigurationError(where, f"rule {name!r} fits everything", "Give it a pattern, sections or traits")
    return Rule(name, str(entry["why"]), sections, traits, **patterns)


def _parse_names(entry: dict[str, object], field: str, known: tuple[_Name, ...], where: str) -> tuple[_Name, ...]:
    """The sections or traits of a rule."""
    written = entry.get(field, [])
    names = tuple(name for name in known if isinstance(written, list) and name in written)
    if not isinstance(written, list) or len(names) < len(written):
        fault = f"rule {entry['name']!r} has unknown {field} {written}"
        raise ConfigurationError(where, fault, f"The {field} are: {', '.join(known)}")
    return names


def _parse_pattern(entry: dict[str, object], field: str, where: str) -> re.Pattern[str] | None:
    """A pattern, which may be written over several lines."""
    if field not in entry:
        return None
    try:
        return re.compile(str(entry[field]).replace("\n", ""), re.IGNORECASE)
    except re.error as error:
        fault = f"{field} of rule {entry['name']!r} is not a regular expression ({error})"
        raise ConfigurationError(where, fault, "Correct it") from error


def _find_rule(rules: Sequence[Rule], statement: Statement) -> str | None:
    return next((rule.name for rule in rules if rule.fits(statement)), None)
