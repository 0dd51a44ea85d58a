"""How questions that are kept may name a slide, so that they are forgotten with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
"""What JSON can hold."""

_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_GROUPS = ("case_id", "patient_id")


@dataclass(frozen=True, slots=True)
class SlideTraces:
    """What tells of a removed slide: its id, report, file's names; groups: its case and patient where no other slide
    has them."""

    slide_id: str
    report: str = ""
    files: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def are_in(self, question: Json) -> bool:
        """Whether a question is made of the slide, of the text of its report, or of a condition that names it."""
        if isinstance(question, Mapping):
            is_named = question.get("slide_id") == self.slide_id
            is_named |= any(question.get(group) in self.groups for group in _GROUPS)
            return is_named or self._are_in_condition(question) or any(map(self.are_in, question.values()))
        if isinstance(question, str):
            return bool(self.report) and " ".join(question.split()) == " ".join(self.report.split())
        return isinstance(question, Sequence) and any(map(self.are_in, question))

    def _are_in_condition(self, condition: Mapping[str, Json]) -> bool:
        names = {name.casefold() for name in (self.slide_id, *self.files, *self.groups)}
        return any(name.casefold() in names for name in list_condition_names(condition))


def list_question_slides(question: Json) -> Iterator[str]:
    """What questions name that may be a slide: those that they are made of, and what their conditions name."""
    if isinstance(question, Mapping):
        slide_id = question.get("slide_id")
        if isinstance(slide_id, str):
            yield slide_id
        yield from list_condition_names(question)
    if isinstance(question, Mapping | list):
        for value in question.values() if isinstance(question, Mapping) else question:
            yield from list_question_slides(value)


def list_condition_names(condition: Mapping[str, Json]) -> Iterator[str]:
    """Texts that a condition compares, in `where`, and in chosen values of ids and names."""
    where, filters = condition.get("where"), condition.get("filters")
    if isinstance(where, str):
        yield from (text.replace("''", "'") for text in _QUOTED.findall(where))
    for chosen in filters if isinstance(filters, list) else ():
        if isinstance(chosen, Mapping) and (chosen.get("source") == "name" or chosen.get("field") in _ID_FIELDS):
            values = chosen.get("values")
            yield from (value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


_ID_FIELDS = ("slide_id", *_GROUPS)
